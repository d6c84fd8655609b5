"""Find the results on whose way a step overflows.

No computation by the formula in that dtype need give them: there is no agreed answer. A step that
overflows may do no harm: e^−∞ is 0, which is right. A difference of two infinities is NaN, and so
is everything that follows, as it is of an infinity times a 0 that comes of another infinity. A
product overflows if it does so in some order of its factors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import Format
from .evaluation import Evaluation
from .exactly import moved
from .graph import Array
from .regrouped import meets_infinity, reach

Mask = NDArray[np.bool_]
Flags = NDArray[np.uint8]
_INFINITE, _UNKNOWN = 1, 2  # what an overflow on the way makes of a number
_SATURATING = frozenset({"exp", "tanh"})  # e^−∞ is 0, which is right
_REARRANGING = frozenset({"reshape", "broadcast", "moved", "transpose", "picked"})
_READ = {"form": 1}  # arguments that decide; all of the other steps
# Steps whose numbers do not have the places of those that they come from.
_ALONG: dict[str, Callable[..., Flags]] = {
    **dict.fromkeys(("sum", "max"), lambda _, flag: flag.max(axis=-1, initial=0)),
    "peak": lambda _, flag: flag.max(axis=-1, keepdims=True, initial=0),
    "joined": lambda array, *flags: np.concatenate(flags, array.value),
    "cumsum": lambda array, flag: np.maximum.accumulate(flag[..., :: array.value], -1)[
        ..., :: array.value
    ],
}


def overflowed(evaluation: Evaluation, outputs: list[Array], form: Format) -> list[Mask]:
    """Return for each output which of its numbers come by way of an overflow.

    Args:
        evaluation: the exact numbers of all steps.
        outputs: the arrays.
        form: the format that the steps are computed in.
    """
    found: dict[Array, Flags] = {}
    with np.errstate(invalid="ignore"):
        products, unknown = reach(evaluation), meets_infinity(evaluation)
        for array in evaluation.order:
            flags = [found[argument] for argument in array.args]
            flag = _passed(evaluation, array, flags)
            if not array.is_mask:
                sizes = evaluation.sizes[array]
                own = sizes.finite & (np.maximum(sizes.log2, products[array]) >= form.emax + 1)
                flag = np.maximum(flag, own * np.uint8(_INFINITE))
            if array in unknown:
                flag = np.maximum(flag, unknown[array] * np.uint8(_UNKNOWN))
            found[array] = np.broadcast_to(flag, array.shape)
        return [_by_way(evaluation, it, found, form) for it in outputs]


def _by_way(evaluation: Evaluation, output: Array, found: dict[Array, Flags], form: Format) -> Mask:
    """Return which numbers have an overflow on their way, and not just themselves."""
    sizes = evaluation.sizes[output]
    passed = _passed(evaluation, output, [found[it] for it in output.args])
    passed = np.where(sizes.log2 >= form.emax + 1, passed, found[output])
    return np.asarray(sizes.finite & (passed > 0))


def _passed(evaluation: Evaluation, array: Array, flags: list[Flags]) -> Flags:
    """Return what becomes of the flags of the arguments in a step."""
    if not flags:
        return np.zeros(array.shape, np.uint8)
    inherited = _inherited(evaluation, array, flags)
    if array.op in _SATURATING or array.is_mask:
        return np.where(inherited == _UNKNOWN, inherited, np.uint8(0))
    if array.op in ("add", "subtract"):
        signs = [evaluation.sizes[it].sign for it in array.args]
        is_difference = (signs[0] == signs[1]) == (array.op == "subtract")
        both = (flags[0] == _INFINITE) & (flags[1] == _INFINITE) & is_difference
        return np.where(both, np.uint8(_UNKNOWN), inherited)
    return inherited


def _inherited(evaluation: Evaluation, array: Array, flags: list[Flags]) -> Flags:
    """Return which numbers have a flag because of what they are computed from."""
    if array.op == "where":
        chosen = np.where(evaluation.values[array.args[0]], flags[1], flags[2])
        return np.maximum(chosen, flags[0])
    if array.op in _ALONG:
        return np.asarray(_ALONG[array.op](array, *flags))
    if array.op in _REARRANGING:
        return moved(array, flags[0])
    # What a form adds are numbers that other forms would compute.
    return np.asarray(np.maximum.reduce(np.broadcast_arrays(*flags[: _READ.get(array.op)])))
