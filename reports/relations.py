"""The relations that need no oracle, by name and framework; and the same call, twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..harness.runfile import RelationRow
from ..harness.verdicts import (
    EQUIVALENCE_MEANINGS,
    RELATION,
    RELATION_MEANINGS,
    REPETITION_MEANINGS,
    equivalence_of,
)
from .survey import Survey, dtype_order


@dataclass(frozen=True)
class Breach:
    """One implementation that does not keep a relation, or does not repeat itself.

    Attributes:
        name, kind: who.
        ways: modes and dtypes in which.
        difference: the largest.
        ratio: the largest over the sum of the sound bounds.
        known: whether the ledger names all of it.
        quantities: what differed, and how often, where the run says so.
    """

    name: str
    kind: str
    ways: tuple[str, ...]
    difference: float
    ratio: float
    known: bool
    quantities: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class RelationLine:
    """One relation in one framework, each implementation counted where it does worst.

    Attributes:
        implementations: how many were asked.
        comparisons: how many pairs of answers were compared.
        holds: how many implementations keep it everywhere within the sound bounds.
        explained: how many keep it within those of an explanation, by its name.
        breaches: the others.
    """

    framework: str
    implementations: int
    comparisons: int
    holds: int
    explained: tuple[tuple[str, int], ...]
    breaches: tuple[Breach, ...]


@dataclass(frozen=True)
class RelationTable:
    """One relation in all frameworks."""

    name: str
    meaning: str
    lines: tuple[RelationLine, ...]


def is_equivalence(row: RelationRow) -> bool:
    """Return whether a row compares two routes to one number."""
    return bool(equivalence_of(row.relation))


def latest(survey: Survey) -> list[RelationRow]:
    """Return the relations of all runs; of a repeated one the last run's counts."""
    rows = {
        (row.relation, row.framework, row.left, row.right, row.mode, row.dtype): row
        for run in survey.runs
        for row in run.rows(RelationRow)
    }
    return list(rows.values())


def equivalence_rows(rows: Iterable[RelationRow]) -> tuple[RelationRow, ...]:
    """Return the equivalences, named by their equations; those that do not hold come first."""
    named = (
        replace(row, relation=EQUIVALENCE_MEANINGS[equivalence_of(row.relation)])
        for row in rows
        if is_equivalence(row)
    )
    return tuple(
        sorted(
            named,
            key=lambda row: (row.agrees, row.relation, row.framework, row.mode, row.dtype),
        )
    )


def relation_tables(survey: Survey, rows: Iterable[RelationRow]) -> tuple[RelationTable, ...]:
    """Return what is neither an equivalence nor the same call."""
    asked = [
        row for row in rows if not is_equivalence(row) and row.relation not in REPETITION_MEANINGS
    ]
    return _tables(survey, asked, RELATION_MEANINGS)


def repeat_tables(survey: Survey, rows: Iterable[RelationRow]) -> tuple[RelationTable, ...]:
    """Return the calls that were repeated."""
    return _tables(
        survey, [row for row in rows if row.relation in REPETITION_MEANINGS], REPETITION_MEANINGS
    )


def _tables(
    survey: Survey, rows: Sequence[RelationRow], meanings: dict[str, str]
) -> tuple[RelationTable, ...]:
    facts = _Facts(survey)
    known = list(meanings)
    names = sorted(
        {row.relation for row in rows},
        key=lambda name: (known.index(name) if name in known else len(known), name),
    )
    members: dict[tuple[str, str], list[RelationRow]] = {}
    for row in sorted(rows, key=lambda row: row.framework):
        members.setdefault((row.relation, row.framework), []).append(row)
    return tuple(
        RelationTable(
            name,
            meanings.get(name, ""),
            tuple(
                _line(mine, facts) for (relation, _), mine in members.items() if relation == name
            ),
        )
        for name in names
    )


class _Facts:
    """What the verdicts say of those that do not keep a relation."""

    def __init__(self, survey: Survey) -> None:
        self._kinds = {asked.name: asked.kind for asked in survey.asked}
        self._unsteady = survey.unsteady
        self._new = {
            (found.row.implementation, found.row.verdict)
            for found in survey.findings
            if not found.row.known
        }

    def breach(self, failed: Sequence[RelationRow]) -> Breach:
        """Return what there is to say of one implementation."""
        name, relation = failed[0].left, failed[0].relation
        ordered = sorted(failed, key=lambda row: (row.mode, dtype_order(row.dtype)))
        same = {(row.mode, row.dtype, row.note) for row in failed}
        differing = Counter(
            row.quantity
            for row in self._unsteady
            if relation in REPETITION_MEANINGS
            and row.implementation == name
            and (row.mode, row.dtype, row.note) in same
        )
        return Breach(
            name,
            self._kinds.get(name, ""),
            tuple(f"{row.mode}, {row.dtype}" for row in ordered),
            max(row.largest_difference for row in failed),
            max(row.largest_ratio for row in failed),
            (name, RELATION + relation) not in self._new,
            tuple(sorted(differing.items())),
        )


def _line(rows: Sequence[RelationRow], facts: _Facts) -> RelationLine:
    by_name: dict[str, list[RelationRow]] = {}
    for row in rows:
        by_name.setdefault(row.left, []).append(row)
    explained: Counter[str] = Counter()
    breaches: list[Breach] = []
    for mine in by_name.values():
        failed = [row for row in mine if not row.agrees]
        notes = sorted({row.note for row in mine if row.note})
        if failed:
            breaches.append(facts.breach(failed))
        elif notes:
            explained[", ".join(notes)] += 1
    breaches.sort(key=lambda breach: (-breach.ratio, -breach.difference, breach.name))
    return RelationLine(
        rows[0].framework,
        len(by_name),
        sum(row.cases for row in rows),
        len(by_name) - explained.total() - len(breaches),
        tuple(sorted(explained.items())),
        tuple(breaches),
    )
