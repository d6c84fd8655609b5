"""Make Triton's interpreter compute what its compiler would, for the mode `interpret`.

The interpreter of Triton 3.9 passes a kernel's floats as Python's, which have no method `to` and do
not widen an array of 16 bits, and every function of libdevice returns None in it. Both are mended
here, in the whole process. What it does with bfloat16 is not: see `Mode.lacks`.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping
from importlib import util
from typing import Any

import numpy as np

_FILE = "triton/runtime/interpreter.py"
_LIBDEVICE: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": np.vectorize(math.erf),
    "erfc": np.vectorize(math.erfc),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "fast_expf": np.exp,
    "fast_logf": np.log,
    "fast_tanhf": np.tanh,
    "floor": np.floor,
    "isinf": np.isinf,
    "isnan": np.isnan,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "pow": np.power,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}


def prepare() -> None:
    """Mend the interpreter, if Triton is installed, before a kernel is imported."""
    if util.find_spec("triton") is None:
        return
    from triton.language.extra import libdevice
    from triton.runtime import interpreter

    converted = interpreter._implicit_cvt  # noqa: SLF001 -- there is no public way
    interpreter._implicit_cvt = lambda it: (  # noqa: SLF001
        _scalar(it) if isinstance(it, float) else converted(it)
    )
    for name in _LIBDEVICE.keys() & vars(libdevice).keys():
        setattr(libdevice, name, _of_tensors(_LIBDEVICE[name]))


def why_not_theirs(error: BaseException) -> str:
    """Return why an error is no fault of the kernel that was interpreted; empty if it may be."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    if frames and frames[-1].filename.replace("\\", "/").endswith(_FILE):
        return "Triton's interpreter fails"
    return ""


def hint(error: BaseException) -> str:
    """Return how kernels are run without a GPU, for the error that Triton raises without one."""
    if isinstance(error, RuntimeError) and "active drivers" in str(error):
        return "Triton finds no GPU: --mode interpret runs its kernels without one"
    return ""


def _scalar(number: float) -> Any:
    """Return a number as the compiler passes it: a scalar of float32."""
    return _tensor(np.array([number], np.float32))


def _of_tensors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of NumPy's as one of the interpreter's tensors."""

    def computed(*given: Any) -> Any:
        arrays = [it.handle.data if hasattr(it, "handle") else np.float32(it) for it in given]
        with np.errstate(all="ignore"):
            result = np.asarray(function(*arrays))
        return _tensor(result if result.dtype == bool else result.astype(arrays[0].dtype))

    return computed


def _tensor(array: np.ndarray[Any, Any]) -> Any:
    from triton import language
    from triton.runtime import interpreter

    name = "int1" if array.dtype == bool else array.dtype.name.replace("float", "fp")
    scalar = language.str_to_ty(name, None)
    is_block = array.ndim > 0 and array.size > 1
    type_ = language.block_type(scalar, list(array.shape)) if is_block else scalar
    return language.tensor(interpreter.TensorHandle(array, scalar), type_)
