"""Print verdicts as lines of text, one after the other, however many there are.

A line is at most as wide as the terminal. Only the verdict at hand is in memory, and of findings
that are grouped one example of each group.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.cells import cell_len

from ..harness.runfile import VerdictRow
from .findings import badness, measured
from .legend import VerdictClass, mark_of
from .numbers import counted, three
from .survey import KINDS, Asked, dtype_order, is_unsteady, place_of, way_of
from .tables import Shares, brief

LEAST_WIDTH = 40
_INDENT = " " * 4  # of a line's continuation
_NAMED = 3  # families of a group; the further ones are only counted


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
    yield from _lines(head, width, mark_of(row.verdict).group)
    yield from _lines(f"  {row.case}", width)
    if numbers := _numbers(row):
        yield from _lines(f"  {numbers}", width)


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


def _lines(text: str, width: int, group: VerdictClass | None = None) -> Iterator[Line]:
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


# --- groups of findings ----------------------------------------------------------------------


class FindingKey(NamedTuple):
    """What the findings of one group have in common."""

    known: bool
    asked: Asked
    verdict: str


@dataclass
class _Findings:
    """The findings of one implementation with one verdict."""

    worst: VerdictRow
    plainest: VerdictRow
    count: int = 0
    columns: set[str] = field(default_factory=set)
    dtypes: set[str] = field(default_factory=set)
    ways: set[str] = field(default_factory=set)

    def add(self, row: VerdictRow) -> None:
        place = place_of(row)
        self.count += 1
        self.columns.add(place.column)
        self.dtypes.add(place.dtype)
        self.ways.add(place.way)
        self.worst = max(self.worst, row, key=badness)
        self.plainest = min(self.plainest, row, key=_plainness)


def _plainness(row: VerdictRow) -> tuple[bool, int, int, bool, str]:
    """Return a key that is smallest for the finding that is easiest to read and to repeat."""
    sizes = (int(part) for part in row.shape.split("x") if part.isdecimal())
    return (
        row.mode != "eager", len(row.options), math.prod(sizes), row.quantity != "value", row.case,
    )  # fmt: skip


def finding_lines(rows: Iterable[VerdictRow], width: int) -> Iterator[Line]:
    """Yield lines on findings, one group for each implementation and verdict.

    New findings come first, then functions that users call before formulas that they copy, and
    among these the worst.

    Args:
        rows: the findings; they are not kept.
        width: columns of the terminal.
    """
    groups: dict[FindingKey, _Findings] = {}
    for row in rows:
        key = FindingKey(row.known, place_of(row).asked, row.verdict)
        groups.setdefault(key, _Findings(row, row)).add(row)
    for key, found in sorted(groups.items(), key=_order):
        yield from _group(key, found, width)


def _order(item: tuple[FindingKey, _Findings]) -> tuple[bool, int, float, int, FindingKey]:
    key, found = item
    kind = KINDS.index(key.asked.kind) if key.asked.kind in KINDS else 0
    size, severity = badness(found.worst)
    return key.known, kind, -size, -severity, key


def _group(key: FindingKey, found: _Findings, width: int) -> Iterator[Line]:
    many = counted(found.count, "finding")
    ratio = measured(found.worst)
    worst = f", at worst {three(ratio)} times the bound" if ratio is not None else ""
    head = f"{_word(found.worst):<18} {key.asked.name}: {many}{worst}"
    yield from _lines(head, width, "finding")
    columns = sorted(found.columns)
    more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
    where = (
        ", ".join(sorted(found.ways)),
        ", ".join(sorted(found.dtypes, key=dtype_order)),
        ", ".join(columns[:_NAMED]) + more,
    )
    yield from _lines(f"  {'; '.join(where)}", width)
    row = found.plainest
    yield from _lines(f"  for example {row.quantity} of {row.case}", width)
    if numbers := _numbers(row):
        yield from _lines(f"  {numbers}", width)


def count_lines(shares: Shares, width: int) -> Iterator[Line]:
    """Yield the number of verdicts of each class; questions that are not claimed come last."""
    yield from _lines(_counts(shares), width)


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
