"""The adapter of NumPy and SciPy, whose gradients are hand-written `NAME_vjp` functions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import format_of
from ...errors import DeviceAbsentError
from ..base import Backend, Call, Forward, ForwardBackward
from . import FRAMEWORK


class NumpyBackend(Backend):
    """NumPy and SciPy on the CPU; mode `eager`.

    Floating-point warnings are off: overflow and NaN are judged from the results.
    """

    description = FRAMEWORK
    modules = ("functions", "scipy_special", "recipes", "textbook")
    packages = ("numpy", "scipy", "ml_dtypes")

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        if device == "gpu":
            raise DeviceAbsentError("NumPy has no GPU")

    def to_array(self, array: NDArray[Any]) -> NDArray[Any]:
        return array

    def to_numpy(self, value: Any) -> NDArray[Any]:
        # A number is what losses of plain Python return; a bool is not meant as one.
        is_number = isinstance(value, float | int) and not isinstance(value, bool)
        if not isinstance(value, np.ndarray | np.generic) and not is_number:
            raise TypeError(f"returned {type(value).__name__}, not a NumPy array")
        return np.asarray(value)

    def synchronize(self, value: Any) -> None:
        """Return at once, since NumPy has computed a result when it returns it."""

    @property
    def is_synchronous(self) -> bool:
        return True

    def overwrite(self, array: NDArray[Any], values: NDArray[Any]) -> bool:
        array[...] = values
        return True

    def moveaxis(self, array: Any, source: int, destination: int) -> Any:
        return np.moveaxis(array, source, destination)

    def concatenated(self, arrays: Sequence[Any], axis: int) -> Any:
        return np.concatenate(arrays, axis)

    def forward(self, call: Call, mode: str) -> Forward:
        def run(*arrays: NDArray[Any]) -> Any:
            with np.errstate(all="ignore"):
                return _of_dtype(arrays[0], call(*arrays))

        return run

    def timed(self, call: Call, mode: str) -> Forward:
        np.seterr(all="ignore")  # once, outside of the timed region
        return call.direct()

    def forward_backward(self, call: Call, mode: str) -> ForwardBackward:
        def run(cotangent: NDArray[Any], *arrays: NDArray[Any]) -> tuple[Any, tuple[Any, ...]]:
            with np.errstate(all="ignore"):
                gradients = call.vjp(cotangent, *arrays)
                if not isinstance(gradients, tuple | list):
                    kind = type(gradients).__name__
                    raise TypeError(f"the vjp returned {kind}, not a tuple of gradients")
                # A vjp returns the gradient with respect to the values first and may leave out
                # that of the target, which is then reported as missing.
                gradients = tuple(gradients)[: len(call.wrt)]
                missing = len(call.wrt) - len(gradients)
                return _of_dtype(arrays[0], call(*arrays)), (*gradients, *[None] * missing)

        return run

    def facts(self) -> dict[str, Any]:
        return {"threads": os.environ.get("OMP_NUM_THREADS", "default")}


def _of_dtype(values: NDArray[Any], result: Any) -> Any:
    """Return a number of Python, which has no dtype of its own, in that of the first argument.

    A float32 that is divided by the number of rows becomes one, too: a float64 of NumPy.
    """
    is_number = isinstance(result, float) and format_of(values.dtype) is not None
    return values.dtype.type(result) if is_number else result


BACKEND = NumpyBackend
