"""Prepare the arrays of a case for a formula that is computed beyond the precision of the case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...cases.dtypes import Format
from ...cases.model import Case, Inputs
from ...cases.operations import Reduction
from .traced import Array


@dataclass(frozen=True)
class Layer:
    """What logits are made of by a linear layer.

    Attributes:
        hidden: hidden states, shape (N, H); 0 in rows that do not count.
        weight: linear weights, shape (C, H).
        bias: shape (C,), 0 without one.
    """

    hidden: Array
    weight: Array
    bias: Array

    @property
    def products(self) -> Array:
        """The inner products, without the bias, shape (N, C)."""
        return self.hidden @ self.weight.T

    @property
    def error(self) -> Array:
        """How far an ordinary computation of the logits may be off, in units of the roundoff."""
        size = np.abs(self.hidden) @ np.abs(self.weight).T
        bias = np.where(np.isfinite(self.bias), np.abs(self.bias), 0.0)
        return np.asarray(size * self.hidden.shape[1] + bias)


@dataclass(frozen=True)
class Problem:
    """The arrays of a case as a formula needs them, in a precision beyond that of the case.

    Attributes:
        case: the question.
        inner: the format whose range intermediate numbers have.
        x: the first argument.
        target: the target in the shape of `x`, labels as their one-hot encoding; 0 without one.
        labels: the labels of an index target, with a class axis of length 1; 0 without one.
        places: the numbers of the classes, in a shape that broadcasts.
        counts: the rows that count, with a class axis of length 1.
        weight, pos_weight: the weights of each class, in a shape that broadcasts.
        reduction: the reduction of a loss.
        axis: the class axis.
        layer: what makes `x`, the logits, of hidden states; None where `x` is given.
    """

    case: Case
    inner: Format
    x: Array
    target: Array
    labels: Array
    places: Array
    counts: Array
    weight: Array
    pos_weight: Array
    reduction: Reduction
    axis: int
    layer: Layer | None = None

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.x.shape[self.axis] if self.x.ndim else 1

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.x.size // max(self.classes, 1)

    @property
    def smoothing(self) -> float:
        """The option `label_smoothing`."""
        return self.case.options.label_smoothing

    @property
    def is_index(self) -> bool:
        """Whether the target holds labels."""
        return self.case.target_kind == "index"


def problem_of(case: Case, inputs: Inputs, inner: Format) -> Problem:
    """Return the arrays of a case whose right answer is no error."""
    wide = np.dtype(np.longdouble if case.dtype == "float64" else np.float64)
    layer = _layer_of(case, inputs, wide)
    x = np.asarray(inputs.values.astype(np.float64), wide)
    if layer is not None:
        x = layer.products + layer.bias
    axis = case.class_axis if x.ndim else 0
    counts = np.ones(np.sum(x, axis=axis, keepdims=True).shape if x.ndim else (), np.bool_)
    target = np.zeros((), wide)
    labels = np.zeros((), np.int64)
    places = _by_class(np.arange(x.shape[axis] if x.ndim else 1), x, axis)
    if inputs.target is not None and case.target_kind == "index":
        labels = np.expand_dims(inputs.target.astype(np.int64), axis)
        counts = labels != case.options.ignore_index
        target = ((places == labels) & counts).astype(wide)
    elif inputs.target is not None:
        target = inputs.target.astype(np.float64).astype(wide)
    weight, pos_weight = (
        np.ones((), wide) if it is None else _by_class(it.astype(np.float64).astype(wide), x, axis)
        for it in (inputs.weight, inputs.pos_weight)
    )
    reduction = case.options.reduction
    return Problem(
        case, inner, x, target, labels, places, counts, weight, pos_weight, reduction, axis, layer
    )


def _layer_of(case: Case, inputs: Inputs, wide: np.dtype[Any]) -> Layer | None:
    """Return the linear layer of a case; None where its first argument is not hidden states."""
    if inputs.linear_weight is None:
        return None
    hidden, weight = (
        it.astype(np.float64).astype(wide) for it in (inputs.values, inputs.linear_weight)
    )
    if inputs.target is not None and inputs.target.shape == case.shape[:1]:
        hidden = np.where((inputs.target == case.options.ignore_index)[:, None], 0, hidden)
    bias = inputs.linear_bias
    given = np.zeros(len(weight)) if bias is None else bias.astype(np.float64)
    return Layer(hidden, weight, given.astype(wide))


def _by_class(weight: Array, x: Array, axis: int) -> Array:
    if x.ndim != 1 and weight.ndim == x.ndim:
        return weight  # those of binary losses may have any shape that broadcasts
    return np.asarray(weight.reshape([-1 if it == axis else 1 for it in range(x.ndim)]))
