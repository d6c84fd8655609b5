"""Write tables in Markdown whose cells may hold any text."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Return a Markdown table in which no text can end a cell or start HTML.

    >>> print(table(["name"], [["a|b"]]))
    | name   |
    |--------|
    | a\|b   |
    """
    cells = [[cell(it) for it in row] for row in rows]
    return tabulate(cells, headers=columns, tablefmt="github", disable_numparse=True)


def cell(text: str) -> str:
    """Return a text as a cell of a table, or as a line: it ends neither, and starts no HTML."""
    # Names of users' functions and messages of exceptions may hold any character.
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown.replace("|", "\\|").replace("<", "&lt;")
