"""The command `lossdiff report`, which writes an HTML page about runs."""

from __future__ import annotations

from pathlib import Path

import click

from ..harness.runfile import RunFile
from .options import output_option
from .output import writing_to
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
    with writing_to(output):
        output.open("ab").close()  # an error must come before the work and not after it
        write_report(runs, output)
    click.echo(output.resolve())
    return Status.OK
