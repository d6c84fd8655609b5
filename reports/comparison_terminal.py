"""Show a comparison of runs on a terminal: the blocks of `comparison_markdown`, without markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from .comparison_markdown import Block, Heading, Table


def comparison_view(blocks: Iterable[Block]) -> RenderableType:
    """Return blocks as what `rich` prints; names are folded where a column is narrow, never cut."""
    return Group(*_parts(blocks))


def _parts(blocks: Iterable[Block]) -> Iterator[RenderableType]:
    for number, block in enumerate(blocks):
        if number:
            yield Text("")
        if isinstance(block, Heading):
            yield Text(block.text, style="bold")
        elif isinstance(block, str):
            yield Text(_plain(block))
        else:
            yield _grid(block)
            if block.left:
                yield Text(f"and {block.left} more")


def _grid(table: Table) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="dim")
    for column in table.columns:
        grid.add_column(Text(_plain(column)), overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(_plain(cell), _style(cell)) for cell in row))
    return grid


def _style(cell: str) -> str:
    return "bold" if cell.startswith("**") else ""


def _plain(text: str) -> str:
    """Return a text without its marks for Markdown, and without control characters."""
    bare = text.replace("**", "").replace("`", "")
    return "".join(c if c.isprintable() else " " for c in bare)
