"""Plain numbers: which of two is plainer to read, and which plainer ones stand near."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from ...cases.dtypes import Format

Plainness = tuple[int, int, int, bool]
_NOT_PLAIN = (10**6, 0, 0, False)
_FRACTIONS_END = 2.0**52  # float64 holds no fractions beyond


def shortest(number: float, form: Format) -> str:
    """Return the shortest decimal that is this number in its format; the whole one of bfloat16.

    A bfloat16 is written out, as frameworks round decimals to it in different ways.
    """
    if form.name == "bfloat16":
        return repr(float(number))
    return str(form.dtype.type(number))


def plainness(number: float, form: Format) -> Plainness:
    """Return a key that is smaller for plainer numbers: digits, then powers of ten, then signs."""
    if not math.isfinite(number):
        return _NOT_PLAIN
    sign, digits, exponent = Decimal(shortest(number, form)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 -- a finite number has one
    mantissa = int("".join(map(str, digits)))
    return len(digits), abs(exponent), mantissa, bool(sign)


def simpler(number: float, form: Format) -> list[float]:
    """Return plainer numbers, the plainest first: 0, ±1, and what it rounds to."""
    sign = math.copysign(1.0, number)
    tried = [0.0, 1.0, sign, 2 * sign, 100 * sign]
    if math.isfinite(number) and number:
        tried += [float(f"{number:.{digits}e}") for digits in (0, 1, 2)]
        power = math.floor(math.log10(abs(number)))
        tried += [float(f"{int(sign)}e{power}"), float(f"{int(sign)}e{power + 1}")]
    if abs(number) < _FRACTIONS_END:
        tried += [round(parts * number) / parts for parts in (1, 2, 8)]
    rounded = {float(form.round(item)) for item in tried}
    limit = plainness(number, form)
    found = [item for item in rounded if math.isfinite(item) and plainness(item, form) < limit]
    return sorted(found, key=lambda item: plainness(item, form))


def rounded_alike(numbers: np.ndarray, form: Format) -> list[np.ndarray]:
    """Return whole arrays of plainer numbers: zeros, whole numbers, one to three digits."""
    wide = numbers.astype(np.float64)
    finite = np.isfinite(wide)
    some = np.where(finite, wide, 0.0)
    with np.errstate(over="ignore"):
        tried = [np.zeros_like(some), np.rint(some), np.rint(8 * some) / 8]
    tried += [_digits(some, digits) for digits in (0, 1, 2)]
    return [form.round(np.where(finite, item, wide)) for item in tried]


def _digits(numbers: np.ndarray, digits: int) -> np.ndarray:
    flat = [float(f"{number:.{digits}e}") for number in numbers.ravel().tolist()]
    return np.array(flat, np.float64).reshape(numbers.shape)
