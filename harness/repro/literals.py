"""Write arrays as program text that evaluates to the same bits.

Short arrays are written as nested lists of decimal numbers. Arrays that are long, or whose bits
decimals do not give back (a NaN with a payload), are written as compressed bytes.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from ...backends.dialect import ScriptDialect
from ...cases.dtypes import FORMATS, Array
from .simplicity import shortest

_FULL = 16  # from this many equal elements on, the array is written as one number
_LISTED = 4096  # up to this many elements, the numbers are written out
_WIDTH = 96


def array_text(array: Array, dialect: ScriptDialect, device: str) -> str:
    """Return an expression that evaluates to the framework's array with the same bits.

    Args:
        array: of any shape; its dtype is one of the four formats, or an integer dtype.
        dialect: writes the expressions of the framework.
        device: `cpu` or `gpu`.

    Returns:
        One expression, which may span several lines. It may need the modules `modules_needed`
        lists.
    """
    dtype = dialect.dtype(array.dtype.name)
    if not array.size or (array.size >= _FULL and _is_uniform(array)):
        number = _number(array.ravel()[0]) if array.size else "0"
        return dialect.filled(array.shape, number, dtype, device)
    if array.size <= _LISTED and _survives(array):
        return dialect.listed(_listed(array), dtype, device)
    return dialect.converted(_packed(array), dtype, device)


def _is_uniform(array: Array) -> bool:
    # Bytes are compared and not numbers: 0 equals -0, and no NaN equals itself.
    flat = np.ascontiguousarray(array).reshape(-1)
    one = flat[:1].tobytes()
    return flat.tobytes() == one * flat.size and _survives(flat[:1])


def _number(number: Any) -> str:
    form = FORMATS.get(number.dtype.name)
    if form is None:
        return str(int(number))
    wide = float(number)
    if np.isnan(wide):
        return "np.nan"
    if np.isinf(wide):
        return "np.inf" if wide > 0 else "-np.inf"
    plain = shortest(wide, form)
    # Some frameworks convert float64 to 16 bits through float32, which rounds twice. The short
    # decimal is used only if both conversions give the number back.
    ways = [float(plain)]
    if form.name in ("float16", "bfloat16"):
        ways.append(float(np.float32(plain)))
    same = all(form.round(way).tobytes() == number.tobytes() for way in ways)
    mantissa, e, exponent = (plain if same else repr(wide)).partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def _survives(array: Array) -> bool:
    """Return whether the numbers written as decimals give the same bits.

    They do not for a NaN with another payload or sign than `np.nan`.
    """
    form = FORMATS.get(array.dtype.name)
    if form is None:
        return array.dtype.kind in "iu"
    nan = {"np.nan": np.nan, "np.inf": np.inf, "-np.inf": -np.inf}
    texts = [_number(number) for number in array.ravel()]
    back = np.array([nan[text] if text in nan else float(text) for text in texts])
    return form.round(back).tobytes() == np.ascontiguousarray(array).tobytes()


def _listed(array: Array, indent: int = 0) -> str:
    """Return nested lists of numbers, one row to a line where a line would be too long."""
    if not array.ndim:
        return _number(array[()])
    if not array.size:
        return repr(array.tolist())
    parts = [_listed(part, indent + 4) for part in array]
    line = f"[{', '.join(parts)}]"
    if len(line) + indent <= _WIDTH and "\n" not in line:
        return line
    pad = " " * (indent + 4)
    if array.ndim > 1:
        rows = "".join(f"{pad}{part},\n" for part in parts)
        return f"[\n{rows}{' ' * indent}]"
    return f"[\n{_wrapped(parts, pad)}{' ' * indent}]"


def _wrapped(parts: list[str], pad: str) -> str:
    lines = [pad]
    for part in parts:
        if len(lines[-1]) + len(part) > _WIDTH:
            lines.append(pad)
        lines[-1] += f"{part}, "
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _packed(array: Array) -> str:
    """Return the expression of a NumPy array from its compressed bytes.

    A bfloat16 array is written as float32, which holds its numbers exactly, because NumPy
    itself has no bfloat16.
    """
    plain = array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    data = base64.b85encode(zlib.compress(np.ascontiguousarray(plain).tobytes(), 9)).decode()
    lines = "".join(
        f"    {data[at : at + _WIDTH - 6]!r}\n" for at in range(0, len(data), _WIDTH - 6)
    )
    name = plain.dtype.name
    return (
        f"np.frombuffer(zlib.decompress(base64.b85decode(\n{lines})), np.{name})"
        f".reshape({array.shape})"
    )


def modules_needed(text: str) -> list[str]:
    """Return the import statements of the standard library that array expressions need.

    Args:
        text: lines of a script that may contain results of `array_text`.

    >>> modules_needed("zlib.decompress(data)")
    ['import zlib']
    """
    return [f"import {name}" for name in ("base64", "zlib") if f"{name}." in text]
