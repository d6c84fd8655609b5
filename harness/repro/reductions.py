"""Reduce a case in one step: to its arrays, along an axis, or to fewer options.

A reduced case carries its arrays, because no id of a generated case describes a part of it. Each
function keeps what the contract requires of the inputs: labels stay inside the classes or outside
of them, rows of probabilities keep their sum, and weights keep their class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...cases.casefile import digest_of, target_family_of
from ...cases.dtypes import FORMATS, Array
from ...cases.model import SHRUNK, SHRUNK_PROBED, Case, Inputs
from ...cases.operations import LANGUAGE_MODELS, Options
from ..answers import HVP_LOGITS
from ..oracle import Floats

WEIGHTS = ("weight", "pos_weight")
_LINEAR = ("linear_weight", "linear_bias")  # arrays whose first axis is that of classes
_NEAR_ONE = 2.0**-5  # rounding alone never moves a sum of 1 further than this


def as_given(case: Case, quantity: str) -> Case:
    """Return the same case with its arrays stored in it.

    Args:
        case: generated, or with stored arrays already.
        quantity: the quantity whose verdict is to be kept.
    """
    # The Hessian-vector product is computed for probed cases only, so that a case that is shrunk
    # for its sake must stay a probed one.
    kind = SHRUNK_PROBED if quantity == HVP_LOGITS else SHRUNK
    return with_inputs(replace(case, family=f"{kind}:"), case.inputs())


def with_inputs(case: Case, inputs: Inputs, **options: Any) -> Case:
    """Return a case with other stored arrays.

    Args:
        case: with stored arrays.
        inputs: the arrays that replace them.
        **options: options that change as well.
    """
    # Options, shape, target family and digest are parts of the id and follow from the arrays.
    chosen = case.options.replaced(**options)
    for name in WEIGHTS:
        chosen = replace(chosen, **{name: _weight_name(getattr(inputs, name), case.dtype)})  # type: ignore[arg-type]
    shape, bias = inputs.values.shape, inputs.linear_bias
    if inputs.linear_weight is not None:
        case = replace(case, hidden=shape[1])
        shape = (shape[0], len(inputs.linear_weight))
        chosen = replace(chosen, linear_bias=None if bias is None else "given")
    target, kind = inputs.target, case.target_kind
    usual = "int64" if kind == "index" else case.dtype
    return replace(
        case,
        family=f"{case.family.partition(':')[0]}:{digest_of(inputs)}",
        shape=shape,
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
    """Return the axes of the first argument other than the axis of the classes."""
    return [axis for axis in range(len(case.shape)) if axis != case.class_axis]


def cut(case: Case, axis: int, keep: Array) -> Case:
    """Return the case at some positions along one axis.

    If the axis is that of the classes, index targets are renumbered, and a label whose class was
    removed becomes class 0. Rows that sum to 1 still do so: the first class gets what is missing.

    Args:
        case: with stored arrays.
        axis: an axis of the first argument.
        keep: the positions that stay, shape (n,), integer and ascending, at least one.
    """
    inputs = case.inputs()
    cuts_classes = axis == case.class_axis and case.contract.is_loss
    parts: dict[str, Array | None] = {}
    if not (cuts_classes and case.contract.is_linear):  # hidden states have no classes
        parts["values"] = _taken(case, inputs.values, axis, keep)
    if inputs.target is not None:
        parts["target"] = _target(case, inputs.target, axis, keep)
    if case.contract.is_loss:
        weights = {name: getattr(inputs, name) for name in WEIGHTS}
        parts.update({it: _weights(case, w, axis, keep) for it, w in weights.items()})
    if cuts_classes:
        linear = {name: getattr(inputs, name) for name in _LINEAR}
        parts.update({name: None if w is None else w[keep] for name, w in linear.items()})
    return with_inputs(case, replace(inputs, **parts))  # type: ignore[arg-type]


def _weights(case: Case, weight: Array | None, axis: int, keep: Array) -> Array | None:
    """Return the weights that stay: those of the classes, or of elements as they broadcast."""
    if weight is None or (weight.ndim < len(case.shape) and axis != case.class_axis):
        return weight
    along = 0 if weight.ndim < len(case.shape) else axis
    return weight if weight.shape[along] == 1 else np.take(weight, keep, along)


def _target(case: Case, target: Array, axis: int, keep: Array) -> Array:
    if case.target_kind != "index":
        return _taken(case, target, axis, keep)
    if axis == case.class_axis:
        return _renumbered(case, target, keep)
    return np.take(target, keep, axis - (axis > case.class_axis))


def _renumbered(case: Case, target: Array, keep: Array) -> Array:
    """Return labels for the classes that are kept.

    Labels that are out of range stay as far out of range as before, because the verdict may be
    about them; so does `ignore_index`, whatever its number is.
    """
    classes = case.shape[case.class_axis]
    new = np.zeros(classes, np.int64)
    new[keep] = np.arange(len(keep))
    inside = (target >= 0) & (target < classes)
    above = np.where(target >= classes, target - classes + len(keep), target)
    labels = np.where(inside, target, 0).astype(np.int64)  # they may be of a dtype of reals
    moved = np.where(inside, new[labels], above)
    return np.where(target == case.options.ignore_index, target, moved).astype(target.dtype)


def _taken(case: Case, array: Array, axis: int, keep: Array) -> Array:
    part = np.take(array, keep, axis)
    if axis != case.class_axis or not case.contract.reads_classes:
        return part
    with np.errstate(invalid="ignore"):
        missing = _sums(array, axis) - _sums(part, axis)
    # A row that no longer sums to 1 would be another question.
    moved = np.where(sums_to_one(array, axis), missing, 0.0)
    if not np.any(moved):
        return part
    first = np.moveaxis(part.astype(np.float64), axis, 0)
    first[0] += moved
    return FORMATS[part.dtype.name].round(np.moveaxis(first, 0, axis))


def sums_to_one(array: Array, axis: int) -> Array:
    """Return which rows sum to 1, up to the rounding of their dtype.

    Args:
        array: probabilities of any shape, in one of the four formats.
        axis: the axis of the classes.

    Returns:
        bool, the shape of `array` without `axis`.
    """
    # The sum of n rounded probabilities may differ from 1 by n unit roundoffs. The factor of 2
    # leaves room for a program that normalised in its own dtype.
    near = min(2 * array.shape[axis] * FORMATS[array.dtype.name].unit_roundoff, _NEAR_ONE)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(_sums(array, axis) - 1) <= near)


def _sums(array: Array, axis: int) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(array.astype(np.float64).sum(axis))


def without_axes(case: Case) -> Iterator[Case]:
    """Yield cases that lack one axis of length 1.

    A loss keeps its first axis and its classes, since its contract needs both.
    """
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
            # Index targets have no axis of classes: the axes behind it come one earlier.
            shift = axis > case.class_axis and case.target_kind == "index"
            target = target.squeeze(axis - shift)
        values = inputs.values.squeeze(axis)
        options = {} if case.contract.is_loss else {"axis": _axis(case, at, values.ndim)}
        yield with_inputs(case, replace(inputs, values=values, target=target), **options)


def _axis(case: Case, at: int, axes: int) -> int:
    if "axis" not in case.contract.options:
        return case.options.axis
    return -1 if at == axes - 1 else at


def without_states(case: Case) -> Iterator[Case]:
    """Yield cases of a linear loss with one hidden state fewer."""
    inputs = case.inputs()
    for state in range(case.hidden if case.hidden > 1 else 0):
        parts: dict[str, Any] = {
            name: np.delete(getattr(inputs, name), state, 1) for name in ("values", "linear_weight")
        }
        yield with_inputs(case, replace(inputs, **parts))


def without_options(case: Case) -> Iterator[Case]:
    """Yield cases with one option fewer, or with a simpler value of one option."""
    inputs, options, default = case.inputs(), case.options, Options()
    if case.layout:
        yield replace(case, layout="")
    for name in (*WEIGHTS, "linear_bias"):
        if getattr(inputs, name) is not None:
            without: dict[str, Any] = {name: None}
            yield with_inputs(case, replace(inputs, **without))
    yield from _without_numbers(case)
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


def _without_numbers(case: Case) -> Iterator[Case]:
    """Yield cases with one option fewer that has a number."""
    for name in ("label_smoothing", *LANGUAGE_MODELS):
        default = getattr(Options(), name)
        if getattr(case.options, name) != default:
            fewer: dict[str, Any] = {name: default}
            yield with_inputs(case, case.inputs(), **fewer)
    for name, _ in case.options.parameters:
        others = tuple(it for it in case.options.parameters if it[0] != name)
        with_default = replace(case, options=replace(case.options, parameters=others))
        yield with_inputs(with_default, case.inputs())


def _ignoring(case: Case, number: int) -> Case:
    """Return the case with another `ignore_index`, and the ignored labels with it."""
    inputs = case.inputs()
    if inputs.target is not None and case.target_kind == "index":
        ignored = inputs.target == case.options.ignore_index
        target = np.where(ignored, number, inputs.target).astype(inputs.target.dtype)
        inputs = replace(inputs, target=target)
    return with_inputs(case, inputs, ignore_index=number)


def _of_one_dtype(case: Case) -> Iterator[Case]:
    """Yield cases in which the target or one weight has its usual dtype."""
    inputs, form = case.inputs(), FORMATS[case.dtype]
    usual: dict[str, Callable[[Array], Array]] = dict.fromkeys(("target", *WEIGHTS), form.round)
    if case.target_kind == "index":
        usual["target"] = lambda labels: labels.astype(np.int64)
    for name, changed in usual.items():
        array = getattr(inputs, name)
        if array is not None and changed(array).dtype != array.dtype:
            yield with_inputs(case, replace(inputs, **{name: changed(array)}))
