"""Say which usual mistakes would give the answer that came back.

This excuses nothing: it only names what a finding looks like. A mistake fits if its own formula
gives every element of the answer, within the error of an ordinary computation of that formula, and
if the answer is clearly nearer to it than to the right one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS, Format, format_of
from ..answers import GRADIENT_LOGITS, HVP_LOGITS, LINEAR_GRADIENTS, VALUE
from ..bounds import SOUND
from ..formula import is_of_numbers
from .mistake import Mistake
from .mistakes import MISTAKES
from .mistakes_by_formula import by_formula, by_other_numbers
from .problem import problem_of
from .rounded import logarithm_of_rounded, rounded_inside
from .scales import constant_ratio
from .solved_case import SolvedCase
from .steps import Formula, Steps
from .telltales import at_kink, nan_of_ignored, next_to_1
from .traced import Approx
from .two_mistakes import AS_WELL, ignoring_incoming

OR = " or "  # between the names of mistakes that give the same answer
# Elements of a case. Causes are shown by plain ones; in larger ones known mistakes are looked for.
_LARGEST, _LARGEST_OF_KNOWN = 2**15, 2**18
_SHOWN = 12
_IGNORING = ignoring_incoming()  # tried where one mistake alone does not give the answer
# The running error is a first-order estimate of the worst case, so that a few times its size is
# ample. A mistake has to be that many times nearer than the right answer.
_AMPLE, _NEARER = 2.0, 4.0


def looks_like(
    solved: SolvedCase,
    quantity: str,
    answer: NDArray[Any],
    likely: Collection[str] = (),
    *,
    value: NDArray[Any] | None = None,
    is_all: bool = False,
) -> str:
    """Return the usual mistakes that would give an answer.

    Args:
        solved: the case with its right answers.
        quantity: `value`, or a gradient such as `gradient_logits`.
        answer: the array that came back, which is a finding.
        likely: mistakes that gave other answers of the same function. Where one of them fits, no
            other is tried.
        value: the value that came back with a gradient, if it is known: a mistake of a formula
            has to give both.
        is_all: whether no other is tried at all.

    Returns:
        Their names, the simplest first, joined by ` or `; empty if none fits.

    >>> from lossdiff.cases.model import Case
    >>> from lossdiff.harness.judging import solved_case
    >>> solved = solved_case(Case.parse("softmax/float32/1x2/two_units/-/0"))
    >>> looks_like(solved, "value", np.array([[0.40234498, 0.59765502]], np.float32))
    'softmax applied twice'
    """
    if not _can_be_compared(solved, quantity, answer, _LARGEST_OF_KNOWN if likely else _LARGEST):
        return ""
    is_all = is_all or solved.inputs.values.size > _LARGEST
    with np.errstate(all="ignore"):
        names = _fitting(solved, quantity, answer, likely, value) if likely else []
        if not names and not is_all:
            names = _fitting(solved, quantity, answer, None, value)
    return OR.join(dict.fromkeys(names[:_SHOWN]))


def of_gradients_first(looks: str) -> str:
    """Return what a gradient looks like whose value is right: mistakes of gradients come first.

    Args:
        looks: what `looks_like` has returned.

    >>> of_gradients_first("the sign is wrong or the gradient has the wrong sign")
    'the gradient has the wrong sign or the sign is wrong'
    """
    of_values = {it.name for it in MISTAKES if VALUE in it.quantities}
    return OR.join(sorted(looks.split(OR), key=lambda it: it.removesuffix(AS_WELL) in of_values))


def fits(solved: SolvedCase, quantity: str, answer: NDArray[Any], steps: Steps) -> bool:
    """Return whether a computation by other steps gives an answer, and nearer than the right one.

    Args:
        solved: the case with its right answers.
        quantity: `value`, `gradient_logits` or `gradient_target`.
        answer: the array that came back.
        steps: the steps.
    """
    if not _can_be_compared(solved, quantity, answer, _LARGEST):
        return False
    with np.errstate(all="ignore"):
        problem = problem_of(solved.case, solved.inputs, _widest(solved)[0])
        approx = Formula(problem, steps).answer(quantity)
        return approx is not None and _Test(solved, quantity, answer).fits(approx)


def _can_be_compared(solved: SolvedCase, quantity: str, answer: NDArray[Any], largest: int) -> bool:
    if solved.solution.refusal or quantity not in solved.solution.quantities:
        return False
    is_small = bool(answer.size) and solved.inputs.values.size <= largest
    return is_small and quantity != HVP_LOGITS and format_of(answer.dtype) is not None


def _fitting(
    solved: SolvedCase,
    quantity: str,
    answer: NDArray[Any],
    likely: Collection[str] | None,
    value: NDArray[Any] | None,
) -> list[str]:
    """Return the names of the mistakes that fit; with `likely`, of those alone."""
    # What is known of a function needs less to be seen again.
    is_known = likely is not None
    test = _Test(solved, quantity, answer, 1.0 if is_known else _NEARER)
    if not test.is_wrong:
        return []
    has_finite = bool(np.isfinite(solved.inputs.values.astype(np.float64)).all())
    if told := _by_place(solved, quantity, answer, test, likely):
        return told
    names: list[str] = []
    dropped: list[tuple[str, Approx]] = []
    for it in _tried(solved, quantity, likely):
        # What is wrong only in not being finite tells nothing but that something overflowed, and
        # not even that where an input is infinite.
        tells = is_known or test.has_wrong_numbers or it.infinities
        tells = tells or (it.overflows and has_finite)
        given = list(_answers(solved, it, quantity)) if tells or it.drops else []
        if tells and any(map(test.fits, given)):
            names.append(it.name)
        elif it.drops:
            dropped += [(f"{it.name}, ", approx) for approx in given]
    if is_known or test.has_wrong_numbers:
        given_by = by_formula(solved, quantity, answer, likely, value)
        names += islice((name for name, approx in given_by if test.fits(approx)), _SHOWN)
    if not names and quantity != VALUE and test.has_wrong_numbers:
        tried = _tried(solved, quantity, likely, _IGNORING)
        names = [it.name for it in tried if any(map(test.fits, _answers(solved, it, quantity)))]
    if names:
        return names
    sound = solved.bound(solved.solution, quantity, SOUND) / test.roundoff
    right = Approx(solved.solution.quantities[quantity].to_float(), sound)
    scaled = (
        prefix + scale
        for prefix, approx in [("", right), *dropped]
        for scale in constant_ratio(solved, approx, answer, test.roundoff)
    )
    others = chain(
        next_to_1(solved, quantity, answer),
        scaled,
        logarithm_of_rounded(solved, quantity, answer),
        rounded_inside(solved, quantity, answer),
    )
    found = list(islice((it for it in others if likely is None or it in likely), 1))
    is_asked = likely is None or any(map(is_of_numbers, likely))
    if found or not (is_asked and test.has_wrong_numbers):
        return found
    numbers = by_other_numbers(solved, quantity, answer, value)
    fitting = (name for name, approx in numbers if test.fits(approx))
    return list(islice((it for it in fitting if likely is None or it in likely), 1))


def _by_place(
    solved: SolvedCase,
    quantity: str,
    answer: NDArray[Any],
    test: _Test,
    likely: Collection[str] | None,
) -> list[str]:
    """Return what an answer is told by that is wrong in some places only, or not finite."""
    if at_zero := list(at_kink(solved, quantity, answer, test.limit)):
        return at_zero
    if test.has_wrong_numbers:
        return []
    if ignored := list(nan_of_ignored(solved, quantity, answer)):
        return ignored
    if not np.isfinite(solved.inputs.values.astype(np.float64)).all():
        return []
    # A probability that underflows has an infinite logarithm.
    rounded = list(logarithm_of_rounded(solved, quantity, answer))
    return [it for it in rounded if likely is None or it in likely]


def _tried(
    solved: SolvedCase,
    quantity: str,
    likely: Collection[str] | None,
    mistakes: Iterable[Mistake] = MISTAKES,
) -> Iterable[Mistake]:
    # A mistake in the gradient with respect to logits shows in those of what they are made of.
    kinds = {quantity}
    if quantity in LINEAR_GRADIENTS.values():
        kinds.add(GRADIENT_LOGITS)
    return (
        it
        for it in mistakes
        if not solved.by_formula
        and not kinds.isdisjoint(it.quantities)
        and (likely is None or it.drops or it.name in likely)
        and it.applies(solved.case)
    )


def _answers(solved: SolvedCase, mistake: Mistake, quantity: str) -> Iterator[Approx]:
    """Yield what a mistake gives, in each format that intermediate numbers may have."""
    for form in _inner_formats(solved.case.dtype) if mistake.overflows else _widest(solved):
        key = mistake.name, form.name
        if key not in solved.mistaken:
            problem = problem_of(solved.case, solved.inputs, form)
            solved.mistaken[key] = Formula(problem, mistake.make())
        formula = solved.mistaken[key]
        approx = formula.answer(quantity)
        if approx is not None:
            yield approx
        by_hand = formula.by_hand(quantity)
        if by_hand is not None:
            yield by_hand


def _widest(solved: SolvedCase) -> tuple[Format, ...]:
    return _inner_formats(solved.case.dtype)[:1]


def _inner_formats(dtype: str) -> tuple[Format, ...]:
    own = FORMATS[dtype]
    return (FORMATS["float32"], own) if own.dtype.itemsize == 2 else (own,)


class _Test:
    """The comparison of one answer with what a mistake gives."""

    def __init__(
        self, solved: SolvedCase, quantity: str, answer: NDArray[Any], nearer: float = _NEARER
    ) -> None:
        self._nearer = nearer
        self._form = FORMATS[solved.case.dtype]
        self.roundoff = self._form.unit_roundoff
        self._is_gradient = quantity != VALUE
        self._got = answer.astype(np.float64)
        right = solved.solution.quantities[quantity].to_float()
        self._right = np.where(np.abs(right) > self._form.max, np.sign(right) * np.inf, right)
        self._counts = ~np.isnan(right)
        sound = np.nan_to_num(solved.bound(solved.solution, quantity, SOUND))
        rounding = np.abs(np.nan_to_num(right, posinf=0.0, neginf=0.0)) * self.roundoff
        self.limit = limit = sound + 2 * rounding + self._form.smallest
        is_of_shape = right.shape == answer.shape
        self.is_wrong = not is_of_shape or self._differs(self._got, self._right, limit)
        finite = np.where(np.isfinite(self._got), self._got, self._right if is_of_shape else 0)
        self.has_wrong_numbers = not is_of_shape or self._differs(finite, self._right, limit)
        # 16-bit results are mostly of sums in float32, and rounded once.
        self._roundoffs = dict.fromkeys((self._form.accumulator_roundoff, self.roundoff))

    def fits(self, approx: Approx) -> bool:
        """Return whether a mistake gives every element, and is nearer than the right answer."""
        if approx.value.shape != self._got.shape:
            return False
        value = approx.value.astype(np.float64)
        if np.array_equal(value, self._right):
            return False
        return any(self._fits(value, self._limit(approx, it)) for it in self._roundoffs)

    def _fits(self, value: NDArray[np.float64], limit: NDArray[np.float64]) -> bool:
        if self._differs(self._got, value, limit):
            return False
        if self._right.shape != self._got.shape:
            return True  # the shape alone tells the right answer from the mistake
        return self._differs(self._got, self._right, self._nearer * limit)

    def _differs(
        self, one: NDArray[np.float64], other: NDArray[np.float64], limit: NDArray[np.float64]
    ) -> bool:
        counts = self._counts if self._counts.shape == one.shape else np.True_
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        near = np.isfinite(one) & np.isfinite(other) & (np.abs(one - other) <= limit)
        return bool((~(same | near) & counts).any())

    def _limit(self, approx: Approx, roundoff: float) -> NDArray[np.float64]:
        """Return how far an ordinary computation of a formula may be from its value."""
        error = _finite(approx.error.astype(np.float64, copy=False))
        value = _finite(np.abs(approx.value.astype(np.float64, copy=False)))
        # Next to the largest number of a gradient, a form that cancels loses what is small.
        lost = self._form.unit_roundoff * value.max(initial=0.0) if self._is_gradient else 0.0
        rounding = 2 * self._form.unit_roundoff * value + lost + self._form.smallest
        return _AMPLE * roundoff * error + rounding


def _finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers with 0 in place of those that are not finite."""
    return np.where(np.isfinite(numbers), numbers, 0.0)
