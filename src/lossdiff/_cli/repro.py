"""The command `lossdiff repro`, which shrinks a finding and writes a script that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ..cases.model import shape_text
from ..errors import NothingToShowError
from ..harness.judging import Verdict, as_judged
from ..harness.repro import (
    TIMEOUT,
    AnswerSelector,
    Origin,
    Session,
    asked_again,
    check_fits,
    check_inputs,
    same_mistake,
    shrink,
    why_not_shown,
    write_script,
)
from ..harness.runfile import DomainRow, RunFile, VerdictRow, WorkerRow
from ..harness.verdicts import kind_of
from ..harness.workers import GIB, Limits, share_of_memory
from ..outputs import Kind, check_output
from .named_files import NamedFiles, differences
from .names import unknown
from .numbers import TIME_LIMIT, Finite
from .options import output_option
from .output import InputPath, echo, note, write_or_print
from .selection import check_case
from .status import Status

_UNSHOWN = ("relation", "nondeterministic", "mutates", "spoils")  # they are not about one answer
_KINDS = ("user", "native", "recipe", "textbook")
_NEAR = 3


@click.command("repro")
@click.argument("path", metavar="RUN.sqlite", type=InputPath())
@click.argument("case", metavar="CASE_ID")
@click.option(
    "--impl",
    "named",
    multiple=True,
    metavar="NAME[=FILE]",
    help="Of this implementation; by default of the one with the worst finding. With a file: "
    "where a function of your own is, by the name of its framework or its own.",
)
@click.option("--mode", default="", metavar="NAME", help="In this mode.")
@click.option("--quantity", default="", metavar="NAME", help="The value, or one of the gradients.")
@click.option("--no-shrink", is_flag=True, help="Show the case as it is.")
@click.option(
    "--timeout",
    default=TIMEOUT,
    show_default=True,
    metavar="S",
    type=TIME_LIMIT,
    help="Seconds for shrinking.",
)
@click.option(
    "--memory",
    default=0.0,
    metavar="GIB",
    type=Finite(most=2**20),
    help="GiB that a process may take; by default its share of the machine.",
)
@output_option(None, "Where the script goes; by default it is printed.")
def command(
    path: Path,
    case: str,
    named: tuple[str, ...],
    no_shrink: bool,
    timeout: float,
    memory: float,
    output: Path | None,
    **selected: str,
) -> int:
    """Print a script that shows a finding with NumPy and that framework alone."""
    said = NamedFiles.of(named)
    limits = Limits(timeout, int(memory * GIB) or share_of_memory(1))
    if output is not None:
        check_output(output, Kind.SCRIPT)
    with RunFile.open(path) as run:
        row, others = chosen(run, Wanted(case, said.implementation, **selected))
        # What is refused is refused in one line, before anything is said or started.
        places = said.places(run, row)
        fitting(run, row, limits)
        note(f"{row.implementation} {row.mode} {row.quantity}: {row.verdict}")
        note(others_line(others))
        for line in [*(f"imported: {place}" for place in places), *differences(run, places)]:
            note(line)
        text, problem = reproduce(run, row, places, limits, shrinks=not no_shrink, say=note)
    write_or_print(text, output, Kind.SCRIPT)
    if problem:
        echo(f"lossdiff: the script was run and does not show it: {problem}", err=True)
        return Status.FINDINGS
    note("the script was run, and shows it")
    return Status.OK


@dataclass(frozen=True)
class Wanted:
    """The answer of a case that the user wants to see; empty fields select the worst finding."""

    case: str
    implementation: str = ""
    mode: str = ""
    quantity: str = ""

    @property
    def names_one(self) -> bool:
        """Whether anything but the case is named."""
        return bool(self.implementation or self.mode or self.quantity)


def chosen(run: RunFile, wanted: Wanted) -> tuple[VerdictRow, list[VerdictRow]]:
    """Return the worst finding of a case, and its other findings.

    Args:
        run: the run to search.
        wanted: the case, and fields to select by. If one is set, explained verdicts count too.

    Raises:
        UsageError: the run has no such case, or no such answer to it.
        NothingToShowError: the case has no finding that a script can show.
    """
    rows = _rows_of(run, wanted.case)
    for what in ("implementation", "mode", "quantity"):
        value = getattr(wanted, what)
        names = dict.fromkeys(getattr(row, what) for row in rows)
        if value and value not in names:
            raise click.UsageError(unknown(what, value, names))
        rows = [row for row in rows if not value or getattr(row, what) == value]
    asked = ("finding", "explained") if wanted.names_one else ("finding",)
    found = [row for row in rows if kind_of(row.verdict).category in asked]
    shown = sorted(
        (row for row in found if kind_of(row.verdict).word not in _UNSHOWN), key=_badness
    )
    if not shown:
        raise NothingToShowError(_why_nothing(wanted.case, rows, found))
    return shown[0], shown[1:]


def _rows_of(run: RunFile, case: str) -> list[VerdictRow]:
    rows = list(run.rows(VerdictRow, '"case" = ?', (case,)))
    rows += [_of_domain(run, row) for row in run.rows(DomainRow, '"case" = ?', (case,))]
    if not rows:
        check_case(run, case)
    return rows


def _of_domain(run: RunFile, row: DomainRow) -> VerdictRow:
    """Return the finding that ended a search for the domain of validity, as a row of verdicts."""
    case = run.case(row.case)
    return VerdictRow(
        case=row.case,
        operation=row.operation,
        target_kind=case.target_kind,
        family=case.family,
        shape=shape_text(case.sizes),
        dtype=row.dtype,
        options=case.options.given(),
        implementation=row.implementation,
        framework=row.framework,
        kind=row.kind,
        mode=row.mode,
        device=row.device,
        quantity=row.quantity,
        verdict=row.broken_by,
    )


def _badness(row: VerdictRow) -> tuple[float, ...]:
    """Return a key that is smallest for the worst finding; equal ones rank by simplicity."""
    # Rank and size of the error come first; then what is simplest to report.
    kind = _KINDS.index(row.kind) if row.kind in _KINDS else len(_KINDS)
    plainness = (kind, row.mode != "eager", row.quantity != "value")
    return (-kind_of(row.verdict).rank, -(row.ratio or 0.0), *plainness)


def _why_nothing(case: str, rows: list[VerdictRow], found: list[VerdictRow]) -> str:
    if found:
        words = ", ".join(sorted({row.verdict for row in found}))
        return f"{case}: {words} is not said of one answer, and no script shows it yet"
    explained = [row for row in rows if kind_of(row.verdict).category == "explained"]
    if not explained:
        return f"{case} has no finding in this run"
    names = ", ".join(dict.fromkeys(row.implementation for row in explained))
    return f"{case} has no finding in this run; --impl NAME shows what is explained, of {names}"


def fitting(run: RunFile, row: VerdictRow, limits: Limits) -> None:
    """Refuse a case whose inputs cannot be drawn within the limits.

    Raises:
        NothingToShowError: they would take more memory.
        RunFileError: the run is damaged, has no such case, or there are no such inputs.
    """
    _ = run.meta  # which the script quotes; it is checked when it is read
    case = run.case(row.case)
    check_fits(case, limits.memory)
    check_inputs(case)


def reproduce(
    run: RunFile,
    row: VerdictRow,
    places: tuple[str, ...],
    limits: Limits,
    *,
    shrinks: bool,
    say: Callable[[str], None],
) -> tuple[str, str]:
    """Return a script that shows a verdict, and the reason if it does not show it.

    Args:
        run: the run that has the verdict.
        row: the verdict.
        places: the files or modules of the user's own implementations that are imported.
        limits: the seconds for shrinking, and the memory of each process.
        shrinks: whether the case is reduced first.
        say: prints a line about the progress.

    Returns:
        The text of the script, and why it does not show the verdict; empty if it does.

    Raises:
        SessionError: the framework cannot be started here.
        NothingToShowError: the verdict is another this time.
        SourceError: the source text of the implementation cannot be found.
        UserFileError: a file of the user's own implementations cannot be used.
    """
    case = run.case(row.case)
    only = row.implementation
    with Session(row.framework, row.device, places, limits.memory, only) as session:
        selector, verdict = _asked_again(run, session, row)
        origin = Origin(row.case, run.meta.get("version", ""), is_shrunk=shrinks)
        if shrinks:
            shows = same_mistake(session, case, selector, _looks_of(run, row))
            small = shrink(session, case, selector, verdict, timeout=limits.seconds, also=shows)
            shapes = [shape_text(shape) for shape in (case.sizes, small.case.sizes)]
            ended = "" if small.is_minimal else "; the limit came first"
            say(f"shrunk from {shapes[0]} to {shapes[1]} in {small.questions} questions{ended}")
            case, verdict = small.case, small.verdict
        text = write_script(session, case, selector, verdict, origin)
    return text, why_not_shown(text, verdict.word, limits.memory)


def _looks_of(run: RunFile, row: VerdictRow) -> str:
    """Return the mistake that a finding was told by, or else all that its answer looks like."""
    if not row.looks_like or row.kind != "user":
        return row.looks_like
    from ..reports.causes import causes

    mine = run.rows(VerdictRow, "kind = 'user' AND implementation = ?", (row.implementation,))
    told = (it.looks_like for it in causes(mine) if it.plainest == row and it.looks_like)
    return next(told, row.looks_like)


def _asked_again(run: RunFile, session: Session, row: VerdictRow) -> tuple[AnswerSelector, Verdict]:
    """Evaluate the finding once more.

    Raises:
        NothingToShowError: it gets another verdict.
    """
    if row.implementation not in {claim.name for claim in session.catalogue.claims}:
        raise NothingToShowError(f"there is no {row.implementation} here")
    selector, verdict = asked_again(session, run.case(row.case), row)
    if verdict.word == as_judged(row.verdict):
        return selector, verdict
    then = [worker for worker in run.rows(WorkerRow) if worker.framework == row.framework]
    versions = [_versions(worker.environment) for worker in then]
    raise NothingToShowError(
        f"asked again, {row.implementation} gives {row.quantity} `{verdict.word}`, where the run "
        f"has `{row.verdict}`; here: {_versions(session.catalogue.environment)}"
        + (f"; the run: {versions[0]}" if versions else "")
    )


def _versions(environment: dict[str, object]) -> str:
    versions = environment.get("versions", {})
    assert isinstance(versions, dict)  # noqa: S101 -- written by a backend
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def others_line(others: Sequence[VerdictRow]) -> str:
    """Return a line that names the other findings of a case; empty for none."""
    names = dict.fromkeys(
        f"{row.implementation} {row.mode} {row.quantity} ({row.verdict})" for row in others
    )
    shown = list(names)[:_NEAR]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"others of this case: {', '.join(shown)}{more}" if shown else ""
