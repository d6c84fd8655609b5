"""Cases from a user's `.npz` file; nothing in such a file is executed.

Arrays: `logits` (or `log_probs`, `probs`), `target`, optionally `weight`, `pos_weight`, and
`spec`, a JSON text `{"operation": …, "options": {…}, "target_kind": …, "dtype": …}`.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from .dtypes import FORMATS, Array, format_of
from .model import Case, Inputs
from .operations import OPERATIONS, Operation, Options

_DOMAINS = ("logits", "log_probs", "probs")


class CaseFileError(ValueError):
    """A case file that cannot be used; the message says what is wrong with it."""


def read_case(path: Path) -> Case:
    """Return the case that a file holds, with its arrays.

    Raises:
        CaseFileError: the file is missing, damaged, or does not describe a case.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
    except FileNotFoundError as error:
        raise CaseFileError(f"there is no case file {path}") from error
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise CaseFileError(f"{path} is not an .npz file of plain arrays") from error
    try:
        return _case(arrays)
    except CaseFileError as error:
        raise CaseFileError(f"{path}: {error}") from error


def _case(arrays: dict[str, Array]) -> Case:
    spec = _spec(arrays.pop("spec", None))
    operation = _one_of("operation", spec.get("operation"), OPERATIONS)
    contract = OPERATIONS[operation]
    values = _values(arrays, contract)
    dtype = spec.get("dtype", values.dtype.name)
    _one_of("dtype", dtype, FORMATS)
    kind = spec.get("target_kind")
    if contract.is_loss:
        _one_of("target_kind", kind, contract.targets)
        _check_shape("target", arrays.get("target"), _target_shape(values, kind))
    options = _options(spec.get("options", {}), contract, arrays)
    form = FORMATS[dtype]
    given = Inputs(
        form.round(values.astype(np.float64)),
        _target(arrays.get("target"), kind, dtype),
        *(None if name not in arrays else form.round(arrays[name])
          for name in ("weight", "pos_weight")),
    )  # fmt: skip
    family = f"file:{_digest(given)}"
    return Case(
        operation, family, values.shape, dtype, kind, "given" if kind else "", options, 0, given
    )


def _spec(array: Array | None) -> dict[str, Any]:
    if array is None:
        raise CaseFileError(
            "has no array `spec`, a JSON text such as "
            '{"operation": "cross_entropy", "target_kind": "index"}'
        )
    try:
        spec = json.loads(str(array.item() if array.size == 1 else array))
    except ValueError as error:
        raise CaseFileError(f"`spec` is not JSON: {error}") from error
    if not isinstance(spec, dict):
        raise CaseFileError("`spec` is not a JSON object")
    unknown = spec.keys() - {"operation", "options", "target_kind", "dtype"}
    if unknown:
        raise CaseFileError(f"`spec` has an unknown key {min(unknown)!r}")
    return spec


def _one_of(what: str, value: Any, names: Any) -> str:
    if value not in names:
        raise CaseFileError(f"{what} is {value!r}; allowed: {', '.join(names)}")
    return str(value)


def _values(arrays: dict[str, Array], contract: Operation) -> Array:
    if contract.domain not in arrays:
        given = ", ".join(sorted(arrays)) or "none"
        raise CaseFileError(
            f"{contract.name} takes an array `{contract.domain}`; the file has {given}"
        )
    unknown = arrays.keys() - {contract.domain, "target", "weight", "pos_weight"}
    if unknown:
        raise CaseFileError(f"has an array that {contract.name} does not take: {min(unknown)}")
    values = arrays[contract.domain]
    if values.ndim == 0 or (format_of(values.dtype) is None and values.dtype.kind not in "iu"):
        raise CaseFileError(
            f"`{contract.domain}` has dtype {values.dtype}, shape {values.shape}; "
            f"allowed: {', '.join(FORMATS)}, at least one axis"
        )
    return values if format_of(values.dtype) else values.astype(np.float64)


def _target_shape(values: Array, kind: Any) -> tuple[int, ...]:
    if kind != "index":
        return values.shape
    return values.shape[:1] + values.shape[2:] if values.ndim > 1 else ()


def _check_shape(name: str, array: Array | None, shape: tuple[int, ...]) -> None:
    if array is None:
        raise CaseFileError(f"has no array `{name}`")
    if array.shape != shape:
        raise CaseFileError(f"`{name}` has shape {array.shape}; it must have {shape}")


def _options(given: Any, contract: Operation, arrays: dict[str, Array]) -> Options:
    if not isinstance(given, dict):
        raise CaseFileError("`options` is not a JSON object")
    scalars = [item.name for item in fields(Options) if item.name not in ("weight", "pos_weight")]
    allowed = [name for name in contract.options if name in scalars]
    for name in given:
        _one_of("option", name, allowed)
    if given.get("reduction", "mean") not in ("none", "mean", "sum"):
        raise CaseFileError(f"reduction is {given['reduction']!r}; allowed: none, mean, sum")
    for name in ("weight", "pos_weight"):
        if name in arrays:
            _one_of("array", name, contract.options)
            given = {**given, name: "given"}
    return Options(**given)


def _target(target: Array | None, kind: Any, dtype: str) -> Array | None:
    if target is None or not kind:
        return None
    if kind == "index":
        return target.astype(np.int64)
    return FORMATS[dtype].round(target.astype(np.float64))


def _digest(given: Inputs) -> str:
    digest = hashlib.sha256()
    for array in vars(given).values():
        if array is not None:
            digest.update(f"{array.dtype.name}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:12]
