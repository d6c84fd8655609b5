"""How a case becomes smaller: given as arrays, cut along an axis, with fewer options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...cases.casefile import digest_of, target_family_of
from ...cases.dtypes import FORMATS, Array
from ...cases.model import SHRUNK, SHRUNK_PROBED, Case, Inputs
from ...cases.operations import Options
from ..answers import HVP_LOGITS
from ..oracle import Floats

WEIGHTS = ("weight", "pos_weight")
_NEAR_ONE = 2.0**-5  # what sums to 1 up to rounding is never further from it


def as_given(case: Case, quantity: str) -> Case:
    """Return the same question as one that carries its arrays."""
    # The Hessian-vector product is computed for probed cases only: the smaller case stays one.
    kind = SHRUNK_PROBED if quantity == HVP_LOGITS else SHRUNK
    return with_inputs(replace(case, family=f"{kind}:"), case.inputs())


def with_inputs(case: Case, inputs: Inputs, **options: Any) -> Case:
    """Return a given case with other arrays, and other options where they are named."""
    chosen = replace(case.options, **options)
    for name in WEIGHTS:
        chosen = replace(chosen, **{name: _weight_name(getattr(inputs, name), case.dtype)})  # type: ignore[arg-type]
    target, kind = inputs.target, case.target_kind
    usual = "int64" if kind == "index" else case.dtype
    return replace(
        case,
        family=f"{case.family.partition(':')[0]}:{digest_of(inputs)}",
        shape=inputs.values.shape,
        target_family=target_family_of(target, kind, chosen),
        options=chosen,
        seed=0,
        given=inputs,
        target_dtype="" if target is None or target.dtype.name == usual else target.dtype.name,
    )


def _weight_name(weight: Array | None, dtype: str) -> str | None:
    if weight is None:
        return None
    return "given" if weight.dtype.name == dtype else f"given:{weight.dtype.name}"


def axes_of_rows(case: Case) -> list[int]:
    """Return the axes of the first argument that are not its classes."""
    return [axis for axis in range(len(case.shape)) if axis != case.class_axis]


def cut(case: Case, axis: int, keep: Array) -> Case:
    """Return a case of some positions along one axis.

    Index targets are renumbered, those of a class that is gone become class 0. Rows that sum
    to 1 do so afterwards: their first class gets what is missing.

    Args:
        case: given as arrays.
        axis: of the first argument.
        keep: positions, ascending, at least one.
    """
    inputs = case.inputs()
    cuts_classes = axis == case.class_axis and case.contract.is_loss
    parts: dict[str, Array | None] = {"values": _taken(case, inputs.values, axis, keep)}
    if inputs.target is not None:
        parts["target"] = _target(case, inputs.target, axis, keep)
    if cuts_classes:
        weights = {name: getattr(inputs, name) for name in WEIGHTS}
        parts.update({name: None if w is None else w[keep] for name, w in weights.items()})
    return with_inputs(case, replace(inputs, **parts))  # type: ignore[arg-type]


def _target(case: Case, target: Array, axis: int, keep: Array) -> Array:
    if case.target_kind != "index":
        return _taken(case, target, axis, keep)
    if axis == case.class_axis:
        return _renumbered(case, target, keep)
    return np.take(target, keep, axis - (axis > case.class_axis))


def _renumbered(case: Case, target: Array, keep: Array) -> Array:
    classes = case.shape[case.class_axis]
    new = np.zeros(classes, np.int64)
    new[keep] = np.arange(len(keep))
    inside = (target >= 0) & (target < classes)
    above = np.where(target >= classes, target - classes + len(keep), target)
    moved = np.where(inside, new[np.where(inside, target, 0)], above)
    return np.where(target == case.options.ignore_index, target, moved).astype(target.dtype)


def _taken(case: Case, array: Array, axis: int, keep: Array) -> Array:
    part = np.take(array, keep, axis)
    if axis != case.class_axis or not case.contract.reads_classes:
        return part
    with np.errstate(invalid="ignore"):
        missing = _sums(array, axis) - _sums(part, axis)
    moved = np.where(sums_to_one(array, axis), missing, 0.0)
    if not np.any(moved):
        return part
    first = np.moveaxis(part.astype(np.float64), axis, 0)
    first[0] += moved
    return FORMATS[part.dtype.name].round(np.moveaxis(first, 0, axis))


def sums_to_one(array: Array, axis: int) -> Array:
    """Return which rows are probabilities that sum to 1, as far as their dtype can say."""
    near = min(2 * array.shape[axis] * FORMATS[array.dtype.name].unit_roundoff, _NEAR_ONE)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(_sums(array, axis) - 1) <= near)


def _sums(array: Array, axis: int) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(array.astype(np.float64).sum(axis))


def without_axes(case: Case) -> Iterator[Case]:
    """Yield cases with one axis of length 1 less."""
    least = 2 if case.contract.is_loss else 1
    for axis in reversed(axes_of_rows(case)):
        if (
            case.shape[axis] != 1
            or len(case.shape) <= least
            or (case.contract.is_loss and not axis)
        ):
            continue
        inputs, at = case.inputs(), case.class_axis - (axis < case.class_axis)
        target = inputs.target
        if target is not None:
            shift = axis > case.class_axis and case.target_kind == "index"
            target = target.squeeze(axis - shift)
        values = inputs.values.squeeze(axis)
        options = {} if case.contract.is_loss else {"axis": _axis(case, at, values.ndim)}
        yield with_inputs(case, replace(inputs, values=values, target=target), **options)


def _axis(case: Case, at: int, axes: int) -> int:
    if "axis" not in case.contract.options:
        return case.options.axis
    return -1 if at == axes - 1 else at


def without_options(case: Case) -> Iterator[Case]:
    """Yield cases with one option less, each of them plainer than the case."""
    inputs, options, default = case.inputs(), case.options, Options()
    if case.layout:
        yield replace(case, layout="")
    for name in WEIGHTS:
        if getattr(inputs, name) is not None:
            without: dict[str, Any] = {name: None}
            yield with_inputs(case, replace(inputs, **without))
    if options.label_smoothing:
        yield with_inputs(case, inputs, label_smoothing=0.0)
    if options.ignore_index != default.ignore_index:
        yield _ignoring(case, default.ignore_index)
    if options.reduction != default.reduction:
        yield with_inputs(case, inputs, reduction=default.reduction)
    if options.reduction == "none":
        yield with_inputs(case, inputs, reduction="sum")
    if options.axis != default.axis:
        values = np.ascontiguousarray(np.moveaxis(inputs.values, case.class_axis, -1))
        yield with_inputs(case, replace(inputs, values=values), axis=-1)
    yield from _of_one_dtype(case)


def _ignoring(case: Case, number: int) -> Case:
    inputs = case.inputs()
    if inputs.target is not None and case.target_kind == "index":
        ignored = inputs.target == case.options.ignore_index
        target = np.where(ignored, number, inputs.target).astype(inputs.target.dtype)
        inputs = replace(inputs, target=target)
    return with_inputs(case, inputs, ignore_index=number)


def _of_one_dtype(case: Case) -> Iterator[Case]:
    inputs, form = case.inputs(), FORMATS[case.dtype]
    usual: dict[str, Callable[[Array], Array]] = dict.fromkeys(("target", *WEIGHTS), form.round)
    if case.target_kind == "index":
        usual["target"] = lambda labels: labels.astype(np.int64)
    for name, changed in usual.items():
        array = getattr(inputs, name)
        if array is not None and changed(array).dtype != array.dtype:
            yield with_inputs(case, replace(inputs, **{name: changed(array)}))
