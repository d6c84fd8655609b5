"""Compare answers: find verdicts that got worse, errors that grew, and bits that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..runfile import VerdictRow
from ..verdicts import kind_of
from .snapshot import AnswerKey, RunSnapshot

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


def compare_accuracy(base_side: RunSnapshot, new: RunSnapshot) -> tuple[AccuracyChange, ...]:
    """Return every answer that both runs have and that changed.

    Args:
        base_side: the older run.
        new: the newer run.
    """
    changes = [
        change
        for answer, before in base_side.answers.items()
        if answer in new.answers
        and (change := _change(answer, before, new.answers[answer], base_side, new))
    ]
    found = {change.answer: change for change in changes}
    for change in _under_the_clock(base_side, new):
        # One change stands for all directions and numbers of threads.
        found.setdefault(change.answer, change)
    return tuple(found.values())


def _change(
    answer: AnswerKey,
    before: list[VerdictRow],
    after: list[VerdictRow],
    old: RunSnapshot,
    new: RunSnapshot,
) -> AccuracyChange | None:
    # An answer has several verdicts where relations are checked too. It is worse if its worst
    # verdict is, or if a verdict of equal rank has come that the base does not have.
    words, now = {row.verdict for row in before}, {row.verdict for row in after}
    worst, worst_now = max(words, key=_rank), max(now, key=_rank)
    size, size_now = _ulp(before), _ulp(after)
    added = {word for word in now - words if kind_of(word).category in ("finding", "explained")}
    kind: Kind | None = None
    if _rank(worst_now) > _rank(worst) or (added and _rank(worst_now) == _rank(worst)):
        kind = "worse"
    elif _rank(worst_now) < _rank(worst):
        kind = "better"
    elif size is not None and size_now is not None and size_now > max(_GROWTH * size, size + 1):
        kind = "ulp grew"
    elif _UNSTEADY not in words | now and _bits(before).isdisjoint(_bits(after)):
        kind = "bits changed"
    if kind is None:
        return None
    new_words = [row for row in after if row.verdict not in words]
    reason = ""
    if kind == "better":
        reason = "better"
    elif kind == "worse" and new_words and all(row.known for row in new_words):
        reason = f"the ledger names it: {new_words[0].ledger}"
    elif kind == "bits changed":
        reason = _other_bits_expected(answer.framework, old, new)
    return AccuracyChange(answer, kind, worst, worst_now, size, size_now, reason)


def _rank(word: str) -> tuple[int, int]:
    """Return the rank of a verdict; those that agree have one rank, as their ulp are compared."""
    place = _STANDINGS[kind_of(word).category]
    return place, kind_of(word).rank if place else 0


def _ulp(rows: Iterable[VerdictRow]) -> float | None:
    return max((row.ulp for row in rows if row.ulp is not None), default=None)


def _bits(rows: Iterable[VerdictRow]) -> set[str]:
    """Return the fingerprints; an error has none, which the empty string stands for."""
    return {row.fingerprint for row in rows if row.fingerprint} or {""}


def _other_bits_expected(framework: str, old: RunSnapshot, new: RunSnapshot) -> str:
    """Return why other bits are no regression; empty if only the framework can have changed."""
    if old.versions.get(framework) != new.versions.get(framework):
        return "other versions"
    return "another machine" if old.machine != new.machine else ""


def _under_the_clock(old: RunSnapshot, new: RunSnapshot) -> Iterator[AccuracyChange]:
    """Yield the results of timed calls whose bits changed, including those of whole arrays."""
    for key, bits in old.bits.items():
        now = new.bits.get(key)
        if now is None or not bits.isdisjoint(now):
            continue
        case, implementation, framework, mode, device, quantity, *_ = key
        answer = AnswerKey(
            case, implementation, framework, mode, device, quantity.partition(":")[0]
        )
        expected = _other_bits_expected(framework, old, new)
        before, after = (
            max((row.verdict for row in run.answers.get(answer, ())), key=_rank, default="")
            for run in (old, new)
        )
        if "nondeterministic" not in (before, after):
            yield AccuracyChange(answer, "bits changed", before, after, None, None, expected)
