"""Extract the inputs behind a verdict: the row of classes with its worst element.

Runs store verdicts and not inputs, which are drawn again from the id of the case.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cases.model import Case, Inputs
from ..errors import RunFileError
from ..harness.runfile import RunFile

SHOWN = 8
_TOO_LARGE = 4_000_000


@dataclass(frozen=True)
class Excerpt:
    """A few numbers of one row of the first argument.

    Attributes:
        numbers: the numbers as text, in order.
        start: position of the first number in the row.
        total: the length of the row.
        worst: position of the worst element in the row, None if it is not a single class.
        target: the target of this row as text.
        row: the position of the row among all rows; empty for a single one.
    """

    numbers: tuple[str, ...]
    start: int
    total: int
    worst: int | None
    target: str
    row: str


def excerpt(run: RunFile, case_id: str, where: str) -> Excerpt | None:
    """Return the inputs at a place, or None if the case cannot be drawn by this version.

    Args:
        run: the run with the case.
        case_id: the id of the case.
        where: index of the worst element of the value or the gradient, in any notation.
    """
    # A run of another version may have families, shapes or dtypes that this one does not know. A
    # finding without its inputs is still worth showing.
    try:
        case = run.case(case_id)
        if math.prod(case.shape) > _TOO_LARGE:
            return None  # drawing millions of numbers would delay the page for eight of them
        return _excerpt(case, case.inputs(), tuple(map(int, re.findall(r"\d+", where))))
    except (RunFileError, ValueError, KeyError, IndexError):
        return None


def _excerpt(case: Case, inputs: Inputs, index: tuple[int, ...]) -> Excerpt | None:
    values = inputs.values
    if not values.size:
        return Excerpt((), 0, 0, None, "", "")
    if not values.ndim:
        return Excerpt((_number(values.ravel()[0]),), 0, 1, None, "", "")
    # Elementwise operations have no classes; the last axis serves as their row.
    axis = case.class_axis if case.contract.reads_classes else values.ndim - 1
    if not index:
        index = _telling_row(values, axis)
    outer, worst = _split(index, values.ndim, axis)
    row = np.moveaxis(values, axis, -1)[outer]
    # The worst element is in the middle of the excerpt, except near the ends of the row. Where the
    # verdict is about a whole row, the element that decides it most stands for it.
    middle = _telling(row) if worst is None else worst
    start = max(0, min(middle - SHOWN // 2, row.size - SHOWN))
    numbers = tuple(map(_number, row[start : start + SHOWN]))
    target = _target(inputs, axis, outer, start)
    rows = values.size // row.size
    which = "" if rows == 1 else f"row {list(outer)}"
    return Excerpt(numbers, start, row.size, worst, target, which)


def _split(index: tuple[int, ...], ndim: int, axis: int) -> tuple[tuple[int, ...], int | None]:
    """Return the index of the row, and the position in it.

    The index of an array of values has all axes, that of a loss or logsumexp all but the classes,
    and that of a scalar none.
    """
    if len(index) == ndim:
        return index[:axis] + index[axis + 1 :], index[axis]
    if len(index) == ndim - 1:
        return index, None
    return (0,) * (ndim - 1), None


def _telling(numbers: np.ndarray[Any, Any]) -> int:
    """Return the position of the first NaN or infinity, else of the largest magnitude."""
    sizes = np.abs(numbers.astype(np.float64))
    return int(np.argmax(np.where(np.isfinite(sizes), sizes, np.inf)))


def _telling_row(values: np.ndarray[Any, Any], axis: int) -> tuple[int, ...]:
    """Return the index of the row that decides an answer most: the one with that element."""
    place = np.unravel_index(_telling(values.ravel()), values.shape)
    index = tuple(map(int, place))
    return index[:axis] + index[axis + 1 :] if values.ndim > 1 else ()


def _target(inputs: Inputs, axis: int, outer: tuple[int, ...], start: int) -> str:
    target = inputs.target
    if target is None:
        return ""
    # A target in the shape of the values has a row like theirs; an index target has one label.
    if target.shape != inputs.values.shape:
        return str(target[outer]) if target.ndim == len(outer) else ""
    row = np.moveaxis(target, axis, -1)[outer]
    shown = " ".join(map(_number, row[start : start + SHOWN]))
    return f"{'… ' if start else ''}{shown}{' …' if start + SHOWN < row.size else ''}"


def _number(value: np.generic) -> str:
    # So many digits identify a number of 16 bits and of float32.
    digits = 5 if value.dtype.itemsize == 2 else 9
    return f"{float(value):.{digits}g}"
