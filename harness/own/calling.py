"""Make a function that is called as the contract says from a user's, which is called otherwise."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ...backends.base import Backend
from ...backends.claim import Calling
from ...cases.operations import DEFAULTS
from .taken import Candidate

Arrays = tuple[Any, ...]
_ARRAYS = ("weight", "pos_weight", "linear_bias")
# Where an object keeps what its `forward` and its `backward` have made and do not return.
_OUTPUT, _GRADIENT = ("output", "out"), ("dinputs", "dinput", "dx")
KEPT = (*_GRADIENT, *_OUTPUT)


def bound(function: Callable[..., Any], calling: Calling, backend: Backend) -> Callable[..., Any]:
    """Return `(values, [target], *, options) -> value`.

    Args:
        function: the user's own.
        calling: how it is called.
        backend: moves the axis of the classes, where the function has it at the end.
    """
    call = _call(function, calling, backend)
    if calling.returns == "value" and not calling.item:
        return call
    part = calling.item or 0

    def value(*arrays: Any, **options: Any) -> Any:
        return call(*arrays, **options)[part]

    return value


def bound_vjp(
    function: Callable[..., Any], calling: Calling, backend: Backend
) -> Callable[..., Any] | None:
    """Return `(cotangent, values, [target], *, options) -> gradients`.

    Returns:
        The function, or None if the user's returns the value alone.
    """
    if calling.returns == "value":
        return None
    call = _call(function, calling, backend)

    def from_pair(cotangent: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        if "linear_weight" in dict(calling.arguments):
            return _linear_gradients(cotangent, call(*arrays, **options)[1:])
        gradient = call(*arrays, **options)[1]
        gradient = gradient[0] if isinstance(gradient, tuple) else gradient
        return (_times(cotangent, _back(gradient, calling, backend)),)

    def from_object(cotangent: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        made = call(*arrays, **options)[1]
        takes_cotangent = parameters_of(made.backward) != frozenset()
        gradient = made.backward(cotangent) if takes_cotangent else made.backward()
        gradient = _kept_by(made, gradient, _GRADIENT)
        gradient = gradient[0] if isinstance(gradient, tuple) else gradient
        gradient = _back(gradient, calling, backend)
        return (gradient if takes_cotangent else _times(cotangent, gradient),)

    return from_pair if calling.returns == "value_and_gradient" else from_object


def gradient_of(
    candidate: Candidate, calling: Calling, backend: Backend
) -> Callable[..., Any] | None:
    """Return the gradient of a candidate that is not differentiated; None if it has none."""
    if candidate.vjp is not None:
        return bound_by_hand(candidate.vjp, calling, backend)
    return bound_vjp(candidate.function, calling, backend)


def bound_by_hand(
    vjp: Callable[..., Any], calling: Calling, backend: Backend
) -> Callable[..., Any]:
    """Return a gradient that is written by hand, with options under the function's own names.

    Args:
        vjp: `(cotangent, values, [target], *, options) -> gradients`.
        calling: how the function is called whose gradient it is.
        backend: moves the axis of the classes, where the function has it at the end.
    """
    taken = parameters_of(vjp)
    defaults = _defaults(calling)
    always = dict(calling.always)
    is_of_logits = "linear_weight" not in dict(calling.arguments)
    is_rearranged = is_of_logits and (calling.shifts or calling.layout == "classes_last")

    def call(cotangent: Any, *arrays: Any, **options: Any) -> Any:
        passed = {**always, **_named(calling, {**defaults, **options})}
        given = {name: it for name, it in passed.items() if taken is None or name in taken}
        if not is_rearranged:
            return vjp(cotangent, *arrays, **given)
        arranged = _arranged(*arrays, calling=calling, backend=backend)[: len(arrays)]
        gradients = vjp(cotangent, *arranged, **given)
        if not isinstance(gradients, tuple | list):
            return gradients
        return tuple(it if it is None else _back(it, calling, backend) for it in gradients)

    return call


def parameters_of(function: Callable[..., Any]) -> frozenset[str] | None:
    """Return the names of a function's parameters; None if it takes any or does not say them."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    if any(it.kind is it.VAR_KEYWORD for it in parameters.values()):
        return None
    return frozenset(parameters)


