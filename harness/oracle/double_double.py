"""Compute with numbers good to about 100 bits over any range: double-doubles with an exponent.

`Exact` holds (hi + lo)·2^exponent with hi in [1/2, 1), so that no result depends on the range of
float64 or on a platform's libm. `harness.oracle.pairs` computes with the pairs (hi, lo), and names
the source of the algorithms. Infinities and NaN are stored in hi and obey float64's rules.

Relative errors: add, sub, mul, div below 2^-100, sums below 2^-80 (2^-100 of the terms, unless
more than 19 bits cancel); exp, expm1, log, log1p below 2^-96, for arguments of exp up to 2^10
in magnitude. Each doubling of the argument costs exp one bit more: 2^-95 at 2^11, beyond which
no product of numbers of float64 brings e^x back into range, and 2^-86 at 2^20. The tests compare
all of them with Arb's ball arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import pairs
from .pairs import Floats, Pair
from .powers import Ints, normalised, scaled

ZERO_EXPONENT = -(1 << 40)  # below every other exponent, so that a zero never sets the scale
_EXPONENT_OF_ZERO = np.int64(ZERO_EXPONENT)
_ROOM = 900  # exponents up to it leave float64 room for sums and products with small numbers
_LOST_IN_SUMS = 19  # bits that a sum may lose before it is computed again
_HEADROOM = 900  # sums that are computed again keep 1074 + 900 bits of their largest term
_SMALL = 1024  # elements of a constant that is kept
_TINY_EXPONENT = -110  # expm1(x) = log1p(x) = x to 2^-110 below 2^-110
_EXP_LIMIT = 2.0**20


@dataclass(frozen=True)
class Exact:
    """An array of numbers (hi + lo)·2^exponent; see the module's docstring.

    Attributes:
        hi: the leading parts, float64 of any shape; magnitude in [1/2, 1), or 0, ±inf, NaN.
        lo: the trailing parts, of the same shape; magnitude at most half an ulp of hi.
        exponent: the powers of two, int64 of the same shape.

    >>> tiny = Exact.of([-2000.0]).exp()  # below the smallest number of float64
    >>> tiny.to_float()
    array([0.])
    >>> tiny.log().to_float()
    array([-2000.])
    """

    hi: Floats
    lo: Floats
    exponent: Ints

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        """Return the numbers of an array, any shape, converted to float64 but not rounded more."""
        hi, shift = np.frexp(np.asarray(values, np.float64))
        return cls(hi, np.zeros_like(hi), np.where(hi == 0, _EXPONENT_OF_ZERO, shift))

    @classmethod
    def scaled(cls, hi: ArrayLike, lo: ArrayLike, exponent: ArrayLike) -> Self:
        """Return (hi + lo)·2^exponent, any shape; lo is at most half an ulp of hi."""
        pair = np.asarray(hi, np.float64), np.asarray(lo, np.float64)
        return cls._normal(pair, np.asarray(exponent, np.int64))

    @classmethod
    def _normal(cls, pair: Pair, exponent: Ints) -> Self:
        """Return (hi + lo)·2^exponent with hi brought into [1/2, 1)."""
        hi, lo, shift = normalised(*pair)
        if np.count_nonzero(hi) == hi.size and np.isfinite(hi).all():
            return cls(hi, lo, exponent + shift)
        # A zero gets the least exponent, so that it never sets the common scale of a sum. The low
        # part of an infinity would be NaN.
        zero = hi == 0
        lo = np.where(zero | ~np.isfinite(hi), 0.0, lo)
        return cls(hi, lo, np.where(zero, _EXPONENT_OF_ZERO, exponent + shift))

    @property
    def is_ones_and_zeros(self) -> bool:
        """Whether each number is 0 or 1, so that products with it need no arithmetic."""
        is_one = (self.hi == 0.5) & (self.exponent == 1) & (self.lo == 0)
        return bool((is_one | (self.hi == 0)).all())

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.hi.shape

    @property
    def binade(self) -> Ints:
        """The exponent e of 2^e <= |value| < 2^(e+1), any shape; meaningless for 0, inf and NaN.

        >>> (Exact.of([1.0]) - Exact.of([1e-30])).binade
        array([-1])
        """
        # A number just below a power of two is stored as that power with a negative trailing part.
        opposes = (self.lo != 0) & (np.signbit(self.lo) != np.signbit(self.hi))
        below = (np.abs(self.hi) == 0.5) & opposes
        return self.exponent - 1 - below

    def map(self, function: Callable[[NDArray[np.generic]], NDArray[np.generic]]) -> Exact:
        """Apply a rearrangement (reshape, moveaxis, indexing) to all parts."""
        return Exact(*(np.asarray(function(part)) for part in (self.hi, self.lo, self.exponent)))

    def __getitem__(self, index: Any) -> Exact:
        return self.map(lambda part: part[index])

    def at(self, exponent: Ints) -> Pair:
        """Return (hi, lo) scaled by 2^(own exponent − exponent), which is at most 1."""
        return scaled(self.exponent - exponent, self.hi, self.lo)

    def to_float(self) -> Floats:
        """Return the nearest float64, any shape, except for double rounding of some subnormals."""
        with np.errstate(over="ignore", under="ignore"):
            number = self.hi + self.lo
            return np.asarray(scaled(self.exponent, number, number)[0])

    def __neg__(self) -> Exact:
        return Exact(-self.hi, -self.lo, self.exponent)

    def __abs__(self) -> Exact:
        return where(self.hi < 0, -self, self)

    def __add__(self, other: Exact | float) -> Exact:
        # The smaller operand may lose its last bits by scaling, far below the result's precision.
        other = _exact(other)
        exponent = np.maximum(self.exponent, other.exponent)
        with np.errstate(all="ignore"):
            pair = pairs.add(self.at(exponent), other.at(exponent))
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
            pair = pairs.mul((self.hi, self.lo), (other.hi, other.lo))
            result = Exact._normal(pair, self.exponent + other.exponent)
            return (
                result if _is_finite(result) else _special(result, self.hi * other.hi, self, other)
            )

    def __truediv__(self, other: Exact | float) -> Exact:
        other = _exact(other)
        with np.errstate(all="ignore"):
            # Divided by 1 in place of 0, no NaN arises; these quotients are then replaced.
            divisor = np.where(other.hi == 0, 1.0, other.hi)
            pair = pairs.div((self.hi, self.lo), (divisor, other.lo))
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
        """Return the sums along an axis, which the result does not have; an empty sum is 0.

        >>> Exact.of([1.0, 2.0**-100, -1.0]).sum().to_float() == 2.0**-100
        np.True_
        """
        last = self if axis == -1 else self.map(lambda part: np.moveaxis(part, axis, -1))
        if not last.shape[-1]:
            return Exact.of(np.zeros(last.shape[:-1]))
        exponent = last.exponent.max(axis=-1)
        with np.errstate(all="ignore"):
            # Pairwise, so that the error grows with the logarithm of the number of terms.
            hi, lo = last.at(exponent[..., None])
            while hi.shape[-1] > 1:
                half = hi.shape[-1] // 2
                even = pairs.add(
                    (hi[..., :half], lo[..., :half]),
                    (hi[..., half : 2 * half], lo[..., half : 2 * half]),
                )
                odd = hi[..., 2 * half :], lo[..., 2 * half :]
                hi, lo = (np.concatenate(parts, -1) for parts in zip(even, odd, strict=True))
            result = Exact._normal((hi[..., 0], lo[..., 0]), exponent)
            # The distance from the largest term's exponent is the number of bits that cancelled.
            cancels = (exponent - result.exponent > _LOST_IN_SUMS) & np.isfinite(result.hi)
            if cancels.any():
                result = _added_again(last, exponent, cancels, result)
            if _is_finite(result):
                return result
            plain = last.hi.sum(axis=-1)
            return _special(result, plain, Exact.of(plain))

    def exp(self) -> Exact:
        """Return e^x; beyond ±2^20 the argument is replaced by that limit.

        It is 2^k·e^r with x = k ln 2 + r, where 2^k only changes the exponent. No product with
        float64 numbers brings e^x back into range beyond the limit.
        """
        k, reduced = self._reduced()
        one = np.ones_like(k), np.zeros_like(k)
        with np.errstate(all="ignore"):
            result = Exact._normal(pairs.add(one, pairs.expm1_reduced(reduced)), k.astype(np.int64))
            return _special(result, np.exp(self.hi), self)

    def expm1(self) -> Exact:
        """Return e^x − 1 without cancellation near 0."""
        # Where k = 0 the reduced series is the answer; elsewhere 1 is far from e^x.
        k, reduced = self._reduced()
        with np.errstate(all="ignore"):
            e = pairs.expm1_reduced(reduced)
            result = Exact._normal(e, np.zeros(k.shape, np.int64))
            if k.any():
                one = np.ones_like(k), np.zeros_like(k)
                grown = Exact._normal(pairs.add(one, e), k.astype(np.int64)) - 1.0
                result = where(k == 0, result, grown)
            result = where(self.exponent < _TINY_EXPONENT, self, result)
            return _special(result, np.expm1(self.hi), self)

    def _reduced(self) -> tuple[Floats, Pair]:
        """Return k and r with x = k ln 2 + r, where k is whole and |r| is at most ln 2/2."""
        with np.errstate(all="ignore"):
            high, low = self.at(np.zeros_like(self.exponent))
            # The comparison is negated so that NaN counts as far.
            far = ~(np.abs(high) <= _EXP_LIMIT)
            if far.any():
                limit = np.where(np.isfinite(self.hi), np.sign(self.hi) * _EXP_LIMIT, 0.0)
                high, low = np.where(far, limit, high), np.where(far, 0.0, low)
            k = np.rint(high / pairs.LN2[0])
            return k, pairs.add((high, low), pairs.negative(pairs.times_ln2(k)))

    def log1p(self) -> Exact:
        """Return ln(1 + x) without cancellation near 0, for x > −1/2.

        It is one step from float64's y = log1p(x): y + log1p(z), z = (x − expm1(y))/(1 + expm1(y)).
        """
        # z is about 2^-53 of the result, so that z − z²/2 is log1p(z) to all bits of a pair.
        with np.errstate(all="ignore"):
            start = Exact.of(np.where(np.isfinite(self.hi), np.log1p(self.to_float()), 0.0))
            grown = start.expm1()
            z = (self - grown) / (grown + 1.0)
            result = start + (z - z * z * 0.5)
            result = where(self.exponent < _TINY_EXPONENT, self, result)
            return _special(result, np.log1p(self.hi), self)

    def log(self) -> Exact:
        """Return ln x = ln m + k ln 2 with x = m·2^k; ln 0 = −inf."""
        # With m in [√½, √2) the two terms cannot cancel: k = 0 where x is near 1.
        low = self.hi < 0.7071067811865476
        mantissa = Exact._normal((self.hi, self.lo), low.astype(np.int64))
        exponent = (self.exponent - low).astype(np.float64)
        with np.errstate(all="ignore"):
            near_one = where(self.hi > 0, mantissa - 1.0, Exact.of(np.zeros(self.shape)))
            finite = np.where(self.hi > 0, exponent, 0.0)
            scale = Exact._normal(pairs.times_ln2(finite), np.zeros(self.shape, np.int64))
            result = near_one.log1p() + scale
            result = where(self.hi > 0, result, Exact.of(np.log(self.hi)))
            return _special(result, np.log(self.hi), self)


def _added_again(terms: Exact, exponent: Ints, chosen: NDArray[np.bool_], sums: Exact) -> Exact:
    """Return sums over the last axis, the chosen ones computed from all bits and rounded once.

    Args:
        terms: the addends, shape (…, n).
        exponent: the largest exponent of each sum's addends.
        chosen: the sums to compute again.
        sums: all of the sums so far.
    """
    # math.fsum is correctly rounded; a second pass over the remainder gives the low part. It would
    # overflow or underflow without the common scale.
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
    """Return a power of two by which finite numbers can be divided to be summed in float64.

    It is 1 unless an exponent lies beyond ±900.
    """
    every = [array.exponent[np.isfinite(array.hi) & (array.hi != 0)] for array in arrays]
    largest = max((int(some.max()) for some in every if some.size), default=0)
    beyond = max(largest - _ROOM, 0) + min(largest + _ROOM, 0)
    return 2.0 ** min(max(beyond, -_ROOM), _ROOM)


def where(condition: NDArray[np.bool_], left: Exact, right: Exact) -> Exact:
    """Return the elements of `left` where the condition holds, and those of `right` elsewhere."""
    return Exact(
        np.where(condition, left.hi, right.hi),
        np.where(condition, left.lo, right.lo),
        np.where(condition, left.exponent, right.exponent),
    )


def joined(blocks: Sequence[Exact]) -> Exact:
    """Return arrays below each other, as one array; there is at least one."""
    return Exact(
        np.concatenate([block.hi for block in blocks]),
        np.concatenate([block.lo for block in blocks]),
        np.concatenate([block.exponent for block in blocks]),
    )


def constant(shape: tuple[int, ...], value: float) -> Exact:
    """Return an array that holds one number everywhere; nothing can be written to a small one."""
    if math.prod(shape) > _SMALL:
        return Exact.of(np.full(shape, value))
    return _constant(shape, float(value).hex())


@lru_cache(maxsize=256)
def _constant(shape: tuple[int, ...], bits: str) -> Exact:
    made = Exact.of(np.full(shape, float.fromhex(bits)))
    kept = Exact(np.asarray(made.hi), np.asarray(made.lo), np.asarray(made.exponent))
    for part in (kept.hi, kept.lo, kept.exponent):
        part.setflags(write=False)
    return kept


def _exact(value: Exact | float) -> Exact:
    if isinstance(value, Exact):
        return value
    return constant((), value) if isinstance(value, float) else Exact.of(value)


def _is_finite(result: Exact) -> bool:
    """Return whether all numbers are finite.

    Then the operands of + − × ÷ were finite, too, as pairs of an infinity become NaN.
    """
    return bool(np.isfinite(result.hi).all())


def _special(result: Exact, plain: Floats, *operands: Exact) -> Exact:
    """Return the result, replaced by that of float64's rules where an operand is not finite.

    Args:
        result: computed on pairs.
        plain: computed on the leading parts, by float64's rules.
        operands: the arguments of the operation, in shapes that broadcast to that of the result.
    """
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
