"""Numbers good to about 100 bits over any range: unevaluated pairs with an exponent.

`Exact` holds (hi + lo)·2^exponent with hi in [1/2, 1), so that neither overflow nor
underflow nor a platform's libm touches a result. The building blocks are Dekker's and
Knuth's error-free transformations, as in Joldes, Muller, Popescu, "Tight and rigorous error
bounds for basic building blocks of double-word arithmetic", ACM TOMS 44(2), 2017,
doi 10.1145/3121432. Infinities and NaN stand in hi and obey float64's rules.

Relative errors: add, sub, mul, div below 2^-100, sums below 2^-80 (2^-100 of the terms, unless
more than 19 bits cancel); exp, expm1, log, log1p below 2^-96, for arguments of exp up to 2^10
in magnitude. Each doubling of the argument costs exp one bit more: 2^-95 at 2^11, beyond which
no product of numbers of float64 brings e^x back into range, and 2^-86 at 2^20. The tests hold
them against Arb's ball arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Pair = tuple[Floats, Floats]

ZERO_EXPONENT = -(1 << 40)  # below every other exponent, so that a zero never sets the scale
_EXPONENT_OF_ZERO = np.int64(ZERO_EXPONENT)
_SHIFT_LIMIT = 2000
_ROOM = 900  # exponents up to it leave float64 room for sums and products with small numbers
_LOST_IN_SUMS = 19  # bits that a sum may lose before it is added again
_HEADROOM = 900  # sums that are added again keep 1074 + 900 bits of their largest term
_SPLITTER = 134217729.0  # 2^27 + 1
# ln 2 to 159 bits
_LN2 = (0.6931471805599453, 2.3190468138462996e-17, 5.707708438416212e-34)
# 1/n! for n = 2 … 5 as pairs, for n = 6 … 10 as doubles
_PAIRS = (
    (0.5, 0.0),
    (0.16666666666666666, 9.25185853854297e-18),
    (0.041666666666666664, 2.3129646346357427e-18),
    (0.008333333333333333, 1.1564823173178714e-19),
)
_TAIL = (1 / 720, 1 / 5040, 1 / 40320, 1 / 362880, 1 / 3628800)
_HALVINGS = 9
_TINY_EXPONENT = -110  # expm1(x) = log1p(x) = x to 2^-110 below 2^-110
_EXP_LIMIT = 2.0**20


def _two_sum(a: Floats, b: Floats) -> Pair:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _fast_two_sum(a: Floats, b: Floats) -> Pair:
    s = a + b
    return s, b - (s - a)


def _split(a: Floats) -> Pair:
    c = _SPLITTER * a
    high = c - (c - a)
    return high, a - high


def _two_prod(a: Floats, b: Floats) -> Pair:
    p = a * b
    a1, a2 = _split(a)
    b1, b2 = _split(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def _add(x: Pair, y: Pair) -> Pair:
    s, t = _two_sum(x[0], y[0])
    u, v = _two_sum(x[1], y[1])
    s, t = _fast_two_sum(s, t + u)
    return _fast_two_sum(s, v + t)


def _mul(x: Pair, y: Pair) -> Pair:
    p, e = _two_prod(x[0], y[0])
    return _fast_two_sum(p, e + (x[0] * y[1] + x[1] * y[0]))


def _square(x: Pair) -> Pair:
    p = x[0] * x[0]
    a, b = _split(x[0])
    e = ((a * a - p) + 2 * a * b) + b * b
    return _fast_two_sum(p, e + 2 * x[0] * x[1])


def _mul_float(x: Floats, y: Pair) -> Pair:
    p, e = _two_prod(x, y[0])
    return _fast_two_sum(p, e + x * y[1])


def _div(x: Pair, y: Pair) -> Pair:
    q1 = x[0] / y[0]
    r = _add(x, _negative(_mul_float(q1, y)))
    q2 = r[0] / y[0]
    r = _add(r, _negative(_mul_float(q2, y)))
    q, low = _fast_two_sum(q1, q2)
    return _fast_two_sum(q, low + r[0] / y[0])


def _negative(x: Pair) -> Pair:
    return -x[0], -x[1]


def _expm1_reduced(r: Pair) -> Pair:
    """expm1 of |r| < 0.35: Taylor's series of r/512, then expm1(2s) = e·(2 + e) nine times."""
    s = r[0] * 2.0**-_HALVINGS, r[1] * 2.0**-_HALVINGS
    tail = np.zeros_like(s[0])
    for coefficient in reversed(_TAIL):
        tail = coefficient + s[0] * tail
    total = tail, np.zeros_like(tail)
    for high, low in reversed(_PAIRS):
        total = _add(_mul(total, s), (np.full_like(tail, high), np.full_like(tail, low)))
    e = _add(s, _mul(_square(s), total))
    for _ in range(_HALVINGS):
        e = _add((2 * e[0], 2 * e[1]), _square(e))
    return e


