"""Compute inner products exactly, as whole numbers times one power of two.

A floating-point number is a whole number times a power of two, and so are sums of products of them.
Python's whole numbers have no limit, so neither a logit nor the distance of two logits is rounded
before it is asked for, however much of it cancels.

`Products` makes a transform of that: the logits of a softmax are then the ranks of the inner
products, which are small numbers in the same order, and the transform knows what each stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from .double_double import Exact
from .pairs import Floats
from .solution import Mask
from .transform import Transform

_SIGNIFICAND = 53
_MOST_LOST = 10  # bits that a gradient of logits may lose, so that sums of it may lose as many
_ROOM = 200  # bits of a whole number that a pair of float64 numbers is made of

Whole = NDArray[np.object_]


@dataclass(frozen=True)
class Products(Transform):
    """Logits that are inner products, given by their ranks, and what becomes of them.

    Attributes:
        whole: the inner product of each rank, a whole number of units; the smallest is first.
        unit: the exponent of the power of two that is the unit.

    >>> logits = Products(whole=(-3, 0, 5), unit=-1)
    >>> logits.plain(np.array([2.0, 0.0])).to_float()
    array([ 2.5, -1.5])
    """

    whole: tuple[int, ...] = (0,)
    unit: int = 0

    @property
    def most_lost(self) -> int:
        return min(_MOST_LOST, super().most_lost)

    def plain(self, x: Floats) -> Exact:
        return _exact([self.whole[rank] for rank in _ranks(x)], self.unit, x.shape)

    def _apart(self, top: Floats, x: Floats) -> Exact:
        pairs = zip(_ranks(top), _ranks(x), strict=True)
        return _exact([self.whole[one] - self.whole[two] for one, two in pairs], self.unit, x.shape)

    def _plain_decimal(self, x: float) -> Decimal:
        return self._in_decimals(self.whole[int(x)])

    def _decimal_apart(self, top: float, x: float) -> Decimal:
        return self._in_decimals(self.whole[int(top)] - self.whole[int(x)])

    def _in_decimals(self, number: int) -> Decimal:
        # A power of two has many digits; a distance of 0 has none, and nothing to round.
        return Decimal(number) * Decimal(2) ** self.unit if number else Decimal(0)


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
    left, one = _whole(np.where(rows[:, None], hidden, 0.0))
    right, two = _whole(np.where(np.isfinite(weight), weight, 0.0))
    logits, unit = left @ right.T, one + two
    offset, three = _whole(np.where(np.isfinite(added), added, 0.0))
    if three < unit:
        logits, unit = logits * 2 ** (unit - three), three
    logits = logits + offset * 2 ** (three - unit)
    every = sorted(set(logits.ravel().tolist())) or [0]
    place = {number: float(rank) for rank, number in enumerate(every)}
    ranks = np.array([place[number] for number in logits.ravel().tolist()]).reshape(logits.shape)
    ranks = np.where(masked, -np.inf, ranks)
    ranks = np.where(is_defined[:, None], ranks, np.nan)
    return ranks, Products(scale, softcap, tuple(every), unit)


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


def _ranks(x: Floats) -> list[int]:
    return [int(number) for number in np.asarray(x).ravel().tolist()]


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
