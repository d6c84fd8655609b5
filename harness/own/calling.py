"""Make a function that is called as the contract says from a user's, which is called otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...backends.base import Backend
from ...backends.claim import Calling
from ...cases.operations import Options

Arrays = tuple[Any, ...]
_ARRAYS = ("weight", "pos_weight")
_DEFAULTS = Options()


def bound(function: Callable[..., Any], calling: Calling, backend: Backend) -> Callable[..., Any]:
    """Return `(values, [target], *, options) -> value`.

    Args:
        function: the user's own.
        calling: how it is called.
        backend: moves the axis of the classes, where the function has it at the end.
    """
    call = _call(function, calling, backend)
    if calling.returns == "value":
        return call

    def value(*arrays: Any, **options: Any) -> Any:
        return call(*arrays, **options)[0]

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
        gradient = call(*arrays, **options)[1]
        gradient = gradient[0] if isinstance(gradient, tuple) else gradient
        if 0 < cotangent.ndim < gradient.ndim:
            cotangent = cotangent[:, None, ...]  # the classes are on axis 1
        return (_back(cotangent * gradient, calling, backend),)

    def from_object(cotangent: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        made = call(*arrays, **options)[1]
        gradient = made.backward(cotangent)
        gradient = gradient[0] if isinstance(gradient, tuple) else gradient
        return (_back(gradient, calling, backend),)

    return from_pair if calling.returns == "value_and_gradient" else from_object


def _call(function: Callable[..., Any], calling: Calling, backend: Backend) -> Callable[..., Any]:
    """Return `(values, [target], *, options)` as the user's function returns it.

    For an object with `forward` and `backward` it is a pair of the value and the object.
    """
    names = dict(calling.options)
    defaults = {it: getattr(_DEFAULTS, it) for it in names if it not in _ARRAYS}
    spelling = {(option, value): own for option, value, own in calling.spelling}
    always = dict(calling.always)
    last = calling.layout == "classes_last"

    def call(values: Any, target: Any = None, **options: Any) -> Any:
        if last:
            values = _last(values, backend)
            target = target if target is None else _last_like(target, values, backend)
        given = {"values": values, "target": target}
        positional = [given[role] for role, parameter in calling.arguments if not parameter]
        named = {parameter: given[role] for role, parameter in calling.arguments if parameter}
        passed = {
            names[option]: spelling.get((option, value), value)
            for option, value in {**defaults, **options}.items()
            if option in names
        }
        if not calling.constructs:
            return function(*positional, **named, **passed, **always)
        made = function(**passed, **always)
        if calling.returns != "forward_backward":
            return made(*positional, **named)
        return made.forward(*positional, **named), made

    return call


def _last(array: Any, backend: Backend) -> Any:
    return backend.moveaxis(array, 1, -1) if len(array.shape) > 2 else array


def _last_like(target: Any, values: Any, backend: Backend) -> Any:
    """Move the classes of a target that has them."""
    return _last(target, backend) if len(target.shape) == len(values.shape) else target


def _back(gradient: Any, calling: Calling, backend: Backend) -> Any:
    is_moved = calling.layout == "classes_last" and len(gradient.shape) > 2
    return backend.moveaxis(gradient, -1, 1) if is_moved else gradient
