"""The right answers: values and gradients of every operation, good to about 2^-90.

`solve` computes from the arrays of a case, already rounded to their dtype, and knows no
framework. `Convention` states the choices of the contract; a convention is other rules, see
`harness.judging.conventions`. In a `Solution`, NaN stands where there is no agreed answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...cases.dtypes import Array
from ...cases.model import Case, Inputs
from .classwise import solve_classwise, solve_large
from .double_double import Floats
from .elementwise import solve_elementwise
from .solution import CONTRACT, Convention, Mask, Solution


def solve(case: Case, inputs: Inputs, convention: Convention = CONTRACT) -> Solution:
    """Return the right answer to a case.

    Args:
        case: the question.
        inputs: its arrays, in their dtypes.
        convention: the contract, or those of a convention.
    """
    refusal = _refusal(case, inputs, convention)
    if refusal:
        return Solution(refusal=refusal.sentence, broken_rule=refusal.rule)
    with np.errstate(all="ignore"):
        return replace(_solver(case)(case, inputs, convention), convention=convention)


def _solver(case: Case) -> Callable[[Case, Inputs, Convention], Solution]:
    if not case.contract.reads_classes:
        return solve_elementwise
    is_large = case.shape and case.judged_rows < case.shape[0]
    return solve_large if is_large else solve_classwise


class _Refusal(NamedTuple):
    """Why an error is the right answer: the rule that is broken, and the sentence for readers."""

    rule: str
    sentence: str


def _refusal(case: Case, inputs: Inputs, convention: Convention) -> _Refusal | None:
    """Return why the right answer is an error; None where it is a number."""
    wrong = _wrong_call(case, inputs)
    if wrong:
        return wrong
    target = inputs.target
    if case.contract.domain == "probs" and _outside(inputs.values.astype(np.float64)):
        return _Refusal("probability", "a probability outside [0, 1]")
    if target is None:
        return None
    if case.target_kind == "index":
        is_refused = convention.bad_index == "error" and _bad_labels(target, case).any()
        return _Refusal("label", "an index target out of range") if is_refused else None
    if _outside(target.astype(np.float64)):
        return _Refusal("target probability", "a target probability outside [0, 1]")
    return None


def _wrong_call(case: Case, inputs: Inputs) -> _Refusal | None:
    """Return what is wrong with the options, or with the shape and kind of the target."""
    axes, options = len(case.shape), case.options
    if not -axes <= options.axis < max(axes, 1):
        return _Refusal("axis", "an axis out of range")
    if not 0 <= options.label_smoothing <= 1:
        return _Refusal("label_smoothing", "a label_smoothing outside [0, 1]")
    if inputs.target is None:
        return None
    axis, got = case.class_axis, inputs.target.shape
    is_index = case.target_kind == "index"
    expected = case.shape[:axis] + case.shape[axis + 1 :] if is_index else case.shape
    if got != expected:
        return _Refusal("target shape", f"a target of shape {got}, where {expected} is due")
    if is_index and inputs.target.dtype.kind not in "iu":
        return _Refusal("target kind", "an index target that holds no whole numbers")
    return None


def _outside(values: Floats) -> bool:
    return bool(((values < 0) | (values > 1)).any())


def _bad_labels(target: Array, case: Case) -> Mask:
    classes = case.shape[case.class_axis]
    ignored = target == case.options.ignore_index
    return np.asarray(~ignored & ((target < 0) | (target >= classes)))
