"""Print lines and tables, and write result files."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console

from ..outputs import Kind, is_file, shown, write_output
from .names import OwnType

LOG_WIDTH = 180


def console() -> Console:
    """Return a console for standard output.

    A pipe or a log file has no width of its own, and tables need more than the default of 80.
    """
    made = Console()
    return made if made.is_terminal else Console(width=LOG_WIDTH)


def note(line: str) -> None:
    """Print a line on standard error, which is not the result; skip an empty one."""
    if line:
        click.echo(line, err=True)


class OutputPath(OwnType):
    """The type of a parameter that names a file to be written."""

    name = "file"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        name = os.fspath(value)
        option = param.opts[0] if param else "an output"
        if not name or "\0" in name:
            self.fail(f"{option} needs the name of a file, was given {name!r}", param, ctx)
        # A path would lose the end that tells a folder.
        if os.path.basename(name) in ("", os.curdir, os.pardir):  # noqa: PTH119
            self.fail(f"{option} {shown(name)} is a directory: name a file in it", param, ctx)
        return Path(name)


def write_or_print(text: str, output: Path | None, kind: Kind) -> None:
    """Write a text to a file and print its path, or print the text.

    Args:
        text: the result.
        output: the path of the file; None to print the text.
        kind: what the text is.

    Raises:
        OutputError: the file cannot be written.
    """
    if output is None:
        click.echo(text, nl=False)
        return
    write_output(output, kind, text)
    print_path(output)


def print_path(output: Path) -> None:
    """Print where an output is, unless it went to a device or pipe, such as this very stream."""
    if is_file(output):
        click.echo(shown(output.resolve()))
