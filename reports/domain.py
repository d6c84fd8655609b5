"""The domain of validity as the page and the terminal show it: who breaks, where, and who never.

A search is one implementation, mode and dtype in one sweep. Searches that came to the same are
shown on one line, as long as the line names no search that did not.
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
    """Searches of one implementation that came to the same.

    Attributes:
        row: one of them.
        ways: modes and devices.
        dtypes: all of them.
        sweeps: what grew.
        asked_to: the largest magnitude that was asked, for each dtype.
    """

    row: DomainRow
    ways: tuple[str, ...]
    dtypes: tuple[str, ...]
    sweeps: tuple[str, ...]
    asked_to: tuple[float, ...]

    @property
    def searches(self) -> int:
        """How many."""
        return len(self.ways) * len(self.dtypes) * len(self.sweeps)

    @property
    def left(self) -> str:
        """Where an answer leaves the sound bound."""
        return shown(self.row.sweep, self.row.leaves_bound_at)

    @property
    def broken(self) -> str:
        """Where an answer is wrong."""
        return shown(self.row.sweep, self.row.breaks_at)

    @property
    def asked(self) -> str:
        """The largest magnitude that was asked, for each dtype where they differ."""
        texts = [shown(self.row.sweep, largest) for largest in self.asked_to]
        return ", ".join(texts if len(set(texts)) > 1 else texts[:1])

    @property
    def at_once(self) -> bool:
        """Whether the least that is asked is wrong already."""
        return at_once(self.row)


@dataclass(frozen=True)
class DomainPart:
    """The searches of one operation.

    Attributes:
        operation: its name.
        searches: how many.
        broken: those that found an end, the nearest first.
        kept: those that did not; those that leave the sound bound first.
    """

    operation: str
    searches: int
    broken: tuple[DomainLine, ...]
    kept: tuple[DomainLine, ...]

    @property
    def never(self) -> int:
        """How many found no end."""
        return sum(line.searches for line in self.kept)

    @property
    def reach(self) -> str:
        """How far those were asked that found no end."""
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
        rows: each once.
        parts: by operation, the best known one first.
    """

    rows: tuple[DomainRow, ...]
    parts: tuple[DomainPart, ...]

    @property
    def never(self) -> int:
        """How many searches found no end."""
        return sum(row.breaks_at is None for row in self.rows)

    @property
    def at_once(self) -> int:
        """How many searches were wrong from the start."""
        return sum(map(at_once, self.rows))

    @property
    def frameworks(self) -> list[str]:
        """Who was asked."""
        return sorted({row.framework for row in self.rows})

    @property
    def sweeps(self) -> dict[str, str]:
        """What grew, and what that means."""
        return {name: meaning(name) for name in _in_order(row.sweep for row in self.rows)}

    @property
    def broken(self) -> list[DomainLine]:
        """Those that found an end, the nearest first, counts of classes and rows last."""
        lines = [line for part in self.parts for line in part.broken]
        return sorted(lines, key=lambda line: (counts(line.row.sweep), _distance(line.row)))

    @property
    def first(self) -> DomainLine | None:
        """The first to break that was right at the start."""
        return next((line for line in self.broken if not line.at_once), None)


def domain_of(runs: Sequence[RunFile]) -> Domain:
    """Return the searches; of a repeated one the last run's counts."""
    latest = {_key(row): row for run in runs for row in run.rows(DomainRow)}
    operations: dict[str, list[DomainRow]] = {}
    for row in latest.values():
        operations.setdefault(row.operation, []).append(row)
    parts = [_part(name, rows) for name, rows in operations.items()]
    parts.sort(key=lambda part: (part.operation != _SHOWN_FIRST, part.operation))
    return Domain(tuple(latest.values()), tuple(parts))


