"""The command `lossdiff compare`, which reports what changed between two runs, or over many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..outputs import Kind, check_apart, check_output, write_output
from .numbers import Finite
from .output import InputPath, OutputPath, console, echo, lines_of_words, width
from .status import Status

if TYPE_CHECKING:
    from ..harness.comparing import Comparison

_INDENT = " " * 4  # of a line's continuation


@click.command("compare")
@click.argument("paths", nargs=-1, required=True, metavar="BASE NEW...", type=InputPath())
@click.option(
    "--markdown",
    "text_file",
    default=None,
    metavar="FILE",
    type=OutputPath(),
    help="Write it for a pull request.",
)
@click.option(
    "--junit",
    "junit_file",
    default=None,
    metavar="FILE",
    type=OutputPath(),
    help="Write it for a CI server.",
)
@click.option(
    "--effect",
    default=0.05,
    show_default=True,
    metavar="SHARE",
    type=Finite(most=10, is_open=True),
    help="The smallest change of a time that counts.",
)
def command(
    paths: tuple[Path, ...], text_file: Path | None, junit_file: Path | None, effect: float
) -> int:
    """Compare runs, the oldest first: answers, coverage, times.

    Of more than two, each benchmark's trend is shown; the first and the last are judged.
    """
    if len(paths) < 2:
        raise click.UsageError(f"compare takes two run files or more, was given {len(paths)}")
    outputs = {Kind.MARKDOWN: text_file, Kind.JUNIT: junit_file}
    named = {kind: file for kind, file in outputs.items() if file is not None}
    check_apart(list(named.values()), paths)
    for kind, file in named.items():
        check_output(file, kind)
    return compared(*paths, effect=effect, text_file=text_file, junit_file=junit_file)


def compared(
    *paths: Path,
    effect: float = 0.05,
    text_file: Path | None = None,
    junit_file: Path | None = None,
) -> Status:
    """Print what changed between runs, and return the exit status.

    Args:
        paths: two run files or more, the oldest first.
        effect: the smallest change of a time that counts.
        text_file: receives the same as Markdown.
        junit_file: receives the same as JUnit's XML.

    Raises:
        RunFileError: one of them is missing, damaged, or not a run file.
        OutputError: one of the files cannot be written.
    """
    # SciPy is imported with these, which takes longer than to reject wrong arguments.
    from ..harness.comparing import compare_runs, history, read_snapshot
    from ..reports.comparison_markdown import comparison_blocks, history_blocks, written
    from ..reports.comparison_terminal import comparison_view
    from ..reports.junit import write_junit

    runs = [read_snapshot(path) for path in paths]
    found = compare_runs(runs[0], runs[-1], effect=effect)
    blocks = comparison_blocks(found)
    if len(runs) > 2:
        blocks += history_blocks(history(runs, effect=effect))
    if text_file:
        write_output(text_file, Kind.MARKDOWN, written(blocks))
    if junit_file:
        write_junit(found, junit_file)
    console().print(comparison_view(blocks), crop=False)
    return _status(found)


def _status(found: Comparison) -> Status:
    """Print regressions and gaps on standard error, a line each; return the exit status.

    Regressions outweigh gaps: they are certain, whatever is missing. Of runs that have nothing in
    common all has vanished, which is no news.
    """
    lines = () if found.is_empty else found.regressions
    for line in lines:
        first, *rest = lines_of_words(f"regression: {line}", width() - len(_INDENT))
        for part in (first, *(f"{_INDENT}{it}" for it in rest)):
            echo(part, err=True)
    if lines and found.regression_count > len(lines):
        echo(f"regression: and {found.regression_count - len(lines):,} more", err=True)
    if found.incomplete:
        echo(f"lossdiff: incomplete; {found.incomplete}", err=True)
    if found.is_empty:
        reason = found.coverage.incomparable or "no answer and no benchmark is in both runs"
        echo(f"lossdiff: nothing could be compared; {reason}", err=True)
        return Status.NOTHING
    if lines:
        return Status.FINDINGS
    return Status.NOTHING if found.incomplete else Status.OK
