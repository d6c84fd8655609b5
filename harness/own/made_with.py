"""Find out what an object was made with: the keywords of a partial function, and attributes."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from .parameters import LOOSE

ARRAYS = ("weight", "pos_weight", "linear_bias")


def bound_keywords(function: Any) -> dict[str, Any]:
    """Return the keywords that a partial function has been given."""
    bound: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        bound = {**function.keywords, **bound}
        function = function.func
    return bound


def attributes(function: Any) -> dict[str, Any]:
    """Return what an object was constructed with, as far as its attributes say it."""
    if inspect.isclass(function) or inspect.isroutine(function):
        return {}
    if isinstance(function, functools.partial) or not hasattr(function, "__dict__"):
        return {}
    described = getattr(function, "get_config", None)
    try:
        config = dict(described()) if callable(described) else {}
    except Exception:  # noqa: BLE001 -- the config of a user's own class
        config = {}
    loose = {name for names in LOOSE.values() for name in names}
    known = {name: value for name, value in vars(function).items() if name not in loose}
    # A framework may keep the arrays of an object elsewhere than with its attributes.
    arrays = {name: getattr(function, name, None) for name in ARRAYS}
    return {**arrays, **known, **config}


def is_array(value: Any) -> bool:
    """Return whether a value holds several numbers."""
    return value is not None and (hasattr(value, "shape") or isinstance(value, list | tuple))


def is_plain(value: Any) -> bool:
    """Return whether a value can be an option that has one value."""
    return value is None or isinstance(value, bool | int | float | str)
