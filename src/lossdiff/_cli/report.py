"""The command `lossdiff report`, which writes an HTML page about runs."""

from __future__ import annotations

from pathlib import Path

import click

from ..harness.runfile import RunFile
from ..outputs import Kind, check_output
from .options import output_option
from .output import print_path
from .status import Status


@click.command("report")
@click.argument(
    "runs", nargs=-1, required=True, metavar="RUN.sqlite...", type=click.Path(path_type=Path)
)
@output_option("report.html")
def command(runs: tuple[Path, ...], output: Path) -> int:
    """Write one HTML page that opens without a network."""
    try:
        from ..reports.html import write_report
    except ImportError as error:
        raise click.ClickException(
            f"{error.name} is not installed; pip install 'lossdiff[report]'"
        ) from error
    # Every run is opened once first, so that a damaged one is reported before the work begins.
    for path in runs:
        RunFile.open(path).close()
    check_output(output, Kind.PAGE)
    write_report(runs, output)
    print_path(output)
    return Status.OK
