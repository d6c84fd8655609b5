"""Write an array as one short line for readers, such as `[[0, -inf]]`."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS
from .simplicity import shortest

_REPEATED = 6  # equal parts in a row are written once, with their number
_LISTED = 24  # different parts of a list that are written
_LONGEST = 400  # characters of a line


def array_line(array: NDArray[Any]) -> str:
    """Return an array as one line.

    Args:
        array: of any shape; its dtype is one of the four formats, or another of NumPy.

    Returns:
        Nested lists of the shortest decimals. Many equal parts in a row are written once, with
        their number, and the end of what is too long is left out.

    >>> array_line(np.array([[0.1, -np.inf]], np.float32)), array_line(np.zeros(100))
    ('[[0.1, -inf]]', '[0 (100 times)]')
    """
    line = _line(array)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"


def _line(array: NDArray[Any]) -> str:
    if not array.ndim:
        return _number(array[()])
    parts: list[str] = []
    for text, same in groupby(_line(part) for part in array[:_MOST]):
        times = len(list(same))
        parts += [f"{text} ({times:,} times)"] if times >= _REPEATED else [text] * times
    shown = parts[:_LISTED]
    left = len(array) > _MOST or len(parts) > _LISTED
    return f"[{', '.join(shown)}{', …' if left else ''}]"


_MOST = 100_000  # parts of an axis that are looked at


def _number(number: Any) -> str:
    form = FORMATS.get(number.dtype.name)
    if form is None:
        return str(number.item())
    wide = float(number)
    if not np.isfinite(wide):
        return str(wide)
    text = f"{wide:.5g}" if form.name == "bfloat16" else shortest(wide, form)
    mantissa, e, exponent = text.removesuffix(".0").partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}" if e else mantissa
