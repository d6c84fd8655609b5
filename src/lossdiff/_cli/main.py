"""The command line: `check`, `bench`, `merge`, `report`, `compare`, `show`, `repro`, `list`.

Exit status: 0 nothing unexpected; 1 findings that the ledger does not name, or regressions;
2 usage, or input that cannot be read; 3 nothing could be measured or decided.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import click
from platformdirs import user_cache_path

from ..cases.casefile import read_case
from ..cases.operations import DTYPES
from ..cases.suites import SUITES, selected, suite
from ..errors import LossdiffError, ReproError
from ..harness.engine import identity, sharded
from ..harness.repro import TIMEOUT
from ..harness.runfile import RunFile, VerdictRow
from ..harness.timing import Timing, bench_suite, is_timed
from ..harness.verdicts import VERDICTS, kind_of
from .bench import commit, time_run, timing_options
from .check import FINDINGS, NOTHING, OK, USAGE, conclude, console, execute, opened
from .compare import compare
from .list import operations_table, print_implementations, print_ledger
from .merge import merged
from .names import Name, Shard, unknown
from .options import Implementations, is_complete, output_option, plan_of, selection_options
from .repro import Wanted, chosen, others_line, reproduce


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("lossdiff"), prog_name="lossdiff")
def cli() -> None:
    """Softmax, cross-entropy and their relatives: four frameworks, one exact answer."""


@cli.command()
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
    type=click.Path(path_type=Path),
    help="Ask a case of your own, too.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=0),
    help="Other draws of the same cases.",
)
@click.option(
    "--count",
    default=1000,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=1),
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
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted.")
@click.option("--no-cache", is_flag=True, help="Have compilers forget what they have compiled.")
@selection_options
@output_option("lossdiff.sqlite")
def check(
    suite_name: str,
    case_files: tuple[Path, ...],
    seed: int,
    count: int,
    shard: tuple[int, int],
    scheduler: str,
    resume: bool,
    no_cache: bool,
    output: Path,
    operations: tuple[str, ...],
    **selection: Any,
) -> int:
    """Ask every framework the same questions, and judge the answers."""
    extra = [read_case(path) for path in case_files]
    whole = selected(suite(suite_name, seed=seed, count=count), operations, extra)
    folder = "" if no_cache else str(user_cache_path("lossdiff") / "compiled")
    plan = plan_of(sharded(whole, shard), **selection, shard=shard, cache=folder)
    asked = identity(plan, whole, seed=seed, count=count)
    with opened(output, asked, resume=resume) as run:
        run.add_given(plan.suite.cases)
        findings = execute(plan, run, scheduler)
        return conclude(run, findings, complete=suite_name if is_complete(plan) else "")


@cli.command()
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
@output_option("lossdiff-bench.sqlite")
def bench(
    output: Path,
    operations: tuple[str, ...],
    dtype: str,
    suite_name: str,
    passes: int,
    threads: tuple[Any, ...],
    label: str,
    peak_memory: bool,
    seed: int,
    **selection: Any,
) -> int:
    """Judge and time every framework; the JSON of pytest-benchmark is kept beside the run."""
    # What was compiled before would be no first call.
    suite_ = bench_suite(operations, dtype, suite_name)
    plan = plan_of(suite_, only=is_timed, cache="", **selection)
    with opened(output, identity(plan, plan.suite, seed=seed)) as run:
        run.set_meta(benchmarks=suite_name, label=label, commit=commit(), timed="")
        findings = execute(plan, run)
        status = conclude(run, findings)
        if status == NOTHING:
            return status
        found = time_run(run, Timing(passes, threads, plan.device, plan.extra, seed, peak_memory))
        return max(status, FINDINGS if found else OK)


@cli.command()
@click.argument(
    "runs", nargs=-1, required=True, metavar="RUN.sqlite...", type=click.Path(path_type=Path)
)
@output_option("")
def merge(runs: tuple[Path, ...], output: Path) -> int:
    """Join runs of shards, frameworks, devices and machines into one."""
    if output == Path():
        raise click.UsageError("merge needs -o FILE, where the whole goes")
    return merged(runs, output)


@cli.command()
@click.argument(
    "runs", nargs=-1, required=True, metavar="RUN.sqlite...", type=click.Path(path_type=Path)
)
@output_option("report.html")
def report(runs: tuple[Path, ...], output: Path) -> int:
    """Write one HTML page that opens without a network."""
    try:
        from ..reports.html import write_report
    except ImportError as error:
        raise click.ClickException(
            f"{error.name} is not installed; pip install 'lossdiff[report]'"
        ) from error
    for path in runs:
        RunFile.open(path).close()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.open("ab").close()  # found out before the work, not after
        write_report(runs, output)
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error
    click.echo(output.resolve())
    return OK


@cli.command()
@click.argument("path", metavar="RUN.sqlite", type=click.Path(path_type=Path))
@click.option(
    "--verdict",
    "verdicts",
    multiple=True,
    metavar="NAME",
    type=Name("verdict", VERDICTS),
    help="Only this verdict.",
)
@click.option(
    "--format",
    "style",
    default="table",
    show_default=True,
    metavar="table|jsonl",
    type=Name("format", ("table", "jsonl")),
    help="One JSON object a line, or a table.",
)
def show(path: Path, verdicts: tuple[str, ...], style: str) -> int:
    """Print the verdicts of a run."""
    from ..reports.terminal import verdict_table

    with RunFile.open(path) as run:
        rows = (row for row in run.rows(VerdictRow)
                if not verdicts or kind_of(row.verdict).word in verdicts)  # fmt: skip
        if style == "table":
            console().print(verdict_table(rows))
            return OK
        for row in rows:
            click.echo(json.dumps(_plain(row), allow_nan=False))
    return OK


@cli.command()
@click.argument("path", metavar="RUN.sqlite", type=click.Path(path_type=Path))
@click.argument("case", metavar="CASE_ID")
@click.option(
    "--impl",
    "implementation",
    default="",
    metavar="NAME",
    help="Of this implementation; by default of the one with the worst finding.",
)
@click.option("--mode", default="", metavar="NAME", help="In this mode.")
@click.option("--quantity", default="", metavar="NAME", help="The value, or one of the gradients.")
@click.option("--no-shrink", is_flag=True, help="Show the case as it is.")
@click.option(
    "--timeout",
    default=TIMEOUT,
    show_default=True,
    metavar="S",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds for shrinking.",
)
@click.option(
    "-o",
    "--output",
    default=None,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the script goes; by default it is printed.",
)
def repro(
    path: Path, case: str, no_shrink: bool, timeout: float, output: Path | None, **named: str
) -> int:
    """Print a script that shows a finding with NumPy and that framework alone."""
    with RunFile.open(path) as run:
        try:
            row, others = chosen(run, Wanted(case, **named))
            _note(f"{row.implementation} {row.mode} {row.quantity}: {row.verdict}")
            _note(others_line(others))
            text, problem = reproduce(run, row, shrinks=not no_shrink, timeout=timeout, say=_note)
        except ReproError as error:
            click.echo(f"lossdiff: {error}", err=True)
            return NOTHING
    _write(text, output)
    if problem:
        click.echo(f"lossdiff: the script was run and does not show it: {problem}", err=True)
        return FINDINGS
    _note("the script was run, and shows it")
    return OK


@cli.command("list")
@click.argument(
    "what",
    metavar="operations|implementations|cases|ledger",
    type=Name("list", ("operations", "implementations", "cases", "ledger")),
)
@click.option(
    "--suite",
    "suite_name",
    default="quick",
    show_default=True,
    metavar="NAME",
    type=Name("suite", SUITES),
    help="Whose cases.",
)
@selection_options
def list_(what: str, suite_name: str, operations: tuple[str, ...], **selection: Any) -> int:
    """Print what there is, one a line."""
    shown = console()
    if what == "cases":
        for case in selected(suite(suite_name), operations).cases:
            click.echo(case.id)
    elif what == "operations":
        shown.print(operations_table())
    elif what == "ledger":
        print_ledger()
    else:
        plan = plan_of(selected(suite(suite_name), operations), **selection)
        return OK if print_implementations(plan, operations, shown) else NOTHING
    return OK


cli.add_command(compare)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; errors become one line on standard error, and a status."""
    try:
        return int(cli.main(arguments, prog_name="lossdiff", standalone_mode=False) or OK)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return USAGE
    except click.UsageError as error:
        click.echo(f"lossdiff: {_usage(error)}", err=True)
    except click.ClickException as error:
        click.echo(f"lossdiff: {error.format_message()}", err=True)
    except LossdiffError as error:
        click.echo(f"lossdiff: {error}", err=True)
    except (KeyboardInterrupt, click.Abort) as error:
        kept = str(error.__cause__ or error)  # click makes an Abort of an interrupt
        click.echo("lossdiff: " + "; ".join(["interrupted", *filter(None, [kept])]), err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return OK
    return USAGE


def _note(line: str) -> None:
    """Say something beside the result."""
    if line:
        click.echo(line, err=True)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error
    click.echo(output.resolve())


def _plain(row: VerdictRow) -> dict[str, Any]:
    """JSON has no infinity: an error without a limit is the text `Infinity`."""
    return {
        name: "Infinity" if isinstance(value, float) and math.isinf(value) else value
        for name, value in asdict(row).items()
    }


def _usage(error: click.UsageError) -> str:
    message, context = error.format_message(), error.ctx
    if isinstance(error, click.BadParameter) and error.param is not None:
        ours = isinstance(error.param.type, Name | Implementations)
        message = error.message if ours and error.message else message
    if isinstance(error, click.NoSuchOption) and error.option_name and context is not None:
        options = [name for param in context.command.params for name in param.opts]
        return unknown("option", error.option_name, options)
    if message.startswith("No such command") and context is not None:
        name = message.split("'")[1]
        return unknown("command", name, cli.list_commands(context))
    return message.removesuffix(".")
