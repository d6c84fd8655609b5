"""What the analysis of errors needs to know of numbers of any kind: their signs and magnitudes.

Magnitudes and errors are base-2 logarithms, so that nothing overflows or underflows: −inf stands
for 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..oracle import Exact, Floats

_LARGEST = 1000.0  # exponents beyond it are that of an infinity


@dataclass(frozen=True)
class Sizes:
    """The signs and magnitudes of an array of numbers.

    Attributes:
        sign: −1, 0 or 1; NaN for no number.
        log2: the logarithm of the magnitude; −inf where the number is 0, or not finite.
        finite: whether the number is finite.
    """

    sign: Floats
    log2: Floats
    finite: NDArray[np.bool_]

    @classmethod
    def of(cls, numbers: Exact) -> Sizes:
        """Return the sizes of exact numbers."""
        finite = np.isfinite(numbers.hi)
        with np.errstate(all="ignore"):
            size = np.log2(np.abs(numbers.hi)) + numbers.exponent
        nothing = ~finite | (numbers.hi == 0)
        return cls(np.sign(numbers.hi), np.where(nothing, -np.inf, size), finite)

    @cached_property
    def floats(self) -> Floats:
        """The numbers to some digits as float64, 0 or infinite where they are out of its range."""
        with np.errstate(all="ignore"):
            size = np.exp2(np.clip(self.log2, -np.inf, 2 * _LARGEST))
            return np.where(self.finite, self.sign * size, self.sign * np.inf)


def both(*logs: Floats | float) -> Floats:
    """Return the logarithm of a sum, of numbers of which the logarithms are given."""
    total = np.asarray(logs[0], np.float64)
    with np.errstate(invalid="ignore"):
        for more in logs[1:]:
            total = np.logaddexp2(total, more)
    return total


def times(*logs: Floats | float) -> Floats:
    """Return the logarithm of a product; 0 times an infinity is 0."""
    total = np.asarray(logs[0], np.float64)
    with np.errstate(invalid="ignore"):
        for more in logs[1:]:
            total = total + more
    return np.where(np.isnan(total), -np.inf, total)


def log2(number: float) -> float:
    """Return a logarithm; −inf for 0."""
    return float(np.log2(number)) if number else -np.inf


def summed(logs: Floats) -> Floats:
    """Return the logarithms of sums along the last axis."""
    if not logs.shape[-1]:
        return np.full(logs.shape[:-1], -np.inf)
    largest = logs.max(axis=-1, keepdims=True)
    base = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.log2(np.exp2(logs - base).sum(axis=-1)) + base[..., 0])
