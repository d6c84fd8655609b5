"""Find products that overflow in another order of their factors, and zeros that meet an infinity.

A sound computation may group its products as it likes: (a/b)·(c/b) of a formula may be a·c/b², in
which b² underflows or its reciprocal overflows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..oracle import Floats
from .evaluation import Evaluation
from .exactly import moved
from .graph import Array
from .sizes import Sizes

Mask = NDArray[np.bool_]
_REARRANGING = frozenset({"reshape", "broadcast", "moved", "transpose", "picked"})
_OF_ONE = frozenset({"negative", "absolute", "form"})
_CHOSEN = frozenset({"constant", "input", "step", "sign", "peak"})  # whose zeros are meant
_KEEPING = frozenset({"negative", "absolute", "form", "power", "expm1", "log1p", "sqrt", "tanh"})


def reach(evaluation: Evaluation) -> dict[Array, Floats]:
    """Return the base-2 logarithms of the largest products of some factors of each product."""
    above: dict[Array, Floats] = {}
    below: dict[Array, Floats] = {}
    for array in evaluation.order:
        if array.is_mask:
            continue
        sizes = evaluation.sizes[array]
        pair = _factors(evaluation, array, above, below)
        if pair is None:
            counted = sizes.finite & (sizes.sign != 0)
            size = np.where(counted, sizes.log2, 0.0)
            pair = np.maximum(size, 0.0), np.maximum(-size, 0.0)
        is_nothing = sizes.sign == 0
        above[array], below[array] = (np.where(is_nothing, 0.0, it) for it in pair)
    return above


def _factors(
    evaluation: Evaluation, array: Array, above: dict[Array, Floats], below: dict[Array, Floats]
) -> tuple[Floats, Floats] | None:
    """Return what the large and the small factors of a product make; None if it is no product."""
    args = array.args
    if array.op == "multiply":
        return above[args[0]] + above[args[1]], below[args[0]] + below[args[1]]
    if array.op == "divide":
        return above[args[0]] + below[args[1]], below[args[0]] + above[args[1]]
    if array.op in _REARRANGING:
        return moved(array, above[args[0]]), moved(array, below[args[0]])
    if array.op == "where":
        choice = evaluation.values[args[0]]
        return (
            np.where(choice, above[args[1]], above[args[2]]),
            np.where(choice, below[args[1]], below[args[2]]),
        )
    if array.op in _OF_ONE:
        return above[args[0]], below[args[0]]
    return None


def meets_infinity(evaluation: Evaluation) -> dict[Array, Mask]:
    """Return which products are of an infinity and a 0 that is no 0 of the inputs or the formula.

    Such a 0 comes where a function saturates, as σ(−∞): the product is 0 by the formula, and not a
    number in a computation.
    """
    sizes = evaluation.sizes
    if all(it.finite.all() for it in sizes.values()):
        return {}
    meant: dict[Array, Mask] = {}
    found: dict[Array, Mask] = {}
    for array in evaluation.order:
        if array.is_mask:
            continue
        meant[array] = np.broadcast_to(_meant(evaluation, array, meant), array.shape)
        if array.op in ("multiply", "divide") and array.value is not None:
            left, right = array.args
            is_lost = (sizes[left].sign == 0) & ~meant[left]
            meets = sizes[right].sign == 0 if array.op == "divide" else _is_infinite(sizes[right])
            found[array] = is_lost & meets
    return found


def _is_infinite(sizes: Sizes) -> Mask:
    return ~sizes.finite & ~np.isnan(sizes.sign)


def _meant(evaluation: Evaluation, array: Array, meant: dict[Array, Mask]) -> Any:
    """Return which numbers are 0 because the formula or its inputs have a 0 there."""
    if array.op in _CHOSEN:
        return evaluation.sizes[array].sign == 0
    if array.op == "where":
        choice, yes, no = array.args
        return np.where(evaluation.values[choice], meant[yes], meant[no])
    args = [meant[it] for it in array.args if not it.is_mask]
    if array.op in _REARRANGING:
        return moved(array, args[0])
    if array.op in _KEEPING:
        return args[0]
    rule = _OF_ZEROS.get(array.op)
    return np.False_ if rule is None else rule(array, *args)


_OF_ZEROS: dict[str, Callable[..., Any]] = {
    "multiply": lambda _, left, right: left | right,
    "divide": lambda _, left, __: left,
    **dict.fromkeys(("add", "subtract", "maximum"), lambda _, left, right: left & right),
    **dict.fromkeys(("sum", "max"), lambda _, it: it.all(axis=-1)),
    "joined": lambda array, *parts: np.concatenate(parts, array.value),
}
