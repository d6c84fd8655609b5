"""Compute the divisor of a mean, and clip probabilities: two places where conventions differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...cases.dtypes import FORMATS
from .double_double import Exact, constant, where
from .solution import Convention


@dataclass(frozen=True)
class Divisor:
    """The number D that a sum of losses is divided by.

    Attributes:
        exact: a scalar; NaN where it is 0, or where rounding may make it 0 or turn its sign.
        condition: Σ abs(w)/abs(Σ w) of a sum of weights; 1 if none of them is negative.
        addends: the number of addends other than 0; 1 for a divisor that is not a sum.
    """

    exact: Exact
    condition: float = 1.0
    addends: int = 1

    @property
    def is_undefined(self) -> bool:
        """Whether the quotient has no agreed answer, because the divisor is 0 or has no sign."""
        return bool(np.isnan(self.exact.hi))

    def divide(self, number: Exact, convention: Convention) -> Exact:
        """Return number/D, in the shape of the number."""
        if self.is_undefined and convention.nothing_counts_is_zero:
            return constant(number.shape, 0.0)
        is_one = self.addends == 1 and self.exact.hi == 0.5 and self.exact.exponent == 1
        return number if is_one and self.exact.lo == 0 else number / self.exact


def by_number(count: float) -> Divisor:
    """Return a divisor that is a count, which no computation rounds; a count of 0 is undefined."""
    return Divisor(Exact.of(count or np.nan))


def by_sum(weights: Exact, dtype: str) -> Divisor:
    """Return the divisor Σ w, undefined where the dtype cannot resolve it.

    A sum of n numbers in any order is good to (n − 1)u Σ abs(w), and one rounding more where they
    are products. Where that error reaches abs(Σ w), a correct sum may be 0 or have either sign.

    Args:
        weights: w, shape (n,).
        dtype: the name of the dtype that implementations compute in.
    """
    total, size = weights.sum(), abs(weights).sum()
    # Zeros add no rounding error, so they do not count as addends.
    addends = int((weights.hi != 0).sum())
    lost = size * (addends * FORMATS[dtype].accumulator_roundoff)
    if not (abs(total) - lost).hi > 0:
        return Divisor(Exact.of(np.nan), np.inf, addends)
    return Divisor(total, float((size / abs(total)).to_float()), addends)


def is_resolved(weights: Exact, dtype: str) -> bool:
    """Return whether a dtype resolves the sum of some weights: whether it is surely not 0."""
    return not by_sum(weights, dtype).is_undefined


def limits(dtype: str, clip: float) -> tuple[float, float]:
    """Return clip and 1 − clip, each rounded to the dtype as frameworks round their constants."""
    form = FORMATS[dtype]
    return float(form.round(clip)), float(form.round(1.0 - clip))


def clipped(p: Exact, dtype: str, clip: float) -> Exact:
    """Return probabilities, any shape, limited to [clip, 1 − clip] as rounded to the dtype."""
    low, high = limits(dtype, clip)
    p = where((p - low).hi < 0, constant(p.shape, low), p)
    return where((p - high).hi > 0, constant(p.shape, high), p)
