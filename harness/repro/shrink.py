"""Shrinking: the smallest and plainest case that gets the same verdict.

Greedy and deterministic: rows go first, then classes, then options, then digits; whatever is
tried is asked and judged anew. What is left is one-minimal if neither limit was reached: no
further row, class, option or digit can go without the verdict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...cases.dtypes import FORMATS, Array, Format
from ...cases.model import Case, Inputs
from ...errors import ExhaustedError
from ..judging import Verdict
from ..verdicts import VerdictKind
from .reductions import (
    WEIGHTS,
    as_given,
    axes_of_rows,
    cut,
    sums_to_one,
    with_inputs,
    without_axes,
    without_options,
)
from .session import AnswerSelector, Session
from .simplicity import plainness, rounded_alike, simpler

TIMEOUT = 30.0
_QUESTIONS = 1000
_ROUNDS = 4
_CHUNKS = 16
_ELEMENTS = 64  # of larger arrays single numbers are not looked at
_CLEAR = 20.0  # times the sound bound: an error that large must not shrink to a doubtful one
_LEAST = 1.0  # seconds that a question may take at the end


@dataclass(frozen=True)
class Shrunk:
    """What a case was reduced to.

    Attributes:
        case: carries its arrays; its family is `shrunk:DIGEST`.
        verdict: on this case.
        questions: how many were asked.
        is_minimal: whether it ended before the time and the questions did.
    """

    case: Case
    verdict: Verdict
    questions: int = 0
    is_minimal: bool = True


def shrink(
    session: Session,
    case: Case,
    selector: AnswerSelector,
    first: Verdict,
    *,
    timeout: float = TIMEOUT,
    questions: int = _QUESTIONS,
) -> Shrunk:
    """Reduce a case as far as the verdict is kept.

    Args:
        session: who asks.
        case: the question.
        selector: which answer of whom.
        first: the verdict on it, which is kept: the word, and for a failure what it says.
        timeout: seconds for all.
        questions: how many may be asked.
    """
    shrinker = _Shrinker(
        session, as_given(case, selector.quantity), selector, first, timeout, questions
    )
    try:
        is_minimal = shrinker.run()
    except ExhaustedError:
        is_minimal = False
    asked = len(shrinker.seen)
    return Shrunk(shrinker.case, shrinker.verdict, asked, is_minimal)


class _Shrinker:
    def __init__(
        self,
        session: Session,
        case: Case,
        selector: AnswerSelector,
        first: Verdict,
        timeout: float,
        questions: int,
    ) -> None:
        self.case, self.verdict = case, first
        self.seen: set[str] = {case.id}
        self._asker, self._point, self._first = session, selector, first
        self._limit = questions
        self._deadline = time.monotonic() + timeout
        # One that is said not to return is asked several times within the limit.
        self._longest = timeout / 3 if first.word == "timed out" else timeout

    def run(self) -> bool:
        """Go round until nothing changes; whether that point was reached."""
        for _ in range(_ROUNDS):
            before = self.case.id
            for axis in axes_of_rows(self.case):
                self._cut(axis)
            self._cut(self.case.class_axis)
            while any(self._keeps(case) for case in without_axes(self.case)):
                pass
            while any(self._keeps(case) for case in without_options(self.case)):
                pass
            for name in ("values", "target", *WEIGHTS):
                self._plain(name)
            if self.case.id == before:
                return True
        return False

    def _keeps(self, case: Case) -> bool:
        """Take a case if it gets the same verdict."""
        if case.id in self.seen:
            return False
        left = self._deadline - time.monotonic()
        if left <= 0 or len(self.seen) >= self._limit:
            raise ExhaustedError
        self.seen.add(case.id)
        seconds = min(self._longest, max(left, _LEAST))
        verdict = self._asker.verdict(case, self._point, seconds)
        if not is_same(self._first, verdict):
            return False
        self.case, self.verdict = case, verdict
        return True

    # --- rows and classes

    def _cut(self, axis: int) -> None:
        """The shortest beginning, of that the shortest end, then chunks from within."""
        self._bisect(axis, lambda _, n: np.arange(n))
        self._bisect(axis, lambda length, n: np.arange(length - n, length))
        size = self.case.shape[axis] // 2
        least = size // _CHUNKS  # chunks of a long axis become smaller in the next round
        while size > least:
            begin = 0
            while begin < self.case.shape[axis]:
                keep = np.delete(np.arange(self.case.shape[axis]), slice(begin, begin + size))
                if not len(keep) or not self._keeps(cut(self.case, axis, keep)):
                    begin += size
            size //= 2

    def _bisect(self, axis: int, part: Callable[[int, int], Array]) -> None:
        low, high = 0, self.case.shape[axis]  # low does not keep the verdict, high does
        while high - low > 1:
            middle = (low + high) // 2
            # A beginning of what is left is a beginning of the whole, and so is an end.
            if self._keeps(cut(self.case, axis, part(self.case.shape[axis], middle))):
                high = middle
            else:
                low = middle

    # --- numbers

    def _plain(self, name: str) -> None:
        array = getattr(self.case.inputs(), name)
        if array is None:
            return
        if array.dtype.name not in FORMATS:
            self._plain_labels(array)
            return
        form = FORMATS[array.dtype.name]
        for tried in rounded_alike(array, form):
            if _total(tried, form) < _total(array, form) and self._takes(name, tried):
                break
        for tried in self._rows(name):
            self._takes(name, tried)
        if getattr(self.case.inputs(), name).size <= _ELEMENTS:
            self._plain_elements(name, form)

    def _plain_elements(self, name: str, form: Format) -> None:
        for at in range(getattr(self.case.inputs(), name).size):
            array = getattr(self.case.inputs(), name)
            for number in simpler(float(array.ravel()[at]), form):
                tried = array.copy()
                tried.ravel()[at] = number
                if self._takes(name, tried):
                    break

    def _plain_labels(self, labels: Array) -> None:
        """Class 0, or the nearest one beyond the classes."""
        classes = self.case.shape[self.case.class_axis]
        counts = labels != self.case.options.ignore_index
        inside = counts & (labels >= 0) & (labels < classes)
        plain = np.where(counts & (labels >= classes), classes, labels)
        plain = np.where(counts & (labels < 0), -1, plain)
        self._takes("target", np.where(inside, 0, plain).astype(labels.dtype))
        if labels.size > _ELEMENTS:
            return
        for at in range(labels.size):
            tried = self.case.inputs().target
            assert tried is not None  # noqa: S101 -- its labels were handed in
            tried = tried.copy()
            tried.ravel()[at] = 0 if inside.ravel()[at] else plain.ravel()[at]
            self._takes("target", tried)

    def _rows(self, name: str) -> Iterator[Array]:
        """Rows of probabilities change as a whole: all on the first class, or on the largest."""
        array = getattr(self.case.inputs(), name)
        if not self._is_of_probabilities(name) or array.size > _ELEMENTS:
            return
        axis = self.case.class_axis
        places = np.arange(array.shape[axis])
        for best in (0, array.argmax(axis, keepdims=True)):
            shape = [-1 if i == axis else 1 for i in range(array.ndim)]
            hot = np.broadcast_to(places.reshape(shape) == best, array.shape)
            yield np.where(np.expand_dims(sums_to_one(array, axis), axis), hot, array).astype(
                array.dtype
            )

    def _is_of_probabilities(self, name: str) -> bool:
        contract = self.case.contract
        if name == "target":
            return contract.reads_classes and self.case.target_kind != "index"
        return contract.reads_classes and name == "values" and contract.domain == "probs"

    def _takes(self, name: str, array: Array) -> bool:
        """Take other numbers, as long as they are what they were: probabilities, logarithms."""
        before = getattr(self.case.inputs(), name)
        axis = self.case.class_axis
        if (
            self._is_of_probabilities(name)
            and (sums_to_one(before, axis) & ~sums_to_one(array, axis)).any()
        ):
            return False
        if name == "values" and self.case.contract.domain == "log_probs":
            with np.errstate(invalid="ignore"):
                if ((array > 0) & ~(before > 0)).any():
                    return False
        changed: dict[str, Array] = {name: array}
        inputs: Inputs = replace(self.case.inputs(), **changed)
        return self._keeps(with_inputs(self.case, inputs))


def _total(array: Array, form: Format) -> tuple[int, ...]:
    if array.size > 10 * _ELEMENTS:  # every digit of a large array costs time; zeros are plain
        return (int(np.count_nonzero(array)),)
    keys = [plainness(float(number), form) for number in array.ravel()]
    return tuple(int(sum(column)) for column in zip(*keys, strict=True))


_COMPARED_BY_DETAIL = (VerdictKind.ACCEPTED, VerdictKind.RAISED, VerdictKind.MISMATCHED)


def is_same(first: Verdict, now: Verdict) -> bool:
    """Whether a verdict is still the one that is shrunk: not a doubtful one, nor another error."""
    if now.word != first.word:
        return False
    if first.kind in _COMPARED_BY_DETAIL:
        return _about(first) == _about(now)
    if first.kind is VerdictKind.NONFINITE:
        return _sort(first.got) == _sort(now.got) and _sort(first.exact) == _sort(now.exact)
    return first.ratio is None or (now.ratio or 0.0) >= min(first.ratio, _CLEAR) / 2


def _about(verdict: Verdict) -> tuple[object, ...]:
    """Return what an error or a mismatch is about, without the shapes and the numbers."""
    return () if verdict.detail is None else verdict.detail.about


def _sort(number: str) -> str:
    return number if number in ("nan", "inf", "-inf") else "finite"
