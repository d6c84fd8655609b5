"""Transform the classes of a question: their logits, their order, their sums, their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ...cases.dtypes import FORMATS
from ...cases.model import Case
from ...cases.stream import Stream
from ..oracle import Floats
from .forms import OVER_ROWS, Answered, AnswerPair, Form, pairwise, same, summed

# --- shift -----------------------------------------------------------------------------------


def _step(case: Case) -> float:
    """Return the largest power of two that can be added to quarters below 16 without rounding."""
    return 2.0 ** (FORMATS[case.dtype].precision - 4)


def shifted(form: Form) -> tuple[Form, ...]:
    """Return the form with a constant added to all logits."""
    # The sum is exact in the dtype, so the softmax is the same number: a form that computes
    # lse − x, or exp without subtracting the maximum, shows its error here.
    values = (form.inputs.values.astype(np.float64) + _step(form.case)).astype(
        form.inputs.values.dtype
    )
    return (replace(form, inputs=replace(form.inputs, values=values)),)


def compare_shifted(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield the pairs: a shift leaves all quantities as they are, but moves a logsumexp."""
    change: dict[str, Callable[[Floats], Floats]] = {}
    if one.form.case.operation == "logsumexp":
        step = _step(one.form.case)
        yield from _moved_back(one, others[0], step)
        change = {"value": same}
        one = replace(one, answers={k: v for k, v in one.answers.items() if k != "value"})
    yield from pairwise(one, others[0], change)


def _moved_back(one: Answered, other: Answered, step: float) -> Iterator[AnswerPair]:
    """Yield the value of a logsumexp with the shifted one minus the shift."""
    limit = summed([(one, "value", same), (other, "value", same)])
    yield AnswerPair("value", one.answers["value"], other.answers["value"] - step, limit)


# --- order of the classes --------------------------------------------------------------------


def _permutation(case: Case) -> np.ndarray:
    """Return a fixed permutation of the classes."""
    # A stable sort gives equal keys the same order on every platform.
    keys = Stream("permutation").integers(2**30, case.shape[case.class_axis])
    return np.argsort(keys, kind="stable")


def permuted(form: Form) -> tuple[Form, ...]:
    """Return the form with permuted classes: logits, targets, and cotangents of each class."""
    order, axis, inputs = _permutation(form.case), form.case.class_axis, form.inputs
    target, cotangent = inputs.target, form.cotangent
    # A label follows its class to the new position, which the inverse permutation gives.
    if target is not None and form.case.target_kind == "index":
        counts = target != form.case.options.ignore_index
        moved = np.argsort(order)[np.where(counts, target, 0)]
        target = np.where(counts, moved, target).astype(target.dtype)
    elif target is not None:
        target = np.take(target, order, axis)
    if cotangent.shape == form.case.shape:
        cotangent = np.take(cotangent, order, axis)
    if form.case.contract.is_linear:  # its classes are the rows of the weights
        arrays = {"linear_weight": inputs.linear_weight, "linear_bias": inputs.linear_bias}
        changed = {name: array[order] for name, array in arrays.items() if array is not None}
    else:
        changed = {"values": np.take(inputs.values, order, axis)}
    return (Form(form.case, replace(inputs, target=target, **changed), cotangent),)


def compare_permuted(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield every quantity with the permuted one, whose classes are put back in order."""
    case = one.form.case
    back = np.argsort(_permutation(case))

    def ordered(array: Floats) -> Floats:
        return np.take(array, back, case.class_axis) if array.shape == case.shape else array

    change: dict[str, Callable[[Floats], Floats]]
    change = dict.fromkeys(("value", "gradient_logits", "gradient_target"), ordered)
    change |= dict.fromkeys(OVER_ROWS, lambda array: array[back])
    yield from pairwise(one, others[0], change)


# --- sums over the classes -------------------------------------------------------------------


def no_forms(form: Form) -> tuple[Form, ...]:
    """Return no transformed form, for relations within one answer."""
    return ()


def compare_sums(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield the sums over the classes: probabilities add up to 1, gradients to 0."""
    case, axis = one.form.case, one.form.case.class_axis

    def over(array: Floats) -> Floats:
        return np.asarray(array.sum(axis))

    if case.operation == "softmax":
        total = over(one.answers["value"])
        yield AnswerPair("value", total, np.ones_like(total), summed([(one, "value", over)]))
    if case.operation == "log_softmax":
        # An error b of log p is an error p(e^b − 1) of p.
        p = np.exp(one.answers["value"])
        limit = summed([(one, "value", lambda b: over(p * np.expm1(np.minimum(b, 1.0))))])
        yield AnswerPair("value", over(p), np.ones_like(over(p)), limit)
    # The gradient of logsumexp is a softmax times the cotangent, and does not add up to 0.
    if case.operation != "logsumexp" and "gradient_logits" in one.answers:
        total = over(one.answers["gradient_logits"])
        limit = summed([(one, "gradient_logits", over)])
        yield AnswerPair("gradient_logits", total, np.zeros_like(total), limit)


# --- one-hot targets -------------------------------------------------------------------------


def as_one_hot(form: Form) -> tuple[Form, ...]:
    """Return the form with one-hot targets instead of labels."""
    case, inputs = form.case, form.inputs
    assert inputs.target is not None  # noqa: S101 -- the relation holds for index targets only
    # The target gets the dtype of the logits, as most frameworks demand of probabilities.
    one_hot = np.arange(case.shape[case.class_axis]) == inputs.target[..., None]
    target = np.moveaxis(one_hot, -1, case.class_axis).astype(inputs.values.dtype)
    inputs = replace(inputs, target=target)
    return (Form(case.with_target("one_hot", case.target_family), inputs, form.cotangent),)


def compare_plainly(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield every quantity with that of the other form as it is."""
    yield from pairwise(one, others[0], {})
