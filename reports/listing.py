"""Print verdicts as lines of text, one after the other, however many there are.

A line is at most as wide as the terminal. Only the verdict at hand is in
memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len

from ..harness.runfile import VerdictRow
from .legend import VerdictClass, mark_of
from .numbers import counted, three
from .survey import is_unsteady, way_of
from .tables import Shares, brief

LEAST_WIDTH = 40
_INDENT = " " * 4  # of a line's continuation


class Line(NamedTuple):
    """A line of text; the first one of an entry has the class of its verdict."""

    text: str
    group: VerdictClass | None = None


def entry(row: VerdictRow, width: int) -> Iterator[Line]:
    """Yield the lines on one verdict: what was judged, the case, and the numbers.

    Args:
        row: the verdict.
        width: columns of the terminal.
    """
    way = way_of(row.mode, row.device)
    head = f"{_word(row):<18} {row.quantity:<15} {way:<8} {row.implementation}"
    yield from lines_of_width(head, width, mark_of(row.verdict).group)
    yield from lines_of_width(f"  {row.case}", width)
    if numbers := _numbers(row):
        yield from lines_of_width(f"  {numbers}", width)


def _word(row: VerdictRow) -> str:
    mark = mark_of(row.verdict)
    known = " (known)" if row.known and mark.group == "finding" else ""
    return f"{mark.symbol} {row.verdict}{known}"


def _numbers(row: VerdictRow) -> str:
    """Return the right number, the given one and the error, as far as they have a meaning."""
    if is_unsteady(row):
        return f"{three(row.abs_error)} apart {row.note}".strip()
    # Where there is no number, the note is the message of an error or why nothing was asked.
    given = brief(row.got or row.note)
    values = f"right {brief(row.exact)}, given {given}" if row.exact else given
    ratio = [f"{three(row.ratio)} times the bound"] if row.ratio is not None else []
    size = ", ".join([*ratio, *([f"{three(row.ulp)} ulp"] if row.ulp is not None else [])])
    return "; ".join(filter(None, [values, size]))


def lines_of_width(text: str, width: int, group: VerdictClass | None = None) -> Iterator[Line]:
    """Yield a text in lines of a width; texts of a run file may hold characters of any kind."""
    shown = text.rstrip()
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else " " for c in shown)
    width = max(width, LEAST_WIDTH)
    cells = len(shown) if shown.isascii() else cell_len(shown)
    # Some characters are two columns wide, and each may be.
    limit = width if cells == len(shown) else width // 2
    while cells > width and len(shown) > limit:
        # The module `textwrap` does the same in ten times the time, and lines are many.
        at = shown.rfind(" ", len(_INDENT) + 1, limit + 1)
        at = at if at > 0 else limit
        yield Line(shown[:at].rstrip(), group)
        shown = _INDENT + shown[at:].lstrip()
    yield Line(shown, group)


def count_lines(shares: Shares, width: int) -> Iterator[Line]:
    """Yield the number of verdicts of each class; questions that are not claimed come last."""
    yield from lines_of_width(_counts(shares), width)


def _counts(shares: Shares) -> str:
    if not shares.total:
        return "no verdicts"
    parts = [
        (shares.new, counted(shares.new, "new finding")),
        (shares.known, counted(shares.known, "known finding")),
        (shares.explained, f"{shares.explained:,} explained"),
        (shares.agree, f"{shares.agree:,} agree"),
    ]
    said = ", ".join(text for number, text in parts if number)
    judged = counted(shares.judged, "verdict") + (f": {said}" if said else "")
    unclaimed = counted(shares.neutral, "question")
    return judged + (f"; {unclaimed} not claimed" if shares.neutral else "")
