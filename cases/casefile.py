"""Read a case from a user's `.npz` file, of which nothing is executed.

The file holds the arrays `logits` (or `log_probs`, `probs`), `target`, optionally `weight` and
`pos_weight`, and `spec`, a JSON text:
`{"operation": …, "options": {…}, "target_kind": …, "dtype": …}`.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CaseFileError
from .dtypes import FORMATS, Array, format_of
from .model import Case, Inputs
from .operations import OPERATIONS, Operation, Options

_WEIGHTS = ("weight", "pos_weight")
# These are the exceptions that zipfile and NumPy raise for a file that is damaged, encrypted or
# pickled, or that has another format.
_DAMAGED = (OSError, TypeError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def read_case(path: Path) -> Case:
    """Return the case that a file describes.

    Args:
        path: an `.npz` file as the head of this module describes it.

    Returns:
        A case of the family `file:DIGEST`, which carries its arrays. `logits`, `probs` or
        `log_probs` has shape (N, C), (N, C, d1) and so on, or any shape for functions of one
        array; all arrays but index targets are rounded to the case's dtype.

    Raises:
        CaseFileError: the file is missing, damaged, or does not describe a case.
    """
    try:
        arrays = _arrays(path)
    except FileNotFoundError as error:
        raise CaseFileError(f"there is no case file {path}") from error
    except _DAMAGED as error:
        raise CaseFileError(f"{path} is not an .npz file of plain arrays") from error
    try:
        return _case(arrays)
    except CaseFileError as error:
        raise CaseFileError(f"{path}: {error}") from error


def _arrays(path: Path) -> dict[str, Array]:
    with path.open("rb") as stream:
        # A pickled array could run code while it is loaded. For an `.npy` file NumPy returns the
        # array itself, and for a member of the archive that is no array, its bytes.
        data = np.load(stream, allow_pickle=False)
        if isinstance(data, np.ndarray):
            raise TypeError("one array without a name")
        arrays = {name: data[name] for name in data.files}
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("holds other files, too")
    return arrays


def _case(arrays: dict[str, Array]) -> Case:
    spec = _spec(arrays.pop("spec", None))
    # What the file leaves open comes from its arrays: the dtype of the case is that of the logits,
    # and a weight counts as the option "given". Everything is checked before it is used, so that
    # a wrong file ends in one line and not in an exception of NumPy.
    operation = _one_of("operation", spec.get("operation"), OPERATIONS)
    contract = OPERATIONS[operation]
    values = _values(arrays, contract)
    dtype = spec.get("dtype", values.dtype.name)
    _one_of("dtype", dtype, FORMATS)
    kind = spec.get("target_kind")
    if contract.is_loss:
        _one_of("target_kind", kind, contract.targets)
        _check_shape("target", arrays.get("target"), _target_shape(values, kind))
    elif kind is not None:
        raise CaseFileError(f"target_kind is {kind!r}; {operation} takes no target")
    options = _options(spec.get("options", {}), contract, values.ndim)
    for name in arrays.keys() & set(_WEIGHTS):
        _check_shape(name, arrays[name], values.shape[1:2])
        options = replace(options, **{name: "given"})  # type: ignore[arg-type]
    given = Inputs(
        FORMATS[dtype].round(values),
        _target(arrays.get("target"), kind, dtype),
        *(_numbers(name, arrays[name], dtype) if name in arrays else None for name in _WEIGHTS),
    )
    family = f"file:{digest_of(given)}"
    target_family = target_family_of(given.target, kind, options)
    case = Case(operation, family, values.shape, dtype, kind, target_family, options, 0, given)
    if contract.reads_classes and not values.shape[case.class_axis]:
        raise CaseFileError(
            f"`{contract.domain}` has shape {values.shape}: no class on axis {case.class_axis}"
        )
    return case


def _spec(array: Array | None) -> dict[str, Any]:
    if array is None:
        raise CaseFileError(
            "has no array `spec`, a JSON text such as "
            '{"operation": "cross_entropy", "target_kind": "index"}'
        )
    try:
        spec = json.loads(str(array.item() if array.size == 1 else array))
    except (ValueError, RecursionError) as error:
        raise CaseFileError(f"`spec` is not JSON: {error}") from error
    if not isinstance(spec, dict):
        raise CaseFileError("`spec` is not a JSON object")
    unknown = spec.keys() - {"operation", "options", "target_kind", "dtype"}
    if unknown:
        raise CaseFileError(f"`spec` has an unknown key {min(unknown)!r}")
    return spec


def _one_of(what: str, value: Any, names: Any) -> str:
    if not isinstance(value, str) or value not in names:
        raise CaseFileError(f"{what} is {value!r}; allowed: {', '.join(names)}")
    return str(value)


def _values(arrays: dict[str, Array], contract: Operation) -> Array:
    if contract.domain not in arrays:
        given = ", ".join(sorted(arrays)) or "none"
        raise CaseFileError(
            f"{contract.name} takes an array `{contract.domain}`; the file has {given}"
        )
    # An array that the operation does not take is an error: ignoring it would test another case
    # than the user meant.
    taken = {contract.domain, *({"target"} if contract.is_loss else ()), *contract.options}
    unknown = arrays.keys() - (taken & {contract.domain, "target", *_WEIGHTS})
    if unknown:
        raise CaseFileError(f"has an array that {contract.name} does not take: {min(unknown)}")
    values = arrays[contract.domain]
    axes = 2 if contract.is_loss else 1
    if values.ndim < axes or (format_of(values.dtype) is None and values.dtype.kind not in "iu"):
        shape = "shape (N, C), (N, C, d1) or more" if contract.is_loss else "at least one axis"
        raise CaseFileError(
            f"`{contract.domain}` has dtype {values.dtype}, shape {values.shape}; "
            f"allowed: {', '.join(FORMATS)}; {shape}"
        )
    # Whole numbers are allowed for convenience; other dtypes of floats have no format.
    return values if format_of(values.dtype) else values.astype(np.float64)


def _target_shape(values: Array, kind: Any) -> tuple[int, ...]:
    if kind != "index":
        return values.shape
    return values.shape[:1] + values.shape[2:]


def _check_shape(name: str, array: Array | None, shape: tuple[int, ...]) -> None:
    if array is None:
        raise CaseFileError(f"has no array `{name}`")
    if array.shape != shape:
        raise CaseFileError(f"`{name}` has shape {array.shape}; it must have {shape}")


def _options(given: Any, contract: Operation, axes: int) -> Options:
    if not isinstance(given, dict):
        raise CaseFileError("`options` is not a JSON object")
    checks: dict[str, tuple[Callable[[Any], bool], str]] = {
        "axis": (
            lambda value: _is_whole(value) and -axes <= value < axes,
            f"whole numbers from {-axes} to {axes - 1}",
        ),
        "ignore_index": (_is_whole, "whole numbers"),
        "label_smoothing": (
            lambda value: type(value) in (int, float) and 0 <= value <= 1,
            "numbers from 0 to 1",
        ),
        "reduction": (lambda value: value in ("none", "mean", "sum"), "none, mean, sum"),
    }
    # Weights are options of an operation as well, but in a file they are arrays, not JSON.
    for name, value in given.items():
        _one_of("option", name, [item for item in contract.options if item in checks])
        is_right, allowed = checks[name]
        if not is_right(value):
            raise CaseFileError(f"{name} is {value!r}; allowed: {allowed}")
    if "label_smoothing" in given:
        given = {**given, "label_smoothing": float(given["label_smoothing"])}
    return Options(**given)


def _is_whole(value: Any) -> bool:
    # To Python, JSON's `true` is an int; frameworks take axes and indices as int64.
    return type(value) is int and abs(value) < 2**63


def _target(target: Array | None, kind: Any, dtype: str) -> Array | None:
    if target is None or not kind:
        return None
    if kind != "index":
        return _numbers("target", target, dtype)
    # uint64 labels beyond int64 would wrap around, and are refused because they differ then.
    labels = target.astype(np.int64) if target.dtype.kind in "iu" else None
    if labels is None or (labels != target).any():
        raise CaseFileError(f"`target` has dtype {target.dtype}; an index target has int64")
    return labels


def target_family_of(target: Array | None, kind: Any, options: Options) -> str:
    """Return the target family of an explicit target.

    A target with ignored rows gets a family that says so, because its case needs an
    implementation with `ignore_index`; see `Case.needs`.

    Args:
        target: the target of a case, of any shape and dtype, or None.
        kind: the target kind; only index targets have ignored rows.
        options: the options of the case, of which `ignore_index` is read.

    Returns:
        `given`, `some_ignored` or `all_ignored`; an empty text for no target.

    >>> target_family_of(np.array([2, -100]), "index", Options())
    'some_ignored'
    """
    if target is None:
        return ""
    # Other kinds of target have no labels that could be compared with `ignore_index`.
    ignored = target == options.ignore_index if kind == "index" else np.zeros(0, bool)
    if not ignored.any():
        return "given"
    return "all_ignored" if ignored.all() else "some_ignored"


def _numbers(name: str, array: Array, dtype: str) -> Array:
    if array.dtype.kind not in "biuf" and format_of(array.dtype) is None:
        raise CaseFileError(f"`{name}` has dtype {array.dtype}; allowed: {', '.join(FORMATS)}")
    return FORMATS[dtype].round(array)


def digest_of(given: Inputs) -> str:
    """Return a short name for the arrays of a case.

    Returns:
        The first 12 hexadecimal digits of SHA-256 over the dtypes, shapes and bits.
    """
    digest = hashlib.sha256()
    for array in vars(given).values():
        if array is not None:
            digest.update(f"{array.dtype.name}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:12]
