"""Compare two routes to the same number: claims of the tutorials that need no oracle.

Two routes agree if they differ by no more than the sum of both bounds. There is no tolerance
chosen by hand. The claims are:

- sigmoid(z) is the second class of softmax([0, z]);
- nll_loss of log_softmax is cross_entropy (the recipes named `…_by_nll`);
- an index target and its one-hot encoding give the same cross-entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...backends.claim import Claim
from ...cases.model import Case
from ..bounds import SOUND
from ..judging import SolvedCase
from ..oracle import Floats
from ..runfile import AnswerRow, RelationRow, array_of, packed

# Families of finite logits of ordinary size, on which two sound routes agree within their bounds.
_EVERYDAY = ("normal", "digits:start", "digits:middle", "digits:end", "two_units")


@dataclass(frozen=True)
class _Answer:
    """An answer as it is stored, whose arrays are unpacked when they are read."""

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
        """The value, in the shape of the result."""
        return array_of(self.packed[0])

    @property
    def bound(self) -> Floats:
        """The largest error of a sound algorithm, in the same shape."""
        return array_of(self.packed[1])


Key = Callable[[_Answer], "tuple[str, ...] | None"]


@dataclass(frozen=True)
class _Equivalence:
    """Two routes to the same number: two answers with equal keys, one from each side.

    Attributes:
        name: its name in `verdicts.EQUIVALENCE_MEANINGS`.
        left, right: functions that give the key of an answer on each side; None for answers that
            take no part.
        column: the class that is compared; None for all.
        same_function: whether one function may give both answers.
    """

    name: str
    left: Key
    right: Key
    column: int | None = None
    same_function: bool = False


def _is(operation: str, kind: str | None, part: str = "") -> Key:
    """Return the key function of one side.

    Args:
        operation: the operation of the side's cases.
        kind: the kind of target of these cases.
        part: a part of the implementation's name; empty for any name.
    """

    def key(answer: _Answer) -> tuple[str, ...] | None:
        case = answer.case
        if case.operation != operation or case.target_kind != kind:
            return None
        # Textbook functions are inaccurate on purpose, which their own verdicts show.
        if part not in answer.name or answer.kind == "textbook":
            return None
        # Two sides differ in operation or kind of target, but share inputs, options and labels.
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
    solved: SolvedCase, claim: Claim, mode: str, device: str, value: NDArray[np.generic]
) -> AnswerRow | None:
    """Return the row that stores an answer for comparison; None if it takes no part.

    Args:
        solved: the case with its right answers, of which the bounds are taken.
        claim: the claim of the implementation.
        mode: the mode in which it ran.
        device: the device on which it ran.
        value: its value, any dtype.
    """
    case, solution = solved.case, solved.solution
    # The claims are about finite logits of ordinary size, which all routes are defined for.
    if case.family not in _EVERYDAY or solution.refusal:
        return None
    if case.operation in ("sigmoid", "softmax") and case.family != "two_units":
        return None
    if case.operation not in ("sigmoid", "softmax", "cross_entropy"):
        return None
    # An array of another shape has its own verdict, and NaN agrees with nothing.
    exact = solution.quantities["value"]
    bound = solved.bound(solution, "value", SOUND)
    if value.shape != exact.shape or np.isnan(exact.hi).any():
        return None
    bits = packed(value.astype(np.float64))
    return AnswerRow(
        claim.name, claim.framework, claim.kind, mode, device, case.id, bits, packed(bound)
    )


def compared(read: Callable[[], Iterable[AnswerRow]]) -> list[RelationRow]:
    """Return the comparisons of each implementation on one side with the other side's reference.

    The reference is the framework's first native function, or a recipe where it has none.

    Args:
        read: a function that returns the stored answers. It is called twice for each equivalence,
            so that only answers with a partner are in memory; few cases have both sides.

    Returns:
        One row for each equivalence, pair of implementations, mode, dtype and device.
    """
    return [row for relation in EQUIVALENCES for row in _compared(relation, read)]


def _both_sides(relation: _Equivalence, read: Callable[[], Iterable[AnswerRow]]) -> list[_Answer]:
    """Return the answers whose key occurs on both sides."""
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
    """Yield the rows of one equivalence."""
    answers = _both_sides(relation, read)
    references = _references(relation, answers)
    gaps: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for answer in answers:
        key = relation.left(answer)
        other = references.get(key) if key is not None else None
        same = other is not None and other.name == answer.name
        if other is None or (same and not relation.same_function):
            continue
        # The largest difference over all cases decides, so they are collected for each pair.
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
    """Return the reference on the right-hand side for each key."""
    found: dict[tuple[str, ...], _Answer] = {}
    for answer in sorted(answers, key=_rank):
        key = relation.right(answer)
        if key is not None:
            found.setdefault(key, answer)
    return found


def _rank(answer: _Answer) -> tuple[bool, bool, str]:
    """Return the order of preference: native functions first, and no `…_by_nll` recipe."""
    return answer.kind != "native", "_by_nll" in answer.name, answer.name


def _gap(left: _Answer, right: _Answer, column: int | None) -> tuple[float, float]:
    """Return the largest difference, and the largest one over the sum of both bounds."""
    pick = (slice(None), column) if column is not None else ...
    with np.errstate(invalid="ignore"):
        difference = np.abs(left.value[pick] - right.value[pick])
    # NaN is no number, and max() would lose it among the others.
    difference = np.where(np.isnan(difference), np.inf, difference)
    allowed = left.bound[pick] + right.bound[pick]
    return float(difference.max()), float((difference / allowed).max())