def _call(function: Callable[..., Any], calling: Calling, backend: Backend) -> Callable[..., Any]:
    """Return `(values, [target], *, options)` as the user's function returns it.

    For an object with `forward` and `backward` it is a pair of the value and the object.
    """
    defaults = _defaults(calling)
    always = dict(calling.always)
    last = calling.layout == "classes_last"
    roles = {role for role, _ in calling.arguments}
    order = [role for role in ("values", "linear_weight", "target") if role in roles]

    def call(*arrays: Any, **options: Any) -> Any:
        given = dict(zip(order, arrays, strict=False))
        values, target = given["values"], given.get("target")
        values, target = _arranged(values, target, calling=calling, backend=backend)
        given |= {"values": values, "target": target}
        positional = [given[role] for role, parameter in calling.arguments if not parameter]
        named = {parameter: given[role] for role, parameter in calling.arguments if parameter}
        passed = _named(calling, {**defaults, **options})
        kept = {name: it for name, it in always.items() if name not in passed}
        if calling.classes:
            passed[calling.classes] = _classes(given, last=last)
        if not calling.constructs:
            return function(*positional, **named, **kept, **passed)
        made = function(**kept, **passed)
        if calling.returns == "forward_backward" or not callable(made):
            value = getattr(made, "forward", made)(*positional, **named)
            value = _kept_by(made, value, _OUTPUT)
            return (value, made) if calling.returns == "forward_backward" else value
        return made(*positional, **named)

    return call


def _arranged(
    values: Any, target: Any = None, *, calling: Calling, backend: Backend
) -> tuple[Any, Any]:
    """Return the values and the target as the function has their axes and rows."""
    if calling.layout == "classes_last":
        values = _last(values, backend)
        target = target if target is None else _last_like(target, values, backend)
    if calling.shifts and target is not None:
        values = backend.concatenated([values, values[..., -1:, :]], -2)
        target = backend.concatenated([target[..., :1], target], -1)
    return values, target


def _defaults(calling: Calling) -> dict[str, Any]:
    """Return the options of the contract that are passed even at their default."""
    names = [it for it, _ in calling.options if it in DEFAULTS and it not in _ARRAYS]
    return {it: DEFAULTS[it] for it in names}


def _classes(given: Mapping[str, Any], *, last: bool) -> int:
    """Return the number of classes."""
    if "linear_weight" in given:
        return int(given["linear_weight"].shape[0])
    values = given["values"]
    return int(values.shape[-1 if last else min(1, values.ndim - 1)])


def _named(calling: Calling, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of the contract under the function's own names and in its own spelling."""
    names = dict(calling.options)
    return {
        names[option]: value if option in _ARRAYS else calling.spelled(option, value)
        for option, value in options.items()
        if option in names
    }


def _linear_gradients(cotangent: Any, given: Any) -> tuple[Any, ...]:
    """Return gradients that know of no cotangent with it, which has to be one number.

    Raises:
        NotImplementedError: each row has a cotangent of its own, which only the function can use.
    """
    if cotangent.ndim:
        raise NotImplementedError("the gradients that it returns are those of a sum over the rows")
    gradients = given[0] if len(given) == 1 and isinstance(given[0], tuple | list) else given
    return tuple(cotangent * gradient for gradient in gradients)


def _kept_by(made: Any, returned: Any, names: tuple[str, ...]) -> Any:
    """Return what a method has returned, or else what its object keeps under a usual name."""
    if returned is not None:
        return returned
    return next((it for name in names if (it := getattr(made, name, None)) is not None), None)


def _times(cotangent: Any, gradient: Any) -> Any:
    """Return a gradient that knows of no cotangent with it; the classes are on axis 1."""
    if 0 < cotangent.ndim < gradient.ndim:
        cotangent = cotangent[:, None, ...]
    return cotangent * gradient


def _last(array: Any, backend: Backend) -> Any:
    return backend.moveaxis(array, 1, -1) if len(array.shape) > 2 else array


def _last_like(target: Any, values: Any, backend: Backend) -> Any:
    """Move the classes of a target that has them."""
    return _last(target, backend) if len(target.shape) == len(values.shape) else target


def _back(gradient: Any, calling: Calling, backend: Backend) -> Any:
    gradient = gradient[..., :-1, :] if calling.shifts else gradient
    is_moved = calling.layout == "classes_last" and len(gradient.shape) > 2
    return backend.moveaxis(gradient, -1, 1) if is_moved else gradient
