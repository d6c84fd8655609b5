"""Run a formula on the oracle's pairs of float64 numbers with an exponent of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..oracle import Exact, Floats
from .graph import Array, Shape, steps

Mask = NDArray[np.bool_]
Values = dict[Array, Any]
_MOST_MULTIPLIED = 64  # the largest exponent that is a chain of products


def on_pairs(outputs: list[Array], inputs: Mapping[str, Floats]) -> Values:
    """Return the numbers of every step that some arrays are computed from.

    Args:
        outputs: the arrays.
        inputs: the arguments of the formula, by their names.

    Returns:
        `Exact` numbers, and truth values for comparisons, in the shapes of the arrays.
    """
    found: Values = {}
    with np.errstate(all="ignore"):
        for array in steps(outputs):
            if array.op == "input":
                found[array] = Exact.of(inputs[array.value])
                continue
            found[array] = _STEPS[array.op](array, *(found[it] for it in array.args))
    return found


def where(condition: Mask, yes: Exact, no: Exact) -> Exact:
    """Return the numbers of one array where a condition holds, and those of another elsewhere."""
    parts = zip((yes.hi, yes.lo, yes.exponent), (no.hi, no.lo, no.exponent), strict=True)
    return Exact(*(np.where(condition, one, other) for one, other in parts))


def _full(shape: Shape, number: float) -> Exact:
    return Exact.of(np.full(shape, number))


def _multiply(array: Array, left: Exact, right: Exact) -> Exact:
    product = left * right
    return product if array.value is None else where(left.hi == 0, _full((), 0.0), product)


def _divide(array: Array, left: Exact, right: Exact) -> Exact:
    quotient = left / right
    return quotient if array.value is None else where(left.hi == 0, _full((), 0.0), quotient)


def larger(left: Exact, right: Exact) -> Exact:
    """Return the larger of two numbers, NaN if one of them is."""
    is_left = (left - right).hi >= 0
    is_same = left.hi == right.hi  # two infinities
    found = where(is_left | (is_same & np.isinf(left.hi)), left, right)
    unknown = np.isnan(left.hi) | np.isnan(right.hi)
    return where(unknown, _full((), np.nan), found)


def _max(_: Array, x: Exact) -> Exact:
    if not x.shape[-1]:
        return _full(x.shape[:-1], -np.inf)
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        paired = larger(x[..., :half], x[..., half : 2 * half])
        rest = x[..., 2 * half :]
        x = joined(-1, paired, rest)
    return x[..., 0]


def _cumsum(array: Array, x: Exact) -> Exact:
    """Return the sums up to each number, by doubling the number of addends."""
    x, shift = x[..., :: array.value], 1
    while shift < x.shape[-1]:
        head, tail = x[..., :shift], x[..., shift:] + x[..., :-shift]
        x = joined(-1, head, tail)
        shift *= 2
    return x[..., :: array.value]


def joined(axis: int, *arrays: Exact) -> Exact:
    """Return arrays in one along an axis."""
    parts = zip(*((it.hi, it.lo, it.exponent) for it in arrays), strict=True)
    return Exact(*(np.concatenate(pair, axis) for pair in parts))


def _below(x: Exact) -> Exact:
    """Return how far each number is below the largest of its row."""
    return _max(_TOP, x)[..., None] - x


def _top(_: Array, x: Exact) -> Mask:
    if not x.shape[-1]:
        return np.zeros(x.shape, bool)
    largest = _max(_TOP, x)[..., None]
    is_largest = (largest - x).hi == 0
    is_largest |= np.isinf(x.hi) & (x.hi == largest.hi)
    first = np.argmax(is_largest, axis=-1)
    return np.asarray(np.arange(x.shape[-1]) == first[..., None])


def _peak(_: Array, x: Exact) -> Exact:
    at_top = _below(x).hi == 0
    several = at_top.sum(axis=-1, keepdims=True) > 1
    return Exact.of(np.where(at_top, np.where(several, np.nan, 1.0), 0.0))


def _step(_: Array, x: Exact) -> Exact:
    return Exact.of(np.where(x.hi > 0, 1.0, np.where(x.hi < 0, 0.0, np.nan)))


def _sign(_: Array, x: Exact) -> Exact:
    return Exact.of(np.where(x.hi == 0, np.nan, np.sign(x.hi)))


def _tanh(_: Array, x: Exact) -> Exact:
    t = (abs(x) * -2.0).expm1()
    size = -t / (t + 2.0)
    return where(x.hi < 0, -size, size)


def _sqrt(_: Array, x: Exact) -> Exact:
    odd = x.exponent % 2
    mantissa = Exact(x.hi, x.lo, odd)
    root = Exact.of(np.sqrt(mantissa.to_float()))
    safe = where(root.hi > 0, root, _full((), 1.0))
    # One step of Newton's doubles the correct bits of float64's root.
    better = safe + (mantissa - safe * safe) / (safe * 2.0)
    found = Exact.scaled(better.hi, better.lo, better.exponent + (x.exponent - odd) // 2)
    return where((x.hi > 0) & np.isfinite(x.hi), found, Exact.of(np.sqrt(x.hi)))


def _power(array: Array, x: Exact) -> Exact:
    exponent = array.value
    if exponent.is_integer() and abs(exponent) <= _MOST_MULTIPLIED:
        found = _full(x.shape, 1.0)
        for _ in range(int(abs(exponent))):
            found = found * x
        return 1.0 / found if exponent < 0 else found
    logarithm = where(x.hi > 0, x, _full((), 1.0)).log()
    found = (logarithm * exponent).exp()
    plain = Exact.of(np.power(x.hi, exponent))  # of 0, of an infinity, and NaN below 0
    return where((x.hi > 0) & np.isfinite(x.hi), found, plain)


def _rearranged(array: Array, x: Any) -> Any:
    return x.map(lambda part: moved(array, part))


def moved(array: Array, part: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in the order and shape that a step puts them."""
    if array.op == "reshape":
        return part.reshape(array.shape)
    if array.op == "broadcast":
        return np.broadcast_to(part, array.shape)
    if array.op == "picked":
        return part.reshape(-1)[array.value]
    return part.transpose(array.value)  # None reverses the axes


