"""See what of a callable takes the arrays, and which parameters it says."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

_EMPTY = inspect.Parameter.empty


def place_in(function: Callable[..., Any], parameter: inspect.Parameter) -> int:
    """Return the place of a parameter among those that take the arrays; 0 if it is not there."""
    method = method_of(function) if inspect.isclass(function) else called_of(function)
    names = [it.name for it in parameters_in(method) or []]
    return names.index(parameter.name) if parameter.name in names else 0


def kind_of(function: Callable[..., Any]) -> str:
    """Return whether a class has to be constructed, and whether it has a gradient of its own."""
    if not inspect.isclass(function):
        return "plain"
    is_whole = hasattr(function, "backward") and not backward_needs(function)
    return "forward_backward" if is_whole else "class"


def backward_needs(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return what a class's `backward` needs, if it is more than what comes in; else nothing.

    >>> class Loss:
    ...     def backward(self, dvalues, y_true): ...
    >>> backward_needs(Loss)
    ('dvalues', 'y_true')
    """
    taken = (parameters_in(getattr(function, "backward", None)) or [])[1:]
    needed = tuple(it.name for it in named_in(taken) if it.default is _EMPTY)
    return needed if inspect.isclass(function) and len(needed) > 1 else ()


def method_of(function: Any) -> Any:
    """Return the method of a class that takes the arrays."""
    found = getattr(function, "forward", None) or getattr(function, "call", None)
    return found or function.__dict__.get("__call__")


def called_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what takes the arrays: of an object the method that its class is called through."""
    if inspect.isroutine(function) or isinstance(function, functools.partial):
        return function
    for name in ("forward", "call"):
        method = getattr(function, name, None)
        if callable(method) and inspect.ismethod(method):
            return method
    return function


def default_of(function: Any, parameter: str) -> Any:
    """Return the default of a parameter of a function, or of a class's constructor; None for none.

    >>> default_of(lambda x, pad_id=0: x, "pad_id")
    0
    """
    found = (it.default for it in parameters_in(function) or [] if it.name == parameter)
    default = next(found, None)
    return None if default is _EMPTY else default


def parameters_in(function: Any) -> list[inspect.Parameter] | None:
    """Return the parameters of a function; None if it does not say them.

    What a compiler of a framework has made of a function may say them in a `schema` alone.
    """
    try:
        return list(inspect.signature(function).parameters.values())
    except Exception:  # noqa: BLE001 -- functions of C, and objects that only look callable
        return _of_schema(function)


def _of_schema(function: Any) -> list[inspect.Parameter] | None:
    try:
        return [
            inspect.Parameter(
                it.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=it.default_value if it.has_default_value() else _EMPTY,
            )
            for it in function.schema.arguments
        ]
    except Exception:  # noqa: BLE001 -- most have no schema, or another of that name
        return None


def named_in(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """Return the parameters that have a name of their own: not `*args` and `**kwargs`."""
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [it for it in parameters if it.kind not in variable]
