"""Draw the arrays of a case, which depend on nothing but its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .dtypes import FORMATS, Array
from .families import VALUES
from .products import BIASES, PRODUCTS, Sizes, logits_of
from .stored import stored_values
from .stream import Floats, Stream
from .sweeps import swept
from .targets import LABELS, NUMERIC, WRONG_SHAPES
from .weights import WEIGHTS

if TYPE_CHECKING:
    from .model import Case

Drawn = dict[str, Array | None]


def drawn(case: Case, stream: Stream) -> Drawn:
    """Return the arrays of a case by the names of `cases.model.Inputs`: the same bits everywhere.

    Args:
        case: a case that carries no explicit arrays.
        stream: the numbers that are drawn from.
    """
    arrays = _of_layer(case, stream) if case.contract.is_linear else _of_values(case, stream)
    return arrays | {"weight": _weights(case, "weight"), "pos_weight": _weights(case, "pos_weight")}


def _of_values(case: Case, stream: Stream) -> Drawn:
    form, axis = FORMATS[case.dtype], case.class_axis
    stored = stored_values(case.family, case.shape, case.seed)
    rest = case.shape[:axis] + case.shape[axis + 1 :]
    count, classes = int(np.prod(rest)), case.shape[axis] if case.shape else 1
    # Families draw rows of classes; the axis of the classes is moved to its place afterwards.
    if stored is not None:
        rows = np.moveaxis(stored.values, axis, -1).reshape(count, classes)
    elif case.is_swept:
        rows = swept(case.family, stream, count, classes)
    else:
        rows = VALUES[case.family].draw(stream, count, classes, form)
    values = form.round(np.moveaxis(rows.reshape(*rest, classes), -1, axis))
    if not case.target_kind:
        return {"values": values}
    # Families such as `top` read the values, and rounding may change which is the largest.
    rounded = np.moveaxis(values, axis, -1).reshape(count, classes).astype(np.float64)
    target = _target(case, stream, rounded, None if stored is None else stored.target)
    return {"values": values, "target": _shaped(case, target, rest, axis)}


def _of_layer(case: Case, stream: Stream) -> Drawn:
    form, sizes = FORMATS[case.dtype], Sizes(case.shape[0], case.hidden, case.shape[1])
    hidden, linear_weight = map(form.round, PRODUCTS[case.family].draw(stream, sizes, form))
    family, bias = case.options.linear_bias, None
    if family is not None:
        of_bias = Stream(f"linear_bias/{family}/{sizes.classes}")
        bias = form.round(BIASES[family].draw(of_bias, sizes.classes))
    labels = _target(case, stream, logits_of(hidden, linear_weight, bias), None)
    target = _shaped(case, labels, case.shape[:1], 1)
    return {
        "values": hidden, "target": target, "linear_weight": linear_weight, "linear_bias": bias,
    }  # fmt: skip


def _target(case: Case, stream: Stream, values: Floats, stored: Array | None) -> Array:
    # Stored labels serve index and one-hot targets. A wrong shape is made from a correct target.
    if stored is not None and (stored.ndim == 1 or case.target_kind != "index"):
        if case.target_kind == "one_hot" and stored.ndim == 1:
            return _one_hot(stored, values.shape[1])
        return stored
    wrong = case.target_family in WRONG_SHAPES
    if case.target_family in NUMERIC or (wrong and case.target_kind != "index"):
        family = "soft" if wrong else case.target_family
        return NUMERIC[family].draw(stream, *values.shape)
    labels = LABELS["random" if wrong else case.target_family].draw(stream, values)
    if case.target_family == "some_ignored":
        labels[::3] = case.options.ignore_index
    elif case.target_family == "all_ignored":
        labels[:] = case.options.ignore_index
    if case.target_kind == "one_hot":
        return _one_hot(labels, values.shape[1])
    return labels


def _one_hot(labels: Array, classes: int) -> Floats:
    return (np.arange(classes) == labels[:, None]).astype(np.float64)


def _shaped(case: Case, target: Array, rest: tuple[int, ...], axis: int) -> Array:
    if case.target_kind == "index":
        labels = target.reshape(rest).astype(case.target_dtype or np.int64)
        return _changed(case, labels)
    full = np.moveaxis(target.reshape(*rest, case.shape[axis]), -1, axis)
    # The numbers are rounded to the case's dtype first, so that a target of another dtype differs
    # from the usual one in its dtype only.
    return _changed(case, _cast(FORMATS[case.dtype].round(full), case.target_dtype))


def _changed(case: Case, target: Array) -> Array:
    """Return a target in the wrong shape, where that is asked."""
    is_wrong = case.target_family in WRONG_SHAPES
    return WRONG_SHAPES[case.target_family].change(target) if is_wrong else target


def _cast(array: Array, dtype: str) -> Array:
    return FORMATS[dtype].round(array.astype(np.float64)) if dtype else array


def _weights(case: Case, name: str) -> Array | None:
    given = getattr(case.options, name)
    if given is None:
        return None
    # The key of the stream has no seed: class weights belong to the classes, not to a draw.
    family, _, dtype = given.partition(":")
    classes = case.shape[case.class_axis]
    form = FORMATS[case.dtype]
    draws = WEIGHTS[family].draw(Stream(f"{name}/{family}/{classes}"), classes, form)
    return _cast(form.round(draws), dtype)
