"""Read the answers of two runs side by side.

Both are sorted by their keys and read at the same pace, so that only the two answers at hand are in
memory, however many verdicts the runs have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from .file import RunFile
from .views import VerdictView


class AnswerKey(NamedTuple):
    """The key of an answer, by which two runs are matched."""

    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    quantity: str


class Word(NamedTuple):
    """A verdict on an answer, which occurs once or more often.

    Attributes:
        known: whether the ledger names it wherever it occurs.
        ledger: the id of the entry that names its first occurrence.
    """

    known: bool
    ledger: str


_KEY = attrgetter(*AnswerKey._fields)
_FACTS = attrgetter("verdict", "known", "ledger", "ulp", "fingerprint")
Facts = tuple[str, bool, str, float | None, str]


@dataclass(slots=True)
class Answer:
    """All verdicts on one answer; there are several where relations are checked too.

    Attributes:
        place: where its first verdict stands in the run.
        facts: the different verdicts, in the order of the run. Equal answers have equal facts;
            what they say together is found out only of those that differ.
    """

    place: int
    facts: dict[Facts, None]

    @property
    def words(self) -> dict[str, Word]:
        """The verdicts, in the order of the run."""
        found: dict[str, Word] = {}
        for verdict, known, ledger, _, _ in self.facts:
            first = found.get(verdict, Word(known, ledger))
            found[verdict] = Word(first.known and known, first.ledger)
        return found

    @property
    def ulp(self) -> float | None:
        """The largest error; None where it has no meaning."""
        return max((ulp for *_, ulp, _ in self.facts if ulp is not None), default=None)

    @property
    def bits(self) -> set[str]:
        """The fingerprints; an error has none, which the empty string stands for."""
        return {bits for *_, bits in self.facts if bits} or {""}


Entry = tuple[AnswerKey, Answer]


def answers_of(run: RunFile, where: str = "1", arguments: Sequence[str] = ()) -> Iterator[Entry]:
    """Yield the answers of a run, sorted by their keys; see `RunFile.rows` for the condition."""
    for key, rows in groupby(run.rows(VerdictView, where, arguments), _KEY):
        facts: dict[Facts, None] = {}
        place = 0
        for row in rows:
            place = place or row.rowid
            facts[_FACTS(row)] = None
        yield AnswerKey(*key), Answer(place, facts)


Pair = tuple[AnswerKey, Answer | None, Answer | None]


def matched(base: Iterator[Entry], new: Iterator[Entry]) -> Iterator[Pair]:
    """Yield each key with the answers of both runs; None stands for one that a run lacks.

    Args:
        base: the answers of one run, sorted by their keys.
        new: those of the other.
    """
    before, after = next(base, None), next(new, None)
    while before is not None and after is not None:
        if before[0] == after[0]:
            yield *before, after[1]
            before, after = next(base, None), next(new, None)
        elif before[0] < after[0]:
            yield *before, None
            before = next(base, None)
        else:
            yield after[0], None, after[1]
            after = next(new, None)
    while before is not None:
        yield *before, None
        before = next(base, None)
    while after is not None:
        yield after[0], None, after[1]
        after = next(new, None)
