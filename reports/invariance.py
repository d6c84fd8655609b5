"""Show what the results of each implementation do not depend on: the batch, the order, the run.

A cell holds the checks of one relation in all modes and dtypes. Implementations of a framework
whose cells say the same stand in one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..harness.runfile import RelationRow
from ..harness.verdicts import AGAIN, THREADS
from .survey import TEXTBOOK, Survey

Kept = Literal["same bits", "within the bounds", "explained", "no"]
# The relations of the columns, in their order, and what each says that a result does not depend on.
COLUMNS = {
    AGAIN: "the run",
    THREADS: "the threads",
    "split": "the batch",
    "alone": "other rows",
    "padding": "padding",
    "rows": "order of rows",
    "permutation": "order of classes",
}


@dataclass(frozen=True)
class InvarianceCell:
    """How a relation is kept.

    Attributes:
        kept: by the bits in every check, within the sum of the bounds, within those of an
            explanation, or not.
        ratio: the largest difference over the sum of the bounds; 0 for the same bits.
    """

    kept: Kept
    ratio: float


@dataclass(frozen=True)
class InvarianceLine:
    """Implementations of one framework, of which every cell says the same.

    Attributes:
        framework: its name.
        names: the implementations.
        cells: one for each of `COLUMNS`; None where the relation was not asked.
    """

    framework: str
    names: tuple[str, ...]
    cells: tuple[InvarianceCell | None, ...]


def invariance_lines(survey: Survey, rows: Iterable[RelationRow]) -> tuple[InvarianceLine, ...]:
    """Return the lines of the table, the most implementations of a framework first.

    Textbook formulas are left out: what they depend on says nothing of what frameworks ship.
    """
    textbook = {asked.name for asked in survey.asked if asked.kind == TEXTBOOK}
    found: dict[tuple[str, str], dict[str, list[RelationRow]]] = {}
    for row in rows:
        if row.relation in COLUMNS and row.left not in textbook:
            mine = found.setdefault((row.framework, row.left), {})
            mine.setdefault(row.relation, []).append(row)
    alike: dict[tuple[str, tuple[Kept | None, ...]], list[InvarianceLine]] = {}
    for (framework, name), by_relation in found.items():
        cells = tuple(_cell(by_relation.get(relation, ())) for relation in COLUMNS)
        words = tuple(cell.kept if cell else None for cell in cells)
        line = InvarianceLine(framework, (name,), cells)
        alike.setdefault((framework, words), []).append(line)
    lines = map(_joined, alike.values())
    return tuple(sorted(lines, key=lambda it: (it.framework, -len(it.names), it.names)))


def _cell(rows: Sequence[RelationRow]) -> InvarianceCell | None:
    """Return the cell of one relation; None without a check."""
    if not rows:
        return None
    ratio = max(row.largest_ratio for row in rows)
    if not all(row.agrees for row in rows):
        return InvarianceCell("no", ratio)
    if any(row.note for row in rows):
        return InvarianceCell("explained", ratio)
    same = all(row.largest_difference == 0 for row in rows)
    return InvarianceCell("same bits" if same else "within the bounds", ratio)


def _joined(lines: Sequence[InvarianceLine]) -> InvarianceLine:
    """Return one line for several that say the same, with the largest ratio of each cell."""
    names = tuple(sorted(name for line in lines for name in line.names))
    cells = tuple(
        max((cell for cell in column if cell), key=lambda cell: cell.ratio, default=None)
        for column in zip(*(line.cells for line in lines), strict=True)
    )
    return InvarianceLine(lines[0].framework, names, cells)
