"""Propose the part of a case that its verdict points at: one row, and a few of its classes.

Most findings need no more. Where the guess is right, one question replaces a search for the rows
and another for the classes; where it is wrong, it has cost a few.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from ...cases.dtypes import Array
from ...cases.model import Case, Inputs
from ..judging import Verdict
from .reductions import axes_of_rows, cut


def pointed_at(case: Case, verdict: Verdict) -> Iterator[Case]:
    """Yield cases of one row and few classes, of that row, and of those classes.

    Args:
        case: with stored arrays, of which the verdict is about some.
        verdict: the verdict on it.

    >>> case = Case.parse("softmax/float32/4x10/normal/-/0")
    >>> [it.shape for it in pointed_at(case, Verdict("inaccurate", where="[2, 9]"))]
    [(1, 2), (1, 10), (4, 2)]
    """
    if not all(case.shape) or not case.shape:
        return
    place = _place(case, verdict.where)
    row = case
    for axis in axes_of_rows(case):
        row = cut(row, axis, np.array([place[axis]]))
    classes = _classes(row, place[case.class_axis])
    for part in (cut(row, case.class_axis, classes), row, cut(case, case.class_axis, classes)):
        if part.shape != case.shape:
            yield part


def _place(case: Case, where: str) -> list[int]:
    """Return an index of the values: of the worst element, or of the input that stands out."""
    inputs, axis = case.inputs(), case.class_axis
    worst: list[int] = json.loads(where) if where else []
    if len(worst) == len(case.shape) - 1:  # one number for each row
        values = np.moveaxis(inputs.values, axis, -1)[tuple(worst)]
        worst = [*worst[:axis], _striking(values), *worst[axis:]]
    if len(worst) == len(case.shape) and all(
        at < size for at, size in zip(worst, case.shape, strict=True)
    ):
        return worst
    rows = _odd_rows(case, inputs)
    if rows is not None and rows.any():
        found = list(map(int, np.unravel_index(int(rows.argmax()), rows.shape)))
        return [*found[:axis], 0, *found[axis:]]
    at = _striking(inputs.values.ravel())
    return list(map(int, np.unravel_index(at, case.shape)))


def _odd_rows(case: Case, inputs: Inputs) -> Array | None:
    """Return which labels are out of range, or None if there are no labels."""
    if inputs.target is None or case.target_kind != "index":
        return None
    classes, ignored = case.shape[case.class_axis], case.options.ignore_index
    labels = inputs.target
    return np.asarray((labels != ignored) & ((labels < 0) | (labels >= classes)))


def _classes(row: Case, worst: int) -> Array:
    """Return the classes of a case of one row that may matter, at most three, ascending."""
    inputs, axis = row.inputs(), row.class_axis
    found = [worst, _striking(inputs.values.ravel())]
    if inputs.target is not None and row.contract.is_loss:
        target = inputs.target.ravel()
        best = int(target[0]) if row.target_kind == "index" else _striking(target)
        found.append(best)
    return np.array(sorted({at for at in found if 0 <= at < row.shape[axis]}))


def _striking(numbers: Array) -> int:
    """Return the position of the first number that is not finite, else of the largest one."""
    wide = numbers.astype(np.float64)
    wild = ~np.isfinite(wide)
    return int((wild if wild.any() else wide).argmax())
