"""Multiply matrices without rounding: in slices of few bits, whose products float64 holds exactly.

Each row of the left factor and each column of the right one is divided by a power of two, and cut
into slices of whole numbers so short that a sum of products of two slices has at most 53 bits. No
such sum is rounded, in whatever order a library adds it up; the sums of slices are then added in
pairs. The method is that of Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix
multiplication by using fast routines of matrix multiplication and its applications", Numerical
Algorithms 59(1), 2012, doi 10.1007/s11075-011-9478-1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from . import pairs
from .double_double import ZERO_EXPONENT, Exact, joined
from .pairs import Floats, Pair
from .powers import Ints
from .solution import Mask

_SIGNIFICAND = 53
_TOGETHER = 4  # products of slices that float64 adds up, for which two bits are kept
_WIDEST = 900  # bits from the largest number of a row to its smallest
_COVERED = 112  # bits of a factor that is rounded already
_LEFT_OF_SUM = 76  # bits of a sum that have to be good
_BLOCK = 2**15  # numbers that the cache holds while they are added
_LOWEST = 16  # rows of a block, so that a product reads its right factor seldom


@dataclass(frozen=True)
class Sliced:
    """Rows of numbers Σ_k slices[k]·2^(exponent − (k + 1)·bits).

    Attributes:
        slices: whole numbers of a magnitude up to 2^bits, each of shape (R, I).
        exponent: that of each row, shape (R,).
        bits: of a slice.
        is_whole: whether nothing is left of the rows; else each number lacks at most
            2^(exponent − len(slices)·bits).
    """

    slices: tuple[Floats, ...]
    exponent: Ints
    bits: int
    is_whole: bool

    def of(self, rows: slice) -> Sliced:
        """Return some of the rows."""
        slices = tuple(part[rows] for part in self.slices)
        return replace(self, slices=slices, exponent=self.exponent[rows])


def bits_for(terms: int) -> int:
    """Return the bits of slices whose products are added exactly, in sums of so many terms.

    >>> bits_for(512)
    21
    """
    return (_SIGNIFICAND - max(terms - 1, 0).bit_length() - (_TOGETHER - 1).bit_length()) // 2


def sliced(rows: Exact, bits: int, most: int) -> Sliced:
    """Return finite numbers, shape (R, I), in slices.

    Args:
        rows: the numbers.
        bits: of a slice.
        most: slices that are made, if fewer do not hold all bits.
    """
    largest = rows.exponent.max(axis=1, initial=ZERO_EXPONENT)
    exponent = np.where(largest == ZERO_EXPONENT, 0, largest)
    least = np.where(rows.hi == 0, exponent[:, None], rows.exponent)
    is_near = bool((exponent[:, None] - least < _WIDEST).all())
    high, low = rows.at(exponent[:, None])
    slices: list[Floats] = []
    while len(slices) < most:
        high = high * 2.0**bits
        part = np.rint(high)
        high = high - part
        place = len(slices) + 1
        if place * bits > _SIGNIFICAND and low.any():  # before, all of it is below one half
            rest = np.rint(low * 2.0 ** (place * bits))
            part, low = part + rest, low - rest * 2.0 ** (-place * bits)
        slices.append(part)
        if not (high.any() or low.any()):
            break
    is_whole = is_near and not bool(high.any() or low.any())
    return Sliced(tuple(slices), exponent, bits, is_whole)


def products(left: Sliced, right: Sliced, depth: int) -> list[Floats]:
    """Return exact parts of a matrix product, the largest first, each of shape (R, J).

    They are in units of 2^(exponent of the row + exponent of the column).

    Args:
        left: the rows of the left factor, shape (R, I).
        right: the columns of the right factor, shape (J, I), in slices of as many bits.
        depth: products of slices k and l are left out where k + l is at least so much.
    """
    found = []
    for total in range(min(depth, len(left.slices) + len(right.slices) - 1)):
        first = max(0, total - len(right.slices) + 1)
        chosen = range(first, min(total + 1, len(left.slices)))
        for start in range(0, len(chosen), _TOGETHER):
            some = chosen[start : start + _TOGETHER]
            part = sum(left.slices[k] @ right.slices[total - k].T for k in some)
            found.append(np.asarray(part) * 2.0 ** (-(total + 2) * left.bits))
    return found


def exponents_of(left: Sliced, right: Sliced) -> Ints:
    """Return the exponents of the units of a product, shape (R, J)."""
    return left.exponent[:, None] + right.exponent


def distilled(parts: list[Floats]) -> list[Floats]:
    """Return numbers of the same exact sum, of which each is far smaller than the one before.

    Args:
        parts: arrays of one shape, roughly from the largest to the smallest.
    """
    parts = list(parts)
    for _ in parts:
        for place in range(len(parts) - 1, 0, -1):
            parts[place - 1], parts[place] = pairs.two_sum(parts[place - 1], parts[place])
        if not any(part.any() for part in parts[2:]):
            break
    return parts


def product(left: Exact, right: Floats) -> tuple[Exact, Mask, Ints]:
    """Return a matrix product of finite numbers, rounded to pairs.

    With slices of b bits, K of the left factor and L of the right one, a sum of I terms lacks less
    than I·(L + 4)·2^(−K·b) of its unit: what either factor has beyond its slices, and the products
    of slices k + l ≥ K. Nothing is lacking where no such bits exist. All sums of pairs but the last
    are of numbers below 2·I·2^-b, and are rounded to 2^-104 of them.

    Args:
        left: the left factor, shape (R, I), which may be rounded itself.
        right: the right factor, shape (I, J).

    Returns:
        The product, shape (R, J); whether it is good to 2^-76 of itself; and the exponents of the
        sums of the terms' sizes.
    """
    bits = bits_for(len(right))
    columns = sliced(Exact.of(right.T), bits, _slices_of(bits))
    size = np.abs(np.ldexp(right, -columns.exponent[None, :]))
    blocks = [_block(left[some], columns, size) for some in blocks_of(len(left.hi), len(right.T))]
    good, sizes = (np.concatenate([block[i] for block in blocks]) for i in (1, 2))
    return joined([block[0] for block in blocks]), good, sizes


def blocks_of(rows: int, columns: int) -> Iterator[slice]:
    """Yield blocks of rows of a matrix that a cache holds."""
    height = max(_LOWEST, _BLOCK // max(columns, 1))
    for start in range(0, rows, height):
        yield slice(start, start + height)


def _slices_of(bits: int) -> int:
    """Return how many slices of a number that is rounded already are made."""
    return -(-_COVERED // bits)


def _block(left: Exact, columns: Sliced, size: Floats) -> tuple[Exact, Mask, Ints]:
    """Return some rows of a product, as `product` does.

    Args:
        left: some rows of the left factor.
        columns: the columns of the right factor.
        size: the magnitudes of the right factor in units of its columns, shape (I, J).
    """
    most, (terms, _) = _slices_of(columns.bits), size.shape
    rows = sliced(left, columns.bits, most)
    parts, unit = products(rows, columns, most), exponents_of(rows, columns)
    total: Pair = parts[-1], np.zeros_like(parts[-1])
    for part in reversed(parts[:-1]):
        total = pairs.add_float(total, part)
    beyond = len(rows.slices) + len(columns.slices) - 1 > most
    is_complete = rows.is_whole and columns.is_whole and not beyond
    lacking = 0.0 if is_complete else (len(columns.slices) + 4) * 2.0 ** (-most * columns.bits)
    lacking = terms * (lacking + 2.0 ** (-columns.bits - 103))
    is_zero = ~np.asarray(left.hi.any(axis=1))[:, None] | ~np.asarray(size.any(axis=0))
    is_good = (np.abs(total[0]) * 2.0**-_LEFT_OF_SUM >= lacking) | is_zero
    sizes = Exact.of(np.abs(left.at(rows.exponent[:, None])[0]) @ size)
    exponents = np.where(is_zero, ZERO_EXPONENT, sizes.exponent + unit)
    return Exact.scaled(*total, unit), is_good, exponents
