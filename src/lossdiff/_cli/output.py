"""How the command line prints, and writes what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

LOG_WIDTH = 180


def console() -> Console:
    """A pipe or a log file has no width of its own; tables need more than the default 80."""
    made = Console()
    return made if made.is_terminal else Console(width=LOG_WIDTH)


def note(line: str) -> None:
    """Print a line that is not the result; an empty one is left out."""
    if line:
        click.echo(line, err=True)


@contextmanager
def writing_to(output: Path) -> Iterator[None]:
    """Make the folder of an output, and say in one line why it cannot be written.

    Raises:
        ClickException: the file system refuses.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error


def write_or_print(text: str, output: Path | None) -> None:
    """Write a text and print where it is; print the text where no place is named."""
    if output is None:
        click.echo(text, nl=False)
        return
    with writing_to(output):
        output.write_text(text, encoding="utf-8")
    click.echo(output.resolve())
