"""Compare answers: find verdicts that got worse, errors that grew, and bits that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal, NamedTuple

from ..runfile import Answer, AnswerKey, CaseAnswers
from ..verdicts import kind_of
from .leading import Leading
from .snapshot import RunSnapshot

Kind = Literal["worse", "better", "ulp grew", "bits changed"]
KINDS: dict[Kind, str] = {
    "worse": "a verdict that is worse, or another convention",
    "better": "a verdict that is better",
    "ulp grew": "the same verdict, and an error that is at least one ulp larger and twice as large",
    "bits changed": "the same verdict, and other bits",
}
_GROWTH = 2.0  # an error that grew by less may be another order of the same roundings
_STANDINGS = {"unsupported": 3, "agrees": 0, "explained": 1, "finding": 2}
_UNSTEADY = "nondeterministic"
_WHO = itemgetter(*map(AnswerKey._fields[1:].index, ("implementation", "mode")))


@dataclass(frozen=True)
class AccuracyChange:
    """One answer that differs between two runs.

    Attributes:
        answer: the implementation, how it was run, the case and the quantity.
        kind: how the answer changed; the gravest kind that applies.
        before, after: the worst verdicts.
        before_ulp, after_ulp: the largest errors; None where they have no meaning.
        expected: why this is no regression; empty where it is one.
    """

    answer: AnswerKey
    kind: Kind
    before: str
    after: str
    before_ulp: float | None
    after_ulp: float | None
    expected: str

    @property
    def is_regression(self) -> bool:
        """Whether the change fails the gate."""
        return not self.expected


class ChangeKind(NamedTuple):
    """What is counted of the changes: the implementation, its mode, the kind, and the reason."""

    implementation: str
    mode: str
    kind: Kind
    expected: str


@dataclass(frozen=True)
class AccuracyComparison:
    """The answers of two runs, of which there may be millions: most changes are only counted.

    Attributes:
        compared: the number of answers that both runs have.
        implementations: the implementations of these answers, each with its mode.
        changes: changed answers in the order of the base; `leading.LIMIT` regressions and as many
            other changes of each implementation and mode.
        counts: the number of all changes.
    """

    compared: int
    implementations: frozenset[tuple[str, str]]
    changes: tuple[AccuracyChange, ...]
    counts: Counter[ChangeKind]

    @property
    def regressions(self) -> tuple[AccuracyChange, ...]:
        """The changes that fail the gate, as far as they are kept."""
        return tuple(change for change in self.changes if change.is_regression)

    @property
    def regression_count(self) -> int:
        """The number of all changes that fail the gate."""
        return sum(count for kind, count in self.counts.items() if not kind.expected)

    def regressions_of(self, implementation: str, mode: str) -> int:
        """The number of those of one implementation in one mode."""
        return sum(self.counts[ChangeKind(implementation, mode, kind, "")] for kind in KINDS)


class AccuracyTally:
    """Compares answers one by one.

    What was timed is compared bit for bit too, whole arrays included. Such a change counts where
    the answer itself has none, once for all directions and numbers of threads.
    """

    def __init__(self, base: RunSnapshot, new: RunSnapshot) -> None:
        self._base, self._new = base, new
        self._expected: dict[str, str] = {}  # by framework
        self._compared = 0
        self._implementations: set[tuple[str, str]] = set()
        self._leading, self._counts = Leading[AccuracyChange](), Counter[ChangeKind]()
        # The worst verdicts on answers whose bits changed when they were timed.
        self._timed = dict.fromkeys(_timed_otherwise(base, new), ("", ""))

    def add(self, key: AnswerKey, before: Answer | None, after: Answer | None) -> None:
        """Compare an answer; None stands for a run that does not have it."""
        if key in self._timed:
            self._timed[key] = _worst(before), _worst(after)
        if before is None or after is None:
            return
        self._compared += 1
        self._implementations.add((key.implementation, key.mode))
        if before.facts == after.facts:
            return
        if change := _change(key, before, after, self._other_bits_expected(key.framework)):
            self._timed.pop(key, None)
            self._keep((0, before.place), change)

    def add_equal(self, case: CaseAnswers) -> None:
        """Count the answers to a case to which both runs gave the same."""
        if self._timed:
            for key, answer in case.answers.items():
                self.add(key, answer, answer)
            return
        self._compared += len(case.who)
        self._implementations.update(map(_WHO, case.who))

    def result(self) -> AccuracyComparison:
        """Return what was found, after all answers were added."""
        for number, (key, words) in enumerate(self._timed.items()):
            if _UNSTEADY not in words:
                expected = self._other_bits_expected(key.framework)
                change = AccuracyChange(key, "bits changed", *words, None, None, expected)
                self._keep((1, number), change)
        return AccuracyComparison(
            self._compared, frozenset(self._implementations), self._leading.items(), self._counts
        )

    def _other_bits_expected(self, framework: str) -> str:
        """Return why other bits are no regression; empty if only the framework can have changed."""
        if framework not in self._expected:
            one, other = (run.versions.get(framework) for run in (self._base, self._new))
            machine = "another machine" if self._base.machine != self._new.machine else ""
            self._expected[framework] = machine if one == other else "other versions"
        return self._expected[framework]

    def _keep(self, place: tuple[int, int], change: AccuracyChange) -> None:
        who = change.answer.implementation, change.answer.mode
        self._counts[ChangeKind(*who, change.kind, change.expected)] += 1
        self._leading.add((*who, change.is_regression), place, change)


def _change(
    key: AnswerKey, before: Answer, after: Answer, other_bits: str
) -> AccuracyChange | None:
    """Return how an answer changed; None if it did not.

    Args:
        key: the answer.
        before: the answer of the base.
        after: the answer of the new run.
        other_bits: why other bits are expected; empty if they are not.
    """
    words, now = before.words, after.words
    # An answer has several verdicts where relations are checked too. It is worse if its worst
    # verdict is, or if a verdict of equal rank has come that the base does not have.
    worst, worst_now = _worst(before), _worst(after)
    size, size_now = before.ulp, after.ulp
    new_words = [word for word in now if word not in words]
    added = any(kind_of(word).category in ("finding", "explained") for word in new_words)
    kind: Kind
    if _rank(worst_now) > _rank(worst) or (added and _rank(worst_now) == _rank(worst)):
        kind = "worse"
    elif _rank(worst_now) < _rank(worst):
        kind = "better"
    elif size is not None and size_now is not None and size_now > max(_GROWTH * size, size + 1):
        kind = "ulp grew"
    elif _UNSTEADY not in words.keys() | now.keys() and before.bits.isdisjoint(after.bits):
        kind = "bits changed"
    else:
        return None
    reason = ""
    if kind == "better":
        reason = "better"
    elif kind == "worse" and new_words and all(now[word].known for word in new_words):
        reason = f"the ledger names it: {now[new_words[0]].ledger}"
    elif kind == "bits changed":
        reason = other_bits
    return AccuracyChange(key, kind, worst, worst_now, size, size_now, reason)


def _worst(answer: Answer | None) -> str:
    return max(answer.words, key=_rank) if answer else ""


def _rank(word: str) -> tuple[int, int]:
    """Return the rank of a verdict; those that agree have one rank, as their ulp are compared."""
    place = _STANDINGS[kind_of(word).category]
    return place, kind_of(word).rank if place else 0


def _timed_otherwise(old: RunSnapshot, new: RunSnapshot) -> Iterator[AnswerKey]:
    """Yield the answers whose bits changed when they were timed."""
    for key, bits in old.bits.items():
        now = new.bits.get(key)
        if now is not None and bits.isdisjoint(now):
            case, implementation, framework, mode, device, quantity, *_ = key
            judged = quantity.partition(":")[0]
            yield AnswerKey(case, implementation, framework, mode, device, judged)