def _times_ln2(k: Floats) -> Pair:
    high = _two_prod(k, np.full_like(k, _LN2[0]))
    middle = _two_prod(k, np.full_like(k, _LN2[1]))
    return _add(high, _fast_two_sum(middle[0], middle[1] + k * _LN2[2]))


@dataclass(frozen=True)
class Exact:
    """An array of numbers (hi + lo)·2^exponent; see the module's docstring.

    Attributes:
        hi: leading parts, magnitude in [1/2, 1), or 0, ±inf, NaN; any shape.
        lo: what is left, magnitude at most half an ulp of hi.
        exponent: powers of two.
    """

    hi: Floats
    lo: Floats
    exponent: Ints

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        """Return float64 values, any shape, without loss."""
        hi, shift = np.frexp(np.asarray(values, np.float64))
        return cls(hi, np.zeros_like(hi), np.where(hi == 0, _EXPONENT_OF_ZERO, shift))

    @classmethod
    def scaled(cls, hi: ArrayLike, lo: ArrayLike, exponent: ArrayLike) -> Self:
        """Return (hi + lo)·2^exponent, any shape; lo is at most half an ulp of hi."""
        pair = np.asarray(hi, np.float64), np.asarray(lo, np.float64)
        return cls._normal(pair, np.asarray(exponent, np.int64))

    @classmethod
    def _normal(cls, pair: Pair, exponent: Ints) -> Self:
        hi, shift = np.frexp(pair[0])
        lo = np.ldexp(pair[1], -shift)
        if np.count_nonzero(hi) == hi.size and np.isfinite(hi).all():
            return cls(hi, lo, exponent + shift)
        zero = hi == 0
        lo = np.where(zero | ~np.isfinite(hi), 0.0, lo)
        return cls(hi, lo, np.where(zero, _EXPONENT_OF_ZERO, exponent + shift))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.hi.shape

    def map(self, function: Callable[[NDArray[np.generic]], NDArray[np.generic]]) -> Exact:
        """Apply a rearrangement (reshape, moveaxis, indexing) to all parts."""
        return Exact(*(np.asarray(function(part)) for part in (self.hi, self.lo, self.exponent)))

    def __getitem__(self, index: Any) -> Exact:
        return self.map(lambda part: part[index])

    def at(self, exponent: Ints) -> Pair:
        """Return (hi, lo) scaled by 2^(own exponent − exponent), which is at most 1."""
        shift = limited(self.exponent - exponent)
        return np.ldexp(self.hi, shift), np.ldexp(self.lo, shift)

    def to_float(self) -> Floats:
        """Return the nearest float64, but for a rare double rounding near the subnormals."""
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(np.ldexp(self.hi + self.lo, limited(self.exponent)))

    def __neg__(self) -> Exact:
        return Exact(-self.hi, -self.lo, self.exponent)

    def __abs__(self) -> Exact:
        return where(self.hi < 0, -self, self)

    def __add__(self, other: Exact | float) -> Exact:
        other = _exact(other)
        exponent = np.maximum(self.exponent, other.exponent)
        with np.errstate(all="ignore"):
            pair = _add(self.at(exponent), other.at(exponent))
            result = Exact._normal(pair, exponent)
            return (
                result if _is_finite(result) else _special(result, self.hi + other.hi, self, other)
            )

    def __sub__(self, other: Exact | float) -> Exact:
        return self + -_exact(other)

    def __rsub__(self, other: float) -> Exact:
        return _exact(other) + -self

    def __mul__(self, other: Exact | float) -> Exact:
        other = _exact(other)
        with np.errstate(all="ignore"):
            pair = _mul((self.hi, self.lo), (other.hi, other.lo))
            result = Exact._normal(pair, self.exponent + other.exponent)
            return (
                result if _is_finite(result) else _special(result, self.hi * other.hi, self, other)
            )

    def __truediv__(self, other: Exact | float) -> Exact:
        other = _exact(other)
        with np.errstate(all="ignore"):
            divisor = np.where(other.hi == 0, 1.0, other.hi)
            pair = _div((self.hi, self.lo), (divisor, other.lo))
            exponent = self.exponent - np.where(other.hi == 0, 0, other.exponent)
            result = Exact._normal(pair, exponent)
            by_zero = other.hi == 0
            if _is_finite(result) and not by_zero.any():
                return result
            plain = self.hi / other.hi
            result = where(by_zero, Exact.of(plain), result)
            return _special(result, plain, self, other)

    def __rtruediv__(self, other: float) -> Exact:
        return _exact(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def sum(self, axis: int = -1) -> Exact:
        """Return the sums along an axis, which vanishes; an empty sum is 0."""
        last = self if axis == -1 else self.map(lambda part: np.moveaxis(part, axis, -1))
        if not last.shape[-1]:
            return Exact.of(np.zeros(last.shape[:-1]))
        exponent = last.exponent.max(axis=-1)
        with np.errstate(all="ignore"):
            hi, lo = last.at(exponent[..., None])
            while hi.shape[-1] > 1:
                half = hi.shape[-1] // 2
                even = _add(
                    (hi[..., :half], lo[..., :half]),
                    (hi[..., half : 2 * half], lo[..., half : 2 * half]),
                )
                odd = hi[..., 2 * half :], lo[..., 2 * half :]
                hi, lo = (np.concatenate(parts, -1) for parts in zip(even, odd, strict=True))
            result = Exact._normal((hi[..., 0], lo[..., 0]), exponent)
            cancels = (exponent - result.exponent > _LOST_IN_SUMS) & np.isfinite(result.hi)
            if cancels.any():
                result = _added_again(last, exponent, cancels, result)
            if _is_finite(result):
                return result
            plain = last.hi.sum(axis=-1)
            return _special(result, plain, Exact.of(plain))

    def exp(self) -> Exact:
        """Return e^x; beyond ±2^20 the result is as good as infinitely large or small."""
        k, reduced = self._reduced()
        one = np.ones_like(k), np.zeros_like(k)
        with np.errstate(all="ignore"):
            result = Exact._normal(_add(one, _expm1_reduced(reduced)), k.astype(np.int64))
            return _special(result, np.exp(self.hi), self)

    def expm1(self) -> Exact:
        """Return e^x − 1 without cancellation near 0."""
        k, reduced = self._reduced()
        with np.errstate(all="ignore"):
            e = _expm1_reduced(reduced)
            result = Exact._normal(e, np.zeros(k.shape, np.int64))
            if k.any():
                one = np.ones_like(k), np.zeros_like(k)
                grown = Exact._normal(_add(one, e), k.astype(np.int64)) - 1.0
                result = where(k == 0, result, grown)
            result = where(self.exponent < _TINY_EXPONENT, self, result)
            return _special(result, np.expm1(self.hi), self)

    def _reduced(self) -> tuple[Floats, Pair]:
        with np.errstate(all="ignore"):
            high, low = self.at(np.zeros_like(self.exponent))
            far = ~(np.abs(high) <= _EXP_LIMIT)
            if far.any():
                limit = np.where(np.isfinite(self.hi), np.sign(self.hi) * _EXP_LIMIT, 0.0)
                high, low = np.where(far, limit, high), np.where(far, 0.0, low)
            k = np.rint(high / _LN2[0])
            return k, _add((high, low), _negative(_times_ln2(k)))

    def log1p(self) -> Exact:
        """Return ln(1 + x) without cancellation near 0, for x > −1/2."""
        with np.errstate(all="ignore"):
            start = Exact.of(np.where(np.isfinite(self.hi), np.log1p(self.to_float()), 0.0))
            grown = start.expm1()
            z = (self - grown) / (grown + 1.0)
            result = start + (z - z * z * 0.5)
            result = where(self.exponent < _TINY_EXPONENT, self, result)
            return _special(result, np.log1p(self.hi), self)

    def log(self) -> Exact:
        """Return ln x; ln 0 = −inf."""
        low = self.hi < 0.7071067811865476
        mantissa = Exact._normal((self.hi, self.lo), low.astype(np.int64))
        exponent = (self.exponent - low).astype(np.float64)
        with np.errstate(all="ignore"):
            near_one = where(self.hi > 0, mantissa - 1.0, Exact.of(np.zeros(self.shape)))
            finite = np.where(self.hi > 0, exponent, 0.0)
            scale = Exact._normal(_times_ln2(finite), np.zeros(self.shape, np.int64))
            result = near_one.log1p() + scale
            result = where(self.hi > 0, result, Exact.of(np.log(self.hi)))
            return _special(result, np.log(self.hi), self)


def _added_again(terms: Exact, exponent: Ints, chosen: NDArray[np.bool_], sums: Exact) -> Exact:
    """Replace the chosen sums over the last axis by ones that are rounded once, from all bits."""
    hi, lo, power = np.array(sums.hi), np.array(sums.lo), np.array(sums.exponent)
    for index in map(tuple, np.argwhere(chosen).tolist()):
        largest = exponent[index] - _HEADROOM
        parts = np.concatenate(terms[index].at(largest)).tolist()
        total = math.fsum(parts)
        low = math.fsum([*parts, -total])
        one = Exact.scaled(total, low, largest)
        hi[index], lo[index], power[index] = one.hi, one.lo, one.exponent
    return Exact(hi, lo, power)


def unit_of(*arrays: Exact) -> float:
    """Return a power of two; finite numbers over it do not overflow in float64's sums."""
    every = [array.exponent[np.isfinite(array.hi) & (array.hi != 0)] for array in arrays]
    largest = max((int(some.max()) for some in every if some.size), default=0)
    beyond = max(largest - _ROOM, 0) + min(largest + _ROOM, 0)
    return 2.0 ** min(max(beyond, -_ROOM), _ROOM)


def limited(shift: Ints) -> NDArray[np.int32]:
    """Return a shift as ldexp takes it, cut where nothing is left anyway."""
    return np.maximum(np.minimum(shift, _SHIFT_LIMIT), -_SHIFT_LIMIT).astype(np.int32)


def where(condition: NDArray[np.bool_], left: Exact, right: Exact) -> Exact:
    """Choose between two arrays, element by element."""
    return Exact(
        np.where(condition, left.hi, right.hi),
        np.where(condition, left.lo, right.lo),
        np.where(condition, left.exponent, right.exponent),
    )


def constant(shape: tuple[int, ...], value: float) -> Exact:
    """Return an array that holds one number everywhere."""
    return Exact.of(np.full(shape, value))


def _exact(value: Exact | float) -> Exact:
    return value if isinstance(value, Exact) else Exact.of(value)


def _is_finite(result: Exact) -> bool:
    """Whether all is finite; then the operands of + − × ÷ were, as pairs of inf hold NaN."""
    return bool(np.isfinite(result.hi).all())


def _special(result: Exact, plain: Floats, *operands: Exact) -> Exact:
    """Where an operand is not finite, take the result that float64's rules give."""
    special = ~np.isfinite(operands[0].hi)
    for operand in operands[1:]:
        special = special | ~np.isfinite(operand.hi)
    if not special.any():
        return result
    shape = np.broadcast_shapes(special.shape, result.shape)
    return where(
        np.broadcast_to(special, shape),
        Exact.of(np.broadcast_to(plain, shape)),
        result,
    )