def by_way(rows: Iterable[DomainRow]) -> tuple[DomainLine, ...]:
    """Return searches that differ in mode or device only on one line, the first end first."""
    lines = [
        DomainLine(
            row, (way_of(row.mode, row.device),), (row.dtype,), (row.sweep,), (row.asked_to,)
        )
        for row in rows
    ]
    merged = _merged(lines, lambda line: (line.dtypes, line.sweeps, line.asked_to), _joined_ways)
    return tuple(sorted(merged, key=lambda line: _distance(line.row)))


def meaning(sweep: str) -> str:
    """Return what grows in a sweep; nothing for one that this version does not know."""
    return SWEEPS[sweep].meaning if sweep in SWEEPS else ""


def shown(sweep: str, value: float | None) -> str:
    """Return a magnitude: three digits, or a whole number of classes or rows."""
    return magnitude(value, whole=counts(sweep))


def counts(sweep: str) -> bool:
    """Return whether a number of classes or rows grows."""
    return sweep in SWEEPS and SWEEPS[sweep].counts


def start(sweep: str) -> float:
    """Return the least magnitude that is asked in a sweep."""
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
    return (row.framework, row.implementation, row.operation, row.mode, row.device, row.dtype,
            row.sweep)  # fmt: skip


def _part(operation: str, rows: list[DomainRow]) -> DomainPart:
    broken = by_way(row for row in rows if row.breaks_at is not None)
    kept = by_way(row for row in rows if row.breaks_at is None)
    return DomainPart(operation, len(rows), _all_merged(broken), _all_merged(kept))


def _all_merged(lines: Iterable[DomainLine]) -> tuple[DomainLine, ...]:
    """Return lines merged by sweep and then by dtype; each still names a whole product."""
    by_sweep = _merged(lines, lambda line: (line.ways, line.dtypes, line.asked_to), _joined_sweeps)
    by_dtype = _merged(by_sweep, lambda line: (line.ways, line.sweeps), _joined_dtypes)
    return tuple(sorted(by_dtype, key=lambda line: _distance(line.row)))


def _merged(
    lines: Iterable[DomainLine],
    same: Callable[[DomainLine], Hashable],
    joined: Callable[[list[DomainLine]], DomainLine],
) -> list[DomainLine]:
    members: dict[Hashable, list[DomainLine]] = {}
    for line in lines:
        members.setdefault((_outcome(line.row), same(line)), []).append(line)
    return [joined(group) for group in members.values()]


def _outcome(row: DomainRow) -> Hashable:
    return (row.framework, row.implementation, row.operation, counts(row.sweep),
            row.leaves_bound_at, row.left_by, row.breaks_at, row.broken_by,
            row.quantity, at_once(row))  # fmt: skip


def _joined_ways(group: list[DomainLine]) -> DomainLine:
    ways = tuple(sorted({way for line in group for way in line.ways}))
    first = group[0]
    return DomainLine(first.row, ways, first.dtypes, first.sweeps, first.asked_to)


def _joined_sweeps(group: list[DomainLine]) -> DomainLine:
    sweeps = tuple(_in_order(name for line in group for name in line.sweeps))
    first = group[0]
    return DomainLine(first.row, first.ways, first.dtypes, sweeps, first.asked_to)


def _joined_dtypes(group: list[DomainLine]) -> DomainLine:
    ordered = sorted(group, key=lambda line: dtype_order(line.dtypes[0]))
    dtypes = tuple(line.dtypes[0] for line in ordered)
    asked = tuple(line.asked_to[0] for line in ordered)
    first = ordered[0]
    return DomainLine(first.row, first.ways, dtypes, first.sweeps, asked)


def _asked(reach: tuple[str, float]) -> float:
    return reach[1]


def _unit_order(unit: str) -> tuple[int, str]:
    return dtype_order(unit.rpartition(" ")[2])


def _distance(row: DomainRow) -> tuple[Any, ...]:
    """Return what searches are ranked by: the first end, then the first exit from the bound."""
    far = math.inf
    return (
        far if row.breaks_at is None else row.breaks_at,
        far if row.leaves_bound_at is None else row.leaves_bound_at,
        -KINDS.index(row.kind) if row.kind in KINDS else 0,
        row.implementation,
        row.mode,
    )
