"""The command `lossdiff show`, which prints the verdicts of a run."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..harness.runfile import RunFile, VerdictRow
from ..harness.verdicts import VERDICTS, kind_of
from .names import Name
from .output import console
from .status import Status


@click.command("show")
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
def command(path: Path, verdicts: tuple[str, ...], style: str) -> int:
    """Print the verdicts of a run."""
    from ..reports.terminal import verdict_table

    with RunFile.open(path) as run:
        rows = (
            row
            for row in run.rows(VerdictRow)
            if not verdicts or kind_of(row.verdict).word in verdicts
        )
        if style == "table":
            console().print(verdict_table(rows))
            return Status.OK
        for row in rows:
            click.echo(json.dumps(_plain(row), allow_nan=False))
    return Status.OK


def _plain(row: VerdictRow) -> dict[str, Any]:
    """Return a row as JSON values. JSON has no infinity: it becomes the text `Infinity`."""
    return {
        name: "Infinity" if isinstance(value, float) and math.isinf(value) else value
        for name, value in asdict(row).items()
    }
