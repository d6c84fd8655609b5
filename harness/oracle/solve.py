"""Compute the right answers: values and gradients of every operation, good to about 2^-90.

`solve` computes from the arrays of a case, already rounded to their dtype, and knows no
framework. A `Convention` states the choices that the answer follows: those of the contract by
default, or others that frameworks document (see `harness.judging.conventions`). In a `Solution`,
NaN marks the elements that have no agreed answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...cases.dtypes import Array
from ...cases.model import Case, Inputs
from .classwise import solve_classwise, solve_large
from .elementwise import solve_elementwise
from .linear import solve_linear
from .pairs import Floats
from .recurring import once_each
from .solution import CONTRACT, Convention, Mask, Solution


def solve(case: Case, inputs: Inputs, convention: Convention = CONTRACT) -> Solution:
    """Return the right answer to a case.

    Args:
        case: the operation, dtype, shape and options.
        inputs: the arrays of the case, in their dtypes. They may differ from `case.inputs()`.
        convention: the choices that the answer follows; the contract by default.

    Returns:
        The values and the gradients with respect to both arguments, in the shapes that the
        contract demands, or the reason why the right answer is an error. Of an array so large
        that only its first rows are judged, the answer holds these rows.

    >>> from lossdiff.cases.model import Case
    >>> case = Case.parse("logsumexp/float32/1x2/two_units/-/0")
    >>> solution = solve(case, case.inputs())
    >>> sorted(solution.quantities)
    ['gradient_logits', 'value']
    """
    refusal = _refusal(case, inputs, convention)
    if refusal:
        return Solution(refusal=refusal.sentence, broken_rule=refusal.rule)
    # Infinities and NaN are legitimate inputs, and `where` computes both branches.
    with np.errstate(all="ignore"):
        return replace(_solver(case)(case, inputs, convention), convention=convention)


def _solver(case: Case) -> Callable[[Case, Inputs, Convention], Solution]:
    if case.contract.is_linear:
        return solve_linear
    if not case.contract.reads_classes:
        return once_each(solve_elementwise)
    is_large = case.shape and case.judged_rows < case.shape[0]
    return solve_large if is_large else once_each(solve_classwise)


class _Refusal(NamedTuple):
    """A reason why the right answer is an error: the broken rule, and a sentence for readers."""

    rule: str
    sentence: str


def _refusal(case: Case, inputs: Inputs, convention: Convention) -> _Refusal | None:
    """Return the reason why the right answer is an error; None where it is a number."""
    # A NaN is neither below 0 nor above 1, so it passes here and makes the answer undefined.
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
    """Return an error in the options, or in the shape and kind of the target; None for none."""
    axes, options = len(case.shape), case.options
    if "axis" in case.contract.options and not -axes <= options.axis < max(axes, 1):
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
