"""Run a formula on decimals, with as many digits as it takes, where pairs lose too many bits.

exp and ln of Python's `decimal` are correctly rounded, and its exponents are practically unlimited.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..oracle import Exact, Floats
from .exactly import Values, moved
from .graph import Array, steps
from .sizes import Sizes

Decimals = NDArray[np.object_]
_LOG2_10 = math.log2(10)
_SPARE = 40  # digits in which a power of two is computed besides those of the result
_ZERO, _ONE, _NAN = Decimal(0), Decimal(1), Decimal("NaN")


def on_decimals(
    outputs: list[Array], inputs: Mapping[str, Floats | Decimals], digits: int
) -> Values:
    """Return the numbers of every step that some arrays are computed from.

    Args:
        outputs: the arrays.
        inputs: the arguments of the formula, by their names.
        digits: the number of digits that each step is rounded to.

    Returns:
        Arrays of `Decimal`, and truth values for comparisons, in the shapes of the arrays.
    """
    found: Values = {}
    with localcontext(Context(digits, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])):
        for array in steps(outputs):
            if array.op == "input":
                found[array] = decimals(inputs[array.value])
                continue
            found[array] = _STEPS[array.op](array, *(found[it] for it in array.args))
    return found


def decimals(numbers: Floats | Decimals) -> Decimals:
    """Return float64 numbers as decimals, without rounding them; decimals as they are."""
    if np.asarray(numbers).dtype == object:
        return np.asarray(numbers, object)
    return _each(Decimal, np.asarray(numbers, np.float64).astype(object))


def sizes_of(numbers: Decimals) -> Sizes:
    """Return the signs and magnitudes of decimals."""
    flat = numbers.ravel().tolist()
    finite = np.array([it.is_finite() for it in flat], bool)
    sign = np.array([_sign_of(it) for it in flat], np.float64)
    # The exponents of the usual context end where e^−10⁷ begins.
    with localcontext(Context(_SPARE, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])):
        size = np.array([_log2(it) if it.is_finite() else -math.inf for it in flat], np.float64)
    shape = numbers.shape
    return Sizes(sign.reshape(shape), size.reshape(shape), finite.reshape(shape))


def exact_of(numbers: Decimals, digits: int) -> Exact:
    """Return decimals as pairs with an exponent."""
    with localcontext(Context(digits + _SPARE, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])):
        parts = [_parts(number) for number in numbers.ravel().tolist()]
    columns = np.array(parts, object).reshape(-1, 3).T
    high, low = (column.astype(np.float64) for column in columns[:2])
    flat = Exact.scaled(high, low, columns[2].astype(np.int64))
    return flat.map(lambda part: part.reshape(numbers.shape))


def _sign_of(number: Decimal) -> float:
    if number.is_nan():
        return math.nan
    return float((number > 0) - (number < 0))


def _log2(number: Decimal) -> float:
    if not number:
        return -math.inf
    power = number.adjusted()
    return math.log2(abs(float(number.scaleb(-power)))) + power * _LOG2_10


def _parts(number: Decimal) -> tuple[float, float, int]:
    """Return a decimal as a pair of float64 numbers and an exponent."""
    if not number or not number.is_finite():
        return float(number), 0.0, 0
    exponent = math.floor(number.adjusted() * _LOG2_10)
    mantissa = number / Decimal(2) ** exponent
    high = float(mantissa)
    return high, float(mantissa - Decimal(high)), exponent


def _each(function: Callable[..., Any], *arrays: Any) -> Decimals:
    """Return the results of a function of single numbers, as an array of objects."""
    found = np.frompyfunc(function, len(arrays), 1)(*arrays)
    return np.asarray(found, object)


def _by_element(function: Callable[..., Any]) -> Callable[..., Decimals]:
    return lambda _, *arrays: _each(function, *arrays)


def _product(array: Array, left: Decimals, right: Decimals) -> Decimals:
    if array.value is None:
        return _each(lambda x, y: x * y, left, right)
    return _each(lambda x, y: x * y if x else _ZERO, left, right)


def _quotient(array: Array, left: Decimals, right: Decimals) -> Decimals:
    if array.value is None:
        return _each(lambda x, y: x / y, left, right)
    return _each(lambda x, y: x / y if x else _ZERO, left, right)


def _larger(x: Decimal, y: Decimal) -> Decimal:
    if x.is_nan() or y.is_nan():
        return _NAN
    return max(y, x)


def _rows(x: Decimals, function: Callable[[list[Decimal]], Decimal]) -> Decimals:
    """Return a function of each row, which lies along the last axis."""
    rows = x.reshape(-1, x.shape[-1]) if x.shape[-1] else np.empty((math.prod(x.shape[:-1]), 0))
    found = np.empty(len(rows), object)
    for place, row in enumerate(rows.tolist()):
        found[place] = function(row)
    return found.reshape(x.shape[:-1])


def _cumsum(array: Array, x: Decimals) -> Decimals:
    return np.asarray(np.add.accumulate(x[..., :: array.value], -1)[..., :: array.value])


def _max(_: Array, x: Decimals) -> Decimals:
    return _rows(x, _largest)


def _largest(row: list[Decimal]) -> Decimal:
    return reduce(_larger, row, Decimal("-Infinity"))


def _top(array: Array, x: Decimals) -> NDArray[np.bool_]:
    largest = _max(array, x)[..., None]
    first = np.argmax(_each(lambda one, most: one == most, x, largest).astype(bool), axis=-1)
    return np.asarray(np.arange(x.shape[-1]) == first[..., None])


def _peak(array: Array, x: Decimals) -> Decimals:
    largest = _max(array, x)[..., None]
    is_top = _each(lambda one, most: one == most, x, largest).astype(bool)
    several = is_top.sum(axis=-1, keepdims=True) > 1
    return decimals(np.where(is_top, np.where(several, np.nan, 1.0), 0.0))


def _signed(x: Decimal) -> Decimal:
    return _NAN if x.is_nan() or not x else (_ONE if x > 0 else -_ONE)


def _stepped(x: Decimal) -> Decimal:
    return _NAN if x.is_nan() or not x else (_ONE if x > 0 else _ZERO)


def _hyperbolic(x: Decimal) -> Decimal:
    small = (-2 * abs(x)).exp()
    return ((1 - small) / (1 + small)).copy_sign(x)


def _powers(array: Array, x: Decimals) -> Decimals:
    exponent = Decimal(array.value)
    whole = int(exponent) if exponent == exponent.to_integral_value() else exponent
    return _each(lambda it: _ONE if not whole else it**whole, x)


_STEPS: dict[str, Callable[..., Any]] = {
    "constant": lambda array: decimals(array.value),
    "given": lambda array: array.value,
    "add": _by_element(lambda x, y: x + y),
    "subtract": _by_element(lambda x, y: x - y),
    "multiply": _product,
    "divide": _quotient,
    "maximum": _by_element(_larger),
    "negative": _by_element(lambda x: -x),
    "absolute": _by_element(abs),
    "exp": _by_element(lambda x: x.exp()),
    "expm1": _by_element(lambda x: x.exp() - 1),
    "log": _by_element(lambda x: x.ln()),
    "log1p": _by_element(lambda x: (1 + x).ln()),
    "tanh": _by_element(_hyperbolic),
    "sqrt": _by_element(lambda x: x.sqrt()),
    "power": _powers,
    "sum": lambda _, x: _rows(x, lambda row: sum(row, _ZERO)),
    "cumsum": _cumsum,
    "max": _max,
    "where": lambda _, condition, yes, no: np.where(condition, yes, no),
    "positive": lambda _, x: _each(lambda it: it > 0, x).astype(bool),
    "not": lambda _, x: ~x,
    "both": lambda _, x, y: x & y,
    "top": _top,
    "peak": _peak,
    "step": _by_element(_stepped),
    "sign": _by_element(_signed),
    "form": lambda _, x, *__: x,
    "joined": lambda array, *arrays: np.concatenate(arrays, array.value),
    **dict.fromkeys(("reshape", "broadcast", "moved", "transpose", "picked"), moved),
}
