"""Compare the textbook formulas with the native function of each framework, by family of inputs.

A formula is the same expression in each framework, so that its table has one part for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .columns import column_of
from .legend import mark_of
from .survey import TEXTBOOK, Asked, Judged, Survey, dtype_order

Spot = tuple[str, str]  # dtype, column
Worst = dict[Asked, dict[Spot, Judged]]


@dataclass(frozen=True)
class FormulaPart:
    """One framework's part of a formula's table.

    Attributes:
        framework: its name.
        dtypes: the dtypes in which the formula was tested.
        native: the native function or recipe that it is compared with; empty for none.
    """

    framework: str
    dtypes: tuple[str, ...]
    native: str


@dataclass(frozen=True)
class BrokenRow:
    """A family on which the formula has a finding in some framework.

    Attributes:
        column: the family.
        cells: for each part, the worst verdict in each of its dtypes; None if it was not tested.
        natives: for each part, the worst verdict on the native function in these dtypes.
    """

    column: str
    cells: tuple[tuple[Judged | None, ...], ...]
    natives: tuple[Judged | None, ...]


@dataclass(frozen=True)
class Formula:
    """One textbook formula.

    Attributes:
        name: its name without the framework.
        operation: the operation that it computes.
        parts: the frameworks in which it was tested.
        broken: the families on which it has a finding.
        strained: the families on which it has none, but is beyond the bound, or follows a
            convention, for a reason that the run shows.
        ratio: the largest error over the bound on these; None if none was measured.
        holds: the families on which every answer agrees.
    """

    name: str
    operation: str
    parts: tuple[FormulaPart, ...]
    broken: tuple[BrokenRow, ...]
    strained: tuple[str, ...]
    ratio: float | None
    holds: tuple[str, ...]

    @property
    def families(self) -> int:
        """The number of families on which it was asked."""
        return len(self.broken) + len(self.strained) + len(self.holds)

    @property
    def native_breaks(self) -> tuple[str, ...]:
        """The families of the table on which a native function has a finding too."""
        return tuple(row.column for row in self.broken if any(map(breaks, row.natives)))


def formulas(survey: Survey) -> tuple[Formula, ...]:
    """Return the textbook formulas of a survey, sorted by operation and name."""
    worst = _worst(survey)
    members: dict[tuple[str, str], list[Asked]] = {}
    for asked in sorted(worst):
        if asked.kind == TEXTBOOK and worst[asked]:
            key = (asked.operation, asked.name.rpartition(".")[2])
            members.setdefault(key, []).append(asked)
    ratios: dict[tuple[Asked, str], float] = {}
    for place, tally in survey.places.items():
        if place.asked.kind == TEXTBOOK and tally.ratio is not None:
            key_of_column = (place.asked, place.column)
            ratios[key_of_column] = max(ratios.get(key_of_column, 0.0), tally.ratio)
    return tuple(_formula(asked, worst, ratios) for _, asked in sorted(members.items()))


def breaks(judged: Judged | None) -> bool:
    """Return whether a verdict is a finding."""
    return judged is not None and mark_of(judged.verdict).group == "finding"


def _worst(survey: Survey) -> Worst:
    """Return the worst verdict of each implementation by dtype and column, over all modes."""
    worst: Worst = {}
    for place, tally in survey.places.items():
        spots = worst.setdefault(place.asked, {})
        spot = (place.dtype, place.column)
        # What an implementation does not claim to support says nothing about it.
        claims = (j for j in tally.counts if mark_of(j.verdict).group != "neutral")
        found = _largest([spots.get(spot), *claims])
        if found:
            spots[spot] = found
    return worst


def _largest(several: Iterable[Judged | None]) -> Judged | None:
    return max(filter(None, several), key=_severity, default=None)


def _severity(judged: Judged) -> tuple[bool, int]:
    # A new finding is worse than any known one.
    return breaks(judged) and not judged.known, mark_of(judged.verdict).severity


def _formula(members: list[Asked], worst: Worst, ratios: dict[tuple[Asked, str], float]) -> Formula:
    parts = tuple(_part(asked, worst) for asked in members)
    natives = [_native(asked, worst) for asked in members]
    # A family that only some frameworks can represent has cells of None in the others.
    columns = {column for asked in members for _, column in worst[asked]}
    ordered = sorted(columns, key=lambda name: column_of(name).order)
    rows = [
        BrokenRow(
            column,
            tuple(
                tuple(worst[asked].get((dtype, column)) for dtype in part.dtypes)
                for asked, part in zip(members, parts, strict=True)
            ),
            tuple(
                _largest(worst[native].get((dtype, column)) for dtype in part.dtypes)
                if native
                else None
                for native, part in zip(natives, parts, strict=True)
            ),
        )
        for column in ordered
    ]
    broken = tuple(row for row in rows if any(breaks(cell) for part in row.cells for cell in part))
    others = [row for row in rows if row not in broken]
    strained = tuple(row.column for row in others if _is_strained(row))
    holds = tuple(row.column for row in others if not _is_strained(row))
    sizes = [ratios[who, name] for who in members for name in strained if (who, name) in ratios]
    name = members[0].name.rpartition(".")[2]
    operation = members[0].operation
    ratio = max(sizes, default=None)
    return Formula(name, operation, parts, broken, strained, ratio, holds)


def _is_strained(row: BrokenRow) -> bool:
    """Return whether some answer is explained instead of right."""
    cells = (cell for part in row.cells for cell in part if cell)
    return any(mark_of(cell.verdict).group != "agree" for cell in cells)


def _part(asked: Asked, worst: Worst) -> FormulaPart:
    dtypes = sorted({dtype for dtype, _ in worst[asked]}, key=dtype_order)
    native = _native(asked, worst)
    return FormulaPart(asked.framework, tuple(dtypes), native.name if native else "")


def _native(asked: Asked, worst: Worst) -> Asked | None:
    """Return the native function to compare a formula with, or None.

    A native function is preferred to a recipe. Of several, the one that shares most dtypes and
    columns with the formula is taken, and of these the one with the fewest findings.
    """
    return min(_natives(asked, worst), default=(False, 0, 0, None))[3]


def _natives(asked: Asked, worst: Worst) -> Iterator[tuple[bool, int, int, Asked]]:
    # The tuples sort as `_native` prefers them; the smallest one wins.
    for other, spots in worst.items():
        same = (other.framework, other.operation) == (asked.framework, asked.operation)
        if same and other.kind in ("native", "recipe"):
            shared = spots.keys() & worst[asked].keys()
            broken = sum(breaks(spots[spot]) for spot in shared)
            yield other.kind != "native", -len(shared), broken, other
