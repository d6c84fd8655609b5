"""The command `lossdiff bench`, which judges and times every framework."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from ..cases.operations import DTYPES
from ..harness.engine import identity
from ..harness.runfile import PassRow, RunFile, TimingRow, VerdictRow, WorkerRow
from ..harness.timing import (
    BENCH_SUITES,
    THREADS,
    Timing,
    bench_suite,
    is_timed,
    require_pytest_benchmark,
    time_passes,
)
from ..harness.verdicts import is_finding
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
                         help="Of the logits, such as 4096x32000, instead of the suite's; "
                              "repeatable."),
            click.option("--passes", default=9, show_default=True, metavar="N",
                         type=Whole(least=1, most=10_000),
                         help="How often all is timed, in fresh processes; "
                              "compare needs 8 or more for a verdict."),
            click.option("--threads", multiple=True, default=("one",), show_default=True,
                         metavar="one|all", type=Name("threads", THREADS),
                         help="How many threads a framework may use; both, if given twice."),
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
    names = ", ".join("x".join(map(str, shape)) for shape in shapes)
    plan = plan_of(suite_, only=is_timed, cache="", **selection)
    plan, has_failed = met(plan)
    if dry_run:
        return Status.FINDINGS if has_failed else Status.OK
    with opened(output, identity(plan, plan.suite, seed=seed)) as run:
        run.set_meta(benchmarks=names or suite_name, label=label, commit=commit(), timed="")
        findings = execute(plan, run)
        status = conclude(run, findings)
        if status == Status.NOTHING:
            return status
        # The higher status is the worse one: findings of either part decide.
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
        )
        found = time_run(run, timing)
        return max(status, Status.FINDINGS if found or has_failed else Status.OK)


def time_run(run: RunFile, timing: Timing) -> int:
    """Time the implementations that a run has judged.

    Args:
        run: holds the verdicts; receives the times.
        timing: how they are timed.

    Returns:
        The number of answers that are findings while they are timed and were none before, and of
        calls that could not be timed.

    Raises:
        BenchError: pytest-benchmark is missing, or one of its processes failed.
    """
    console = PlainConsole(stderr=True)
    run.set_meta(passes=str(timing.passes), timed="")  # stays empty if interrupted
    # Frameworks that are absent have no verdicts and cannot be timed.
    present = [row.framework for row in run.rows(WorkerRow) if not row.absent]
    left_out = time_passes(
        run,
        present,
        timing,
        lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
    )
    run.set_meta(timed=datetime.now(UTC).isoformat(timespec="seconds"))
    count = sum(1 for _ in run.rows(TimingRow))
    for row in run.rows(TimingRow):
        if row.is_implausible:
            console.print(_implausible(row), highlight=False, markup=False, soft_wrap=True)
    console.print(f"{count} benchmarks in {timing.passes} passes", highlight=False)
    return left_out + _changed(run, console)


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
        console.print(f"{name} {mode} is {verdict} while it is timed: {case}", style="red")
    return len(changed)
