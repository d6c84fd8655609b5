"""Compute the terms of the bounds in float64, where the oracle would be too slow or is not needed.

A bound needs d, L and p to a few digits only. It also needs the magnitudes of the exact
quantities, for which the answers themselves are close enough.
"""

from __future__ import annotations

import numpy as np

from ...cases.dtypes import Array
from ...cases.model import Case, Inputs
from ..oracle import ClasswiseTerms, Convention, ElementwiseTerms, Exact, Floats, Solution

Arrays = dict[str, Floats]
# Relations hold under every convention. Divided probabilities have the widest bound of them.
_LOOSEST = Convention(renormalise="before")


def float64_solution(case: Case, inputs: Inputs, cotangent: Floats, answers: Arrays) -> Solution:
    """Return the terms of a case, with given answers in the place of the exact quantities.

    Args:
        case: a case of finite inputs, without options that change the loss.
        inputs: its arrays.
        cotangent: the cotangent of the result, in its shape.
        answers: for each quantity a finite float64 array.
    """
    quantities = {name: Exact.of(answer) for name, answer in answers.items()}
    if not case.contract.reads_classes:
        terms, losses = _elements(case, inputs, cotangent)
        return Solution("", quantities, terms, losses)
    rows, row_losses = _rows(case, inputs, cotangent)
    return Solution("", quantities, rows, row_losses, _LOOSEST)


def _elements(case: Case, inputs: Inputs, cotangent: Floats) -> tuple[ElementwiseTerms, Floats]:
    """Return the terms and the losses of an elementwise operation, in the shape of the case."""
    x = inputs.values.astype(np.float64)
    zeros, ones = np.zeros(x.shape), np.ones(x.shape)
    z = zeros if inputs.target is None else inputs.target.astype(np.float64)
    v = np.broadcast_to(cotangent / _divisor(case, x.size), x.shape)
    if case.contract.domain == "probs":
        losses = -(z * np.log(x) + (1 - z) * np.log1p(-x))
    else:
        losses = np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))
    return ElementwiseTerms(x, z, ones, ones, v), losses


def _rows(case: Case, inputs: Inputs, cotangent: Floats) -> tuple[ClasswiseTerms, Floats]:
    """Return the terms of an operation over classes, and the losses of rows, if it is a loss."""
    axis = case.class_axis
    x = _by_row(inputs.values.astype(np.float64), axis)
    a = x.max(axis=1)
    d = a[:, None] - x
    log_sum = np.log(np.exp(-d).sum(axis=1))
    l = d + log_sum[:, None]
    # Given probabilities or log-probabilities need no softmax, so that d and L go unused then.
    if case.contract.domain != "logits":
        l = -x if case.contract.domain == "log_probs" else -np.log(x)
    # The inputs are finite, so that d is as well, and p d is 0 where p underflows.
    p = np.exp(-l)
    gap = (p * d).sum(axis=1)
    if not case.contract.is_loss:
        reduces = case.operation == "logsumexp"
        v = cotangent.reshape(-1, 1) if reduces else _by_row(cotangent, axis)
        return ClasswiseTerms(d, l, p, a + log_sum, log_sum, gap, np.zeros(()), v), np.zeros(0)
    w = _weights(case, inputs, x.shape)
    divisor = _divisor(case, int(counting_rows(case, inputs).sum()))
    v = np.broadcast_to(cotangent.reshape(-1) / divisor, (len(x),))
    return ClasswiseTerms(d, l, p, a + log_sum, log_sum, gap, w, v), (w * l).sum(axis=1)


def _weights(case: Case, inputs: Inputs, shape: tuple[int, ...]) -> Floats:
    """Return W of a loss without class weights, shape (R, C): its targets."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    if case.target_kind == "index":
        return (np.arange(shape[1]) == inputs.target.reshape(-1, 1)).astype(np.float64)
    return _by_row(inputs.target.astype(np.float64), case.class_axis)


def _by_row(array: Floats, axis: int) -> Floats:
    """Return an array as (R, C), with the classes of `axis` last."""
    return np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])


def counting_rows(case: Case, inputs: Inputs) -> Array:
    """Return which rows of a loss over classes are not ignored, as booleans."""
    if inputs.target is None or case.target_kind != "index":
        rows = inputs.values.size // max(case.shape[case.class_axis], 1)
        return np.ones(rows, np.bool_)
    return np.asarray(inputs.target != case.options.ignore_index)


def _divisor(case: Case, count: int) -> int:
    """Return the divisor of the reduction: the number of losses for a mean, else 1."""
    is_mean = case.contract.is_loss and case.options.reduction == "mean"
    return count if is_mean else 1
