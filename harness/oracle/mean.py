"""What a loss is divided by, and how much of it rounding leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...cases.dtypes import FORMATS
from .double_double import Exact, constant, where
from .solution import Convention


@dataclass(frozen=True)
class Divisor:
    """What a loss is divided by.

    Attributes:
        exact: a scalar; NaN where it is 0, or where rounding may make it 0 or turn its sign.
        condition: Σ abs(w)/abs(Σ w) of a sum of weights, 1 of those that are not negative.
        addends: how many numbers other than 0 it adds up; 1 of a number that is not a sum.
    """

    exact: Exact
    condition: float = 1.0
    addends: int = 1

    @property
    def is_undefined(self) -> bool:
        """Whether there is no agreed answer for want of a divisor."""
        return bool(np.isnan(self.exact.hi))

    def divide(self, number: Exact, convention: Convention) -> Exact:
        """Return number/D, any shape."""
        if self.is_undefined and convention.nothing_counts_is_zero:
            return constant(number.shape, 0.0)
        return number / self.exact


def by_number(count: float) -> Divisor:
    """Return a divisor that no weights take part in."""
    return Divisor(Exact.of(count or np.nan))


def by_sum(weights: Exact, dtype: str) -> Divisor:
    """Return the sum of weights, shape (n,), as it can be had in a dtype.

    A sum of n numbers in any order is good to (n − 1)u Σ abs(w), and one rounding more where they
    are products. Where that is abs(Σ w) or more, the sum has no digit, and no sign.
    """
    total, size = weights.sum(), abs(weights).sum()
    addends = int((weights.hi != 0).sum())
    lost = size * (addends * FORMATS[dtype].accumulator_roundoff)
    if not (abs(total) - lost).hi > 0:
        return Divisor(Exact.of(np.nan), np.inf, addends)
    return Divisor(total, float((size / abs(total)).to_float()), addends)


def limits(dtype: str, clip: float) -> tuple[float, float]:
    """Return clip and 1 − clip, rounded to the dtype."""
    form = FORMATS[dtype]
    return float(form.round(clip)), float(form.round(1.0 - clip))


def clipped(p: Exact, dtype: str, clip: float) -> Exact:
    """Return probabilities of any shape within the limits."""
    low, high = limits(dtype, clip)
    p = where((p - low).hi < 0, constant(p.shape, low), p)
    return where((p - high).hi > 0, constant(p.shape, high), p)
