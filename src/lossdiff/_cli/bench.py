"""The command `lossdiff bench`, which judges and times every framework."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from ..cases.model import shape_text
from ..cases.operations import DTYPES
from ..harness.engine import Plan, identity
from ..harness.runfile import PassRow, RunFile, TimingRow, VerdictRow, WorkerRow
from ..harness.timing import (
    BENCH_SUITES,
    THREADS,
    Side,
    Timing,
    bench_suite,
    is_timed,
    require_pytest_benchmark,
    time_sides,
)
from ..harness.verdicts import is_finding
from .against import interpreter_of
from .compare import compared
from .execution import conclude, execute, opened
from .names import Name
from .numbers import SEED, Shape, Whole
from .options import dry_run_option, output_option, plan_of, selection_options
from .output import PlainConsole
from .own_functions import met
from .status import Status

C = TypeVar("C", bound=Callable[..., Any])


def timing_options(command: C) -> C:
    """Add the options that determine how a run is timed.

    Args:
        command: the function of a click command.
    """
    for option in reversed(
        (
            click.option("--suite", "suite_name", default="quick", show_default=True,
                         metavar="NAME", type=Name("suite", BENCH_SUITES),
                         help="quick, or full with a language model's size."),
            click.option("--shape", "shapes", multiple=True, metavar="NxC", type=Shape(),
                         help="Of the logits, such as 4096x32000, or NxHxC of a linear loss, "
                              "instead of the suite's; repeatable."),
            click.option("--passes", default=9, show_default=True, metavar="N",
                         type=Whole(least=1, most=10_000),
                         help="How often all is timed, in fresh processes; "
                              "compare needs 8 or more for a verdict."),
            click.option("--threads", multiple=True, default=("one",), show_default=True,
                         metavar="one|all", type=Name("threads", THREADS),
                         help="How many threads a framework may use; both, if given twice."),
            click.option("--against", default="", metavar="PYTHON",
                         help="Also time the Python of another environment, pass by pass in turn, "
                              "and compare."),
            click.option("--peak-memory", is_flag=True,
                         help="Peak memory on the CPU, in a process for each benchmark."),
            click.option("--label", default="", metavar="TEXT",
                         help="Names the run in comparisons; by default the commit does."),
            click.option("--seed", default=0, show_default=True, metavar="N",
                         type=SEED, help="Of the random order."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("bench")
@click.option(
    "--dtype",
    default="float32",
    show_default=True,
    metavar="NAME",
    type=Name("dtype", DTYPES),
    help="Of the inputs.",
)
@timing_options
@selection_options
@dry_run_option
@output_option("lossdiff-bench.sqlite")
def command(
    output: Path,
    operations: tuple[str, ...],
    dtype: str,
    suite_name: str,
    shapes: tuple[tuple[int, ...], ...],
    passes: int,
    threads: tuple[Any, ...],
    label: str,
    against: str,
    peak_memory: bool,
    seed: int,
    dry_run: bool,
    **selection: Any,
) -> int:
    """Judge and time every framework; the JSON of pytest-benchmark is kept beside the run."""
    if not dry_run:
        require_pytest_benchmark()
    # No cache: the first call is timed too, and must compile.
    suite_ = bench_suite(operations, dtype, suite_name, shapes)
    python = interpreter_of(against) if against else ""
    # The higher status is the worse one: findings of either part decide.
    failed = Status.OK
    sides = [_Planned(plan_of(suite_, only=is_timed, cache="", **selection), output, label)]
    if python:
        base = replace(sides[0].plan, python=python)
        base_output = output.with_name(f"{output.stem}-base{output.suffix}")
        sides = [_Planned(base, base_output, "base"), replace(sides[0], label=label or "new")]
    with ExitStack() as stack:
        ready = []
        for side in sides:
            plan, has_failed = met(side.plan)
            failed = Status.FINDINGS if has_failed else failed
            if dry_run:
                return failed
            run = stack.enter_context(opened(side.output, identity(plan, plan.suite, seed=seed)))
            names = ", ".join(map(shape_text, shapes)) or suite_name
            run.set_meta(benchmarks=names, label=side.label, commit=commit(), timed="")
            status = conclude(run, execute(plan, run))
            if status == Status.NOTHING:
                return status
            failed = max(failed, status)
            timing = Timing(
                passes,
                threads,
                plan.device,
                plan.extra,
                seed,
                peak_memory,
                plan.timeout,
                plan.memory,
                plan.learnt,
                plan.python,
            )
            ready.append(Side(run, _present(run), timing, side.label if python else ""))
        found = time_runs(ready)
    status = max(failed, Status.FINDINGS if found else Status.OK)
    return max(status, compared(sides[0].output, output)) if python else status


@dataclass(frozen=True)
class _Planned:
    """What is asked and timed in one environment, and where it is written."""

    plan: Plan
    output: Path
    label: str


def _present(run: RunFile) -> tuple[str, ...]:
    """Return the frameworks of a run; those that are absent have no verdicts, and no times."""
    return tuple(row.framework for row in run.rows(WorkerRow) if not row.absent)


def time_runs(sides: Sequence[Side]) -> int:
    """Time the implementations that runs have judged.

    Args:
        sides: what is timed; the runs hold the verdicts, and receive the times.

    Returns:
        The number of answers that are findings while they are timed and were none before, and of
        calls that could not be timed.

    Raises:
        BenchError: pytest-benchmark is missing, or one of its processes failed.
    """
    console = PlainConsole(stderr=True)
    for side in sides:
        side.run.set_meta(passes=str(side.timing.passes), timed="")  # stays empty if interrupted
    found = time_sides(
        sides,
        lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
    )
    for side in sides:
        side.run.set_meta(timed=datetime.now(UTC).isoformat(timespec="seconds"))
        count = sum(1 for _ in side.run.rows(TimingRow))
        for row in side.run.rows(TimingRow):
            if row.tokens_a_second is not None:
                console.print(_of_tokens(row), highlight=False, markup=False, soft_wrap=True)
            if row.is_implausible:
                console.print(_implausible(row), highlight=False, markup=False, soft_wrap=True)
        name = f"{side.name}: " if side.name else ""
        many = f"{name}{count} benchmarks in {side.timing.passes} passes"
        console.print(many, highlight=False, markup=False)
        found += _changed(side.run, console)
    return found


def _of_tokens(row: TimingRow) -> str:
    """Return a line on a linear loss, whose logits a function need not hold."""
    from ..reports.numbers import size

    speed, peak = f"{row.tokens_a_second:,.0f} tokens a second", ""
    if row.memory is not None:
        peak = f"its memory peaks at {size(row.memory)}, "
    return (
        f"{row.implementation} {row.mode} {row.direction} {row.shape} {row.threads} {row.cache}: "
        f"{speed}; {peak}the logits alone take {size(row.logits)}"
    )


def _implausible(row: TimingRow) -> str:
    return (
        f"{row.implementation} {row.mode} {row.direction} takes {row.median:.2g} s, implausible: "
        f"copying as many bytes takes {2 * (row.least or 0):.2g} s ({row.case})"
    )


def commit() -> str:
    """Return the commit of the working directory, marked if files differ from it.

    Empty if the directory is no repository, or if git is missing.
    """
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # git must not write to the repository
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _changed(run: RunFile, console: Console) -> int:
    """Print the answers that became findings while they were timed; return how many."""
    # An answer counts as wrong before if one of its quantities was: findings are sorted last, so
    # that they overwrite the others.
    asked = {
        (row.case, row.implementation, row.mode): is_finding(row.verdict)
        for row in sorted(run.rows(VerdictRow), key=lambda row: is_finding(row.verdict))
    }
    changed = {
        (row.case, row.implementation, row.mode, row.verdict)
        for row in run.rows(PassRow)
        if is_finding(row.verdict) and not asked[row.case, row.implementation, row.mode]
    }
    for case, name, mode, verdict in sorted(changed):
        line = f"{name} {mode} is {verdict} while it is timed: {case}"
        console.print(line, style="red", soft_wrap=True)  # no name is cut
    return len(changed)
