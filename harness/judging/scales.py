"""Name the constant by which an answer is too large or too small everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .solved_case import SolvedCase
from .traced import Approx

_FEW = 3  # elements of which one ratio is no accident
_DIGITS = 6
_LOOSE = 2.0**10  # units of the roundoff: with a larger error, some ratio fits by accident
_ROUND = tuple(
    sorted({factor * 10.0**power for power in range(7) for factor in (1, 2, 4, 5, 8)} | {3.0, 16.0})
)


def constant_ratio(
    solved: SolvedCase, right: Approx, answer: NDArray[Any], roundoff: float
) -> Iterator[str]:
    """Yield a sentence about the one ratio of an answer to a formula, if there is one.

    A single number has a ratio by nature, so that of few numbers only a ratio is named that is a
    whole number of the case, or a round one.

    Args:
        solved: the case.
        right: what the formula gives, with its error in units of the roundoff.
        answer: the array that came back.
        roundoff: that unit.
    """
    if right.value.shape != answer.shape:
        return
    got, due = answer.astype(np.float64).ravel(), right.value.astype(np.float64).ravel()
    error = np.nan_to_num(right.error.astype(np.float64).ravel(), nan=0.0, posinf=0.0)
    limit = 4 * roundoff * (error + np.abs(np.nan_to_num(due, posinf=0, neginf=0)))
    defined = ~np.isnan(due)
    got, due, limit = got[defined], due[defined], limit[defined]
    if not np.isfinite(got).all() or not np.isfinite(due).all() or not (np.abs(due) > limit).any():
        return
    # The element that is known best decides, and all others have to follow it.
    best = int(np.argmax(np.abs(due) - limit))
    ratio = got[best] / due[best]
    slack = limit[best] / abs(due[best]) * 4
    if slack > _LOOSE * roundoff and (np.abs(due) > limit).sum() < _FEW:
        return
    for size, text in _names(solved):
        if abs(ratio / size - 1) <= slack and _follows(got, due, size, limit):
            yield text
            return
    if (np.abs(due) > limit).sum() < _FEW or abs(ratio - 1) <= slack or not ratio:
        return
    shown = float(f"{ratio:.{_DIGITS}g}")
    if shown != 1 and _follows(got, due, ratio, limit * (2 + abs(ratio))):
        yield _times(shown)


def _follows(got: Any, due: Any, ratio: float, limit: Any) -> bool:
    return bool((np.abs(got - ratio * due) <= limit * max(abs(ratio), 1.0) * 2).all())


def _names(solved: SolvedCase) -> Iterator[tuple[float, str]]:
    """Yield the ratios that have a name, simple ones first."""
    case = solved.case
    size = float(np.prod(case.shape))
    classes = float(case.shape[case.class_axis]) if case.shape else 1.0
    batch = float(case.shape[0]) if case.shape else 1.0
    named = {
        "N": batch, "C": classes, "the number of rows": size / max(classes, 1.0),
        "the number of elements": size,
    }  # fmt: skip
    for name, number in named.items():
        if number > 1:
            yield number, f"{name} times too large ({name} = {number:g})"
            yield 1 / number, f"{name} times too small ({name} = {number:g})"
    for number in _ROUND:
        if number != 1:
            yield number, _times(number)
            yield 1 / number, _times(1 / number)
        yield -number, _times(-number)


def _times(ratio: float) -> str:
    size, sign = abs(ratio), ", with the wrong sign" if ratio < 0 else ""
    if size == 1:
        return "the sign is wrong"
    text = f"{size:g} times too large" if size > 1 else f"{1 / size:g} times too small"
    return text + sign
