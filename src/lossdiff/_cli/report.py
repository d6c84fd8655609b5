"""The command `lossdiff report`, which writes what runs have found: a page, or a summary."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from ..harness.runfile import RunFile
from ..outputs import Kind, check_apart, check_output, is_file, shown, write_output
from .names import Name
from .options import output_option
from .output import InputPath, note, print_path
from .status import Status

_FORMATS = {
    "html": (Kind.PAGE, "report.html"),
    "markdown": (Kind.MARKDOWN, "report.md"),
    "junit": (Kind.JUNIT, "report.xml"),
}


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN.sqlite...", type=InputPath())
@click.option(
    "--format",
    "style",
    default="html",
    show_default=True,
    metavar="html|markdown|junit",
    type=Name("format", _FORMATS),
    help="A page, a summary for the page of a job, or one for a CI server.",
)
@click.option("--open", "opens", is_flag=True, help="Show the page in the browser.")
@output_option(None, "Where it goes; by default report.html, report.md or report.xml.")
def command(runs: tuple[Path, ...], style: str, opens: bool, output: Path | None) -> int:
    """Write what runs have found; a page is one file that opens without a network."""
    kind, usual = _FORMATS[style]
    place = output or Path(usual)
    if opens and kind is not Kind.PAGE:
        raise click.UsageError(f"--open shows a page, and --format is {style}")
    if len(runs) > 1 and kind is not Kind.PAGE:
        raise click.UsageError(f"--format {style} takes one run file, was given {len(runs)}")
    # Every run is opened once first, so that a damaged one is reported before the work begins.
    for path in runs:
        RunFile.open(path).close()
    check_apart([place], runs)
    check_output(place, kind)
    if kind is Kind.PAGE:
        _write_page(runs, place)
    else:
        _write_summary(runs[0], place, kind)
    print_path(place)
    if opens:
        _open(place)
    return Status.OK


def _write_page(runs: tuple[Path, ...], place: Path) -> None:
    try:
        from ..reports.html import write_report
    except ImportError as error:
        raise click.ClickException(
            f"{error.name} is not installed; pip install 'lossdiff[report]'"
        ) from error
    write_report(runs, place)


def _write_summary(path: Path, place: Path, kind: Kind) -> None:
    from ..reports.check_junit import write_junit
    from ..reports.check_markdown import markdown
    from ..reports.outcome import outcome_of

    with RunFile.open(path) as run:
        outcome = outcome_of(run)
    if kind is Kind.MARKDOWN:
        write_output(place, kind, markdown(outcome))
    else:
        write_junit(outcome, place)


def _open(place: Path) -> None:
    """Show a page in the browser; say so where there is none, which is no error of the page."""
    if not is_file(place):
        note("--open: the page is in no file that a browser could open")
    elif not webbrowser.open(place.resolve().as_uri()):
        note(f"--open: no browser was found; open {shown(place)} yourself")
