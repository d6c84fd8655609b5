"""The inputs behind a verdict: the row of classes that holds its worst element."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

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
        numbers: what is shown, in order.
        start: position of the first of them.
        total: how many the row has.
        worst: position of the worst element in the row, None if it is no single class.
        target: what the target says for this row.
        row: which row it is, of how many.
    """

    numbers: tuple[str, ...]
    start: int
    total: int
    worst: int | None
    target: str
    row: str


def excerpt(run: RunFile, case_id: str, where: str) -> Excerpt | None:
    """Return the inputs at a place, or None if the case cannot be made again here.

    Args:
        run: the run that holds the case.
        case_id: its id.
        where: index of the worst element of the value or the gradient, in any notation.
    """
    try:
        case = run.case(case_id)
        if math.prod(case.shape) > _TOO_LARGE:
            return None
        return _excerpt(case, case.inputs(), tuple(map(int, re.findall(r"\d+", where))))
    except (RunFileError, ValueError, KeyError, IndexError):
        return None


def _excerpt(case: Case, inputs: Inputs, index: tuple[int, ...]) -> Excerpt | None:
    values = inputs.values
    if not values.size:
        return Excerpt((), 0, 0, None, "", "")
    if not values.ndim:
        return Excerpt((_number(values.ravel()[0]),), 0, 1, None, "", "")
    axis = case.class_axis if case.contract.reads_classes else values.ndim - 1
    outer, worst = _split(index, values.ndim, axis)
    row = np.moveaxis(values, axis, -1)[outer]
    start = max(0, min((worst or 0) - SHOWN // 2, row.size - SHOWN))
    numbers = tuple(map(_number, row[start : start + SHOWN]))
    target = _target(inputs, axis, outer, start)
    rows = values.size // row.size
    which = "" if rows == 1 else f"row {list(outer)}" if index else f"first of {rows} rows"
    return Excerpt(numbers, start, row.size, worst, target, which)


def _split(index: tuple[int, ...], ndim: int, axis: int) -> tuple[tuple[int, ...], int | None]:
    """Return the index of the row, and the position in it."""
    if len(index) == ndim:
        return index[:axis] + index[axis + 1 :], index[axis]
    if len(index) == ndim - 1:
        return index, None
    return (0,) * (ndim - 1), None


def _target(inputs: Inputs, axis: int, outer: tuple[int, ...], start: int) -> str:
    target = inputs.target
    if target is None:
        return ""
    if target.shape != inputs.values.shape:
        return str(target[outer]) if target.ndim == len(outer) else ""
    row = np.moveaxis(target, axis, -1)[outer]
    shown = " ".join(map(_number, row[start : start + SHOWN]))
    return f"{'… ' if start else ''}{shown}{' …' if start + SHOWN < row.size else ''}"


def _number(value: np.generic) -> str:
    digits = 5 if value.dtype.itemsize == 2 else 9
    return f"{float(value):.{digits}g}"
