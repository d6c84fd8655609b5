"""Take a user's arrays, of any framework, as NumPy's: nothing is rounded unless it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.dtypes import FORMATS, format_of
from ..cases.operations import Operation
from ..errors import ArgumentTypeError, ArgumentValueError
from .frameworks import PLAIN, backend_of, framework_of_array, named
from .written import written

Array = NDArray[Any]


def array_of(name: str, given: object) -> Array:
    """Return an argument as a NumPy array of the same dtype and shape.

    Args:
        name: the name of the argument, for messages.
        given: a number, nested lists of numbers, or an array of any framework. Numbers that are
            written in other ways, as text or `Decimal`, are rounded to float64.

    Raises:
        ArgumentTypeError: it holds no numbers, or is no array.
    """
    framework = framework_of_array(given)
    exactly = written(given) if framework in (None, PLAIN) else None
    if exactly is not None:
        return exactly.astype(np.float64)
    array: Array
    try:
        array = (
            np.asarray(given)
            if framework is None or framework == PLAIN
            else _converted(framework, given)
        )
    except Exception as error:  # other people's arrays may fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArgumentTypeError(f"{name} is no array: {reason}") from error
    if array.dtype.kind not in "biuf" and format_of(array.dtype) is None:
        what = f"an array of {array.dtype}" if framework else f"a {type(given).__name__}"
        raise ArgumentTypeError(f"{name} is {what}, which holds no real numbers")
    return array


def _converted(framework: str, given: object) -> Array:
    backend = backend_of(framework)
    with backend.as_guest():
        return backend.to_numpy(given)


def in_dtype(name: str, array: Array, dtype: str | None) -> Array:
    """Return floating-point numbers, rounded where the user has named a dtype."""
    if dtype is not None:
        return FORMATS[named("dtype", dtype, FORMATS)].round(array)
    if format_of(array.dtype) is None:
        raise ArgumentValueError(
            f"{name} holds {array.dtype}; allowed: {', '.join(FORMATS)}, or dtype= to convert it"
        )
    return array


def numbers(name: str, given: object, dtype: np.dtype[Any], *, exact: bool = True) -> Array:
    """Return numbers in their own dtype; Python's numbers, and whole ones, in that of the values.

    Raises:
        ArgumentValueError: the dtype of the values does not hold them exactly.
    """
    array = array_of(name, given)
    is_plain = framework_of_array(given) is None or format_of(array.dtype) is None
    if not is_plain and exact:
        return array
    rounded = FORMATS[dtype.name].round(array)
    wide = array.astype(np.float64)
    same = (rounded.astype(np.float64) == wide) | np.isnan(wide)
    # A list of Python's floats is what a framework would make an array of that dtype from.
    if exact and array.dtype.kind in "iu" and not same.all():
        raise ArgumentValueError(f"{name} holds numbers that {dtype.name} does not")
    return rounded


def shape_of_logits(
    contract: Operation, values: Array, linear: dict[str, Array]
) -> tuple[int, ...] | None:
    """Return the shape of the logits that hidden states are made into; None where there are none.

    Raises:
        ArgumentTypeError: the linear weights are missing.
        ArgumentValueError: the arrays do not fit each other.
    """
    if not contract.is_linear:
        return None
    if "linear_weight" not in linear:
        raise ArgumentTypeError(f"{contract.name} takes linear_weight=, an array of shape (C, H)")
    weight = linear["linear_weight"]
    if values.ndim != len("NH") or weight.ndim != len("CH") or values.shape[1:] != weight.shape[1:]:
        raise ArgumentValueError(
            f"hidden has shape {values.shape}, linear_weight {weight.shape}; they must have "
            "(N, H) and (C, H)"
        )
    bias = linear.get("linear_bias")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ArgumentValueError(
            f"linear_bias has shape {bias.shape}; it must have {weight.shape[:1]}"
        )
    return values.shape[0], weight.shape[0]
