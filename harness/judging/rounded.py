"""Recognise answers that were computed in a narrower format than that of their dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS, Format
from ..answers import VALUE
from ..bounds import SOUND
from .problem import Problem, problem_of
from .solved_case import SolvedCase
from .steps import RIGHT, Formula, Pair, changed
from .traced import Traced, held, log, sigmoid

_FEW = 3  # elements that are no numbers of the narrower format by accident
_INSIDE = {
    "float64": ("float32", "bfloat16", "float16"),
    "float32": ("bfloat16", "float16"),
}
_AMPLE, _LEAST_OFF = 4.0, 2.0**-5
_LOGARITHMS = {
    "log_softmax": "the logarithm of a rounded softmax",
    "cross_entropy": "the logarithm of a rounded softmax",
    "linear_cross_entropy": "the logarithm of a rounded softmax",
    "log_sigmoid": "the logarithm of a rounded sigmoid",
    "binary_cross_entropy_with_logits": "the logarithm of a rounded sigmoid",
}


def _logs(problem: Problem, x: Traced) -> Pair:
    p = held(sigmoid(x), problem.inner)
    return log(p), log(-p + 1.0)


_OF_PROBABILITY = changed(log_p=lambda _problem, _x, p, _d: log(p), logs=_logs)


def rounded_inside(solved: SolvedCase, quantity: str, answer: NDArray[Any]) -> Iterator[str]:
    """Yield the narrower format in which an answer was computed, if it looks like that.

    Either every element is a number of that format, or the errors are too large for the dtype and
    within those of a computation in that format.

    Args:
        solved: the case.
        quantity: the quantity.
        answer: the array that came back.
    """
    right = solved.solution.quantities[quantity].to_float()
    if right.shape != answer.shape:
        return
    counts, wide = np.isfinite(right), answer.astype(np.float64)
    got, due = wide[counts], right[counts]
    special = ~counts & ~np.isnan(right)
    if not got.size or not np.isfinite(got).all() or (wide[special] != right[special]).any():
        return
    error = _error_of(solved, quantity)[counts]
    # What is wrong by more than a computation in the dtype itself explains is looked at only.
    own = _AMPLE * FORMATS[solved.case.dtype].unit_roundoff * (error + np.abs(due))
    if (np.abs(got - due) <= own).all():
        return

    def is_within(form: Format, error: NDArray[np.float64]) -> bool:
        limit = _AMPLE * form.unit_roundoff * (error + np.abs(due)) + form.smallest
        return bool((np.abs(got - due) <= limit).all())

    formats = [FORMATS[name] for name in _INSIDE.get(solved.case.dtype, ())]
    for form in formats:
        if is_within(form, error) and _are_of(got, form):
            yield f"rounded to {form.name}"
            return
    told = [it for it in formats if it.name == "float32" or got.size >= _FEW]
    # A bound of 16 bits explains nearly everything, where it is that of a long sum.
    few = np.minimum(error, np.abs(due))
    for form in sorted(told, key=lambda it: it.unit_roundoff):
        is_told = is_within(form, error if form.name == "float32" else few)
        if is_told and _are_off(got, due, form):
            yield f"computed in {form.name} inside"
            return


def logarithm_of_rounded(solved: SolvedCase, quantity: str, answer: NDArray[Any]) -> Iterator[str]:
    """Yield that the logarithm of a rounded probability was taken, if it looks like that.

    Such a logarithm loses the digits next to 1, and is −inf where the probability underflows.

    Args:
        solved: the case.
        quantity: the quantity.
        answer: the array that came back.
    """
    name = _LOGARITHMS.get(solved.case.operation)
    if name is None or quantity != VALUE:
        return
    form = FORMATS[solved.case.dtype]
    formula = Formula(problem_of(solved.case, solved.inputs, form), _OF_PROBABILITY)
    approx, got = formula.value.approx, answer.astype(np.float64)
    if approx.value.shape != got.shape:
        return
    value = approx.value.astype(np.float64)
    error = np.nan_to_num(approx.error.astype(np.float64), nan=0.0, posinf=0.0)
    limit = form.unit_roundoff * (error + np.abs(np.nan_to_num(value, posinf=0.0, neginf=0.0)))
    near = (got == value) | (np.abs(got - value) <= limit) | np.isnan(value)
    if near.all() and (solved.case.contract.is_loss or _are_logarithms(got, form)):
        yield name


def _are_logarithms(got: NDArray[np.float64], form: Format) -> bool:
    """Return whether all numbers are logarithms of numbers of a format."""
    again = np.log(form.round(np.exp(got)).astype(np.float64))
    near = np.abs(again - got) <= 4 * form.unit_roundoff * np.abs(got)
    return bool((near | (again == got) | np.isnan(got)).all())


def _are_of(numbers: NDArray[np.float64], form: Format) -> bool:
    """Return whether all numbers are of a format, and enough to tell."""
    enough = (numbers != 0).sum() >= _FEW or form.precision <= FORMATS["float32"].precision
    return bool(enough and (form.round(numbers).astype(np.float64) == numbers).all())


def _are_off(got: NDArray[np.float64], due: NDArray[np.float64], form: Format) -> bool:
    """Return whether most numbers that are none of a format are wrong by as much as in it."""
    others = form.round(got).astype(np.float64) != got
    off = np.abs(got - due)[others] > _LEAST_OFF * form.unit_roundoff * np.abs(due)[others]
    return bool(2 * off.sum() >= off.size)


def _error_of(solved: SolvedCase, quantity: str) -> NDArray[np.float64]:
    """Return the running error of an ordinary computation, in units of the roundoff."""
    if solved.by_formula is not None:
        sound = solved.bound(solved.solution, quantity, SOUND)
        return np.nan_to_num(sound / FORMATS[solved.case.dtype].unit_roundoff, posinf=0.0)
    formula = Formula(problem_of(solved.case, solved.inputs, FORMATS[solved.case.dtype]), RIGHT)
    approx = formula.answer(quantity)
    assert approx is not None  # noqa: S101 -- the solution has this quantity
    return np.nan_to_num(approx.error.astype(np.float64), nan=0.0, posinf=0.0)
