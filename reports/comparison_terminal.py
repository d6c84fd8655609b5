"""Show a comparison of runs on a terminal: the blocks of `comparison_markdown`, without markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from .comparison_markdown import Block, Heading, Table
from .grid import Cell, Grid


def comparison_view(blocks: Iterable[Block]) -> RenderableType:
    """Return blocks as what `rich` prints; no name is cut, however narrow it is."""
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
    rows = [[Cell(_plain(it), "bold" if it.startswith("**") else "") for it in row]
            for row in table.rows]  # fmt: skip
    return Grid([_plain(column) for column in table.columns], rows)


def _plain(text: str) -> str:
    """Return a text without its marks for Markdown, and without control characters."""
    bare = text.replace("**", "").replace("`", "")
    return "".join(c if c.isprintable() else " " for c in bare)
