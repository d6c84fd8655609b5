"""Recognise answers by where they are wrong: at a kink, or in numbers that are small next to 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS
from ..answers import GRADIENT_LOGITS, VALUE
from .mistake import of_ignored, of_sigmoid
from .problem import problem_of
from .solved_case import SolvedCase
from .steps import RIGHT, Formula

AT_KINK = "the derivative at exactly 0 is that of a kink, such as that of |x|"
NEXT_TO_1 = (
    "small numbers have only the digits of a number next to 1, as in 1 − σ(−x) or 1 + tanh(x/2)"
)
GRADIENT_NEXT_TO_1 = "small gradients have only the digits of a number next to 1, as in 1 − σ(−x)"
NAN_OF_IGNORED = "ignored rows are multiplied by 0, which leaves their NaN"
_AMPLE = 2.0


def at_kink(
    solved: SolvedCase, quantity: str, answer: NDArray[Any], limit: NDArray[np.float64]
) -> Iterator[str]:
    """Yield that a gradient is wrong at logits of exactly 0, and nowhere else.

    Args:
        solved: the case.
        quantity: the quantity.
        answer: the array that came back.
        limit: how far each element of a right answer may be from the right one.
    """
    x = solved.inputs.values.astype(np.float64)
    right = solved.solution.quantities[quantity].to_float()
    if quantity != GRADIENT_LOGITS or not of_sigmoid(solved.case):
        return
    if not right.shape == x.shape == answer.shape:
        return
    got, counts = answer.astype(np.float64), ~np.isnan(right)
    is_off = counts & ~((got == right) | (np.abs(got - right) <= limit))
    if is_off.any() and (x[is_off] == 0).all() and (counts & (x != 0)).any():
        yield AT_KINK


def nan_of_ignored(solved: SolvedCase, quantity: str, answer: NDArray[Any]) -> Iterator[str]:
    """Yield that an answer is NaN because of the inputs of ignored rows, and wrong nowhere else.

    Args:
        solved: the case.
        quantity: the quantity.
        answer: the array that came back, which is wrong only where it is not finite.
    """
    case, target = solved.case, solved.inputs.target
    if target is None or not of_ignored(case):
        return
    x = solved.inputs.values.astype(np.float64)
    is_bad = ~np.isfinite(x).all(case.class_axis)
    if not is_bad.any() or (is_bad & (target != case.options.ignore_index)).any():
        return
    right, got = solved.solution.quantities[quantity].to_float(), answer.astype(np.float64)
    if right.shape != got.shape:
        return
    rows = np.broadcast_to(np.expand_dims(is_bad, case.class_axis), x.shape)
    allowed = {is_bad.shape: is_bad, x.shape: rows}.get(got.shape, np.True_)
    wrong = (got != right) & ~np.isfinite(got) & ~np.isnan(right)
    if wrong.any() and np.isnan(got[wrong]).all() and not (wrong & ~allowed).any():
        yield NAN_OF_IGNORED


def next_to_1(solved: SolvedCase, quantity: str, answer: NDArray[Any]) -> Iterator[str]:
    """Yield that probabilities are right only as numbers that are added to 1 are.

    So is a gradient that is made of them, in units of its cotangent.

    Args:
        solved: the case.
        quantity: the quantity.
        answer: the array that came back, which is wrong.
    """
    unit = FORMATS[solved.case.dtype].unit_roundoff
    right, got = solved.solution.quantities[quantity].to_float(), answer.astype(np.float64)
    if right.shape != got.shape or not np.isfinite(right).all() or not np.isfinite(got).all():
        return
    if quantity == VALUE and solved.case.operation in ("sigmoid", "softmax"):
        steps = got / (unit / 2)
        if (np.abs(got - right) <= _AMPLE * unit).all() and (steps == np.round(steps)).all():
            yield NEXT_TO_1
    elif quantity == GRADIENT_LOGITS and of_sigmoid(solved.case):
        problem = problem_of(solved.case, solved.inputs, FORMATS[solved.case.dtype])
        size = np.abs(Formula(problem, RIGHT).element_cotangent())
        if (np.abs(got - right) <= _AMPLE * unit * np.maximum(size, np.abs(right))).all():
            yield GRADIENT_NEXT_TO_1
