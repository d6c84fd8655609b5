"""Take numbers as they are written: as text, decimals, fractions, and numbers of mpmath."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_FRACTIONS = Context(prec=1000)  # no decimal holds 1/3


def written(given: object) -> NDArray[np.object_] | None:
    """Return numbers that are no floats as decimals, without rounding them.

    Args:
        given: nested lists, arrays of objects or of text, or one number.

    Returns:
        An array of `Decimal` in their shape; None where NumPy has numbers of its own for them, or
        where something is no number.

    >>> written(["0.1", 2])
    array([Decimal('0.1'), Decimal('2')], dtype=object)
    >>> written([0.1, 2.0])
    """
    try:
        array = np.asarray(given, None if _is_plain(given) else object)
        if array.dtype.kind not in "OU" or _is_plain(given):
            return None
        return np.asarray(np.frompyfunc(decimal_of, 1, 1)(array), object)
    except (InvalidOperation, TypeError, ValueError, RuntimeError):  # of others' arrays, too
        return None


def decimal_of(number: Any) -> Decimal:
    """Return a number as a decimal.

    Raises:
        TypeError: it is none.
        InvalidOperation: it is a text that is none.

    >>> decimal_of(Fraction(1, 4))
    Decimal('0.25')
    """
    if isinstance(number, Fraction):
        return _OF_FRACTIONS.divide(Decimal(number.numerator), Decimal(number.denominator))
    if hasattr(number, "_mpf_"):
        return _of_binary(number._mpf_, float(number))
    if isinstance(number, np.generic):
        number = number.item()
    return Decimal(number.strip() if isinstance(number, str) else number)


def _of_binary(parts: tuple[int, int, int, int], rounded: float) -> Decimal:
    """Return ±mantissa·2^exponent, as mpmath holds a number."""
    sign, mantissa, exponent, _ = parts
    if not mantissa:
        return Decimal(rounded)  # 0, an infinity or NaN
    whole = int(mantissa) * (1 << exponent if exponent >= 0 else 5**-exponent)
    return Decimal(f"{'-' if sign else ''}{whole}E{min(exponent, 0)}")


def _is_plain(given: object) -> bool:
    """Return whether NumPy, or a framework, has numbers of its own for something."""
    if isinstance(given, list | tuple):
        return all(map(_is_plain, given))
    if isinstance(given, np.ndarray):
        return given.dtype.kind not in "OU"
    return not (isinstance(given, str | Decimal | Fraction) or hasattr(given, "_mpf_"))
