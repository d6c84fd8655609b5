"""Leave out of a loss what a mask says: rows, elements of a binary loss, or classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.model import Inputs
from ..cases.operations import Operation
from ..errors import ArgumentValueError

Array = NDArray[Any]


@dataclass(frozen=True)
class Kept:
    """What of a loss counts: some of its rows, or of the elements of a binary loss.

    Attributes:
        mask: truth values, in the shape of the losses before they are reduced.
        axis: the axis of the classes in arrays that have one.
    """

    mask: NDArray[np.bool_]
    axis: int

    def of(self, array: Array) -> Array:
        """Return the numbers that count, along one axis: shape (M,), or (M, C) with classes."""
        if array.ndim > self.mask.ndim:
            array = np.moveaxis(array, self.axis, -1)
        return array[self.mask]

    def back(self, array: Array) -> Array:
        """Return numbers in the place that they came from, with 0 for what does not count."""
        if not array.ndim:
            return array
        nothing = Decimal(0) if array.dtype == object else 0
        found = np.full(self.mask.shape + array.shape[1:], nothing, array.dtype)
        found[self.mask] = array
        return np.moveaxis(found, -1, self.axis) if array.ndim > 1 else found


def mask_of(array: Array) -> NDArray[np.bool_]:
    """Return a mask as it was given.

    Raises:
        ArgumentValueError: it holds no truth values.
    """
    if array.dtype != bool:
        raise ArgumentValueError(f"where holds {array.dtype}; a mask holds bool")
    return array


def mask_for_loss(mask: Array, shape: tuple[int, ...], *, reads_classes: bool) -> Array | Kept:
    """Return what a mask leaves out of a loss.

    Args:
        mask: truth values, as they were given.
        shape: the shape of the first argument.
        reads_classes: whether the loss is one of whole rows.

    Returns:
        What is kept; or, where single classes of rows are left out, their mask in `shape`.

    Raises:
        ArgumentValueError: the mask has another shape.
    """
    axis = min(1, len(shape) - 1)
    rows = shape[:axis] + shape[axis + 1 :]
    if not reads_classes:
        return Kept(_broadcast(mask, shape, f"it must broadcast to {shape}"), axis)
    allowed = f"it must have {rows}, one for each row, or {shape}"
    if len(shape) > 1 and mask.shape == rows:
        return Kept(mask, axis)
    if len(shape) > 1 and mask.ndim == len(shape) and mask.shape[axis] == 1:
        return Kept(_broadcast(mask.squeeze(axis), rows, allowed), axis)
    return _broadcast(mask, shape, allowed)


def _broadcast(mask: Array, shape: tuple[int, ...], allowed: str) -> NDArray[np.bool_]:
    try:
        return np.broadcast_to(mask, shape)
    except ValueError as error:
        raise ArgumentValueError(f"where has shape {mask.shape}; {allowed}") from error


def masked(inputs: Inputs, mask: Array | Kept, contract: Operation) -> Inputs:
    """Return what a mask leaves: fewer rows or elements, or classes of probability 0.

    Args:
        inputs: the arrays of a loss.
        mask: what `mask_for_loss` returns.
        contract: the operation.
    """
    values, target = inputs.values, inputs.target
    assert target is not None  # noqa: S101 -- losses only
    if isinstance(mask, Kept):
        kept = replace(inputs, values=mask.of(values), target=mask.of(target))
        if contract.reads_classes:
            return kept
        weight, pos_weight = (
            _spread(one, values, mask) for one in (inputs.weight, inputs.pos_weight)
        )
        return replace(kept, weight=weight, pos_weight=pos_weight)
    nothing = -np.inf if contract.domain != "probs" else 0.0
    values = np.where(mask, values, np.array(nothing, values.dtype))
    if target.shape == values.shape:
        target = np.where(mask, target, np.array(0, target.dtype))
    return replace(inputs, values=values, target=target)


def _spread(weight: Array | None, values: Array, kept: Kept) -> Array | None:
    """Return the weights of the elements that count, a number for each."""
    if weight is None:
        return None
    if weight.ndim == 1 and values.ndim > 1:  # those of the classes
        weight = weight.reshape([-1 if axis == kept.axis else 1 for axis in range(values.ndim)])
    return kept.of(np.broadcast_to(weight, values.shape))
