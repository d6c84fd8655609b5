"""Read a case from a user's `.npz` file, of which nothing is executed.

The file holds the arrays `logits` (or `log_probs`, `probs`), `target`, optionally `weight` and
`pos_weight`, and `spec`, a JSON text:
`{"operation": …, "options": {…}, "target_kind": …, "dtype": …}`. A linear loss has `hidden`,
`linear_weight` and perhaps `linear_bias` in place of the logits.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CaseFileError, SchemaError
from .checked import decoded, shown
from .dtypes import FORMATS, Array, format_of
from .model import Case, Inputs
from .npz import NOT_ARRAYS, read_arrays
from .operations import LANGUAGE_MODELS, OPERATIONS, Operation, Options
from .weights import fitted

_WEIGHTS = ("weight", "pos_weight")
_LINEAR = ("linear_weight", "linear_bias")
_EXACT = 2.0**53  # every whole number up to it is a float64


def read_case(path: Path) -> Case:
    """Return the case that a file describes.

    Args:
        path: an `.npz` file as the head of this module describes it.

    Returns:
        A case of the family `file:DIGEST`, which carries its arrays. `logits`, `probs` or
        `log_probs` has shape (N, C), (N, C, d1) and so on, or (C,) for a row without a batch, or
        any shape for functions of one array and for binary losses, whose weights have any shape
        that broadcasts; hidden states have shape (N, H), and their linear weights (C, H). With a
        `dtype` in `spec` all arrays but index targets are rounded to it. Without one nothing is
        rounded: whole numbers stay what they are, the target keeps its dtype, and weights must be
        numbers of the first argument's. Arrays in Fortran's order are asked in it.

    Raises:
        CaseFileError: the file is missing, damaged, or does not describe a case.
    """
    try:
        return _case(_arrays(path))
    except FileNotFoundError as error:
        raise CaseFileError(f"there is no case file {path}") from error
    except OSError as error:
        raise CaseFileError(f"cannot read {path}: {error.strerror or error}") from error
    except SchemaError as error:
        # What concerns the file as a whole continues the sentence that its name begins.
        colon = ":" if error.where else ""
        raise CaseFileError(f"{path}{colon} {error}") from error
    except MemoryError as error:
        raise CaseFileError(f"{path} needs more memory than there is") from error


def _arrays(path: Path) -> dict[str, Array]:
    if path.exists() and not path.is_file():  # to open a named pipe would wait for its writer
        raise SchemaError("", NOT_ARRAYS)
    with path.open("rb") as stream:
        return read_arrays(stream)


def _case(arrays: dict[str, Array]) -> Case:
    spec = _spec(arrays.pop("spec", None))
    # What the file leaves open comes from its arrays: the dtype of the case is that of the logits,
    # and a weight counts as the option "given". Everything is checked before it is used, so that
    # a wrong file ends in one line and not in an exception of NumPy.
    operation = _one_of("operation", spec.get("operation"), OPERATIONS)
    contract = OPERATIONS[operation]
    values = _values(arrays, contract)
    # Whole numbers are asked as they are, and have no dtype in which the answer is due.
    is_whole = values.dtype.kind in "iu" and "dtype" not in spec
    dtype = spec.get("dtype", "float64" if values.dtype.kind in "iu" else values.dtype.name)
    _one_of("dtype", dtype, FORMATS)
    kind = spec.get("target_kind")
    linear = {name: arrays.pop(name) for name in _LINEAR if name in arrays}
    shape = _shape(values, linear, contract)
    if contract.is_loss:
        _one_of("target_kind", kind, contract.targets)
        _check_shape("target", arrays.get("target"), _target_shape(shape, kind))
    elif kind is not None:
        raise SchemaError(f"target_kind is {shown(kind)}; {operation} takes no target")
    options = _options(spec.get("options", {}), contract, values.ndim)
    if conflict := options.conflict(kind):
        raise SchemaError(conflict)
    for name in arrays.keys() & set(_WEIGHTS):
        arrays[name] = _fitted(name, arrays[name], shape, contract)
        options = replace(options, **{name: "given"})  # type: ignore[arg-type]
    if "linear_bias" in linear:
        options = replace(options, linear_bias="given")
    rounds, added = "dtype" in spec, {**arrays, **linear}
    given = Inputs(
        values if is_whole else FORMATS[dtype].round(values.astype(np.float64)),
        _target(arrays.get("target"), kind, dtype, rounds=rounds),
        **{
            name: _numbers(name, added[name], dtype, rounds=rounds)
            for name in (*_WEIGHTS, *_LINEAR)
            if name in added
        },
    )
    family = f"file:{digest_of(given)}"
    target_family = target_family_of(given.target, kind, options)
    case = Case(operation, family, shape, dtype, kind, target_family, options, 0, given)
    case = replace(case, layout=_layout_of(values), target_dtype=_own_dtype(given.target, dtype))
    case = replace(case, hidden=values.shape[1] if linear else 0)
    if case.lacks_classes:
        raise SchemaError(
            f"`{contract.domain}` has shape {values.shape}: no class on axis {case.class_axis}"
        )
    return case


def _shape(values: Array, linear: dict[str, Array], contract: Operation) -> tuple[int, ...]:
    """Return the shape of the case: that of the first argument, or of the logits it is made into.

    Raises:
        SchemaError: the arrays of a linear loss do not fit each other.
    """
    if not contract.is_linear:
        return values.shape
    if values.ndim != len("NH") or not values.shape[1]:
        raise SchemaError(f"`hidden` has shape {values.shape}; it must have (N, H), H above 0")
    weight = linear.get("linear_weight")
    classes = weight.shape[0] if weight is not None and weight.ndim else 1
    _check_shape("linear_weight", weight, (classes, values.shape[1]))
    if "linear_bias" in linear:
        _check_shape("linear_bias", linear["linear_bias"], (classes,))
    return values.shape[0], classes


def _spec(array: Array | None) -> dict[str, Any]:
    if array is None:
        raise SchemaError(
            "has no array `spec`, a JSON text such as "
            '{"operation": "cross_entropy", "target_kind": "index"}'
        )
    text = array.item() if array.size == 1 else None
    if not isinstance(text, str):
        raise SchemaError("`spec` is not a text")
    try:
        spec = decoded(text, object, from_python=True)
    except SchemaError as error:
        raise SchemaError(f"`spec` {error}") from error
    if not isinstance(spec, dict):
        raise SchemaError("`spec` is not a JSON object")
    unknown = spec.keys() - {"operation", "options", "target_kind", "dtype"}
    if unknown:
        raise SchemaError(f"`spec` has an unknown key {shown(min(unknown))}")
    return spec


def _one_of(what: str, value: Any, names: Any) -> str:
    if not isinstance(value, str) or value not in names:
        raise SchemaError(f"{what} is {shown(value)}; allowed: {', '.join(names)}")
    return str(value)


def _values(arrays: dict[str, Array], contract: Operation) -> Array:
    if contract.domain not in arrays:
        given = ", ".join(sorted(arrays))[:200] or "none"
        raise SchemaError(
            f"{contract.name} takes an array `{contract.domain}`; the file has {given}"
        )
    # An array that the operation does not take is an error: ignoring it would test another case
    # than the user meant.
    taken = {contract.domain, *({"target"} if contract.is_loss else ()), *contract.options}
    taken |= set(_LINEAR if contract.is_linear else ())
    unknown = arrays.keys() - (taken & {contract.domain, "target", *_WEIGHTS, *_LINEAR})
    if unknown:
        raise SchemaError(f"has an array that {contract.name} does not take: {min(unknown)[:40]}")
    values = arrays[contract.domain]
    axes = (2 if contract.is_linear else 1) if contract.reads_classes else 0
    if values.ndim < axes or (format_of(values.dtype) is None and values.dtype.kind not in "iu"):
        of_loss = "shape (C,), (N, C), (N, C, d1) or more"
        shape = ("any shape", of_loss if contract.is_loss else "at least one axis", "(N, H)")[axes]
        raise SchemaError(
            f"`{contract.domain}` has dtype {values.dtype}, shape {values.shape}; "
            f"allowed: {', '.join(FORMATS)}; {shape}"
        )
    if values.dtype.kind in "iu" and (np.abs(values.astype(np.float64)) > _EXACT).any():
        raise SchemaError(
            f"`{contract.domain}` has whole numbers beyond 2^53, of which the right answer is not "
            "computed"
        )
    return values


def _target_shape(shape: tuple[int, ...], kind: Any) -> tuple[int, ...]:
    axis = min(1, len(shape) - 1)
    return shape if kind != "index" else shape[:axis] + shape[axis + 1 :]


def _check_shape(name: str, array: Array | None, shape: tuple[int, ...]) -> None:
    if array is None:
        raise SchemaError(f"has no array `{name}`")
    if array.shape != shape:
        raise SchemaError(f"`{name}` has shape {array.shape}; it must have {shape}")


def _fitted(name: str, array: Array, shape: tuple[int, ...], contract: Operation) -> Array:
    try:
        return fitted(array, shape, reads_classes=contract.reads_classes)
    except ValueError as error:
        raise SchemaError(f"`{name}` {error}") from error


def _options(given: Any, contract: Operation, axes: int) -> Options:
    if not isinstance(given, dict):
        raise SchemaError("`options` is not a JSON object")
    checks: dict[str, tuple[Callable[[Any], bool], str]] = {
        "axis": (
            lambda value: _is_whole(value) and -axes <= value < axes,
            f"whole numbers from {-axes} to {axes - 1}",
        ),
        "ignore_index": (_is_whole, "whole numbers"),
        "label_smoothing": (
            lambda value: _is_number(value) and 0 <= value <= 1,
            "numbers from 0 to 1",
        ),
        "reduction": (lambda value: value in ("none", "mean", "sum"), "none, mean, sum"),
        "z_loss": (lambda value: _is_number(value) and value >= 0, "numbers from 0 on"),
        **dict.fromkeys(
            ("logit_scale", "logit_softcap", "denominator"),
            (lambda value: _is_number(value) and value > 0, "numbers above 0"),
        ),
    }
    checks |= dict.fromkeys(dict(contract.parameters), (_is_number, "numbers"))
    # Weights are options of an operation as well, but in a file they are arrays, not JSON.
    for name, value in given.items():
        _one_of("option", name, [item for item in contract.options if item in checks])
        is_right, allowed = checks[name]
        if not is_right(value):
            raise SchemaError(f"{name} is {shown(value)}; allowed: {allowed}")
    floats = ("label_smoothing", *LANGUAGE_MODELS, *dict(contract.parameters))
    chosen: dict[str, Any] = {
        name: float(value) if name in floats else value for name, value in given.items()
    }
    return contract.chosen(chosen)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    # To Python, JSON's `true` is an int; frameworks take axes and indices as int64.
    return type(value) is int and abs(value) < 2**63


def _layout_of(values: Array) -> str:
    """Return the layout of an array: empty for that of C, which one of one column has, too."""
    is_transposed = values.flags.f_contiguous and not values.flags.c_contiguous
    return "transposed" if is_transposed else ""


def _own_dtype(target: Array | None, dtype: str) -> str:
    """Return the dtype of a target that holds probabilities, where it is one of its own."""
    is_own = target is not None and target.dtype.kind not in "iu" and target.dtype.name != dtype
    return target.dtype.name if target is not None and is_own else ""


def _target(target: Array | None, kind: Any, dtype: str, *, rounds: bool) -> Array | None:
    if target is None or not kind:
        return None
    if kind != "index":
        is_own = not rounds and format_of(target.dtype) is not None
        return target if is_own else _numbers("target", target, dtype, rounds=rounds)
    # uint64 labels beyond int64 would wrap around, and are refused because they differ then.
    labels = target.astype(np.int64) if target.dtype.kind in "iu" else None
    if labels is None or (labels != target).any():
        raise SchemaError(f"`target` has dtype {target.dtype}; an index target has int64")
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


def _numbers(name: str, array: Array, dtype: str, *, rounds: bool) -> Array:
    if array.dtype.kind not in "biuf" and format_of(array.dtype) is None:
        raise SchemaError(f"`{name}` has dtype {array.dtype}; allowed: {', '.join(FORMATS)}")
    rounded, wide = FORMATS[dtype].round(array), array.astype(np.float64)
    is_other = ~((rounded.astype(np.float64) == wide) | np.isnan(wide))
    if is_other.any() and not rounds:
        number = wide[is_other][0]
        raise SchemaError(
            f"`{name}` holds {float(number)}, which is no {dtype}, the dtype of the case; a "
            "`dtype` in `spec` rounds all arrays to it"
        )
    return rounded


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
