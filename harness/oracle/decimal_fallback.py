"""Recompute results whose terms cancel by coincidence, in decimals with as many digits as needed.

No formula of the oracle cancels by its form, but terms can be equal by chance: a soft target may
be the softmax itself, a logsumexp may be near 0. A result is then good to some 2^-94 of its terms
only. `cancelled` finds the results that lose more than `MOST_LOST` bits, and `recomputed` computes
them again with Python's `decimal`, where exp and ln are correctly rounded on every platform and
exponents are practically unlimited. The digits double until enough of them are left; a numerator
that is 0 without any rounding ends the computation at once.

From pairs to results: exp is good to 2^-95 (see `double_double`), two terms with a few more
roundings to 2^-93.5 of the larger one. Where no more than 19 bits of it are lost, the result is
good to 2^-73.5: 2^-20 ulp of float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, getcontext, localcontext
from functools import lru_cache
from typing import TypeVar

import numpy as np

from .double_double import Exact
from .pairs import Floats
from .powers import Ints
from .solution import Mask

MOST_LOST = 19  # bits
# Beyond 660 digits a result is below 2^-20 ulp for any terms that float64 can hold: it is 0.
DIGITS = (60, 120, 240, 480, 700)
_LEFT = 32  # decimal digits of a result that have to be good: 2^-106, less the errors of sums
_MOST_WORK = 2**18  # numbers that are read for one quantity; suspects beyond it stay as they are
_WIDE_ROW = 2**12
_DIGITS_OF_WIDE_ROWS = DIGITS[:3]  # more would take minutes
_LOG2_10 = math.log2(10)
_T = TypeVar("_T")
_Key = tuple[float, ...]
_Parts = tuple[float, float, int]

Term = tuple[Decimal, Decimal]
"""A result, and the size of the terms that it was computed from."""
ElementTerm = Callable[..., Term]
"""A function of the index of a row and of the numbers of one element."""


def quotient(numerator: Decimal, size: Decimal, divisor: Decimal) -> Term:
    """Return numerator/divisor as a term; of size 0 if the numerator is 0 without rounding.

    A term of size 0 needs no more digits. Any other 0 may be due to too few of them.
    """
    if not numerator and not getcontext().flags[Inexact]:
        return numerator, numerator
    return numerator / divisor, size / abs(divisor)


def once_a_row(function: Callable[[int], _T], kept: int = 1) -> Callable[[int], _T]:
    """Return a function of a row that computes once for each row and number of digits.

    A cached result also restores the context's flag that tells whether its computation rounded.

    Args:
        function: computes a row.
        kept: of how many rows the results are kept.
    """

    @lru_cache(maxsize=kept * len(DIGITS))
    def known(row: int, _: int) -> tuple[_T, bool]:
        result = function(row)
        return result, bool(getcontext().flags[Inexact])

    def remembered(row: int) -> _T:
        context = getcontext()
        result, rounded = known(row, context.prec)
        if rounded:
            context.flags[Inexact] = True
        return result

    return remembered


def cancelled(result: Exact, *terms: Exact, most: int = MOST_LOST) -> Mask:
    """Return the elements of a finite result that lost more bits of their largest term."""
    return lost(result, *(term.exponent for term in terms)) > most


def lost(result: Exact, *exponents: Ints) -> Ints:
    """Return the number of bits between a result and its largest term; 0 if it is not finite.

    Args:
        result: any shape.
        exponents: those of the terms, in shapes that broadcast to that of the result.
    """
    largest = exponents[0]
    for exponent in exponents[1:]:
        largest = np.maximum(largest, exponent)
    return np.where(np.isfinite(result.hi), largest - result.exponent, 0)


def recomputed(
    fast: Exact, suspect: Mask, slow: ElementTerm, *arguments: Floats, classes: int = 1
) -> Exact:
    """Return an array in which the suspects are replaced by results in decimals.

    Args:
        fast: the results so far, shape (R, C).
        suspect: the elements to replace, shape (R, C).
        slow: called with the index of a row and with the element's arguments, in a decimal
            context of the desired precision. It is called once for equal arguments of one row.
        arguments: finite numbers, each of shape (R, C).
        classes: the number of numbers that a row is computed from, in addition to its suspects.
    """
    if not suspect.any():
        return fast
    # Decimals are thousands of times slower, so the work is limited; the first row is always done.
    hi, lo, exponent = fast.hi.copy(), fast.lo.copy(), fast.exponent.copy()
    work = 0
    for row in np.flatnonzero(suspect.any(axis=1)).tolist():
        columns = np.flatnonzero(suspect[row])
        work += classes + len(columns)
        if work > _MOST_WORK and work > classes + len(columns):
            break
        digits = DIGITS if classes <= _WIDE_ROW else _DIGITS_OF_WIDE_ROWS
        numbers = [array[row, columns].tolist() for array in arguments]
        given = list(zip(*numbers, strict=True)) if numbers else [()] * len(columns)
        known = _answers(slow, row, set(given), digits)
        parts = np.array([known[key] for key in given])
        new = Exact.scaled(parts[:, 0], parts[:, 1], parts[:, 2])
        hi[row, columns], lo[row, columns], exponent[row, columns] = new.hi, new.lo, new.exponent
    return Exact(hi, lo, exponent)


def _answers(
    slow: ElementTerm, row: int, keys: set[_Key], digits: Iterable[int]
) -> dict[_Key, _Parts]:
    """Return the results of a row's elements, as pairs with exponents; 0 if no digit is left."""
    found: dict[_Key, _Parts] = {}
    for precision in digits:
        context = Context(precision, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
        with localcontext(context) as current:
            for key in keys - found.keys():
                current.clear_flags()
                value, size = slow(row, *key)
                # The terms are good to `precision` digits, so the result has those that did not
                # cancel: enough if value/size is at least 10^(_LEFT − precision).
                if abs(value).scaleb(precision - _LEFT) >= size:
                    found[key] = _parts(value)
    return found | dict.fromkeys(keys - found.keys(), (0.0, 0.0, 0))


def _parts(value: Decimal) -> _Parts:
    """Return a decimal as a pair with an exponent."""
    if not value:
        return 0.0, 0.0, 0
    # It is near enough to log2 of the value for a pair that neither overflows nor underflows.
    exponent = math.floor(value.adjusted() * _LOG2_10)
    mantissa = value / _power_of_two(exponent, getcontext().prec)
    hi = float(mantissa)
    return hi, float(mantissa - Decimal(hi)), exponent


@lru_cache
def _power_of_two(exponent: int, _: int) -> Decimal:
    return Decimal(2) ** exponent
