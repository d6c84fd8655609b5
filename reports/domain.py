"""Prepare the domain of validity for the page and the terminal: which implementations fail where.

A search is one implementation, mode and dtype in one sweep. Searches with the same result are
merged to one line, as long as every combination that the line names has that result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ..cases.sweeps import SWEEPS
from ..harness.runfile import DomainRow, RunFile
from .numbers import magnitude
from .survey import KINDS, dtype_order, way_of

_SHOWN_FIRST = "softmax"


@dataclass(frozen=True)
class DomainLine:
    """Searches of one implementation with the same result.

    Attributes:
        row: one of the searches.
        ways: their modes and devices.
        dtypes: their dtypes.
        sweeps: their sweeps.
        asked_to: the largest magnitude that was tested, for each dtype.
    """

    row: DomainRow
    ways: tuple[str, ...]
    dtypes: tuple[str, ...]
    sweeps: tuple[str, ...]
    asked_to: tuple[float, ...]

    @property
    def searches(self) -> int:
        """How many searches the line stands for: every combination that it names."""
        return len(self.ways) * len(self.dtypes) * len(self.sweeps)

    @property
    def left(self) -> str:
        """The magnitude at which an answer leaves the sound bound."""
        return shown(self.row.sweep, self.row.leaves_bound_at)

    @property
    def broken(self) -> str:
        """The magnitude at which an answer is wrong."""
        return shown(self.row.sweep, self.row.breaks_at)

    @property
    def asked(self) -> str:
        """The largest magnitude that was tested, for each dtype if they differ."""
        texts = [shown(self.row.sweep, largest) for largest in self.asked_to]
        return ", ".join(texts if len(set(texts)) > 1 else texts[:1])

    @property
    def at_once(self) -> bool:
        """Whether the answer is wrong at the smallest magnitude already."""
        return at_once(self.row)


@dataclass(frozen=True)
class DomainPart:
    """The searches of one operation.

    Attributes:
        operation: its name.
        searches: the number of searches.
        broken: the searches that found a wrong answer, the smallest magnitude first.
        kept: the others; those that leave the sound bound first.
    """

    operation: str
    searches: int
    broken: tuple[DomainLine, ...]
    kept: tuple[DomainLine, ...]

    @property
    def never(self) -> int:
        """How many searches found no wrong answer."""
        return sum(line.searches for line in self.kept)

    @property
    def reach(self) -> str:
        """The largest magnitudes of the searches that found no wrong answer.

        There is one for each dtype, and one for each sweep over a number of classes or rows.
        """
        # Magnitudes of logits are limited by the dtype, those of sizes by the sweep, so these are
        # the units between which the largest magnitude differs.
        largest: dict[str, tuple[str, float]] = {}
        for line in self.kept:
            for sweep, (dtype, asked) in product(
                line.sweeps, zip(line.dtypes, line.asked_to, strict=True)
            ):
                unit = f" {sweep}" if counts(sweep) else f" in {dtype}"
                largest[unit] = max(largest.get(unit, (sweep, 0.0)), (sweep, asked), key=_asked)
        units = sorted(largest, key=lambda unit: (counts(largest[unit][0]), _unit_order(unit)))
        return ", ".join(f"{shown(*largest[unit])}{unit}" for unit in units)


@dataclass(frozen=True)
class Domain:
    """All searches of some runs.

    Attributes:
        rows: the searches, each once.
        parts: the searches by operation, softmax first.
    """

    rows: tuple[DomainRow, ...]
    parts: tuple[DomainPart, ...]

    @property
    def never(self) -> int:
        """How many searches found no wrong answer."""
        return sum(row.breaks_at is None for row in self.rows)

    @property
    def at_once(self) -> int:
        """How many searches were wrong from the start."""
        return sum(map(at_once, self.rows))

    @property
    def frameworks(self) -> list[str]:
        """The names of the frameworks in the searches."""
        return sorted({row.framework for row in self.rows})

    @property
    def sweeps(self) -> dict[str, str]:
        """The meaning of each sweep by its name."""
        return {name: meaning(name) for name in _in_order(row.sweep for row in self.rows)}

    @property
    def broken(self) -> list[DomainLine]:
        """The failing searches by magnitude; those over numbers of classes or rows come last."""
        lines = [line for part in self.parts for line in part.broken]
        return sorted(lines, key=lambda line: (counts(line.row.sweep), _distance(line.row)))

    @property
    def first(self) -> DomainLine | None:
        """The first search to fail of those that were right at the start."""
        return next((line for line in self.broken if not line.at_once), None)


def domain_of(runs: Sequence[RunFile]) -> Domain:
    """Return the searches of some runs; of a repeated search the last run counts."""
    # A row of a later run replaces that of an earlier one with the same key.
    latest = {_key(row): row for run in runs for row in run.rows(DomainRow)}
    operations: dict[str, list[DomainRow]] = {}
    for row in latest.values():
        operations.setdefault(row.operation, []).append(row)
    parts = [_part(name, rows) for name, rows in operations.items()]
    parts.sort(key=lambda part: (part.operation != _SHOWN_FIRST, part.operation))
    return Domain(tuple(latest.values()), tuple(parts))


def by_way(rows: Iterable[DomainRow]) -> tuple[DomainLine, ...]:
    """Return searches merged over modes and devices, the smallest failing magnitude first."""
    lines = [
        DomainLine(
            row, (way_of(row.mode, row.device),), (row.dtype,), (row.sweep,), (row.asked_to,)
        )
        for row in rows
    ]
    merged = _merged(lines, lambda line: (line.dtypes, line.sweeps, line.asked_to), _joined_ways)
    return tuple(sorted(merged, key=lambda line: _distance(line.row)))


def meaning(sweep: str) -> str:
    """Return what grows in a sweep; an empty text for an unknown sweep of another version."""
    return SWEEPS[sweep].meaning if sweep in SWEEPS else ""


def shown(sweep: str, value: float | None) -> str:
    """Return a magnitude as text: three digits, or a whole number of classes or rows.

    >>> shown("offset", 88.7228), shown("classes", 4096.0)
    ('88.7', '4,096')
    """
    return magnitude(value, whole=counts(sweep))


def counts(sweep: str) -> bool:
    """Return whether the magnitude of a sweep is a number of classes or rows."""
    return sweep in SWEEPS and SWEEPS[sweep].counts


def start(sweep: str) -> float:
    """Return the smallest magnitude that is tested in a sweep."""
    return SWEEPS[sweep].levels[0] if sweep in SWEEPS else 1.0


def at_once(row: DomainRow) -> bool:
    """Return whether a search was wrong from the start."""
    return row.breaks_at is not None and row.breaks_at <= start(row.sweep)


def _in_order(sweeps: Iterable[str]) -> list[str]:
    known = list(SWEEPS)
    return sorted(
        set(sweeps), key=lambda name: (known.index(name) if name in known else len(known), name)
    )


def _key(row: DomainRow) -> tuple[str, ...]:
    return (
        row.framework,
        row.implementation,
        row.operation,
        row.mode,
        row.device,
        row.dtype,
        row.sweep,
    )


def _part(operation: str, rows: list[DomainRow]) -> DomainPart:
    broken = by_way(row for row in rows if row.breaks_at is not None)
    kept = by_way(row for row in rows if row.breaks_at is None)
    return DomainPart(operation, len(rows), _all_merged(broken), _all_merged(kept))


def _all_merged(lines: Iterable[DomainLine]) -> tuple[DomainLine, ...]:
    """Return lines merged by sweep and then by dtype; each is still a product of its parts."""
    by_sweep = _merged(lines, lambda line: (line.ways, line.dtypes, line.asked_to), _joined_sweeps)
    by_dtype = _merged(by_sweep, lambda line: (line.ways, line.sweeps), _joined_dtypes)
    return tuple(sorted(by_dtype, key=lambda line: _distance(line.row)))


def _merged(
    lines: Iterable[DomainLine],
    same: Callable[[DomainLine], Hashable],
    joined: Callable[[list[DomainLine]], DomainLine],
) -> list[DomainLine]:
    # A line stands for a product of ways, dtypes and sweeps. Lines are merged over one of them only
    # if the other two are equal, or else the product would name searches with another result.
    members: dict[Hashable, list[DomainLine]] = {}
    for line in lines:
        members.setdefault((_outcome(line.row), same(line)), []).append(line)
    return [joined(group) for group in members.values()]


def _outcome(row: DomainRow) -> Hashable:
    # Everything that a line shows about its searches, so that merging them loses nothing.
    return (
        row.framework,
        row.implementation,
        row.operation,
        counts(row.sweep),
        row.leaves_bound_at,
        row.left_by,
        row.breaks_at,
        row.broken_by,
        row.quantity,
        at_once(row),
    )


def _joined_ways(group: list[DomainLine]) -> DomainLine:
    ways = tuple(sorted({way for line in group for way in line.ways}))
    first = group[0]
    return DomainLine(first.row, ways, first.dtypes, first.sweeps, first.asked_to)


def _joined_sweeps(group: list[DomainLine]) -> DomainLine:
    sweeps = tuple(_in_order(name for line in group for name in line.sweeps))
    first = group[0]
    return DomainLine(first.row, first.ways, first.dtypes, sweeps, first.asked_to)


def _joined_dtypes(group: list[DomainLine]) -> DomainLine:
    # Dtypes and the magnitudes that were tested in them stay in parallel order.
    ordered = sorted(group, key=lambda line: dtype_order(line.dtypes[0]))
    dtypes = tuple(line.dtypes[0] for line in ordered)
    asked = tuple(line.asked_to[0] for line in ordered)
    first = ordered[0]
    return DomainLine(first.row, first.ways, dtypes, first.sweeps, asked)


# Ties go to the sweep that was met first.
def _asked(reach: tuple[str, float]) -> float:
    return reach[1]


def _unit_order(unit: str) -> tuple[int, str]:
    return dtype_order(unit.rpartition(" ")[2])


def _distance(row: DomainRow) -> tuple[Any, ...]:
    """Return the sort key of searches: where they fail, then where they leave the bound."""
    # A search without a failure is further away than any other.
    far = math.inf
    return (
        far if row.breaks_at is None else row.breaks_at,
        far if row.leaves_bound_at is None else row.leaves_bound_at,
        -KINDS.index(row.kind) if row.kind in KINDS else 0,
        row.implementation,
        row.mode,
    )
