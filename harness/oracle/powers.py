"""Multiply arrays by powers of two, without a library call for each number.

`np.ldexp` and `np.frexp` ask the C library number by number. In long arrays the powers are made of
their bits instead, for the same results.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pairs import Floats, Pair

Ints = NDArray[np.int64]

_LONG = 512  # numbers, of which the steps by bits are the faster ones
_SIGNIFICAND, _BIAS, _SPECIAL = 52, 1023, 2047
_LEAST, _MOST = -1022, 1023  # exponents of normal numbers
_SHIFT_LIMIT = 2000


def limited(shift: Ints) -> NDArray[np.int32]:
    """Return exponents as int32 for `ldexp`, limited to ±2000, beyond which all is 0 or inf.

    >>> limited(np.array([5, 1 << 40]))
    array([   5, 2000], dtype=int32)
    """
    return np.maximum(np.minimum(shift, _SHIFT_LIMIT), -_SHIFT_LIMIT).astype(np.int32)


def scaled(shift: Ints, high: Floats, low: Floats) -> Pair:
    """Return high·2^shift and low·2^shift in the shape of `shift`; `low` is 0 where `high` is."""
    if shift.size >= _LONG and shift.max() <= _MOST:
        is_small = shift < _LEAST
        if not (is_small.any() and np.broadcast_to(high, shift.shape)[is_small].any()):
            power = _power(np.maximum(shift, _LEAST))
            return high * power, low * power
    short = limited(shift)
    return np.ldexp(high, short), np.ldexp(low, short)


def normalised(high: Floats, low: Floats) -> tuple[Floats, Floats, Ints]:
    """Return a pair times a power of two that brings the high part into [1/2, 1), and the exponent.

    Of a high part that is 0, infinite or NaN, the low part and the exponent mean nothing.
    """
    if high.size >= _LONG:
        exponent = (high.view(np.int64) >> _SIGNIFICAND) & _SPECIAL
        is_usual = exponent.max() < _SPECIAL - 2 and not (high[exponent == 0]).any()
        if is_usual:
            shift = exponent - (_BIAS - 1)
            power = _power(-shift)
            return high * power, low * power, shift
    significand, exponent = np.frexp(high)
    return significand, np.ldexp(low, -exponent), exponent.astype(np.int64)


def _power(exponent: Ints) -> Floats:
    """Return 2^exponent for exponents of normal numbers."""
    return ((exponent + _BIAS) << _SIGNIFICAND).view(np.float64)
