"""The findings, in the order in which they deserve to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..harness.runfile import VerdictRow
from ..harness.verdicts import kind_of
from .legend import mark_of
from .survey import KINDS, Asked, Found, Survey, dtype_order

DETAILED = 6000
_UNMEASURED = float("inf")


class Kind(NamedTuple):
    """Findings of one kind stand together."""

    known: bool
    asked: Asked
    verdict: str
    column: str


@dataclass(frozen=True)
class FindingGroup:
    """Findings that are the same but for case, dtype and mode.

    Attributes:
        kind: what they share.
        count: how many.
        worst: the one furthest from right.
        dtypes, ways: in which it was met.
    """

    kind: Kind
    count: int
    worst: VerdictRow
    dtypes: tuple[str, ...]
    ways: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """The largest error over the bound, if it is one of size."""
        return measured(self.worst)


@dataclass(frozen=True)
class Alarm:
    """New findings of one implementation and verdict, over all families.

    Attributes:
        asked: the implementation.
        verdict: what they are.
        columns: the families, the worst first.
        count: how many.
        worst: the one furthest from right.
        dtypes: in which they were met.
    """

    asked: Asked
    verdict: str
    columns: tuple[str, ...]
    count: int
    worst: VerdictRow
    dtypes: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """The largest error over the bound, if it is one of size."""
        return measured(self.worst)


def alarms(ordered: Iterable[FindingGroup]) -> list[Alarm]:
    """Return what is new among groups of findings, in their order."""
    members: dict[tuple[Asked, str], list[FindingGroup]] = {}
    for group in ordered:
        if not group.kind.known:
            members.setdefault((group.kind.asked, group.kind.verdict), []).append(group)
    return [
        Alarm(
            asked,
            verdict,
            tuple(group.kind.column for group in items),
            sum(group.count for group in items),
            items[0].worst,
            tuple(sorted({d for group in items for d in group.dtypes}, key=dtype_order)),
        )
        for (asked, verdict), items in members.items()
    ]


def _kind_of(found: Found) -> Kind:
    """Return what a finding shares with its like."""
    return Kind(found.row.known, found.place.asked, found.row.verdict, found.place.column)


def badness(row: VerdictRow) -> tuple[float, int]:
    """Return what findings are ranked by; an error that has no size is the largest."""
    ratio = measured(row)
    return _UNMEASURED if ratio is None else ratio, mark_of(row.verdict).severity


def measured(row: VerdictRow) -> float | None:
    """Return the error over the bound, if the finding is one of size.

    Beside a NaN, or an error that was raised, the largest error elsewhere says nothing.
    """
    return row.ratio if kind_of(row.verdict).word in ("inaccurate", "relation") else None


@dataclass
class _Members:
    """What is known of a group so far: its findings themselves are not kept."""

    worst: VerdictRow
    count: int = 0
    dtypes: set[str] = field(default_factory=set)
    ways: set[str] = field(default_factory=set)

    def add(self, found: Found) -> None:
        self.count += 1
        self.dtypes.add(found.place.dtype)
        self.ways.add(found.place.way)
        self.worst = max(self.worst, found.row, key=badness)


def groups(findings: Iterable[Found]) -> list[FindingGroup]:
    """Return the findings by kind: new ones first, then the worst."""
    members: dict[Kind, _Members] = {}
    for found in findings:
        members.setdefault(_kind_of(found), _Members(found.row)).add(found)
    found_groups = [
        FindingGroup(
            kind,
            group.count,
            group.worst,
            tuple(sorted(group.dtypes, key=dtype_order)),
            tuple(sorted(group.ways)),
        )
        for kind, group in members.items()
    ]
    return sorted(found_groups, key=_order)


def _order(group: FindingGroup) -> tuple[Any, ...]:
    """Put new before known, then what people call before what they copy, then the worst."""
    kind = group.kind.asked.kind
    return (
        group.kind.known,
        KINDS.index(kind) if kind in KINDS else 0,
        *_negative(badness(group.worst)),
        group.kind,
    )


def detailed(survey: Survey, limit: int = DETAILED) -> Sequence[Found]:
    """Return the findings that the page holds in full.

    Every kind gives its worst first, and new kinds come before known ones, so that what
    does not fit is the least of what is known already.
    """
    ordered = sorted(survey.findings, key=lambda found: _negative(badness(found.row)))
    rank: Counter[Kind] = Counter()
    ranked: list[tuple[bool, int, int]] = []
    for position, found in enumerate(ordered):
        kind = _kind_of(found)
        ranked.append((kind.known, rank[kind], position))
        rank[kind] += 1
    return [ordered[position] for _, _, position in sorted(ranked)[:limit]]


def _negative(pair: tuple[float, int]) -> tuple[float, int]:
    return -pair[0], -pair[1]
