"""Print lines and tables, and write result files."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from ..outputs import Kind, is_file, shown, write_output
from ..printing import printable
from .names import OwnType, given

WIDTH, LEAST_WIDTH = 80, 40  # columns: those of a log, and the fewest that lines are made for
_LONGEST = 4096  # bytes of a path
_CHUNK = 500  # lines that are written together


class PlainConsole(Console):
    """A console on which texts are only texts: they hold no commands and no markup."""

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        """Take the stream, and the width if it is not that of the terminal."""
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False)

    def render_str(self, text: str, **named: Any) -> Text:
        # Columns are as wide as what they show.
        return super().render_str(printable(text), **named)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        # All that is printed passes here, also the cells of tables; rich's own commands for the
        # terminal are the style of a segment, or marked as control codes.
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable():
                yield segment
            else:
                yield Segment(printable(text), segment.style)


def width() -> int:
    """Return the columns of the terminal, or those that `COLUMNS` says.

    A pipe or a log file has none of its own.
    """
    return max(shutil.get_terminal_size((WIDTH, 24)).columns, LEAST_WIDTH)


def console() -> Console:
    """Return a console for standard output."""
    return PlainConsole(width=width())


def lines_of_words(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text in lines that break between words: names are copied, and never cut.

    Args:
        text: the text.
        width: columns.
        indent: what each line begins with.
    """
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text that may come from anywhere; every line of text is printed here.

    Args:
        text: the text.
        err: whether it goes to standard error.
        nl: whether the line ends after it.
    """
    click.echo(printable(text), err=err, nl=nl)


def echo_lines(lines: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Print lines with their styles, many at a time: each writing to standard output is flushed.

    Args:
        lines: the text of each, which may come from anywhere, and arguments of `click.style`.
    """
    lines = iter(lines)
    while some := list(islice(lines, _CHUNK)):
        texts = ((printable(text), style) for text, style in some)
        click.echo("\n".join(click.style(it, **style) if style else it for it, style in texts))


def note(line: str) -> None:
    """Print a line on standard error, which is not the result; skip an empty one."""
    if line:
        echo(line, err=True)


class InputPath(OwnType):
    """The type of a parameter that names a file to be read."""

    name = "file"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        name = os.fspath(value)
        if wrong := _wrong_with(name):
            what = (param.metavar or param.opts[0]).rstrip(".") if param else "an input"
            if isinstance(param, click.Option):
                what = param.opts[0]
            self.fail(f"{what} needs the name of a file, {wrong}", param, ctx)
        return Path(name)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete the name of a file."""
        del ctx, param
        return [CompletionItem(incomplete, type="file")]


def _wrong_with(name: str) -> str:
    """Return why no file can have a path, on any system that lossdiff runs on; empty if one can."""
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:  # half of a pair of surrogates
        encoded = b""
    if len(encoded) > _LONGEST:
        return f"was given {given(name)}: File name too long"
    return "" if encoded and b"\0" not in encoded else f"was given {given(name)}"


class OutputPath(OwnType):
    """The type of a parameter that names a file to be written."""

    name = "file"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        name = os.fspath(value)
        option = param.opts[0] if param else "an output"
        if wrong := _wrong_with(name):
            self.fail(f"{option} needs the name of a file, {wrong}", param, ctx)
        # A path would lose the end that tells a folder.
        if os.path.basename(name) in ("", os.curdir, os.pardir):  # noqa: PTH119
            self.fail(f"{option} {shown(name)} is a directory: name a file in it", param, ctx)
        # `-` is standard output; a path would make one of the name `./-`, too.
        path = Path(name)
        return path.absolute() if os.fspath(path) == "-" != name else path


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
        echo(text, nl=False)
        return
    write_output(output, kind, text)
    print_path(output)


def print_path(output: Path) -> None:
    """Print where an output is, unless it went to a device or pipe, such as this very stream."""
    if is_file(output):
        echo(shown(output.resolve()))
