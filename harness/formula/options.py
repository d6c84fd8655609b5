"""Apply the options of a loss to its formula: smooth targets, leave rows out, weigh, and reduce.

A formula that has an option among its parameters gets it, and says itself what becomes of it. What
it does not take is applied around it, as the contract has it. The divisor of a mean is always that
of the contract.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.model import Case, Inputs
from ..oracle import Exact, is_resolved
from .functions import Target, one_hot, scaled, take
from .graph import Array, broadcast, chosen, constant, given, mask
from .labels import Labels

OPTIONS = ("weight", "pos_weight", "ignore_index", "label_smoothing")
TAKEN = ("weight", "pos_weight", "label_smoothing")  # those that a formula may take itself
VALUES, TARGET = "values", "target"
_ARRAYS = 2  # x and the target come first


@dataclass(frozen=True)
class Arguments:
    """What a case gives a formula.

    Attributes:
        x: shape (N, C).
        target: the target, in which rows that are left out have the class 0; None for none.
        counts: which rows are not left out, shape (N,); None where none can be.
        weight: the weights of the classes, shape (C,); None for none.
        pos_weight: likewise, those of the positive terms.
    """

    x: Array
    target: Target | None = None
    counts: NDArray[np.bool_] | None = None
    weight: Array | None = None
    pos_weight: Array | None = None

    @classmethod
    def of(cls, case: Case, inputs: Inputs) -> Arguments:
        """Return the arguments of a case; of its arrays only the labels are read."""
        shape = matrix_of(case)
        weights = {
            name: given(name, shape[1:])
            for name in ("weight", "pos_weight")
            if getattr(inputs, name) is not None
        }
        target: Target | None = None
        counts = None
        if case.target_kind == "index" and inputs.target is not None:
            labels = np.asarray(inputs.target).reshape(shape[:1])
            if "ignore_index" in case.contract.options:
                counts = labels != case.options.ignore_index
                labels = np.where(counts, labels, 0)
            target = Labels(labels, shape[1])
        elif case.target_kind:
            target = given(TARGET, shape)
        return cls(given(VALUES, shape), target, counts, **weights)

    def named(self, names: frozenset[str], case: Case) -> dict[str, Any]:
        """Return options and parameters that a formula takes; weights are 1 by default."""
        ones = constant(np.ones(self.x.shape[1:]))
        found = {
            "weight": ones if self.weight is None else self.weight,
            "pos_weight": ones if self.pos_weight is None else self.pos_weight,
            "label_smoothing": case.options.label_smoothing,
        }
        taken = [name for name in TAKEN if name in names and name in case.contract.options]
        own = {it: case.contract.level(case.options, it) for it, _ in case.contract.parameters}
        return {**{name: found[name] for name in taken}, **own}


def matrix_of(case: Case) -> tuple[int, int]:
    """Return the shape (N, C) in which a formula takes the arrays of a case."""
    return (1, *case.shape) if len(case.shape) == 1 else case.shape  # type: ignore[return-value]


def taken_by(formula: Callable[..., Any], *, has_target: bool = True) -> frozenset[str]:
    """Return the names of the parameters that a formula has besides its arrays."""
    try:
        parameters = list(inspect.signature(formula).parameters.values())
    except (TypeError, ValueError):
        return frozenset()
    arrays = _ARRAYS if has_target else _ARRAYS - 1
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(it.name for it in parameters[arrays:] if it.kind in named)


def weighed(found: Array, arguments: Arguments, names: frozenset[str]) -> Array:
    """Return the losses of a formula with what it has not done itself: weights, and rows left out.

    Args:
        found: what the formula gives: a loss for each row or element, or one number.
        arguments: what it was given.
        names: the options that it takes itself.
    """
    if arguments.weight is not None and "weight" not in names:
        factor = arguments.weight[None, :]
        if found.shape == arguments.x.shape[:1]:
            factor = _of_rows(arguments)
        found = scaled(factor, found)
    if arguments.counts is not None and found.shape:
        counts = arguments.counts if found.ndim == 1 else arguments.counts[:, None]
        found = chosen(mask(counts), found, 0.0)
    return found


def smoothed(arguments: Arguments, case: Case, names: frozenset[str]) -> Target | None:
    """Return the target as the formula gets it: smoothed, where it does not do that itself."""
    target, smoothing = arguments.target, case.options.label_smoothing
    if target is None or not smoothing or "label_smoothing" in names:
        return target
    share = constant(smoothing) / float(arguments.x.shape[1])
    return one_hot(target) * (1.0 - constant(smoothing)) + share


def reduced(found: Array, arguments: Arguments, case: Case) -> Array:
    """Return losses as the option `reduction` has them."""
    if "reduction" not in case.contract.options or case.options.reduction == "none":
        return found
    total = found.sum()
    if case.options.reduction == "sum":
        return total
    return total / _divisor(found, arguments)


def _divisor(found: Array, arguments: Arguments) -> Array | float:
    """Return what a mean divides by: Σ w of the rows that count, or their number."""
    if not isinstance(arguments.target, Labels) or found.ndim != 1:
        return float(np.prod(found.shape))
    if arguments.weight is None:
        return float(found.shape[0] if arguments.counts is None else arguments.counts.sum())
    weights = _of_rows(arguments)
    if arguments.counts is not None:
        weights = chosen(mask(arguments.counts), weights, 0.0)
    return weights.sum()


def _of_rows(arguments: Arguments) -> Array:
    """Return the weight of the class of each row."""
    assert arguments.weight is not None  # noqa: S101 -- the callers have asked
    assert arguments.target is not None  # noqa: S101
    return take(broadcast(arguments.weight[None, :], arguments.x.shape), arguments.target)


def has_divisor(case: Case, inputs: Inputs) -> bool:
    """Return whether the divisor of a mean is a number that its dtype can resolve, and not 0."""
    if "reduction" not in case.contract.options or case.options.reduction != "mean":
        return True
    if case.target_kind != "index" or inputs.target is None or case.contract.result != "rows":
        return True
    labels = np.asarray(inputs.target).reshape(-1)
    if "ignore_index" in case.contract.options:
        labels = labels[labels != case.options.ignore_index]
    if inputs.weight is None:
        return bool(labels.size)
    return is_resolved(Exact.of(inputs.weight.astype(np.float64)[labels]), case.dtype)


def numbers_of(case: Case, inputs: Inputs) -> Mapping[str, NDArray[np.float64]]:
    """Return the numbers of the arrays of a case, in the shapes that a formula takes."""
    shape = matrix_of(case)
    found = {VALUES: np.asarray(inputs.values, np.float64).reshape(shape)}
    if case.target_kind != "index" and inputs.target is not None:
        found[TARGET] = np.asarray(inputs.target, np.float64).reshape(shape)
    for name in ("weight", "pos_weight"):
        if getattr(inputs, name) is not None:
            found[name] = np.asarray(getattr(inputs, name), np.float64)
    return found
