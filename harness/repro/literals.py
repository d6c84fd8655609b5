"""Arrays as program text that gives the same bits."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from ...backends.dialect import ScriptDialect
from ...cases.dtypes import FORMATS, Array
from .simplicity import shortest

_FULL = 16  # elements from which on equal ones are not repeated
_LISTED = 4096  # elements up to which numbers are written out
_WIDTH = 96


def array_text(array: Array, dialect: ScriptDialect, device: str) -> str:
    """Return an expression for an array of a framework, bit for bit the same.

    Args:
        array: any shape; one of the four formats, or whole numbers.
        dialect: how the framework is written.
        device: `cpu` or `gpu`.
    """
    dtype = dialect.dtype(array.dtype.name)
    if not array.size or (array.size >= _FULL and _is_uniform(array)):
        number = _number(array.ravel()[0]) if array.size else "0"
        return dialect.filled(array.shape, number, dtype, device)
    if array.size <= _LISTED and _survives(array):
        return dialect.listed(_listed(array), dtype, device)
    return dialect.converted(_packed(array), dtype, device)


def _is_uniform(array: Array) -> bool:
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
    # Some go from float64 to 16 bits by way of float32: both ways must lead back.
    ways = [float(plain)]
    if form.name in ("float16", "bfloat16"):
        ways.append(float(np.float32(plain)))
    same = all(form.round(way).tobytes() == number.tobytes() for way in ways)
    mantissa, e, exponent = (plain if same else repr(wide)).partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def _survives(array: Array) -> bool:
    """Whether the numbers written out give the same bits; a NaN may have others."""
    form = FORMATS.get(array.dtype.name)
    if form is None:
        return array.dtype.kind in "iu"
    nan = {"np.nan": np.nan, "np.inf": np.inf, "-np.inf": -np.inf}
    texts = [_number(number) for number in array.ravel()]
    back = np.array([nan[text] if text in nan else float(text) for text in texts])
    return form.round(back).tobytes() == np.ascontiguousarray(array).tobytes()


def _listed(array: Array, indent: int = 0) -> str:
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
    """A NumPy array of the bytes, compressed; bfloat16 as the upper half of float32."""
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
    """Return the import statements of the standard library that array expressions need."""
    return [f"import {name}" for name in ("base64", "zlib") if f"{name}." in text]
