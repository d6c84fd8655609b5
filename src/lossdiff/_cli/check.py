"""The command `lossdiff check`, which judges the answers of every framework."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from .._api.expected import NOTHING_EXPECTED, Expected, expected_of, taking
from ..backends import FRAMEWORKS
from ..cases.casefile import read_case
from ..cases.suites import SUITES, selected, suite
from ..harness.engine import Findings, identity, sharded
from ..harness.judging import CHOICES
from ..harness.launch import end_ahead
from ..harness.workers import Spares
from .ahead import cache_folder
from .execution import conclude, execute, opened, show_causes
from .names import Name, Names, Shard
from .numbers import SEED, Whole
from .options import dry_run_option, is_complete, output_option, plan_of, selection_options
from .output import InputPath
from .own_functions import met
from .status import Status
from .summaries import Summaries, summary_options


@click.command("check")
@click.option(
    "--suite",
    "suite_name",
    default="quick",
    show_default=True,
    metavar="NAME",
    type=Name("suite", SUITES),
    help=f"One of {', '.join(SUITES)}.",
)
@click.option(
    "--cases",
    "case_files",
    multiple=True,
    metavar="FILE.npz",
    type=InputPath(),
    help="Ask a case of your own, too.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    metavar="N",
    type=SEED,
    help="Other draws of the same cases.",
)
@click.option(
    "--count",
    default=1000,
    show_default=True,
    metavar="N",
    type=Whole(least=1, most=10**6),
    help="How many cases `fuzz` draws.",
)
@click.option(
    "--shard",
    default="1/1",
    metavar="I/N",
    type=Shard(),
    help="Only part I of N; `merge` joins them.",
)
@click.option(
    "--scheduler",
    default="",
    metavar="ADDRESS",
    help="Ask on the cluster of this Dask scheduler, such as tcp://host:8786.",
)
@click.option(
    "--all",
    "ask_all",
    is_flag=True,
    help="With --impl: ask every implementation of every framework, too.",
)
@click.option(
    "--expected",
    "expected_file",
    default=None,
    metavar="FILE.toml",
    type=InputPath(),
    help="Findings of your own functions that are expected; by default those of lossdiff.toml or "
    "pyproject.toml, in this folder or above it.",
)
@click.option(
    "--conventions",
    default=None,
    metavar="NAMES",
    type=Names("convention", CHOICES),
    help="Conventions that your own functions may follow, with commas; any other is a finding. By "
    "default those of the same file, or all.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted.")
@click.option(
    "--no-shrink", is_flag=True, help="Leave findings as they are: make no smaller inputs of them."
)
@click.option("--no-cache", is_flag=True, help="Have compilers forget what they have compiled.")
@selection_options
@dry_run_option
@output_option("lossdiff.sqlite")
@summary_options
def command(
    suite_name: str,
    case_files: tuple[Path, ...],
    seed: int,
    count: int,
    shard: tuple[int, int],
    scheduler: str,
    ask_all: bool,
    expected_file: Path | None,
    conventions: tuple[str, ...] | None,
    resume: bool,
    no_shrink: bool,
    no_cache: bool,
    dry_run: bool,
    output: Path,
    text_file: Path | None,
    junit_file: Path | None,
    operations: tuple[str, ...],
    **selection: Any,
) -> int:
    """Ask every framework the same questions, and judge the answers."""
    summaries = Summaries(text_file, junit_file)
    summaries.check(output, case_files)
    extra = [read_case(path) for path in case_files]
    whole = selected(suite(suite_name, seed=seed, count=count), operations, extra)
    folder = cache_folder(is_kept=not no_cache)
    plan = plan_of(sharded(whole, shard), **selection, shard=shard, cache=folder)
    if plan.extra and not ask_all:
        named = tuple(name for name in plan.frameworks if name in plan.extra)
        plan = replace(plan, frameworks=named, only_own=True, seed=seed)
    expected = expected_of(expected_file) if expected_file or plan.extra else NOTHING_EXPECTED
    expected = taking(expected, conventions)
    plan = replace(plan, expected=expected.entries, conventions=expected.conventions)
    # On a cluster the workers learn by themselves what is not installed here.
    is_here = not any(FRAMEWORKS[name].missing for name in plan.extra)
    # Functions of one's own are compared in the processes that are left, and findings shrunk.
    is_wanted = plan.only_own or not no_shrink
    with Spares(is_open=is_wanted and not scheduler) as spares:
        plan, has_failed = met(plan, spares) if is_here else (plan, False)
        end_ahead()
        if dry_run:
            return Status.FINDINGS if has_failed else Status.OK
        # The identity is that of the suite before it is sharded: `merge` joins such runs.
        asked = identity(plan, whole, seed=seed, count=count)
        with opened(output, asked, resume=resume) as run:
            run.add_given(plan.suite.cases)
            findings = execute(plan, run, scheduler, spares)
            if not no_shrink:
                show_causes(plan, run, spares)
            whole_suite = suite_name if is_complete(plan) else ""
            stale = _stale(expected, findings, suite_name) if shard == (1, 1) else ()
            status = conclude(
                run, findings, complete=whole_suite, summaries=summaries, expected=stale
            )
            return max(status, Status.FINDINGS if has_failed else Status.OK)


def _stale(expected: Expected, findings: Findings, suite_name: str) -> tuple[str, ...]:
    """Return the expected findings about the user's functions that were not found."""
    found = [expected.stale(findings.matched, claim, suite_name) for claim in findings.own_claims]
    return tuple(dict.fromkeys(name for names in found for name in names))
