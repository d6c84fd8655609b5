"""Claims of the tutorials that need no oracle: two routes to the same number.

Two routes agree if they differ by no more than the sum of both bounds, never by a tolerance
chosen by hand:

- sigmoid(z) is the second class of softmax([0, z]);
- nll_loss of log_softmax is cross_entropy (the recipes named `…_by_nll`);
- an index target and its one-hot encoding give the same cross-entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...backends.base import Claim
from ...cases.model import Case
from ..bounds import SOUND
from ..judging import SolvedCase
from ..oracle import Floats
from ..runfile import AnswerRow, RelationRow, array_of, packed

_EVERYDAY = ("normal", "digits:start", "digits:middle", "digits:end", "two_units")


@dataclass(frozen=True)
class _Answer:
    name: str
    framework: str
    kind: str
    mode: str
    device: str
    case: Case
    packed: tuple[bytes, bytes]

    @classmethod
    def of(cls, row: AnswerRow) -> _Answer:
        return cls(
            row.implementation,
            row.framework,
            row.kind,
            row.mode,
            row.device,
            Case.parse(row.case),
            (row.value, row.bound),
        )

    @property
    def value(self) -> Floats:
        return array_of(self.packed[0])

    @property
    def bound(self) -> Floats:
        return array_of(self.packed[1])


Key = Callable[[_Answer], "tuple[str, ...] | None"]


@dataclass(frozen=True)
class _Equivalence:
    """Two routes to the same number: answers of equal keys, one from each side.

    Attributes:
        name: in `verdicts.EQUIVALENCE_MEANINGS`.
        left, right: the keys of the answers on each side; None for those that take no part.
        column: the class of the right answer that is compared; None for all.
        same_function: whether one function may give both answers.
    """

    name: str
    left: Key
    right: Key
    column: int | None = None
    same_function: bool = False


def _is(operation: str, kind: str | None, part: str = "") -> Key:
    """The key of answers to an operation with a kind of target, by an implementation's name."""

    def key(answer: _Answer) -> tuple[str, ...] | None:
        case = answer.case
        if case.operation != operation or case.target_kind != kind:
            return None
        if part not in answer.name or answer.kind == "textbook":
            return None
        case = replace(case, operation="any", target_kind=None, target_family="")
        return (answer.framework, answer.mode, answer.device, str(case), answer.case.target_family)

    return key


EQUIVALENCES = (
    _Equivalence("sigmoid_softmax", _is("sigmoid", None), _is("softmax", None), 1),
    _Equivalence(
        "nll_of_log_softmax",
        _is("cross_entropy", "index", "_by_nll"),
        _is("cross_entropy", "index"),
    ),
    _Equivalence(
        "index_one_hot",
        _is("cross_entropy", "index"),
        _is("cross_entropy", "one_hot"),
        same_function=True,
    ),
)


def answer_of(
    question: SolvedCase, claim: Claim, mode: str, device: str, value: NDArray[np.generic]
) -> AnswerRow | None:
    """Return an answer as it is kept to be compared; None if it takes no part."""
    case, solution = question.case, question.solution
    if case.family not in _EVERYDAY or solution.refusal:
        return None
    if case.operation in ("sigmoid", "softmax") and case.family != "two_units":
        return None
    if case.operation not in ("sigmoid", "softmax", "cross_entropy"):
        return None
    exact = solution.quantities["value"]
    bound = question.bound(solution, "value", SOUND)
    if value.shape != exact.shape or np.isnan(exact.hi).any():
        return None
    bits = packed(value.astype(np.float64))
    return AnswerRow(
        claim.name, claim.framework, claim.kind, mode, device, case.id, bits, packed(bound)
    )


def compared(read: Callable[[], Iterable[AnswerRow]]) -> list[RelationRow]:
    """Return one row for each implementation of one side, beside the other side's reference.

    The reference is the framework's first native function, or recipe where it has none.

    Args:
        read: returns the answers. They are read twice for each relation, so that only those are
            in memory of which there are both sides: of cases that were drawn, next to none.
    """
    return [row for relation in EQUIVALENCES for row in _compared(relation, read)]


def _both_sides(relation: _Equivalence, read: Callable[[], Iterable[AnswerRow]]) -> list[_Answer]:
    sides: tuple[set[int], set[int]] = set(), set()  # hashes, which are small
    for answer in map(_Answer.of, read()):
        for side, hashes in zip((relation.left, relation.right), sides, strict=True):
            hashes.add(hash(side(answer)))
    both = (sides[0] & sides[1]) - {hash(None)}
    keys = (relation.left, relation.right)
    return [
        answer
        for answer in map(_Answer.of, read())
        if any(hash(key(answer)) in both for key in keys)
    ]


def _compared(
    relation: _Equivalence, read: Callable[[], Iterable[AnswerRow]]
) -> Iterator[RelationRow]:
    answers = _both_sides(relation, read)
    references = _references(relation, answers)
    gaps: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for answer in answers:
        key = relation.left(answer)
        other = references.get(key) if key is not None else None
        same = other is not None and other.name == answer.name
        if other is None or (same and not relation.same_function):
            continue
        names = (answer.framework, answer.mode, answer.case.dtype, answer.device)
        pair = (*names, answer.name, other.name)
        gaps.setdefault(pair, []).append(_gap(answer, other, relation.column))
    for (framework, mode, dtype, device, left, right), found in sorted(gaps.items()):
        difference, ratio = np.max(found, axis=0)  # a NaN among them stays one
        yield RelationRow(
            relation.name,
            left,
            right,
            framework,
            mode,
            dtype,
            len(found),
            float(difference),
            float(ratio),
            bool(ratio <= 1.0),
            device=device,
        )


def _references(relation: _Equivalence, answers: list[_Answer]) -> dict[tuple[str, ...], _Answer]:
    found: dict[tuple[str, ...], _Answer] = {}
    for answer in sorted(answers, key=_rank):
        key = relation.right(answer)
        if key is not None:
            found.setdefault(key, answer)
    return found


def _rank(answer: _Answer) -> tuple[bool, bool, str]:
    return answer.kind != "native", "_by_nll" in answer.name, answer.name


def _gap(left: _Answer, right: _Answer, column: int | None) -> tuple[float, float]:
    pick = (slice(None), column) if column is not None else ...
    with np.errstate(invalid="ignore"):
        difference = np.abs(left.value[pick] - right.value[pick])
    # NaN is no number, and max() would lose it among the others.
    difference = np.where(np.isnan(difference), np.inf, difference)
    allowed = left.bound[pick] + right.bound[pick]
    return float(difference.max()), float((difference / allowed).max())
