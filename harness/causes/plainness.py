"""Order findings by how easily they are read and repeated."""

from __future__ import annotations

import math

from ...cases.families import is_everyday
from ..runfile import VerdictRow


def plainness(row: VerdictRow) -> tuple[object, ...]:
    """Return a key that is smallest for the finding that is easiest to read and to repeat."""
    sizes = [int(part) for part in row.shape.split("x") if part.isdecimal()]
    return (
        row.mode != "eager",
        row.exact == "an error",  # a number beside a number is read at once
        not is_everyday(row.family),
        row.family != "normal",
        row.dtype != "float32",
        row.dtype != "float64",
        len(row.options),
        math.prod(sizes),
        row.quantity != "value",
        row.case,
    )
