"""Run a formula on bounds of errors: how far each step may be from its exact number.

This is running error analysis (Wilkinson; Higham, *Accuracy and Stability of Numerical Algorithms*,
section 3.3): the error of a step is what the errors of its arguments become in it, and the rounding
of the step itself. The exact numbers are known, so no bound depends on a computation that cancels.

A sound computation may group its products and sums differently from the formula, so + − × ÷ are
allowed two roundings each. exp and the logarithms have the errors of `harness.bounds.algorithms`,
sums its depths. The functions over the classes are used in several sound forms, and a `form` adds
what these have in common; under `cancels` and `unshifted` it adds what the other ones have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...cases.dtypes import FORMATS
from ..bounds import Precision
from ..oracle import Floats
from .exactly import Values, moved
from .graph import BASE_2, DETACHED, LOG_REST, Array
from .sizes import Sizes, both, log2, summed, times

_ROUNDINGS = 2.0  # of an arithmetic step
_SMALL = -20.0  # below 2^-20, e^x − 1 and −log(1 − x) are x to six digits
_LARGE = 300.0  # above it, e^x − 1 is e^x, and float64 holds it
_LOG_2 = float(np.log(2.0))
_LOG2_LOG_2 = float(np.log2(_LOG_2))
_UNKNOWN = np.inf


@dataclass(frozen=True)
class Roundings:
    """The roundings of a kind of numbers.

    Attributes:
        unit: the base-2 logarithm of the unit roundoff u of a step.
        of_constants: the error of a constant that the dtype does not hold, relative.
        eta: the smallest number, by which a product may be wrong that underflows; 0 for none.
        c: the relative error of exp and log, in u.
        c_log1p: that of log1p, in u.
        growth: the error of exp(x) in u·|x|.
        depth: the depth of a sum of n numbers.
        cancels: whether expm1, log1p and tanh are computed from exp and log, and the functions over
            the classes from their logsumexp.
        forms: whether functions over the classes may be computed in other sound forms.
        stored: the logarithm of the roundoff of the dtype in which functions over the classes
            store their results, where it is not that of the steps; else −inf.
        reach: the largest |x| of which an unshifted form takes exp(x); 0 for none.
        dtype: the dtype that holds a constant or does not; empty for float64.
    """

    unit: float
    depth: Callable[[int], float]
    of_constants: float = 0.0
    eta: float = 0.0
    c: float = 1.0
    c_log1p: float = 1.0
    growth: float = 0.0
    cancels: bool = False
    forms: bool = False
    stored: float = -np.inf
    reach: float = 0.0
    dtype: str = "float64"

    @classmethod
    def of(cls, precision: Precision, dtype: str) -> Roundings:
        """Return the roundings of an algorithm in a dtype."""
        algorithm = precision.algorithm
        return cls(
            log2(precision.u),
            precision.depth,
            max(precision.u, precision.s),
            precision.eta_a,
            precision.c,
            precision.c_log1p,
            precision.base_2,
            algorithm.cancels,
            True,
            log2(precision.s),
            precision.reach if algorithm.unshifted else 0.0,
            dtype,
        )

    def units(self, number: float) -> float:
        """Return the logarithm of a number of unit roundoffs."""
        return log2(number) + self.unit


Logs = dict[Array, Floats]
_Rule = Callable[..., Floats]


def _grown(error: Floats) -> Floats:
    """Return e^e − 1: what an error of the argument is relative to an exponential."""
    size = np.exp2(error)
    grown = np.where(size > _LARGE, size / _LOG_2, np.log2(np.expm1(np.minimum(size, _LARGE))))
    return np.where(error < _SMALL, error, grown)


@dataclass(frozen=True)
class Analysis:
    """The bounds of the errors of all steps, as base-2 logarithms; of a comparison, 0 if unsure.

    Attributes:
        roundings: those of the computation that is bounded.
        sizes: the signs and magnitudes of the exact numbers, by step.
        values: the exact numbers; of them only truth values are used.
    """

    roundings: Roundings
    sizes: dict[Array, Sizes]
    values: Values

    def errors(self, order: list[Array]) -> Logs:
        """Return the bound of each step's error; −inf where it is exact, or not finite.

        Args:
            order: the steps, each after those that it is computed from.
        """
        found: Logs = {}
        with np.errstate(all="ignore"):
            for array in order:
                error = np.broadcast_to(self._error(array, found), array.shape)
                if not array.is_mask:
                    error = np.where(self.sizes[array].finite, error, -np.inf)
                found[array] = error
        return found

    def _error(self, array: Array, found: Logs) -> Floats:
        rule = _RULES.get(array.op)
        if rule is None:
            return np.asarray(-np.inf)
        return rule(self, array, *(found[it] for it in array.args))

    def _log2(self, array: Array) -> Floats:
        return self.sizes[array].log2

    def _rounding(self, array: Array, roundings: float = _ROUNDINGS) -> Floats:
        """Return the error of rounding a result, underflow included; a 0 has none."""
        size = self._log2(array)
        error = both(times(self.roundings.units(roundings), size), log2(self.roundings.eta))
        return np.where(np.isneginf(size), -np.inf, error)

    # --- arithmetic

    def constant(self, array: Array) -> Floats:
        dtype = FORMATS[self.roundings.dtype]
        is_held = dtype.round(array.value).astype(np.float64) == array.value
        error = times(self._log2(array), log2(self.roundings.of_constants))
        return np.where(is_held, -np.inf, error)

    def sum_or_difference(self, array: Array, left: Floats, right: Floats) -> Floats:
        # A sum that is subnormal is exact.
        return both(left, right, times(self.roundings.units(_ROUNDINGS), self._log2(array)))

    def product(self, array: Array, left: Floats, right: Floats) -> Floats:
        x, y = map(self._log2, array.args)
        return both(times(x, right), times(y, left), times(left, right), self._rounding(array))

    def quotient(self, array: Array, left: Floats, right: Floats) -> Floats:
        """Return (e_x + |q| e_y)/(|y| − e_y), and the rounding."""
        divisor = self._log2(array.args[1])
        # |y| − e_y, by its logarithm; without an answer where the divisor may be 0.
        room = np.log2(-np.expm1((right - divisor) * _LOG_2)) + divisor
        room = np.where(right < divisor, room, -np.inf)
        above = both(left, times(self._log2(array), right))
        error = np.where(np.isneginf(above), -np.inf, times(above, -room))
        return both(error, self._rounding(array))

    def maximum(self, _: Array, left: Floats, right: Floats) -> Floats:
        return np.maximum(left, right)

    def same(self, _: Array, error: Floats) -> Floats:
        return error

    def joined(self, array: Array, *errors: Floats) -> Floats:
        return np.concatenate(errors, array.value)

    def rearranged(self, array: Array, error: Floats) -> Floats:
        return moved(array, error)

    # --- functions

    def exp(self, array: Array, error: Floats) -> Floats:
        """Return e^x (e^e − 1), and the error of exp."""
        # Far below the range of any format the exact result is replaced by a larger one.
        size = np.minimum(self._log2(array), self.sizes[array.args[0]].floats / _LOG_2)
        relative = both(_grown(error), self._of_exp(array))
        return both(times(size, relative), log2(self.roundings.eta))

    def _of_exp(self, array: Array) -> Floats:
        """Return the relative error of exp(x) itself, which may be computed as 2^(x log2 e).

        Only the distances from the maximum are multiplied by log2 e; under `unshifted` all are.
        """
        its = self.roundings
        is_base_2 = array.value == BASE_2 or not its.forms or its.reach
        size = times(self._log2(array.args[0]), its.units(its.growth))
        return both(its.units(its.c), size if is_base_2 else -np.inf)

    def expm1(self, array: Array, error: Floats) -> Floats:
        exponential = self.sizes[array.args[0]].floats / _LOG_2  # log2 e^x
        passed = times(exponential, _grown(error))
        own = self._rounding(array, self.roundings.c)
        cancelling = times(both(exponential, 0.0), self._of_exp(array))
        return both(passed, own, cancelling if self.roundings.cancels else -np.inf)

    def log(self, array: Array, error: Floats) -> Floats:
        passed = self._through_log(error, self._log2(array.args[0]))
        return both(passed, self._rounding(array, self.roundings.c))

    def log1p(self, array: Array, error: Floats) -> Floats:
        base = self.sizes[array].floats / _LOG_2  # log2(1 + x), also where 1 + x is tiny
        passed = self._through_log(error, base)
        own = self._rounding(array, self.roundings.c_log1p)
        cancelling = self.roundings.units(_ROUNDINGS)
        return both(passed, own, cancelling if self.roundings.cancels else -np.inf)

    def _through_log(self, error: Floats, size: Floats) -> Floats:
        """Return −log(1 − e/x): what an error becomes in a logarithm."""
        relative = np.where(np.isneginf(error), -np.inf, error - size)
        far = np.log2(-np.log1p(-np.exp2(np.minimum(relative, 0.0))))
        found = np.where(relative < _SMALL, relative, far)
        return np.where(relative >= 0, _UNKNOWN, found)

    def tanh(self, array: Array, error: Floats) -> Floats:
        far = np.exp2(self._log2(array.args[0])) - np.exp2(error)
        slope = np.minimum(2.0 - 2.0 * np.maximum(far, 0.0) / _LOG_2, 0.0)
        own = self._rounding(array, self.roundings.c)
        cancelling = self.roundings.units(self.roundings.c)
        return both(times(error, slope), own, cancelling if self.roundings.cancels else -np.inf)

    def sqrt(self, array: Array, error: Floats) -> Floats:
        passed = np.minimum(times(error, -self._log2(array)), error / 2)
        return both(np.where(np.isneginf(error), -np.inf, passed), self._rounding(array))

    def power(self, array: Array, error: Floats) -> Floats:
        """Return x^g ((1 + e/x)^|g| − 1), and the error of a power, or of exp(g log x)."""
        size, exponent = self._log2(array.args[0]), abs(array.value)
        relative = np.where(np.isneginf(error), -np.inf, error - size)
        near = both(log2(exponent), -np.inf) + relative
        far = np.log2(np.expm1(exponent * -np.log1p(-np.exp2(np.minimum(relative, 0.0)))))
        passed = np.where(near < _SMALL, near, np.where(relative < 0, far, _UNKNOWN))
        logarithm = np.abs(np.where(np.isneginf(size), 0.0, size)) * _LOG_2 * exponent
        own = self.roundings.unit + np.log2(self.roundings.c + exponent + 2 * logarithm)
        found = times(self._log2(array), both(passed, own))
        # Of 0 a power above 1 has an error as small as a power of the argument's.
        at_zero = exponent * error if array.value > 0 else np.full_like(error, _UNKNOWN)
        at_zero = np.where(np.isneginf(error), -np.inf, at_zero)
        return both(np.where(np.isneginf(size), at_zero, found), log2(self.roundings.eta))

    # --- sums, maxima and choices

    def sum(self, array: Array, error: Floats) -> Floats:
        terms = np.broadcast_to(self._log2(array.args[0]), array.args[0].shape)
        count = (terms > -np.inf).sum(axis=-1)
        depth = np.vectorize(lambda n: self.roundings.depth(int(n)), otypes=[float])(count)
        rounded = times(np.log2(depth) + self.roundings.unit, summed(both(terms, error)))
        return both(summed(error), np.where(depth > 0, rounded, -np.inf))

    def cumsum(self, array: Array, error: Floats) -> Floats:
        """Return the error of each sum of the numbers up to one."""
        terms = self._log2(array.args[0])[..., :: array.value]
        passed = error[..., :: array.value]
        count = (terms > -np.inf).cumsum(axis=-1)
        depth = np.vectorize(lambda n: self.roundings.depth(int(n)), otypes=[float])(count)
        total = np.logaddexp2.accumulate(both(terms, passed), -1)
        rounded = times(np.log2(depth) + self.roundings.unit, total)
        found = both(np.logaddexp2.accumulate(passed, -1), np.where(depth > 0, rounded, -np.inf))
        return found[..., :: array.value]

    def max(self, array: Array, error: Floats) -> Floats:
        """Return the largest error of those numbers that may be the largest ones."""
        x, off = self.sizes[array.args[0]].floats, np.exp2(error)
        least = (x - off).max(axis=-1, keepdims=True, initial=-np.inf)
        candidates = np.where(x + off >= least, error, -np.inf)
        return np.asarray(candidates.max(axis=-1, initial=-np.inf))

    def where(self, array: Array, unsure: Floats, yes: Floats, no: Floats) -> Floats:
        """Return the error of what is chosen, and the difference where the choice is unsure."""
        chosen = np.where(self.values[array.args[0]], yes, no)
        first, second = (self.sizes[it].floats for it in array.args[1:])
        gap = np.where(first == second, -np.inf, np.log2(np.abs(first - second)))
        return np.where(np.isneginf(unsure), chosen, both(yes, no, gap))

    def peak(self, array: Array, error: Floats) -> Floats:
        """Return 1 where another number may be the largest one after rounding."""
        x = self.sizes[array.args[0]].floats
        largest = x.max(axis=-1, keepdims=True, initial=-np.inf)
        near = largest - x <= 2.0 * np.exp2(error.max(axis=-1, keepdims=True, initial=-np.inf))
        return np.where(near & (near.sum(axis=-1, keepdims=True) > 1), 0.0, -np.inf)

    def jump(self, array: Array, error: Floats) -> Floats:
        """Return the height of a jump where rounding may decide on which side a number is."""
        height = 1.0 if array.op == "sign" else 0.0
        is_near = (error >= self._log2(array.args[0])) & ~np.isneginf(error)
        return np.where(is_near, height, -np.inf)

    # --- forms

    def form(self, array: Array, error: Floats, *_: Floats) -> Floats:
        return both(error, self._of_forms(array))

    def _of_forms(self, array: Array) -> Floats:
        """Return what other forms of a function over the classes add to its error."""
        its, kind = self.roundings, array.value
        stored = times(self._log2(array), its.stored)
        if kind == "complement" and its.cancels and its.forms:
            return both(stored, its.units(_ROUNDINGS * its.c))  # 1 − σ(−x), and 1 − tanh²
        if kind == LOG_REST and its.cancels and its.forms:
            # That of 1 − p, relative; beyond log 2 the form has no digit left.
            rest = its.units(_ROUNDINGS * its.c) - self.sizes[array].floats / _LOG_2
            return both(stored, np.where(rest < _LOG2_LOG_2, rest, -np.inf))
        if kind in (LOG_REST, "complement", "softplus", "stored", DETACHED) or not its.forms:
            return stored
        x = array.args[1]
        absolute = its.units(its.c + its.depth(x.shape[-1]))  # log Σ exp(x − a)
        if kind == "logsumexp":
            size = self._in_reach(self._log2(array))
            return both(stored, absolute, times(size, its.units(its.c)))
        lse = self._log2(array.args[2])
        shift = both(self._log2(x), lse) if its.cancels else np.full(x.shape, -np.inf)
        shift = times(shift, its.units(_ROUNDINGS))  # x − lse, and exp(x − lse)
        if kind == "softmax":
            # Beyond log 2 the form has no digit left, and explains nothing.
            shifted = np.where(shift < _LOG2_LOG_2, shift, -np.inf)
            return both(stored, times(self._log2(array), shifted))
        logarithm = times(self._in_reach(self._log2(array)), its.units(its.c))
        return both(stored, absolute, shift, logarithm)

    def _in_reach(self, size: Floats) -> Floats:
        return np.where(np.exp2(size) < self.roundings.reach, size, -np.inf)


_RULES: dict[str, _Rule] = {
    "constant": Analysis.constant,
    "add": Analysis.sum_or_difference,
    "subtract": Analysis.sum_or_difference,
    "multiply": Analysis.product,
    "divide": Analysis.quotient,
    "maximum": Analysis.maximum,
    "negative": Analysis.same,
    "absolute": Analysis.same,
    "exp": Analysis.exp,
    "expm1": Analysis.expm1,
    "log": Analysis.log,
    "log1p": Analysis.log1p,
    "tanh": Analysis.tanh,
    "sqrt": Analysis.sqrt,
    "power": Analysis.power,
    "sum": Analysis.sum,
    "cumsum": Analysis.cumsum,
    "max": Analysis.max,
    "where": Analysis.where,
    "positive": Analysis.jump,
    "not": Analysis.same,
    "both": Analysis.maximum,
    "peak": Analysis.peak,
    "step": Analysis.jump,
    "sign": Analysis.jump,
    "form": Analysis.form,
    "joined": Analysis.joined,
    **dict.fromkeys(("reshape", "broadcast", "moved", "transpose", "picked"), Analysis.rearranged),
}
