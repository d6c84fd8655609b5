"""The right answers: values and gradients of every operation, good to about 2^-90.

`solve` computes from the arrays of a case, already rounded to their dtype, and knows no
framework. `Convention` states the choices of the contract; a convention is other rules, see
`harness.judging.conventions`. In a `Solution`, NaN stands where there is no agreed answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
        return Solution(refusal=refusal)
    with np.errstate(all="ignore"):
        return replace(_solver(case)(case, inputs, convention), convention=convention)


def _solver(case: Case) -> Callable[[Case, Inputs, Convention], Solution]:
    if not case.contract.reads_classes:
        return solve_elementwise
    is_large = case.shape and case.judged_rows < case.shape[0]
    return solve_large if is_large else solve_classwise


def _refusal(case: Case, inputs: Inputs, convention: Convention) -> str:
    values, target = inputs.values.astype(np.float64), inputs.target
    wrong = _wrong_call(case, inputs)
    if wrong:
        return wrong
    if case.contract.domain == "probs" and _outside(values):
        return "a probability outside [0, 1]"
    if target is None:
        return ""
    if case.target_kind == "index":
        bad = _bad_labels(target, case)
        return (
            "an index target out of range" if bad.any() and convention.bad_index == "error" else ""
        )
    if _outside(target.astype(np.float64)):
        return "a target probability outside [0, 1]"
    return ""


def _wrong_call(case: Case, inputs: Inputs) -> str:
    """What is wrong with the options, or with the shape and kind of the target."""
    axes, options = len(case.shape), case.options
    if not -axes <= options.axis < max(axes, 1):
        return "an axis out of range"
    if not 0 <= options.label_smoothing <= 1:
        return "a label_smoothing outside [0, 1]"
    if inputs.target is None:
        return ""
    axis, kind = case.class_axis, inputs.target.dtype.kind
    is_index = case.target_kind == "index"
    due = case.shape[:axis] + case.shape[axis + 1 :] if is_index else case.shape
    if inputs.target.shape != due:
        return f"a target of shape {inputs.target.shape}, where {due} is due"
    return "an index target that holds no whole numbers" if is_index and kind not in "iu" else ""


def _outside(values: Floats) -> bool:
    return bool(((values < 0) | (values > 1)).any())


def _bad_labels(target: Array, case: Case) -> Mask:
    classes = case.shape[case.class_axis]
    ignored = target == case.options.ignore_index
    return np.asarray(~ignored & ((target < 0) | (target >= classes)))