_TOP = Array("top", (), ())
_STEPS: dict[str, Callable[..., Any]] = {
    "constant": lambda array: Exact.of(array.value),
    "given": lambda array: array.value,
    "add": lambda _, x, y: x + y,
    "subtract": lambda _, x, y: x - y,
    "multiply": _multiply,
    "divide": _divide,
    "maximum": lambda _, x, y: larger(x, y),
    "negative": lambda _, x: -x,
    "absolute": lambda _, x: abs(x),
    "exp": lambda _, x: x.exp(),
    "expm1": lambda _, x: x.expm1(),
    "log": lambda _, x: x.log(),
    "log1p": lambda _, x: _log1p(x),
    "tanh": _tanh,
    "sqrt": _sqrt,
    "power": _power,
    "sum": lambda _, x: x.sum(),
    "cumsum": _cumsum,
    "max": _max,
    "where": lambda _, condition, yes, no: where(condition, yes, no),
    "positive": lambda _, x: x.hi > 0,
    "not": lambda _, x: ~x,
    "both": lambda _, x, y: x & y,
    "top": _top,
    "peak": _peak,
    "step": _step,
    "sign": _sign,
    "form": lambda _, x, *__: x,
    "joined": lambda array, *arrays: joined(array.value, *arrays),
    **dict.fromkeys(("reshape", "broadcast", "moved", "transpose", "picked"), _rearranged),
}


def _log1p(x: Exact) -> Exact:
    """Return log(1 + x), also at and below x = −1/2, where 1 + x does not cancel any more."""
    is_near = x.to_float() > -0.5
    if is_near.all():
        return x.log1p()
    near = where(is_near, x, _full((), 0.0)).log1p()
    return where(is_near | np.isnan(x.hi), where(np.isnan(x.hi), x, near), (x + 1.0).log())
