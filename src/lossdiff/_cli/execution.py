"""Execute a plan: open or resume its run file, fill it, and summarise it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.cells import cell_len

from ..cases.ledger import ledger
from ..errors import RunFileError
from ..harness.engine import ASKED, Engine, Findings, Plan, difference
from ..harness.repro import Idle, Yours, missing_examples, write_examples
from ..harness.runfile import (
    DomainRow,
    RunFile,
    ValidityPointRow,
    VerdictRow,
    WorkerRow,
    standing,
    writing,
)
from ..harness.workers import NO_SPARES, Cluster, Spares
from ..outputs import shown
from ..reports.numbers import counted
from .output import PlainConsole, console, echo, width
from .progress import RunProgress
from .signals import signals
from .status import Status
from .summaries import NONE, Summaries


@contextmanager
def opened(output: Path, asked: dict[str, str], *, resume: bool | None = None) -> Iterator[RunFile]:
    """Open a run file for writing, and hold its lock.

    A new run replaces an old one once its workers have started; a run that ends before that leaves
    the old one in place.

    Args:
        output: the path of the run file.
        asked: entries of `meta` that identify the questions; see `harness.engine.identity`.
        resume: whether an existing run is continued; None if this kind of run cannot be.

    Yields:
        The open run file.

    Raises:
        RunFileError: the file cannot be written, or it holds another run.
        KeyboardInterrupt: with a message for the user, if answers were stored.
    """
    # A signal must not come between a file and what removes it.
    with ExitStack() as stack:
        with signals.deferred():
            stack.enter_context(writing(output))
            run = _taken_up(output, asked) if resume else None
            if run is None:
                run = _begun(output, asked)
            stack.callback(run.discard)
        try:
            yield run
            run.verify()
        # A draft without answers is discarded; one with answers takes the place of the old run.
        except KeyboardInterrupt:
            if not run.count(VerdictRow) and not run.count(ValidityPointRow):
                raise
            run.publish()
            run.verify()
            hint = "" if resume is None else "; --resume goes on with it"
            raise KeyboardInterrupt(f"what came so far is kept in {shown(output)}{hint}") from None
        finally:
            with signals.deferred():
                stack.close()


def _begun(output: Path, asked: dict[str, str]) -> RunFile:
    """Return a new run."""
    run = RunFile.draft(output)
    command = " ".join(["lossdiff", *sys.argv[1:]])
    run.set_meta(**asked, command=command, started=_now(), finished="")
    return run


def _taken_up(output: Path, asked: dict[str, str]) -> RunFile | None:
    """Return the run to continue; None if there is none yet.

    Raises:
        RunFileError: the existing run has other questions.
    """
    place = standing(output)
    if place is None:
        echo(f"there is no {shown(output)} yet: a new run begins", err=True)
        return None
    with RunFile.open(place) as run:  # read-only: a run that is refused must stay as it is
        before = run.meta
    # Answers to other questions must not be mixed into one run.
    if other := difference(before, asked, ASKED):
        command = before.get("command", "unknown")
        raise RunFileError(f"{shown(output)} was begun with {other}; its command was: {command}")
    return RunFile.reopen(output)


def execute(plan: Plan, run: RunFile, scheduler: str = "", spares: Spares = NO_SPARES) -> Findings:
    """Evaluate the cases that have no verdict yet, here or on a Dask cluster.

    Args:
        plan: the questions.
        run: receives the rows; a finished run without an absent framework stays as it is.
        scheduler: the address of a Dask scheduler; empty for this machine.
        spares: the processes in which users' functions were got to know; receive those that
            `show_causes` may need.

    Returns:
        The findings of the whole run, including those that were stored before.

    Raises:
        ClusterError: there is no such cluster, or it cannot execute the plan.
    """
    if run.meta.get("finished") and not run.count(WorkerRow, "absent != ''"):
        echo(f"{shown(run.path)} is complete: there is nothing left to ask", err=True)
        findings = Findings(plan.device, expected=plan.expected, conventions=plan.conventions)
        findings.recall(run)
        return findings
    run.set_meta(finished="")
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(Cluster(scheduler))) if scheduler else None
        progress = stack.enter_context(RunProgress(PlainConsole(stderr=True)))
        engine = Engine(plan, run, progress, cluster, spares)
        findings = engine.execute()
    claimed = {it.name: sorted(it.options) for it in findings.own_claims}
    run.set_meta(claimed=json.dumps(claimed))
    run.set_meta(finished=_now(), spent=json.dumps(engine.profile.figures()))
    return findings


def show_causes(plan: Plan, run: RunFile, spares: Spares = NO_SPARES) -> None:
    """Shrink a finding of each cause that has no example yet, and ask every library the same.

    Args:
        plan: the questions, with what is known of the user's functions.
        run: the run, whose questions are answered.
        spares: the processes that are left of `execute`.
    """
    from ..reports.causes import causes

    own = causes(run.rows(VerdictRow, "kind = 'user'")) if plan.extra else []
    wanted = missing_examples(run, [cause for cause in own if cause.kind == "finding"])
    if wanted:
        echo(f"shrinking the findings of {counted(len(wanted), 'cause')}", err=True)
        idle = Idle(spares, plan.cache)
        write_examples(run, wanted, Yours(plan.extra, plan.learnt), idle)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def conclude(
    run: RunFile,
    findings: Findings,
    *,
    complete: str = "",
    summaries: Summaries = NONE,
    expected: tuple[str, ...] = (),
) -> Status:
    """Print the summary of a run, write what else says it, and return the exit status.

    Args:
        run: the finished run.
        findings: the findings of this run.
        complete: the suite, if every framework was asked all of it, else empty. Only then is an
            entry of the ledger that matches nothing known to be stale.
        summaries: the files that say the same.
        expected: the ids of the expected findings that this run should have found.

    Raises:
        RunFileError: the run is no longer where it was written.
        OutputError: one of the files cannot be written.
    """
    from ..reports.commands import path_of
    from ..reports.terminal import summary

    run.verify()  # of what is lost, no summary must say where it is
    console().print(summary(run), crop=False)
    echo(f"run file: {shown(run.path)}")
    if sum(findings.verdicts.values()):
        for line in next_lines(path_of(shown(run.path))):
            echo(line)
    nothing = _nothing_asked(run, findings)
    stale = [] if nothing else _stale(findings, complete)
    stale += [] if nothing else [name for name in expected if name not in findings.matched]
    wrong = f"ledger entries that match nothing: {', '.join(stale)}" if stale else nothing
    summaries.write(run, [wrong] if wrong else [])
    if wrong:
        echo(f"lossdiff: {wrong}", err=True)
        return Status.NOTHING if nothing else Status.FINDINGS
    return Status.FINDINGS if findings.unknown else Status.OK


def next_lines(place: str) -> list[str]:
    """Return what a reader may do next, in one line or, where it has no room, in two.

    >>> next_lines("run.sqlite")
    ['next: lossdiff show run.sqlite, or lossdiff report run.sqlite --open']
    """
    show, report = f"next: lossdiff show {place}", f"lossdiff report {place} --open"
    line = f"{show}, or {report}"
    return [line] if cell_len(line) <= width() else [f"{show}, or", f"      {report}"]


def _nothing_asked(run: RunFile, findings: Findings) -> str:
    """Return why nothing was asked; empty if something was."""
    if sum(findings.verdicts.values()) or run.count(DomainRow):
        return ""
    absent = [f"{row.framework}: {row.absent}" for row in run.rows(WorkerRow) if row.absent]
    reason = "; ".join(absent) or "no implementation claims one of the cases"
    return f"nothing could be asked; {reason}"


def _stale(findings: Findings, complete: str) -> list[str]:
    """Return the entries of the ledger that a complete run of their suite does not match."""
    return [
        entry.id
        for entry in ledger()
        if complete and entry.suite == complete and entry.id not in findings.matched
    ]
