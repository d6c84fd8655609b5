"""Compute with double-doubles: pairs (hi, lo) of float64 numbers that stand for their exact sum.

The building blocks are Dekker's and Knuth's error-free transformations, as in Joldes, Muller,
Popescu, "Tight and rigorous error bounds for basic building blocks of double-word arithmetic",
ACM TOMS 44(2), 2017, doi 10.1145/3121432. They need round-to-nearest and no overflow. The order
of their additions is what makes them exact, so none of them may be rearranged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]

_SPLITTER = 134217729.0  # 2^27 + 1
# ln 2 to 159 bits, in three parts, so that k·ln 2 is good to double-double precision for large k.
LN2 = (0.6931471805599453, 2.3190468138462996e-17, 5.707708438416212e-34)
# 1/n! for n = 2 … 5 as pairs and for n = 6 … 10 as doubles, as those terms are below 2^-61 of
# the result.
_PAIRS = (
    (0.5, 0.0),
    (0.16666666666666666, 9.25185853854297e-18),
    (0.041666666666666664, 2.3129646346357427e-18),
    (0.008333333333333333, 1.1564823173178714e-19),
)
_TAIL = (1 / 720, 1 / 5040, 1 / 40320, 1 / 362880, 1 / 3628800)
_HALVINGS = 9


def two_sum(a: Floats, b: Floats) -> Pair:
    """Return fl(a + b) and its rounding error, which is a float64 (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def fast_two_sum(a: Floats, b: Floats) -> Pair:
    """Return fl(a + b) and its rounding error, if abs(a) is at least abs(b) or a is 0 (Dekker)."""
    s = a + b
    return s, b - (s - a)


def split(a: Floats) -> Pair:
    """Return the upper and the lower half of the bits of a, whose products are exact."""
    c = _SPLITTER * a
    high = c - (c - a)
    return high, a - high


def two_prod(a: Floats, b: Floats) -> Pair:
    """Return fl(a·b) and its rounding error; NumPy has no fused multiply-add (Dekker)."""
    p = a * b
    a1, a2 = split(a)
    b1, b2 = split(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def add(x: Pair, y: Pair) -> Pair:
    """Return x + y, good to 3·2^-106 even if x and y cancel (AccurateDWPlusDW)."""
    s, t = two_sum(x[0], y[0])
    u, v = two_sum(x[1], y[1])
    s, t = fast_two_sum(s, t + u)
    return fast_two_sum(s, v + t)


def add_float(x: Pair, y: Floats) -> Pair:
    """Return x + y, good to 2·2^-106 even if x and y cancel (DWPlusFP)."""
    s, t = two_sum(x[0], y)
    return fast_two_sum(s, x[1] + t)


def mul(x: Pair, y: Pair) -> Pair:
    """Return x·y, without the product of the low parts, which is as small as the rounding error."""
    p, e = two_prod(x[0], y[0])
    return fast_two_sum(p, e + (x[0] * y[1] + x[1] * y[0]))


def square(x: Pair) -> Pair:
    """Return x·x, with one splitting where a product needs two."""
    p = x[0] * x[0]
    a, b = split(x[0])
    e = ((a * a - p) + 2 * a * b) + b * b
    return fast_two_sum(p, e + 2 * x[0] * x[1])


def mul_float(x: Floats, y: Pair) -> Pair:
    """Return the product of a float64 and a pair."""
    p, e = two_prod(x, y[0])
    return fast_two_sum(p, e + x * y[1])


def div(x: Pair, y: Pair) -> Pair:
    """Return x/y by long division: three quotients of leading parts, each of the remainder."""
    q1 = x[0] / y[0]
    r = add(x, negative(mul_float(q1, y)))
    q2 = r[0] / y[0]
    r = add(r, negative(mul_float(q2, y)))
    q, low = fast_two_sum(q1, q2)
    return fast_two_sum(q, low + r[0] / y[0])


def negative(x: Pair) -> Pair:
    return -x[0], -x[1]


def expm1_reduced(r: Pair) -> Pair:
    """Return e^r − 1 for |r| < 0.35.

    It is Taylor's series at r/512, followed by nine doublings expm1(2s) = e·(2 + e), e = expm1(s).
    """
    s = r[0] * 2.0**-_HALVINGS, r[1] * 2.0**-_HALVINGS
    tail = np.zeros_like(s[0])
    for coefficient in reversed(_TAIL):
        tail = coefficient + s[0] * tail
    total = tail, np.zeros_like(tail)
    for high, low in reversed(_PAIRS):
        total = add(mul(total, s), (np.full_like(tail, high), np.full_like(tail, low)))
    e = add(s, mul(square(s), total))
    # Doubling expm1 rather than squaring exp keeps the relative precision of results near 0.
    for _ in range(_HALVINGS):
        e = add((2 * e[0], 2 * e[1]), square(e))
    return e


def times_ln2(k: Floats) -> Pair:
    """Return k·ln 2 for whole numbers k."""
    high = two_prod(k, np.full_like(k, LN2[0]))
    middle = two_prod(k, np.full_like(k, LN2[1]))
    return add(high, fast_two_sum(middle[0], middle[1] + k * LN2[2]))
