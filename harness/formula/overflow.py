"""Find the results on whose way a step overflows.

No computation by the formula in that dtype need give them: there is no agreed answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import Format
from .evaluation import Evaluation
from .exactly import moved
from .graph import Array

Mask = NDArray[np.bool_]
_SATURATING = frozenset({"exp", "tanh"})  # e^−∞ is 0, which is right
_REARRANGING = frozenset({"reshape", "broadcast", "moved", "transpose", "picked"})
_READ = {"form": 1}  # arguments that decide; all of the other steps
_OF_ROWS = frozenset({"sum", "max"})


def overflowed(evaluation: Evaluation, outputs: list[Array], form: Format) -> list[Mask]:
    """Return for each output which of its numbers come by way of an overflow.

    Args:
        evaluation: the exact numbers of all steps.
        outputs: the arrays.
        form: the format that the steps are computed in.
    """
    found: dict[Array, Mask] = {}
    with np.errstate(invalid="ignore"):
        for array in evaluation.order:
            flags = [found[argument] for argument in array.args]
            found[array] = np.broadcast_to(_flag(evaluation, array, flags, form), array.shape)
        return [
            _by_way(evaluation, it, [found[argument] for argument in it.args]) for it in outputs
        ]


def _by_way(evaluation: Evaluation, output: Array, flags: list[Mask]) -> Mask:
    """Return which numbers have an overflow on their way, and not just themselves."""
    known = evaluation.sizes[output].finite
    if output.op in _SATURATING or not flags:
        return np.zeros(output.shape, bool)
    return np.asarray(known & np.broadcast_to(_inherited(evaluation, output, flags), output.shape))


def _flag(evaluation: Evaluation, array: Array, flags: list[Mask], form: Format) -> Mask:
    if array.is_mask:
        return np.zeros(array.shape, bool)
    sizes = evaluation.sizes[array]
    own = sizes.finite & (sizes.log2 >= form.emax + 1)
    if array.op in _SATURATING or not flags:
        return np.asarray(own)
    return np.asarray(own | _inherited(evaluation, array, flags))


def _inherited(evaluation: Evaluation, array: Array, flags: list[Mask]) -> Mask:
    """Return which numbers have the flag because of what they are computed from."""
    if array.op == "where":
        return np.where(evaluation.values[array.args[0]], flags[1], flags[2])
    if array.op in _OF_ROWS:
        return np.asarray(flags[0].any(axis=-1))
    if array.op == "cumsum":
        upwards = np.logical_or.accumulate(flags[0][..., :: array.value], -1)
        return np.asarray(upwards[..., :: array.value])
    if array.op == "peak":
        return np.asarray(flags[0].any(axis=-1, keepdims=True))
    if array.op in _REARRANGING:
        return moved(array, flags[0])
    # What a form adds are numbers that other forms would compute.
    return np.asarray(np.logical_or.reduce(np.broadcast_arrays(*flags[: _READ.get(array.op)])))
