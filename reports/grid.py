"""Lay a table out in lines of a width: in columns, or, where they have no room, row under row.

The names in a table are there to be copied: no word of it is ever cut.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_GAP = 2  # spaces between columns
_LEAST = 24  # columns of the terminal that a cell has before its text is continued below
_INDENT = " " * 4
_GLUE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Cell:
    """The text of a cell, and its style in `rich`'s words."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Grid:
    """A table that `rich` prints as wide as the terminal.

    Attributes:
        columns: the headings; an empty one is that of a column of remarks on the next one.
        rows: as many cells as there are columns in each.
        right: the first column whose cells stand on the right; none of them by default.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    right: int = 1_000

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for spans in self.lines(options.max_width):
            # A line that is too long is broken by the terminal, which then copies it as one.
            parts = ((it.text, it.style) for it in spans)
            yield Text.assemble(*parts, no_wrap=True, overflow="ignore")

    def lines(self, width: int) -> Iterator[list[Cell]]:
        """Yield the lines of the table, each in parts of one style.

        Args:
            width: columns of the terminal. A word that is longer has a line that is longer.
        """
        heads = [Cell(head, "dim") for head in self.columns]
        widths = self._widths(width)
        if widths:
            for row in (heads, *self.rows):
                yield from self._in_columns(row, widths)
        else:
            for row in self.rows:
                yield from _below(heads, row, width)

    def _widths(self, width: int) -> list[int]:
        """Return how wide each column is; nothing if they have no room side by side."""
        columns = list(zip(map(Cell, self.columns), *self.rows, strict=True))
        widths = [max(cell_len(it.text) for it in column) for column in columns]
        least = [
            max([min(full, _LEAST), *(cell_len(it) for cell in column for it in cell.text.split())])
            for column, full in zip(columns, widths, strict=True)
        ]
        room = width - _GAP * (len(widths) - 1)
        if sum(least) > room:
            return []
        while sum(widths) > room:
            # The widest of those that may become narrower gives way.
            at = max(range(len(widths)), key=lambda it: (widths[it] > least[it], widths[it]))
            widths[at] -= 1
        return widths

    def _in_columns(self, row: Sequence[Cell], widths: Sequence[int]) -> Iterator[list[Cell]]:
        wrapped = [_wrapped(it.text, size) for it, size in zip(row, widths, strict=True)]
        for texts in zip_longest(*wrapped, fillvalue=""):
            spans: list[Cell] = []
            for at, (text, size) in enumerate(zip(texts, widths, strict=True)):
                space = " " * (size - cell_len(text))
                shown = space + text if at >= self.right else text + space
                spans.append(Cell(shown, row[at].style))
                spans.append(Cell(" " * _GAP))
            yield _stripped(spans)


def _below(heads: Sequence[Cell], row: Sequence[Cell], width: int) -> Iterator[list[Cell]]:
    """Yield a row as a line for its name, and what is said of it below."""
    names = 1 if heads[0].text else 2
    first: list[Cell] = []
    for it in row[:names]:
        first += [it, Cell(" ")] if it.text else []
    yield _stripped(first)
    room = width - len(_INDENT)
    said = "; ".join(
        _glued(head.text, it.text, room)
        for head, it in zip(heads[names:], row[names:], strict=True)
        if it.text
    )
    for line in _wrapped(said, room):
        yield [Cell(_INDENT + line.replace(_GLUE, " "))]


def _glued(head: str, text: str, room: int) -> str:
    """Return what is said below a name: no line ends after the heading, if that can be."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    glue = _GLUE if cell_len(head) + cell_len(first) + 3 <= room else " "
    return f"{head}:{glue}{text}"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _stripped(spans: list[Cell]) -> list[Cell]:
    """Return the parts of a line without the spaces at its end."""
    while spans and not spans[-1].text.strip():
        spans.pop()
    return [*spans[:-1], Cell(spans[-1].text.rstrip(), spans[-1].style)] if spans else []
