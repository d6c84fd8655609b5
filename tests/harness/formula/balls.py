"""Run a formula on Arb's balls: an enclosure of every number, by another kind of number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flint import arb, ctx
from lossdiff.harness.formula.exactly import moved
from lossdiff.harness.formula.graph import Array, steps
from numpy.typing import NDArray

Balls = NDArray[np.object_]


def on_balls(outputs: list[Array], inputs: Mapping[str, Balls], bits: int = 600) -> list[Balls]:
    """Return the enclosures of some arrays."""
    found: dict[Array, Any] = {}
    before, ctx.prec = ctx.prec, bits
    try:
        for array in steps(outputs):
            if array.op == "input":
                found[array] = inputs[array.value]
                continue
            found[array] = _STEPS[array.op](array, *(found[it] for it in array.args))
    finally:
        ctx.prec = before
    return [found[output] for output in outputs]


def balls(numbers: Any) -> Balls:
    """Return numbers as balls without a radius."""
    return _each(lambda it: arb(float(it)), np.asarray(numbers, np.float64).astype(object))


def _each(function: Callable[..., Any], *arrays: Any) -> Balls:
    return np.asarray(np.frompyfunc(function, len(arrays), 1)(*arrays), object)


def _by_element(function: Callable[..., Any]) -> Callable[..., Balls]:
    return lambda _, *arrays: _each(function, *arrays)


def _masked(function: Callable[[Any, Any], Any]) -> Callable[..., Balls]:
    def step(array: Array, left: Balls, right: Balls) -> Balls:
        if array.value is None:
            return _each(function, left, right)
        return _each(lambda x, y: arb(0) if x == 0 else function(x, y), left, right)

    return step


def _rows(x: Balls, function: Callable[[list[Any]], Any]) -> Balls:
    rows = x.reshape(-1, x.shape[-1])
    found = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        found[place] = function(list(row))
    return found.reshape(x.shape[:-1])


def _largest(row: list[Any]) -> Any:
    found = row[0]
    for it in row[1:]:
        found = found.max(it)
    return found


def _is_largest(x: Balls) -> NDArray[np.bool_]:
    middles = _each(lambda it: it.mid(), x)
    return np.asarray(middles == _rows(middles, _largest)[..., None], bool)


def _top(_: Array, x: Balls) -> NDArray[np.bool_]:
    first = np.argmax(_is_largest(x), axis=-1)
    return np.asarray(np.arange(x.shape[-1]) == first[..., None])


def _peak(_: Array, x: Balls) -> Balls:
    return _each(lambda it: arb(1 if it else 0), _is_largest(x))


_STEPS: dict[str, Callable[..., Any]] = {
    "constant": lambda array: balls(array.value),
    "given": lambda array: array.value,
    "add": _by_element(lambda x, y: x + y),
    "subtract": _by_element(lambda x, y: x - y),
    "multiply": _masked(lambda x, y: x * y),
    "divide": _masked(lambda x, y: x / y),
    "maximum": _by_element(lambda x, y: x.max(y)),
    "negative": _by_element(lambda x: -x),
    "absolute": _by_element(abs),
    "exp": _by_element(lambda x: x.exp()),
    "expm1": _by_element(lambda x: x.expm1()),
    "log": _by_element(lambda x: x.log()),
    "log1p": _by_element(lambda x: x.log1p()),
    "tanh": _by_element(lambda x: x.tanh()),
    "sqrt": _by_element(lambda x: x.sqrt()),
    "power": lambda array, x: _each(lambda it: it ** arb(array.value), x),
    "sum": lambda _, x: _rows(x, lambda row: sum(row, arb(0))),
    "max": lambda _, x: _rows(x, _largest),
    "where": lambda _, condition, yes, no: np.where(condition, yes, no),
    "positive": lambda _, x: _each(lambda it: bool(it.mid() > 0), x).astype(bool),
    "not": lambda _, x: ~x,
    "top": _top,
    "peak": _peak,
    "step": _by_element(lambda x: arb(1 if x.mid() > 0 else 0)),
    "sign": _by_element(lambda x: arb(1 if x.mid() > 0 else -1)),
    "form": lambda _, x, *__: x,
    **dict.fromkeys(("reshape", "broadcast", "moved", "transpose", "picked"), moved),
}
