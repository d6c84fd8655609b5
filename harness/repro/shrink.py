"""Shrink a case: search for a smaller and simpler case that gets the same verdict.

The search is delta debugging (Zeller and Hildebrandt, 2002): greedy and deterministic. It first
tries the row and the few classes that the verdict points at. Then it removes rows, classes, options
and digits, and every candidate is evaluated and judged anew. Unless the time or the number of
questions ran out, the result is one-minimal: no reduction that is tried keeps the verdict.
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
from ..workers import AnswerSelector
from .pointing import pointed_at
from .reductions import (
    WEIGHTS,
    as_given,
    axes_of_rows,
    cut,
    sums_to_one,
    with_inputs,
    without_axes,
    without_options,
    without_states,
)
from .session import Session
from .simplicity import plainness, rounded_alike, simpler

TIMEOUT = 30.0
_QUESTIONS = 1000
_ROUNDS = 4
_CHUNKS = 16
_ELEMENTS = 64  # in larger arrays no single number is simplified
_CLEAR = 20.0  # ratio of error to bound that is beyond doubt; see `is_same`
_LEAST = 1.0  # seconds that a question may take when the time is nearly over


@dataclass(frozen=True)
class Shrunk:
    """The result of shrinking a case.

    Attributes:
        case: the reduced case, with stored arrays; its family is `shrunk:DIGEST`.
        verdict: the verdict on the reduced case.
        questions: the number of cases that were tried.
        is_minimal: whether the search ended before the time and the questions ran out.
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
    signatures: int = _QUESTIONS,
    also: Callable[[Case], bool] = lambda _: True,
) -> Shrunk:
    """Reduce a case while the verdict stays the same.

    Args:
        session: evaluates and judges the candidates.
        case: the case to reduce.
        selector: the answer that is judged.
        first: the verdict on the case; `is_same` defines what it has in common with the result.
        timeout: the seconds for the search.
        questions: the largest number of candidates.
        signatures: how often a candidate may have another signature than the one before, so that
            something is compiled for it; those of the smallest case so far are always tried.
        also: what must hold, too, of a candidate with the same verdict.
    """
    start, limits = as_given(case, selector.quantity), (questions, signatures)
    shrinker = _Shrinker(session, start, selector, first, timeout, *limits, also)
    try:
        is_minimal = shrinker.run()
    except ExhaustedError:
        is_minimal = False
    asked = len(shrinker.seen)
    return Shrunk(shrinker.case, shrinker.verdict, asked, is_minimal)


