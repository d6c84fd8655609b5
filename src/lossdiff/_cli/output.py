"""Print lines and tables, and write result files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

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


@contextmanager
def writing_to(output: Path) -> Iterator[None]:
    """Create the folder of an output, and report in one line why it cannot be written.

    Raises:
        ClickException: the operating system reports an error, in the block too.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error


def write_or_print(text: str, output: Path | None) -> None:
    """Write a text to a file and print its path, or print the text.

    Args:
        text: the result.
        output: the path of the file; None to print the text.

    Raises:
        ClickException: the file cannot be written.
    """
    if output is None:
        click.echo(text, nl=False)
        return
    with writing_to(output):
        output.write_text(text, encoding="utf-8")
    click.echo(output.resolve())
