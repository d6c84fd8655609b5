"""Order numbers by simplicity, and propose simpler numbers near a number.

A reader understands 0, 1 or 0.5 at once and -0.7310586 not at all. Shrinking therefore replaces
numbers with simpler ones while the verdict stays, as Hypothesis does.
"""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from ...cases.dtypes import Format

Plainness = tuple[int, int, int, bool]
_NOT_PLAIN = (10**6, 0, 0, False)
_FRACTIONS_END = 2.0**52  # float64 holds no fractions beyond


def shortest(number: float, form: Format) -> str:
    """Return the shortest decimal that rounds to this number in its format.

    Args:
        number: a float64 that the format represents exactly.
        form: one of the four formats. Of bfloat16 all digits are returned, because frameworks
            round decimals to it in different ways.

    >>> from lossdiff.cases.dtypes import FORMATS
    >>> shortest(0.10000000149011612, FORMATS["float32"])
    '0.1'
    """
    if form.name == "bfloat16":
        return repr(float(number))
    return str(form.dtype.type(number))


def plainness(number: float, form: Format) -> Plainness:
    """Return a key that is smaller for simpler numbers.

    It compares the count of digits, the distance of the exponent from 0, the digits, and the sign,
    in this order. A NaN or an infinity has the largest key.

    >>> from lossdiff.cases.dtypes import FORMATS
    >>> plainness(0.5, FORMATS["float64"]) < plainness(0.75, FORMATS["float64"])
    True
    """
    if not math.isfinite(number):
        return _NOT_PLAIN
    sign, digits, exponent = Decimal(shortest(number, form)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 -- a finite number has one
    mantissa = int("".join(map(str, digits)))
    return len(digits), abs(exponent), mantissa, bool(sign)


def simpler(number: float, form: Format) -> list[float]:
    """Return simpler numbers near a number, the simplest first.

    Candidates are 0, 1, numbers of the same sign, powers of ten, the number rounded to one to
    three digits, and the nearest whole number, half and eighth.

    >>> from lossdiff.cases.dtypes import FORMATS
    >>> simpler(3.25, FORMATS["float64"])[:3]
    [0.0, 1.0, 2.0]
    """
    sign = math.copysign(1.0, number)
    tried = [0.0, 1.0, sign, 2 * sign, 100 * sign]
    if math.isfinite(number) and number:
        tried += [float(f"{number:.{digits}e}") for digits in (0, 1, 2)]
        power = math.floor(math.log10(abs(number)))
        tried += [float(f"{int(sign)}e{power}"), float(f"{int(sign)}e{power + 1}")]
    if abs(number) < _FRACTIONS_END:
        tried += [round(parts * number) / parts for parts in (1, 2, 8)]
    # Only what the format holds can stand in an array; the limit guarantees that shrinking ends.
    rounded = {float(form.round(item)) for item in tried}
    limit = plainness(number, form)
    found = [item for item in rounded if math.isfinite(item) and plainness(item, form) < limit]
    return sorted(found, key=lambda item: plainness(item, form))


def rounded_alike(numbers: np.ndarray, form: Format) -> list[np.ndarray]:
    """Return arrays whose elements are all simpler in the same way.

    Trying an array at once saves a question for each element.

    Args:
        numbers: any shape, of the dtype of `form`; what is not finite stays.
        form: one of the four formats.

    Returns:
        Zeros, whole numbers, eighths, and one to three digits, in this order; each of the shape
        and dtype of `numbers`.
    """
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
