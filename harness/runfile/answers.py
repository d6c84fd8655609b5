"""Read the answers of two runs side by side.

Both are sorted by their keys and read at the same pace, so that only the two answers at hand are in
memory, however many verdicts the runs have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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


@dataclass
class Answer:
    """All verdicts on one answer; there are several where relations are checked too.

    Attributes:
        key: the answer.
        place: where its first verdict stands in the run.
        words: its verdicts, in the order of the run.
        ulp: the largest error; None where it has no meaning.
        bits: the fingerprints.
    """

    key: AnswerKey
    place: int = 0
    words: dict[str, Word] = field(default_factory=dict)
    ulp: float | None = None
    bits: set[str] = field(default_factory=set)

    def add(self, row: VerdictView) -> None:
        """Add a verdict, which comes after the others in the run."""
        if not self.words:
            self.place = row.rowid
        first = self.words.get(row.verdict, Word(row.known, row.ledger))
        self.words[row.verdict] = first._replace(known=first.known and row.known)
        if row.ulp is not None and (self.ulp is None or row.ulp > self.ulp):
            self.ulp = row.ulp
        if row.fingerprint:
            self.bits.add(row.fingerprint)


def answers_of(run: RunFile, where: str = "1", arguments: Sequence[str] = ()) -> Iterator[Answer]:
    """Yield the answers of a run, sorted by their keys; see `RunFile.rows` for the condition."""
    for key, rows in groupby(run.rows(VerdictView, where, arguments), _KEY):
        answer = Answer(AnswerKey(*key))
        for row in rows:
            answer.add(row)
        yield answer


Pair = tuple[AnswerKey, Answer | None, Answer | None]


def matched(base: Iterator[Answer], new: Iterator[Answer]) -> Iterator[Pair]:
    """Yield each key with the answers of both runs; None stands for one that a run lacks.

    Args:
        base: the answers of one run, sorted by their keys.
        new: those of the other.
    """
    before, after = next(base, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.key < after.key):
            assert before is not None  # noqa: S101 -- or both would be None
            yield before.key, before, None
            before = next(base, None)
        elif before is None or after.key < before.key:
            yield after.key, None, after
            after = next(new, None)
        else:
            yield before.key, before, after
            before, after = next(base, None), next(new, None)
