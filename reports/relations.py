"""Summarise the checks that need no oracle: metamorphic relations, equivalences, repeated calls.

Each relation has one table with a line for each framework.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..harness.runfile import RelationRow
from ..harness.verdicts import (
    EQUIVALENCE_MEANINGS,
    OTHER_CALL_MEANINGS,
    RELATION,
    RELATION_MEANINGS,
    REPETITION_MEANINGS,
    equivalence_of,
)
from .survey import TEXTBOOK, Survey, dtype_order


@dataclass(frozen=True)
class Breach:
    """One implementation that violates a relation, or is not deterministic.

    Attributes:
        name, kind: name and kind of the implementation.
        ways: the modes and dtypes in which it does.
        difference: the largest difference of two results.
        ratio: the largest difference over the sum of the sound bounds.
        known: whether the ledger names all of its findings.
        quantities: the quantities that differed and how often, if the run has them.
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
    """One relation in one framework; an implementation counts by its worst mode and dtype.

    Attributes:
        framework: name of the framework.
        implementations: the number of implementations that were tested.
        comparisons: the number of pairs of results that were compared.
        holds: how many implementations satisfy it everywhere within the sound bounds.
        explained: how many satisfy it within the bounds of an explanation, by its name.
        breaches: the other implementations.
    """

    framework: str
    implementations: int
    comparisons: int
    holds: int
    explained: tuple[tuple[str, int], ...]
    breaches: tuple[Breach, ...]


@dataclass(frozen=True)
class RelationTable:
    """One relation in all frameworks.

    Attributes:
        name: its name in `verdicts.RELATION_MEANINGS` or `verdicts.REPETITION_MEANINGS`.
        meaning: what must hold.
        lines: a line for each framework, without its textbook formulas if it has other functions.
        textbook: how many textbook formulas fail it, and how many were asked.
    """

    name: str
    meaning: str
    lines: tuple[RelationLine, ...]
    textbook: tuple[int, int] = (0, 0)


def is_equivalence(row: RelationRow) -> bool:
    """Return whether a row compares two ways to compute one number."""
    return bool(equivalence_of(row.relation))


def latest(survey: Survey) -> list[RelationRow]:
    """Return the relations of all runs; of a repeated one, the row of the last run."""
    rows = {
        (row.relation, row.framework, row.left, row.right, row.mode, row.dtype): row
        for run in survey.runs
        for row in run.rows(RelationRow)
    }
    return list(rows.values())


def equivalence_rows(rows: Iterable[RelationRow]) -> tuple[RelationRow, ...]:
    """Return the equivalences, named by their equations; the violated ones come first."""
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
    """Return the tables of metamorphic relations: neither equivalences nor repeated calls."""
    asked = [
        row for row in rows if not is_equivalence(row) and row.relation not in REPETITION_MEANINGS
    ]
    return _tables(survey, asked, RELATION_MEANINGS | OTHER_CALL_MEANINGS)


def repeat_tables(survey: Survey, rows: Iterable[RelationRow]) -> tuple[RelationTable, ...]:
    """Return the tables of repeated calls."""
    return _tables(
        survey, [row for row in rows if row.relation in REPETITION_MEANINGS], REPETITION_MEANINGS
    )


def _tables(
    survey: Survey, rows: Sequence[RelationRow], meanings: dict[str, str]
) -> tuple[RelationTable, ...]:
    # Relations come in the order of their definition; unknown ones of another version come last.
    facts = _Facts(survey)
    known = list(meanings)
    names = sorted(
        {row.relation for row in rows},
        key=lambda name: (known.index(name) if name in known else len(known), name),
    )
    books = [row for row in rows if facts.kind_of(row.left) == TEXTBOOK]
    told = [row for row in rows if facts.kind_of(row.left) != TEXTBOOK]
    members: dict[tuple[str, str], list[RelationRow]] = {}
    for row in sorted(told or books, key=lambda row: row.framework):
        members.setdefault((row.relation, row.framework), []).append(row)
    return tuple(
        RelationTable(
            name,
            meanings.get(name, ""),
            tuple(
                _line(mine, facts) for (relation, _), mine in members.items() if relation == name
            ),
            _failing(row for row in books if row.relation == name) if told else (0, 0),
        )
        for name in names
    )


def _failing(rows: Iterable[RelationRow]) -> tuple[int, int]:
    """Return how many implementations fail, and how many there are."""
    holds: dict[str, bool] = {}
    for row in rows:
        holds[row.left] = holds.get(row.left, True) and row.agrees
    return sum(not it for it in holds.values()), len(holds)


class _Facts:
    """The facts that only verdicts contain about implementations that violate a relation.

    Rows of relations are tallies: which quantity differed, and whether the ledger names the
    finding, is in the verdicts.
    """

    def __init__(self, survey: Survey) -> None:
        self._kinds = {asked.name: asked.kind for asked in survey.asked}
        self._unsteady = survey.unsteady
        self._new = {
            (found.row.implementation, found.row.verdict)
            for found in survey.findings
            if not found.row.is_settled
        }

    def kind_of(self, implementation: str) -> str:
        """Return the kind of an implementation."""
        return self._kinds.get(implementation, "")

    def breach(self, failed: Sequence[RelationRow]) -> Breach:
        """Return the summary of one implementation.

        Args:
            failed: its violated rows of one relation, at least one.
        """
        name, relation = failed[0].left, failed[0].relation
        ordered = sorted(failed, key=lambda row: (row.mode, dtype_order(row.dtype)))
        # A tally and the verdicts behind it agree in mode, dtype and note.
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
            self.kind_of(name),
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
    # An implementation with any violation counts as one, and with any explanation as explained.
    explained: Counter[str] = Counter()
    breaches: list[Breach] = []
    for mine in by_name.values():
        failed = [row for row in mine if not row.agrees]
        notes = sorted({row.note for row in mine if row.note})
        if failed:
            breaches.append(facts.breach(failed))
        elif notes:
            explained[", ".join(notes)] += 1
    # The largest violation comes first, the name decides between equal ones.
    breaches.sort(key=lambda breach: (-breach.ratio, -breach.difference, breach.name))
    return RelationLine(
        rows[0].framework,
        len(by_name),
        sum(row.cases for row in rows),
        len(by_name) - explained.total() - len(breaches),
        tuple(sorted(explained.items())),
        tuple(breaches),
    )
