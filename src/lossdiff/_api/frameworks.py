"""Find out which framework a function or an array belongs to, and load it in this process.

Frameworks are known by their descriptions; what is imported already is looked up and not imported.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from platformdirs import user_cache_path

from ..backends import FRAMEWORKS, Framework
from ..backends.base import Backend
from ..cases.checked import near, shown
from ..errors import ArgumentTypeError, ArgumentValueError, FrameworkAbsentError
from ..harness.workers import Setup, load, quiet

# The framework whose arrays all others convert to; it counts only where no other one is seen.
PLAIN = next(iter(FRAMEWORKS))
_LARGEST_SEED = 2**63 - 1
NO_CACHE = "LOSSDIFF_NO_CACHE"  # an environment variable: nothing compiled is kept


def named(what: str, given: object, allowed: Iterable[str]) -> str:
    """Return a name that is allowed.

    Raises:
        ArgumentTypeError: it is no text.
        ArgumentValueError: it is not one of those that are allowed.
    """
    names = tuple(allowed)
    if not isinstance(given, str):
        raise ArgumentTypeError(f"{what} is a {type(given).__name__}; it must be a text")
    if given in names:
        return given
    allowed = ", ".join(names)
    raise ArgumentValueError(
        f"{shown(given)} is no {what}{near(given, names)} (allowed: {allowed})"
    )


def several(what: str, given: object, example: str) -> tuple[Any, ...]:
    """Return names that are given as a tuple, a list or a set; a text is taken for no letters.

    Raises:
        ArgumentTypeError: they are anything else, or there is none.
    """
    if isinstance(given, list | tuple | set | frozenset) and given:
        return tuple(given)
    raise ArgumentTypeError(f"{what} is {shown(given)}; it must be a tuple, such as ({example!r},)")


def switch(what: str, given: object) -> bool:
    """Return what is either true or false.

    Raises:
        ArgumentTypeError: it is neither; an array may be both.
    """
    if isinstance(given, bool):
        return given
    raise ArgumentTypeError(f"{what} is {shown(given)}; it must be True or False")


def seed_of(given: object) -> int:
    """Return a seed of the questions.

    Raises:
        ArgumentTypeError: it is no whole number.
        ArgumentValueError: it is negative, or too large for the id of a case.
    """
    if not isinstance(given, int) or isinstance(given, bool):
        raise ArgumentTypeError(f"seed is {shown(given)}; it must be a whole number")
    if not 0 <= given <= _LARGEST_SEED:
        raise ArgumentValueError(f"seed is {shown(given)}; allowed: 0 to {_LARGEST_SEED}")
    return given


def backend_of(framework: str) -> Backend:
    """Import a framework in this process, and return a new backend of it.

    Args:
        framework: a name of `FRAMEWORKS`.

    Raises:
        FrameworkAbsentError: it is not installed, or its import fails.
    """
    description = FRAMEWORKS[framework]
    if description.missing:
        raise FrameworkAbsentError(f"{framework}: {description.why_missing}")
    try:
        with _quietly():
            backend = load(Setup(framework))
    except ImportError as error:
        raise FrameworkAbsentError(f"{framework} cannot be imported: {error}") from error
    # It is not the folder of the command line's workers, which is not limited in its size.
    folder = user_cache_path("lossdiff") / "compiled-in-python"
    backend.kept = "" if os.environ.get(NO_CACHE) else str(folder)
    return backend


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep a framework's log away while it is imported; the user's settings stay as they are."""
    before = dict(os.environ)
    for name, text in quiet().items():
        os.environ.setdefault(name, text)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def framework_for(function: Callable[..., Any], given: str | None) -> str:
    """Return the name of the framework whose arrays a function takes.

    Args:
        function: the user's function.
        given: what its user has said; None to find it out.

    Raises:
        ArgumentValueError: there is no such framework, or several are possible.
    """
    if given is not None:
        return named("framework", given, FRAMEWORKS)
    for modules in (_of_object(function), _of_names(function), _imported()):
        found = {name for name, item in FRAMEWORKS.items() if _belongs(item, modules)}
        found = found - {PLAIN} or found
        if len(found) == 1:
            return found.pop()
        if found:
            names = " or ".join(sorted(found))
            raise ArgumentValueError(f"say which framework it is for: framework={names}")
    return PLAIN


def framework_of_array(array: object) -> str | None:
    """Return the framework that an array belongs to; None for what is no array of one."""
    modules = {item.__module__ for item in type(array).__mro__} - {"builtins"}
    found = [name for name, item in FRAMEWORKS.items() if _belongs(item, modules)]
    return found[-1] if found else None


def _belongs(framework: Framework, modules: Iterable[str]) -> bool:
    """Return whether one of the modules is of a framework; `jaxlib` belongs to `jax`."""
    tops = {name.partition(".")[0] for name in modules}
    return any(top in {own, f"{own}lib"} for top in tops for own in framework.imports)


def _of_object(function: object) -> set[str]:
    kinds = function.__mro__ if isinstance(function, type) else type(function).__mro__
    modules = {item.__module__ for item in kinds}
    return modules | {getattr(function, "__module__", None) or ""}


def _of_names(function: object) -> set[str]:
    """Return the modules of what the code of a function names."""
    return set(_modules_of(_plain_function(function)))


def _plain_function(function: object) -> object:
    """Return the Python function that an object calls."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__wrapped__", function)
    function = getattr(function, "__func__", function)
    return function if hasattr(function, "__code__") else type(function).__call__


def _modules_of(function: object) -> Iterator[str]:
    code = getattr(function, "__code__", None)
    if code is None:
        return
    space = getattr(function, "__globals__", {}) | _closed_over(function)
    codes = [code]
    while codes:
        one = codes.pop()
        codes += [part for part in one.co_consts if hasattr(part, "co_names")]
        for name in (*one.co_names, *one.co_freevars):
            found = space.get(name)
            if isinstance(found, ModuleType):
                yield found.__name__
            elif found is not None:
                yield getattr(found, "__module__", None) or ""
            elif name in sys.modules:  # an import inside of the function
                yield name


def _closed_over(function: Any) -> dict[str, Any]:
    """Return the variables of the functions around a function, by name."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    found = {}
    for name, cell in cells:
        with suppress(ValueError):  # one that has no value yet
            found[name] = cell.cell_contents
    return found


def _imported() -> set[str]:
    return {module.partition(".")[0] for module in tuple(sys.modules)}
