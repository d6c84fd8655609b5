"""Compute inner products exactly, as pairs of float64 numbers or as whole numbers.

A floating-point number is a whole number times a power of two, and so are sums of products of them.
Neither a logit nor the distance of two logits is rounded before it is asked for, however much of it
cancels. Where each logit is a pair of float64 numbers, as it is for ordinary numbers of float32 and
shorter formats, the pairs are found with matrix products of slices. For the others there are
Python's whole numbers, which have no limit.

`Products` makes a transform of that: the logits of a softmax are then the ranks of the inner
products, which are small numbers in the same order, and the transform knows what each stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .double_double import Exact
from .pairs import Floats
from .slices import bits_for, blocks_of, distilled, exponents_of, products, sliced
from .solution import Mask
from .transform import Transform

_SIGNIFICAND = 53
_MOST_LOST = 10  # bits that a gradient of logits may lose, so that sums of it may lose as many
_ROOM = 200  # bits of a whole number that a pair of float64 numbers is made of
_MOST_SLICES = 8  # of either factor
_LARGEST, _LEAST = 900, -1000  # exponents of numbers whose sums are exact in float64

Whole = NDArray[np.object_]
Ranks = NDArray[np.intp]


class Numbers(Protocol):
    """Different numbers, the smallest first."""

    def of(self, ranks: Ranks) -> Exact:
        """Return numbers, each rounded once."""

    def apart(self, ranks: Ranks, others: Ranks) -> Exact:
        """Return the differences of numbers, each rounded once."""

    def decimal(self, rank: int) -> Decimal:
        """Return a number in the digits of the current context."""

    def decimal_apart(self, rank: int, other: int) -> Decimal:
        """Return the difference of two numbers in the digits of the current context."""


@dataclass(frozen=True)
class WholeNumbers(Numbers):
    """Whole numbers of a unit.

    Attributes:
        whole: the numbers, the smallest first.
        unit: the exponent of the power of two that is the unit.
    """

    whole: tuple[int, ...] = (0,)
    unit: int = 0

    def of(self, ranks: Ranks) -> Exact:
        return _exact([self.whole[rank] for rank in ranks.ravel().tolist()], self.unit, ranks.shape)

    def apart(self, ranks: Ranks, others: Ranks) -> Exact:
        both = zip(ranks.ravel().tolist(), others.ravel().tolist(), strict=True)
        return _exact([self.whole[i] - self.whole[j] for i, j in both], self.unit, ranks.shape)

    def decimal(self, rank: int) -> Decimal:
        return _in_decimals(self.whole[rank], self.unit)

    def decimal_apart(self, rank: int, other: int) -> Decimal:
        return _in_decimals(self.whole[rank] - self.whole[other], self.unit)


@dataclass(frozen=True, eq=False)
class PairNumbers(Numbers):
    """Numbers high + low, of which `high` is the nearest float64.

    Attributes:
        high, low: the parts, shape (n,).
    """

    high: Floats
    low: Floats

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PairNumbers) and self._bits == other._bits

    def __hash__(self) -> int:
        return hash(self._bits)

    @property
    def _bits(self) -> tuple[bytes, bytes]:
        return self.high.tobytes(), self.low.tobytes()

    def of(self, ranks: Ranks) -> Exact:
        return Exact.scaled(self.high[ranks], self.low[ranks], 0)

    def apart(self, ranks: Ranks, others: Ranks) -> Exact:
        parts = [self.high[ranks], -self.high[others], self.low[ranks], -self.low[others]]
        high, low, lower, _ = distilled(parts)
        return Exact.scaled(high, low + lower, 0)

    def decimal(self, rank: int) -> Decimal:
        return _of_fraction(self._fraction(rank))

    def decimal_apart(self, rank: int, other: int) -> Decimal:
        return _of_fraction(self._fraction(rank) - self._fraction(other))

    def _fraction(self, rank: int) -> Fraction:
        return Fraction(self.high[rank]) + Fraction(self.low[rank])


@dataclass(frozen=True)
class Products(Transform):
    """Logits that are inner products, given by their ranks, and what becomes of them.

    Attributes:
        numbers: the different inner products.

    >>> logits = Products(numbers=WholeNumbers((-3, 0, 5), unit=-1))
    >>> logits.plain(np.array([2.0, 0.0])).to_float()
    array([ 2.5, -1.5])
    """

    numbers: Numbers = WholeNumbers()

    @property
    def most_lost(self) -> int:
        return min(_MOST_LOST, super().most_lost)

    def plain(self, x: Floats) -> Exact:
        return self.numbers.of(x.astype(np.intp))

    def _apart(self, top: Floats, x: Floats) -> Exact:
        return self.numbers.apart(top.astype(np.intp), x.astype(np.intp))

    def _plain_decimal(self, x: float) -> Decimal:
        return self.numbers.decimal(int(x))

    def _decimal_apart(self, top: float, x: float) -> Decimal:
        return self.numbers.decimal_apart(int(top), int(x))


def products_of(
    hidden: Floats, weight: Floats, bias: Floats | None, scale: float, softcap: float | None
) -> tuple[Floats, Products]:
    """Return the ranks of the logits h·Wᵀ + b, shape (N, C), and the transform that reads them.

    Args:
        hidden: h, shape (N, H); a row that is not finite has no logits.
        weight: W, shape (C, H); without finite weights no row has logits.
        bias: b, shape (C,), or None; −inf masks a class.
        scale: s, as in `Transform`.
        softcap: c, as in `Transform`.

    Returns:
        Ranks, −inf for a class that is masked, and NaN in rows without logits.
    """
    rows = np.asarray(np.isfinite(hidden).all(axis=1))
    added = np.zeros(len(weight)) if bias is None else bias
    is_defined: Mask = rows & bool(np.isfinite(weight).all() and (added < np.inf).all())
    masked = np.isneginf(added)
    states, weights = (
        np.where(rows[:, None], hidden, 0.0),
        np.where(np.isfinite(weight), weight, 0.0),
    )
    finite = np.where(np.isfinite(added), added, 0.0)
    ranks, numbers = ranked_pairs(states, weights, finite) or ranked(states, weights, finite)
    ranks = np.where(masked, -np.inf, ranks)
    ranks = np.where(is_defined[:, None], ranks, np.nan)
    return ranks, Products(scale, softcap, numbers)


def ranked_pairs(hidden: Floats, weight: Floats, bias: Floats) -> tuple[Floats, PairNumbers] | None:
    """Return the ranks of h·Wᵀ + b, and the numbers; None where pairs do not hold them exactly."""
    bits = bits_for(hidden.shape[1])
    factors = [sliced(Exact.of(factor), bits, _MOST_SLICES) for factor in (hidden, weight)]
    unit, depth = exponents_of(*factors), sum(len(factor.slices) for factor in factors)
    if not unit.size:
        return None
    in_range = unit.max() < _LARGEST and unit.min() - depth * bits > _LEAST
    if not (in_range and all(factor.is_whole for factor in factors)):
        return None
    high: Floats = np.empty(unit.shape)
    low: Floats = np.empty(unit.shape)
    for some in blocks_of(*unit.shape):
        parts = products(factors[0].of(some), factors[1], depth)
        offset = np.broadcast_to(bias, unit[some].shape)
        scaled = [np.ldexp(part, unit[some]) for part in parts]
        high[some], low[some], *rest = distilled([*scaled, offset, np.zeros_like(offset)])
        if any(part.any() for part in rest):
            return None
    order = np.lexsort((low.ravel(), high.ravel()))
    highs, lows = high.ravel()[order], low.ravel()[order]
    is_new = (np.diff(highs, prepend=-np.inf) != 0) | (np.diff(lows, prepend=0.0) != 0)
    ranks = np.empty(order.shape)
    ranks[order] = np.cumsum(is_new) - 1
    return ranks.reshape(unit.shape), PairNumbers(highs[is_new], lows[is_new])


def ranked(hidden: Floats, weight: Floats, bias: Floats) -> tuple[Floats, WholeNumbers]:
    """Return the ranks of h·Wᵀ + b, and the numbers."""
    left, one = _whole(hidden)
    right, two = _whole(weight)
    logits, unit = left @ right.T, one + two
    offset, three = _whole(bias)
    if three < unit:
        logits, unit = logits * 2 ** (unit - three), three
    logits = logits + offset * 2 ** (three - unit)
    every = sorted(set(logits.ravel().tolist())) or [0]
    place = {number: float(rank) for rank, number in enumerate(every)}
    ranks = np.array([place[number] for number in logits.ravel().tolist()])
    return ranks.reshape(logits.shape), WholeNumbers(tuple(every), unit)


def _whole(array: Floats) -> tuple[Whole, int]:
    """Return finite numbers as whole numbers and the exponent of their unit."""
    mantissa, exponent = np.frexp(array)
    whole = np.ldexp(mantissa, _SIGNIFICAND).astype(np.int64)
    exponent = exponent.astype(np.int64) - _SIGNIFICAND
    # Without the zeros at their end the numbers are as short as the bits that they have.
    zeros = _trailing_zeros(whole)
    whole, exponent = whole >> zeros, exponent + zeros
    used = exponent[whole != 0]
    unit = int(used.min()) if used.size else 0
    shift = np.where(whole != 0, exponent - unit, 0)
    return np.left_shift(whole.astype(object), shift.astype(object)), unit


def _trailing_zeros(whole: NDArray[np.int64]) -> NDArray[np.int64]:
    lowest = (whole & -whole).astype(np.float64)
    return np.where(whole != 0, np.frexp(lowest)[1] - 1, 0)


def _exact(numbers: list[int], unit: int, shape: tuple[int, ...]) -> Exact:
    """Return whole numbers of a unit, each rounded to a pair once."""
    parts = np.array([_pair(number) for number in numbers]).reshape(-1, 3)
    exact = Exact.scaled(parts[:, 0], parts[:, 1], parts[:, 2] + unit)
    return exact.map(lambda part: part.reshape(shape))


def _pair(number: int) -> tuple[float, float, float]:
    # A longer number is cut far below the last bit of a pair, so that float64 can hold it.
    cut = max(number.bit_length() - _ROOM, 0)
    short = number >> cut
    high = float(short)
    return high, float(short - int(high)), float(cut)


def _in_decimals(number: int, unit: int) -> Decimal:
    # A power of two has many digits; a distance of 0 has none, and nothing to round.
    return Decimal(number) * Decimal(2) ** unit if number else Decimal(0)


def _of_fraction(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)
