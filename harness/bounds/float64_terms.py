"""Compute the terms of the bounds in float64, where the oracle would be too slow or is not needed.

A bound needs d, L and p to a few digits only. It also needs the magnitudes of the exact
quantities, for which the answers themselves are close enough.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np

from ...cases.dtypes import Array
from ...cases.model import Case, Inputs
from ..oracle import (
    ClasswiseTerms,
    Convention,
    ElementwiseTerms,
    Exact,
    Floats,
    LinearTerms,
    Solution,
)

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
    if case.contract.is_linear:
        products, row_losses = _products(case, inputs, cotangent)
        return Solution("", quantities, products, row_losses, _LOOSEST)
    logits = _by_row(inputs.values.astype(np.float64), case.class_axis)
    rows, row_losses = _rows(case, inputs, logits, cotangent)
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


def _products(case: Case, inputs: Inputs, cotangent: Floats) -> tuple[LinearTerms, Floats]:
    """Return the terms of a linear loss without options that change its logits."""
    arrays = inputs.values, inputs.linear_weight, inputs.linear_bias
    hidden, weight, bias = (None if it is None else it.astype(np.float64) for it in arrays)
    assert hidden is not None and weight is not None  # noqa: S101, PT018 -- every such case has them
    added = np.zeros(len(weight)) if bias is None else bias
    logits = hidden @ weight.T + added
    t, losses = _rows(case, inputs, logits, cotangent)
    t = replace(t, z=logits, bend=np.zeros(logits.shape), slope=np.ones(logits.shape))
    terms = LinearTerms(
        **{item.name: getattr(t, item.name) for item in fields(t)},
        size=np.abs(hidden) @ np.abs(weight).T,
        added=np.broadcast_to(np.abs(added), logits.shape),
        plain=np.abs(logits),
        of_logits=np.abs(t.v[:, None] * (t.p * t.w.sum(axis=1, keepdims=True) - t.w)),
        hidden=hidden.shape[1],
    )
    return terms, losses


def _rows(
    case: Case, inputs: Inputs, x: Floats, cotangent: Floats
) -> tuple[ClasswiseTerms, Floats]:
    """Return the terms of an operation over classes, and the losses of rows, if it is a loss.

    Args:
        case: the question.
        inputs: its arrays, whose targets are read.
        x: its first argument by rows, or the logits that it stands for, shape (R, C).
        cotangent: of the result.
    """
    axis = case.class_axis
    a = x.max(axis=1)
    d = a[:, None] - x
    log_sum = np.log(np.exp(-d).sum(axis=1))
    l = d + log_sum[:, None]
    # Given probabilities or log-probabilities need no softmax, so that d and L go unused then.
    if case.contract.domain in ("log_probs", "probs"):
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
        sizes = [size for axis, size in enumerate(case.shape) if axis != case.class_axis]
        return np.ones(math.prod(sizes), np.bool_)
    return np.asarray(inputs.target != case.options.ignore_index)


def _divisor(case: Case, count: int) -> int:
    """Return the divisor of the reduction: the number of losses for a mean, else 1."""
    is_mean = case.contract.is_loss and case.options.reduction == "mean"
    return count if is_mean else 1