class _Shrinker:
    """The state of one search: the smallest case so far, and the ids of all that were tried."""

    def __init__(
        self,
        session: Session,
        case: Case,
        selector: AnswerSelector,
        first: Verdict,
        timeout: float,
        questions: int,
        signatures: int,
        also: Callable[[Case], bool],
    ) -> None:
        self._also = also
        self.case, self.verdict = case, first
        self.seen: set[str] = {case.id}
        self._asker, self._point, self._first = session, selector, first
        self._limit, self._changes = questions, signatures
        self._last, self._is_whole = case.signature, True  # whether no candidate was passed over
        self._deadline = time.monotonic() + timeout
        # A call that hangs takes its full time: a third of the limit leaves room for several calls.
        self._longest = timeout / 3 if first.word == "timed out" else timeout

    def run(self) -> bool:
        """Apply all reductions until none is accepted; return whether that point was reached."""
        # The cheapest questions come last: without rows and classes, digits are quick to try.
        any(self._keeps(case) for case in pointed_at(self.case, self._first))
        for _ in range(_ROUNDS):
            before = self.case.id
            for axis in axes_of_rows(self.case):
                self._cut(axis)
            self._cut(self.case.class_axis)
            while any(self._keeps(case) for case in without_axes(self.case)):
                pass
            while any(self._keeps(case) for case in without_states(self.case)):
                pass
            while any(self._keeps(case) for case in without_options(self.case)):
                pass
            for name in ("values", "linear_weight", "linear_bias", "target", *WEIGHTS):
                self._plain(name)
            if self.case.id == before:
                return self._is_whole
        return False

    def _keeps(self, case: Case) -> bool:
        """Accept a case if it gets the same verdict; return whether it did.

        Raises:
            ExhaustedError: the time or the questions have run out.
        """
        if case.id in self.seen:
            return False
        left = self._deadline - time.monotonic()
        if left <= 0 or len(self.seen) >= self._limit:
            raise ExhaustedError
        if not self._has_room(case):
            return False
        self.seen.add(case.id)
        seconds = min(self._longest, max(left, _LEAST))
        verdict = self._asker.verdict(case, self._point, seconds)
        if not is_same(self._first, verdict) or not self._also(case):
            return False
        self.case, self.verdict = case, verdict
        return True

    def _has_room(self, case: Case) -> bool:
        """Return whether a candidate may be tried, by what would be compiled for it."""
        if case.signature != self._last:
            if self._changes <= 0 and case.signature != self.case.signature:
                self._is_whole = False
                return False
            self._changes -= 1
            self._last = case.signature
        return True

    # --- rows and classes

    def _cut(self, axis: int) -> None:
        """Remove positions of an axis: from its end, its beginning, then chunks from within."""
        # Most findings need one row: bisection finds it in logarithmically many questions. What
        # needs rows that are far apart is left to the chunks, which halve as in `ddmin`.
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
        low, high = 0, self.case.shape[axis]  # high keeps the verdict, low does not
        while high - low > 1:
            middle = (low + high) // 2
            # The case shrinks on the way, but a beginning of a beginning is one too, as with ends.
            if self._keeps(cut(self.case, axis, part(self.case.shape[axis], middle))):
                high = middle
            else:
                low = middle

    # --- numbers

    def _plain(self, name: str) -> None:
        """Simplify one array: at once, then by rows, then element by element."""
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
        """Replace labels with class 0; labels out of range with the nearest one out of range."""
        # A label out of range is what the verdict may be about, and an ignored one stays ignored.
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
        """Yield arrays with one-hot rows of probabilities, at the first or the largest class."""
        # No single probability can change without its row, which must sum to 1.
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
        """Accept other numbers if the verdict stays; return whether it did.

        Rows that sum to 1 must still do so, and log-probabilities must not become positive: other
        inputs would be outside the contract and could get the verdict for another reason.
        """
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
    """Return the sum of the elements' simplicity keys, to compare arrays of one shape."""
    if array.size > 10 * _ELEMENTS:  # the digits of a large array take too long: count non-zeros
        return (int(np.count_nonzero(array)),)
    keys = [plainness(float(number), form) for number in array.ravel()]
    return tuple(int(sum(column)) for column in zip(*keys, strict=True))


_COMPARED_BY_DETAIL = (VerdictKind.ACCEPTED, VerdictKind.RAISED, VerdictKind.MISMATCHED)


def is_same(first: Verdict, now: Verdict) -> bool:
    """Return whether a verdict shows the same fault as the first one.

    Args:
        first: the verdict on the case before shrinking.
        now: the verdict on a candidate.

    Returns:
        Whether the words agree, and in addition: for errors and mismatches what they are about;
        for infinities and NaN which of them was expected and which came back; for errors in
        bounds that half of the first one is left.
    """
    if now.word != first.word:
        return False
    if first.kind in _COMPARED_BY_DETAIL:
        return _about(first) == _about(now)
    if first.kind is VerdictKind.NONFINITE:
        return _sort(first.got) == _sort(now.got) and _sort(first.exact) == _sort(now.exact)
    # An error that is beyond doubt must not shrink to a doubtful one just above its bound; but
    # what is beyond `_CLEAR` bounds need not stay as large as it was.
    return first.ratio is None or (now.ratio or 0.0) >= min(first.ratio, _CLEAR) / 2


def _about(verdict: Verdict) -> tuple[object, ...]:
    """Return what an error or a mismatch is about, without shapes and numbers, which may change."""
    return () if verdict.detail is None else verdict.detail.about


def _sort(number: str) -> str:
    return number if number in ("nan", "inf", "-inf") else "finite"
