"""Make a question of a user's own arrays: nothing is rounded or widened unless it is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..backends.base import result_shape
from ..cases.casefile import digest_of, target_family_of
from ..cases.checked import shown
from ..cases.model import Case, Inputs
from ..cases.operations import (
    LANGUAGE_MODELS,
    OF_NUMBERS,
    OPERATIONS,
    Operation,
    Options,
    TargetKind,
)
from ..cases.weights import fitted
from ..errors import ArgumentTypeError, ArgumentValueError
from ..harness.answers import LINEAR_GRADIENTS
from .arrays import Array, array_of, in_dtype, numbers, shape_of_logits
from .frameworks import framework_of_array, named
from .masks import Kept, mask_for_loss, mask_of, masked

WEIGHTS = ("weight", "pos_weight")
_LINEAR = ("linear_weight", "linear_bias")
_OF_LAYER = tuple(LINEAR_GRADIENTS[name] for name in _LINEAR)  # which has no rows
_NUMBERS = {
    "ignore_index": (int,),
    "label_smoothing": (int, float),
    **dict.fromkeys(LANGUAGE_MODELS, (int, float)),
}


@dataclass(frozen=True)
class OwnCase(Case):
    """A case of a user's own arrays, whose gradient is that of a sum, or of a given cotangent.

    Attributes:
        weights_of_result: the cotangent in the shape of the result; None for ones.
    """

    weights_of_result: Array | None = field(default=None, compare=False, repr=False)

    def cotangent(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if self.weights_of_result is None:
            return np.ones(shape)
        rows = shape[0] if shape else 1
        given = self.weights_of_result.astype(np.float64)
        return given if given.shape == shape else given[:rows].reshape(shape)


@dataclass(frozen=True)
class Asked:
    """A question of a user's, in the form in which the oracle takes it.

    Attributes:
        case: the case, whose classes lie on one axis.
        shape: the shape of the first argument as it was given.
        result: the shape of the result as it is wanted.
        axes: the axes of the classes, where there are several; empty for one.
        framework: the framework of the given arrays; None for lists and numbers.
        kept: of a loss what counts, where a mask leaves the rest out.
        rounds: whether the arrays were rounded to a dtype first.
    """

    case: OwnCase
    shape: tuple[int, ...]
    result: tuple[int, ...]
    axes: tuple[int, ...] = ()
    framework: str | None = None
    kept: Kept | None = None
    rounds: bool = False

    def placed(self, array: Array) -> Array:
        """Return an array in the shape of the first argument as the case holds it."""
        if self.kept is not None:
            return self.kept.of(array)
        if self.case.contract.is_linear:
            return array
        if self.axes:
            others = [axis for axis in range(len(self.shape)) if axis not in self.axes]
            array = np.transpose(array, [*others, *self.axes])
        return array.reshape(self.case.shape)

    def restored(self, quantity: str, array: Array) -> Array:
        """Return a quantity in the shape and order of axes that the user knows."""
        if self.kept is not None:
            return array if quantity in _OF_LAYER else self.kept.back(array)
        if quantity == "value" and self.case.operation in _REDUCES:
            return array.reshape(self.result)
        if not self.shape:
            return array.reshape(())
        if not self.axes or array.ndim == 0:
            return array
        others = [axis for axis in range(len(self.shape)) if axis not in self.axes]
        order = [*others, *self.axes]
        moved = array.reshape([self.shape[axis] for axis in order])
        return np.moveaxis(moved, range(len(order)), order)


_REDUCES = ("logsumexp",)


def asked(
    operation: str, logits: object, target: object = None, options: Mapping[str, Any] | None = None
) -> Asked:
    """Return the question that a user's arrays ask.

    Args:
        operation: the name of an operation.
        logits: the first argument: numbers, nested lists, or an array of any framework.
        target: the target, likewise; None for an operation without one.
        options: the options of the operation, weights as arrays; `target_kind`, `dtype` and
            `cotangent`; `where`, a mask, not of functions of elements; `axis` (one or several)
            and `keepdim` of functions of one array.

    Raises:
        ArgumentTypeError: an argument is of a type that is not taken.
        ArgumentValueError: an argument has a value, a shape or a dtype that is not taken.

    >>> asked("cross_entropy", [[1.0, 2.0]], [1]).case.dtype
    'float64'
    """
    contract = OPERATIONS[named("operation", operation, OPERATIONS)]
    given = dict(options or {})
    cotangent, dtype = given.pop("cotangent", None), given.pop("dtype", None)
    values = in_dtype(contract.domain, array_of(contract.domain, logits), dtype)
    if contract.is_loss and contract.reads_classes and not values.ndim:
        raise ArgumentValueError(f"{contract.domain} is one number, and has no classes")
    linear = {name: numbers(name, given.pop(name), values.dtype) for name in _LINEAR
              if contract.is_linear and given.get(name) is not None}  # fmt: skip
    of_logits = shape_of_logits(contract, values, linear)
    kind = _kind(contract, values, target, given.pop("target_kind", None))
    arrays = {name: numbers(name, given.pop(name), values.dtype) for name in WEIGHTS
              if name in contract.options and given.get(name) is not None}  # fmt: skip
    shape, keeps = values.shape, False
    axes: tuple[int, ...] = ()
    mask = _mask(contract, values, given) if contract.is_loss else None
    if not contract.is_loss:
        _refuse_target(contract, target)
        values, axes, keeps = _shaped(contract, values, given)
    chosen = _options(contract, given, values.ndim, bool(axes))
    if conflict := chosen.conflict(cast("TargetKind | None", kind)):
        raise ArgumentValueError(conflict)
    chosen = replace(
        chosen,
        **{name: "given" for name in WEIGHTS if name in arrays},  # type: ignore[arg-type]
    )
    if "linear_bias" in linear:
        chosen = replace(chosen, linear_bias="given")
    labels = None if kind is None else _target(target, kind, values, of_logits, dtype)
    arrays = {name: _fitting(name, it, of_logits or values.shape, contract)
              for name, it in arrays.items()}  # fmt: skip
    inputs = Inputs(values, labels, **arrays, **linear)
    kept = mask if isinstance(mask, Kept) else None
    inputs = inputs if mask is None else masked(inputs, mask, contract)
    values, labels = inputs.values, inputs.target
    case = OwnCase(
        operation,
        f"file:{digest_of(inputs)}",
        of_logits or values.shape,
        values.dtype.name,
        cast("TargetKind | None", kind),
        target_family_of(labels, kind, chosen),
        chosen,
        0,
        inputs,
        _other_dtype(labels, kind, values),
        hidden=values.shape[1] if linear else 0,
    )
    if case.lacks_classes:
        raise ArgumentValueError(f"{contract.domain} of shape {shape} has no classes")
    result = _result(case, shape, axes, keeps=keeps)
    case = _weighted(case, cotangent, kept)
    return Asked(case, shape, result, axes, framework_of_array(logits), kept, dtype is not None)


def _other_dtype(labels: Array | None, kind: str | None, values: Array) -> str:
    """Return the dtype of a target of probabilities, if it is not that of the values."""
    is_usual = labels is None or kind == "index" or labels.dtype == values.dtype
    return "" if labels is None or is_usual else labels.dtype.name


def _kind(contract: Operation, values: Array, target: object, given: object) -> str | None:
    """Return the kind of the target, which its dtype and shape tell unless it is given."""
    if not contract.is_loss:
        return None
    if target is None:
        raise ArgumentTypeError(f"{contract.name} takes a target")
    if given is not None:
        return named(f"target_kind of {contract.name}", given, contract.targets)
    array = array_of("target", target)
    if contract.targets == ("multi_label",) or len(contract.targets) == 1:
        return contract.targets[0]
    if array.dtype.kind in "iu" and array.shape != values.shape:
        return "index"
    return next((it for it in OF_NUMBERS if it in contract.targets), "soft")


def _refuse_target(contract: Operation, target: object) -> None:
    if target is not None:
        raise ArgumentTypeError(f"{contract.name} takes no target")


def _target(
    target: object, kind: str, values: Array, of_logits: tuple[int, ...] | None, dtype: str | None
) -> Array:
    array, shape = array_of("target", target), of_logits or values.shape
    axis = min(1, len(shape) - 1)
    expected = shape[:axis] + shape[axis + 1 :] if kind == "index" else shape
    if array.shape != expected:
        raise ArgumentValueError(
            f"the target has shape {array.shape}; {kind} targets of logits of shape "
            f"{shape} have {expected}"
        )
    if kind != "index":
        return numbers("target", array, values.dtype, exact=dtype is None)
    if array.dtype.kind not in "iu" or (array.astype(np.int64) != array).any():
        raise ArgumentValueError(f"the target holds {array.dtype}; an index target holds int64")
    return array.astype(np.int64)


def _shaped(
    contract: Operation, values: Array, given: dict[str, Any]
) -> tuple[Array, tuple[int, ...], bool]:
    """Return the values with one axis of classes, the axes it was made of, and whether to keep.

    Several axes become the last one. What a mask leaves out becomes −inf, a class of probability 0.
    """
    keeps, where = bool(given.pop("keepdim", False)), given.pop("where", None)
    is_plain = contract.reads_classes and not contract.is_defined
    if (keeps or where is not None) and not is_plain:
        raise ArgumentTypeError(f"{contract.name} takes neither keepdim nor where")
    if where is not None:
        mask = mask_of(array_of("where", where))
        values = np.where(mask, values, np.array(-np.inf, values.dtype))
    if contract.reads_classes and not values.ndim:
        axis = given.pop("axis", None)
        named_axes = axis if isinstance(axis, tuple | list) else (axis,)
        if not {*named_axes} <= {None, -1, 0}:
            raise ArgumentValueError("a number has the axes -1 and 0 only")
        return values.reshape(1), (), keeps
    axis = given.get("axis", -1)
    if axis is None:
        axis = tuple(range(values.ndim))
    if not isinstance(axis, tuple | list):
        return values, (), keeps
    del given["axis"]
    axes = tuple(sorted(_axis(one, values.ndim) for one in axis))
    others = [one for one in range(values.ndim) if one not in axes]
    moved = np.transpose(values, [*others, *axes])
    shape = [values.shape[one] for one in others]
    return moved.reshape(*shape, math.prod(values.shape[one] for one in axes)), axes, keeps


def _axis(given: object, axes: int) -> int:
    if type(given) is not int or not -axes <= given < axes:
        raise ArgumentValueError(f"axis is {shown(given)}; allowed: {-axes} to {axes - 1}")
    return given % axes


def _options(contract: Operation, given: dict[str, Any], axes: int, is_moved: bool) -> Options:
    found: dict[str, Any] = {}
    for name, value in given.items():
        plain = [item for item in contract.options if item not in WEIGHTS]
        is_plain = not (contract.is_loss or contract.is_defined) and contract.reads_classes
        is_masked = contract.is_loss and not contract.is_defined
        extra = ["keepdim", "where"] if is_plain else ["where"] if is_masked else []
        extra += _LINEAR[:1] if contract.is_linear else ()
        named(
            f"option of {contract.name}",
            name,
            [*contract.options, "target_kind", "dtype", "cotangent", *extra],
        )
        if name in (*WEIGHTS, *_LINEAR) or value is None:
            continue
        assert name in plain  # noqa: S101 -- the others were taken before
        found[name] = _checked(name, value, axes)
    if is_moved or found.get("axis") == axes - 1:
        found["axis"] = -1  # the last one has one name in the id of a case
    return contract.chosen(found)


def _checked(name: str, value: Any, axes: int) -> Any:
    if name == "axis":
        return _axis(value, axes)
    if name == "reduction":
        return named("reduction", value, ("none", "mean", "sum"))
    if type(value) not in _NUMBERS.get(name, (int, float)):
        raise ArgumentTypeError(f"{name} is {shown(value)}; it must be a number")
    if name == "label_smoothing" and not 0 <= value <= 1:
        raise ArgumentValueError(f"label_smoothing is {shown(value)}; allowed: 0 to 1")
    if name in LANGUAGE_MODELS and not _is_possible(name, value):
        allowed = "0 or more" if name == "z_loss" else "numbers above 0"
        raise ArgumentValueError(f"{name} is {shown(value)}; allowed: {allowed}")
    return value if name == "ignore_index" else float(value)


def _is_possible(name: str, value: float) -> bool:
    is_large_enough = value >= 0 if name == "z_loss" else value > 0
    return is_large_enough and value < math.inf


def _fitting(name: str, array: Array, shape: tuple[int, ...], contract: Operation) -> Array:
    """Return weights of shape (C,), or with the axes of the values where no class is read."""
    try:
        return fitted(array, shape, reads_classes=contract.reads_classes)
    except ValueError as error:
        raise ArgumentValueError(f"{name} {error}") from error


def _result(
    case: Case, shape: tuple[int, ...], axes: tuple[int, ...], *, keeps: bool
) -> tuple[int, ...]:
    """Return the shape of the value as the user wants it."""
    if case.operation not in _REDUCES:
        is_plain = not case.contract.is_loss and not case.contract.is_defined
        return shape if is_plain else result_shape(case)
    gone = axes or ((case.options.axis % len(shape),) if shape else ())
    if keeps:
        return tuple(1 if axis in gone else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def _weighted(case: OwnCase, cotangent: object, kept: Kept | None) -> OwnCase:
    if cotangent is None:
        return case
    array, shape = array_of("cotangent", cotangent), result_shape(case)
    whole = kept.mask.shape if kept is not None and shape else shape
    if array.shape != whole:
        raise ArgumentValueError(f"the cotangent has shape {array.shape}; the result has {whole}")
    weights = kept.of(array) if kept is not None and shape else array
    return replace(case, weights_of_result=weights)


def _mask(contract: Operation, values: Array, given: dict[str, Any]) -> Array | Kept | None:
    """Return what a mask leaves out of a loss; None without one."""
    where = given.pop("where", None)
    if where is None or contract.is_defined:
        return None
    mask = mask_of(array_of("where", where))
    if contract.is_linear and mask.shape != values.shape[:1]:
        allowed = f"it must have {values.shape[:1]}, one for each row"
        raise ArgumentValueError(f"where has shape {mask.shape}; {allowed}")
    return mask_for_loss(mask, values.shape, reads_classes=contract.reads_classes)
