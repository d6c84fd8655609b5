"""Read the answers of two runs side by side.

Both are sorted by their cases and read at the same pace, so that only the answers to the case at
hand are in memory, however many verdicts the runs have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from ...cases.checked import shown as shown_value
from ...errors import RunFileError
from ...outputs import shown
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


Facts = tuple[str, int, str, float | None, str]


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
            first = found.get(verdict, Word(bool(known), ledger))
            found[verdict] = Word(first.known and bool(known), first.ledger)
        return found

    @property
    def ulp(self) -> float | None:
        """The largest error; None where it has no meaning."""
        return max((ulp for *_, ulp, _ in self.facts if ulp is not None), default=None)

    @property
    def bits(self) -> set[str]:
        """The fingerprints; an error has none, which the empty string stands for."""
        return {bits for *_, bits in self.facts if bits} or {""}


# The columns of `VerdictView`: the case, the key without it, the facts, and the place.
_CASE = itemgetter(0)
_WHO, _FACTS, _SAID, _PLACE = slice(1, 6), slice(6, 11), slice(1, 11), 11
_MOST = 50_000  # verdicts on one case, which are in memory together; a large run has hundreds


@dataclass(slots=True)
class CaseAnswers:
    """The answers of a run to one case.

    Attributes:
        case: the id of the case.
        records: the cells of all verdicts, sorted by the answer and then in the order of the run.
        said: what each of them says, its place in the run left out. Cases for which two runs say
            the same have the same answers, so that nobody has to look at each.
    """

    case: str
    records: list[tuple[Any, ...]]
    said: list[tuple[Any, ...]]

    @property
    def who(self) -> set[tuple[Any, ...]]:
        """The keys of the answers, without the case."""
        return {record[_WHO] for record in self.records}

    @property
    def answers(self) -> dict[AnswerKey, Answer]:
        """The answers by their keys."""
        found: dict[AnswerKey, Answer] = {}
        for record in self.records:
            key = AnswerKey(self.case, *record[_WHO])
            found.setdefault(key, Answer(record[_PLACE], {})).facts[record[_FACTS]] = None
        return found


def cases_of(
    run: RunFile, where: str = "1", arguments: Sequence[str] = ()
) -> Iterator[CaseAnswers]:
    """Yield the answers to each case, sorted by its id; see `RunFile.rows` for the condition.

    Raises:
        RunFileError: the file is damaged, or holds more verdicts on one case than any run has.
    """
    said = itemgetter(_SAID)
    for case, records in groupby(run.records(VerdictView, where, arguments), _CASE):
        found = list(islice(records, _MOST + 1))
        if len(found) > _MOST:
            reason = f"it has more than {_MOST:,} verdicts on {shown_value(case)}"
            raise RunFileError(f"{shown(run.path)} is damaged: {reason}")
        yield CaseAnswers(case, found, list(map(said, found)))


def matched_cases(
    base: Iterator[CaseAnswers], new: Iterator[CaseAnswers]
) -> Iterator[tuple[CaseAnswers | None, CaseAnswers | None]]:
    """Yield each case with the answers of both runs; None stands for a case that a run lacks.

    Args:
        base: the answers of one run, sorted by their cases.
        new: those of the other.
    """
    before, after = next(base, None), next(new, None)
    while before is not None or after is not None:
        is_before = after is None or (before is not None and before.case <= after.case)
        is_after = before is None or (after is not None and after.case <= before.case)
        yield (before if is_before else None), (after if is_after else None)
        before = next(base, None) if is_before else before
        after = next(new, None) if is_after else after


Pair = tuple[AnswerKey, Answer | None, Answer | None]


def matched(before: CaseAnswers | None, after: CaseAnswers | None) -> Iterator[Pair]:
    """Yield each key with the answers of two runs to a case; None stands for one that lacks."""
    base = before.answers if before is not None else {}
    new = after.answers if after is not None else {}
    for key in sorted(base.keys() | new.keys()):
        yield key, base.get(key), new.get(key)
