"""See whether an object can be called as an operation is: by its signature, before any call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

from ...cases.operations import Operation
from ..answers import one_line
from .callables import parameters_in
from .parameters import CLASSES, linear_role_of, role_of

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_CONTEXT = ("ctx", "context", "_ctx", "self", "_", "c")


def as_function(value: Any) -> Callable[..., Any] | None:
    """Return what is called of an object; None if nothing can be.

    A class that has `forward`, `backward` and `apply`, as a function with its own backward pass is
    written for automatic differentiation, is called by `apply`, with the parameters of `forward`.
    Of a class with some of its arguments, a partial one, an object is made.
    """
    if is_partial_class(value):
        try:
            value = value()
        except Exception:  # noqa: BLE001 -- `misfit` says why
            return None
    if inspect.isclass(value):
        if _has_apply(value):
            return _applied(value)
        return value if _method_of(value) is not None else None
    owner = getattr(value, "__self__", None)
    if inspect.isclass(owner) and _has_apply(owner) and value == getattr(owner, "apply", None):
        return _applied(owner)
    if callable(value):
        return value
    forward = getattr(value, "forward", None)
    return forward if callable(forward) and not hasattr(value, "backward") else None


def is_partial_class(value: Any) -> bool:
    """Return whether an object is a class with some of its arguments.

    >>> is_partial_class(functools.partial(dict, a=1)), is_partial_class(functools.partial(max, 1))
    (True, False)
    """
    return isinstance(value, functools.partial) and inspect.isclass(value.func)


def misfit(value: Any, operation: Operation, *, is_known: bool) -> str:
    """Return why an object cannot be an operation, in words; empty if nothing is against it.

    Args:
        value: the object.
        operation: what its name says that it is.
        is_known: whether just this name is known for the operation. If the name has more words, the
            object must take as many arrays as the operation.
    """
    if is_partial_class(value):
        try:
            value = value()
        except Exception as error:  # noqa: BLE001 -- a user's class may raise anything
            return f"no object of it can be made: {one_line(error)}"
    if inspect.isclass(value) and not _has_apply(value):
        if _method_of(value) is None:
            return "its objects cannot be called"
        if lacking := arguments_lacking(value, operation):
            return lacking
    needed = _required(_what_takes_arrays(value))
    if is_known or needed is None:
        return ""
    arrays = [it for it in needed if not _is_option(it, operation)]
    due = len(operation.arrays)
    if len(arrays) == due:
        return ""
    what = f"it needs {len(arrays)} argument{'s' if len(arrays) != 1 else ''}"
    return f"{what}, and {operation.name} takes {due}"


def arguments_lacking(value: Any, operation: Operation, known: Collection[str] = ()) -> str:
    """Return what the constructor of a class needs that nothing is known of; empty for nothing.

    Args:
        value: any object.
        operation: what it is taken for.
        known: parameters that something is declared of.
    """
    if not inspect.isclass(value) or _has_apply(value):
        return ""
    needed = [
        it.name
        for it in _required(value) or []
        if not (_is_option(it, operation) or it.name in known)
    ]
    if not needed:
        return ""
    made = f"{value.__name__}({', '.join(f'{name}=…' for name in needed)})"
    return f"its constructor needs {', '.join(needed)}: name an object of it, {made}"


def _is_option(parameter: inspect.Parameter, operation: Operation) -> bool:
    role = role_of(parameter.name, None)
    if parameter.name in dict(operation.parameters):
        return True
    if operation.is_linear and (role := linear_role_of(parameter.name, (), None)) is not None:
        return role.name in operation.options
    is_number = parameter.name.lower() in CLASSES and operation.is_loss
    return is_number or (role is not None and role.name in operation.options)


def _required(function: Any) -> list[inspect.Parameter] | None:
    """Return the parameters without a default; None if a function does not say them."""
    parameters = parameters_in(function)
    if parameters is None or any(it.kind is it.VAR_POSITIONAL for it in parameters):
        return None
    return [it for it in parameters if it.default is it.empty and it.kind is not it.VAR_KEYWORD]


def _what_takes_arrays(value: Any) -> Any:
    """Return the function that takes the arrays: of an object or a class its method."""
    if inspect.isclass(value):
        method = _applied(value) if _has_apply(value) else _method_of(value)
        return method if _has_apply(value) else _without_self(method)
    for name in ("forward", "call"):
        method = getattr(value, name, None)
        if inspect.ismethod(method):
            return method
    return value


def _without_self(method: Any) -> Any:
    """Return a method of a class as one of its objects has it."""
    return method.__get__(object()) if inspect.isfunction(method) else method


def _method_of(value: type) -> Any:
    """Return the method that takes the arrays of an object of a class; None if it has none."""
    for name in ("forward", "call", "__call__"):
        found = getattr(value, name, None) if name != "__call__" else _own_call(value)
        if callable(found):
            return found
    return None


def _own_call(value: type) -> Any:
    """Return the method `__call__` of a class's objects, which is not that of the class itself."""
    return next((vars(it)["__call__"] for it in value.__mro__ if "__call__" in vars(it)), None)


def _has_apply(value: type) -> bool:
    """Return whether a class is called by its class method `apply`."""
    has_both = callable(getattr(value, "forward", None)) and hasattr(value, "backward")
    return has_both and inspect.ismethod(getattr(value, "apply", None))


def _applied(value: Any) -> Callable[..., Any]:
    """Return `apply` of a class with the names of the parameters of `forward`.

    The class method takes no names, and says none.
    """
    parameters = list(inspect.signature(value.forward).parameters.values())
    if parameters and parameters[0].name in _CONTEXT:
        parameters = parameters[1:]
    if not all(it.kind in _POSITIONAL for it in parameters):
        return value.apply
    names = [it.name for it in parameters]
    # A compiler reads a plain function without a break, and no signature that is bound in a call.
    made = eval(f"lambda {', '.join(names)}: apply({', '.join(names)})", {"apply": value.apply})  # noqa: S307 -- names of parameters
    made.__defaults__ = tuple(it.default for it in parameters if it.default is not it.empty) or None
    made.__name__ = made.__qualname__ = f"{value.__name__}.apply"
    made.__module__ = value.__module__
    return made
