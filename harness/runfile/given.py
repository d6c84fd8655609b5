"""Store the explicit arrays of a case in a run file, and read them back."""

from __future__ import annotations

import io

import numpy as np

from ...cases.dtypes import FORMATS, Array
from ...cases.model import Case, Inputs
from ...cases.npz import LARGEST, read_arrays
from ...cases.weights import fitted
from ...errors import SchemaError

_NAMES = ("values", "target", "weight", "pos_weight", "linear_weight", "linear_bias")
_WIDENED = 4  # times the memory that an array of 16 bits takes as float64


def pack(inputs: Inputs) -> bytes:
    """Return the arrays of a case as an `.npz` file."""
    stream = io.BytesIO()
    arrays = {name: value for name, value in vars(inputs).items() if value is not None}
    # `.npz` has no bfloat16, and float64 holds every value of every format exactly.
    wide = {
        name: value if value.dtype.kind in "iu" else value.astype(np.float64)
        for name, value in arrays.items()
    }
    np.savez_compressed(stream, **wide)
    return stream.getvalue()


def unpack(npz: object, case: Case) -> Inputs:
    """Return the arrays of a case from the `.npz` file that `pack` wrote.

    Args:
        npz: the content of the file.
        case: the case; the arrays must have its shape, and get its dtype.

    Raises:
        SchemaError: it is no such file, or has the arrays of another case.
    """
    if not isinstance(npz, bytes):
        raise SchemaError("", "is no archive of arrays")
    arrays = read_arrays(io.BytesIO(npz), _WIDENED * LARGEST)
    if "values" not in arrays or not arrays.keys() <= set(_NAMES):
        raise SchemaError("", f"has the arrays {', '.join(sorted(arrays))[:100] or '(none)'}")
    for name, array in arrays.items():
        if array.dtype != np.float64 and array.dtype.kind not in "iu":
            raise SchemaError(f"`{name}`", f"has dtype {array.dtype}, float64 is due")
    _check_shapes(arrays, case)
    dtypes = {"target": case.target_dtype or case.dtype}
    return Inputs(
        **{
            name: array
            if array.dtype.kind in "iu"
            else FORMATS[dtypes.get(name, case.dtype)].round(array)
            for name, array in arrays.items()
        }
    )


def _check_shapes(arrays: dict[str, Array], case: Case) -> None:
    shape = case.shape
    if case.contract.is_linear != ("linear_weight" in arrays):
        raise SchemaError("`linear_weight`", f"does not suit {case.operation}")
    if ("target" in arrays) != bool(case.target_kind):
        raise SchemaError("`target`", f"does not suit the target {case.target_kind or '(none)'}")
    axis, hidden = case.class_axis, (case.hidden,)
    classes, rows = shape[axis : axis + 1], shape[:axis] + shape[axis + 1 :]
    due = {
        "values": shape[:1] + hidden if case.contract.is_linear else shape,
        "target": shape if case.target_kind != "index" else rows,
        "linear_weight": classes + hidden,
        "linear_bias": classes,
    }
    for name in sorted(due.keys() & arrays.keys()):
        if arrays[name].shape != due[name]:
            raise SchemaError(f"`{name}`", f"has shape {arrays[name].shape}, {due[name]} is due")
    for name in sorted({"weight", "pos_weight"} & arrays.keys()):
        try:
            fitted(arrays[name], shape, reads_classes=case.contract.reads_classes)
        except ValueError as error:
            raise SchemaError(f"`{name}`", str(error)) from error
