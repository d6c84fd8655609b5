"""Run a formula on NumPy's own numbers: a simulated implementation in a dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .exactly import moved
from .graph import Array, steps

Numbers = NDArray[Any]


def plain(
    outputs: list[Array],
    inputs: Mapping[str, Numbers],
    known: Mapping[Array, Numbers] = MappingProxyType({}),
) -> list[Numbers]:
    """Return the numbers of some arrays, each step rounded to the dtype of the inputs.

    Args:
        outputs: the arrays.
        inputs: the arguments of the formula, by their names, all of one dtype.
        known: the numbers of arrays that need not be computed again.
    """
    dtype = next(iter(inputs.values())).dtype
    found = dict(known)
    with np.errstate(all="ignore"):
        for array in steps(outputs, known):
            if array.op == "input":
                found[array] = inputs[array.value]
                continue
            result = np.asarray(_STEPS[array.op](array, *(found[it] for it in array.args)))
            found[array] = result if array.is_mask else result.astype(dtype)
    return [found[output] for output in outputs]


def _multiply(array: Array, x: Numbers, y: Numbers) -> Numbers:
    product = x * y
    return product if array.value is None else np.where(x == 0, x * 0, product)


def _divide(array: Array, x: Numbers, y: Numbers) -> Numbers:
    quotient = x / y
    return quotient if array.value is None else np.where(x == 0, x * 0, quotient)


def _top(_: Array, x: Numbers) -> Numbers:
    return np.asarray(np.arange(x.shape[-1]) == np.argmax(x, axis=-1)[..., None])


def _peak(_: Array, x: Numbers) -> Numbers:
    is_top = x == x.max(axis=-1, keepdims=True)
    several = is_top.sum(axis=-1, keepdims=True) > 1
    return np.where(is_top, np.where(several, np.nan, 1.0), 0.0)


def _step(_: Array, x: Numbers) -> Numbers:
    return np.where(x == 0, np.nan, x > 0)


def _sign(_: Array, x: Numbers) -> Numbers:
    return np.where(x == 0, np.nan, np.sign(x))


_STEPS: dict[str, Callable[..., Any]] = {
    "constant": lambda array: array.value,
    "given": lambda array: array.value,
    "add": lambda _, x, y: x + y,
    "subtract": lambda _, x, y: x - y,
    "multiply": _multiply,
    "divide": _divide,
    "maximum": lambda _, x, y: np.maximum(x, y),
    "negative": lambda _, x: -x,
    "absolute": lambda _, x: np.abs(x),
    "exp": lambda _, x: np.exp(x),
    "expm1": lambda _, x: np.expm1(x),
    "log": lambda _, x: np.log(x),
    "log1p": lambda _, x: np.log1p(x),
    "tanh": lambda _, x: np.tanh(x),
    "sqrt": lambda _, x: np.sqrt(x),
    "power": lambda array, x: np.power(x, np.asarray(array.value, x.dtype)),
    "sum": lambda _, x: x.sum(axis=-1),
    "cumsum": lambda array, x: x[..., :: array.value].cumsum(-1)[..., :: array.value],
    "max": lambda _, x: x.max(axis=-1, initial=-np.inf),
    "where": lambda _, condition, yes, no: np.where(condition, yes, no),
    "positive": lambda _, x: x > 0,
    "not": lambda _, x: ~x,
    "both": lambda _, x, y: x & y,
    "top": _top,
    "peak": _peak,
    "step": _step,
    "sign": _sign,
    "form": lambda _, x, *__: x,
    "joined": lambda array, *arrays: np.concatenate(arrays, array.value),
    **dict.fromkeys(("reshape", "broadcast", "moved", "transpose", "picked"), moved),
}
