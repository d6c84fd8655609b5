"""Group and rank the findings, so that the most important are read first.

New findings precede known ones, and functions that users call precede formulas that they copy.
Within these the error over the bound decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..harness.runfile import VerdictRow
from ..harness.verdicts import kind_of
from .legend import mark_of
from .survey import KINDS, Asked, Found, Survey, dtype_order

DETAILED = 6000
_UNMEASURED = float("inf")


class Kind(NamedTuple):
    """What the findings of one group have in common."""

    known: bool
    asked: Asked
    verdict: str
    column: str


@dataclass(frozen=True)
class FindingGroup:
    """Findings that differ in case, dtype and mode only.

    Attributes:
        kind: what they have in common.
        count: the number of findings.
        worst: the finding with the largest error.
        dtypes, ways: the dtypes, and the modes and devices, of the findings.
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
        verdict: their verdict.
        columns: the families, the worst first.
        count: the number of findings.
        worst: the finding with the largest error.
        dtypes: the dtypes of the findings.
        others: further implementations that show the same, see `together`.
    """

    asked: Asked
    verdict: str
    columns: tuple[str, ...]
    count: int
    worst: VerdictRow
    dtypes: tuple[str, ...]
    others: tuple[Asked, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The implementations that show it, each once."""
        return tuple(dict.fromkeys(it.name for it in (self.asked, *self.others)))

    @property
    def ratio(self) -> float | None:
        """The largest error over the bound, if it is one of size."""
        return measured(self.worst)


def alarms(ordered: Iterable[FindingGroup]) -> list[Alarm]:
    """Return the new findings, one alarm for each implementation and verdict.

    Args:
        ordered: groups of findings, the worst first, which is the order of the alarms too.
    """
    # The groups are sorted, so the first of each implementation and verdict is its worst.
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


def together(new: Iterable[Alarm]) -> list[Alarm]:
    """Return alarms with those in one that are about the same answers to the same question.

    Functions of one library that call each other show one fault, with the same numbers.

    Args:
        new: the alarms; the first of those that are joined keeps its place.
    """
    joined: dict[tuple[str, ...], list[Alarm]] = {}
    for alarm in new:
        row = alarm.worst
        key = row.framework, alarm.verdict, row.case, row.quantity, row.exact, row.got, row.note
        joined.setdefault(key, []).append(alarm)
    return [
        replace(
            first,
            count=first.count + sum(it.count for it in rest),
            columns=tuple(dict.fromkeys(name for it in (first, *rest) for name in it.columns)),
            dtypes=tuple(
                sorted({name for it in (first, *rest) for name in it.dtypes}, key=dtype_order)
            ),
            others=tuple(it.asked for it in rest),
        )
        for first, *rest in joined.values()
    ]


def _kind_of(found: Found) -> Kind:
    """Return the kind of a finding, by which it is grouped."""
    return Kind(found.row.is_settled, found.place.asked, found.row.verdict, found.place.column)


def badness(row: VerdictRow) -> tuple[float, int]:
    """Return the rank of a finding; an error without a size counts as the largest."""
    ratio = measured(row)
    return _UNMEASURED if ratio is None else ratio, mark_of(row.verdict).severity


def measured(row: VerdictRow) -> float | None:
    """Return the error over the bound, if the size of the error is what is wrong.

    For a NaN or an exception, the largest error of the other elements is meaningless.
    """
    return row.ratio if kind_of(row.verdict).word in ("inaccurate", "relation") else None


@dataclass
class _Members:
    """The running summary of a group; storing every finding would take too much memory."""

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
    """Return the findings in groups, sorted by importance.

    Args:
        findings: may come from a generator; only the worst of each group is kept.
    """
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
    """Return the sort key: new before known, callable functions before formulas, then the worst."""
    kind = group.kind.asked.kind
    return (
        group.kind.known,
        KINDS.index(kind) if kind in KINDS else 0,
        *_negative(badness(group.worst)),
        group.kind,
    )


def detailed(survey: Survey, limit: int = DETAILED) -> Sequence[Found]:
    """Return the findings that the page contains in full.

    The worst finding of each kind comes first, then the second of each, and new kinds precede
    known ones. Those beyond the limit are therefore the smallest of kinds that are shown.

    Args:
        survey: the surveyed runs.
        limit: the largest number of findings to return.
    """
    # The rank of a finding is its position among those of its kind. Sorting by rank takes one of
    # each kind in turn; among equal ranks the worst comes first, by its position in `ordered`.
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
