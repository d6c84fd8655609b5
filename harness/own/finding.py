"""Find a user's functions in a file or module: what it defines, and what each of them is.

What a file imports is not its user's. What it defines is taken by its name (`names`), or because
it is declared (`declaration`); of everything else that looks like a loss the reason is said.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from ...backends import FRAMEWORKS
from ...cases.operations import OPERATIONS
from ...errors import UserFileError
from ..answers import one_line
from ..formula import is_formula
from .declaration import REGISTER, Declaration, Declared
from .defined import defined_names
from .definitions import define_operations
from .fitting import arguments_lacking, as_function, is_partial_class, misfit
from .loading import load_module
from .names import Meaning, looks_like_a_loss, meaning_of
from .places import Place, evaluated, place_of, source_of
from .taken import Candidate, Left
from .tracebacks import own_traceback

_VJP = "_vjp"
IMPORTED = "imported, and not defined here"
UNNAMED = "its name is no operation's"
_UNNAMED_HERE = f"{UNNAMED}; if it is one, name it: FILE.py:NAME=OPERATION"


def found_in(place: str, framework: str) -> tuple[list[Candidate], list[Left]]:
    """Import a place, and return the functions that are taken from it, and those that are left.

    Args:
        place: a file, a module, or an object of one: `mine.py:loss=cross_entropy`.
        framework: the framework whose arrays the functions take.

    Raises:
        UserFileError: it cannot be imported, or has no such object.
        DeclarationError: what is said of an object names something that does not exist.
    """
    source = load_module(place_of(source_of(place)))
    define_operations(source)
    where = place_of(place)  # which may name an operation that the file defines
    module = load_module(where)
    try:
        return _Finder(where, module, framework).found()
    except UserFileError:
        raise
    # A module may compute its attributes, so that looking at them may do anything.
    except BaseException as error:
        raise UserFileError(f"{place}: {one_line(error)}", own_traceback(error)) from error


class _Finder:
    """Looks through one module."""

    def __init__(self, place: Place, module: ModuleType, framework: str) -> None:
        self._place, self._module = place, module
        self._is_by_hand = FRAMEWORKS[framework].has_handwritten_gradients
        self._namespace = str(getattr(module, "namespace", place.stem))
        self._names: Mapping[str, str] = getattr(module, "names", {})
        self._targets: Mapping[str, Any] = getattr(module, "targets", {})
        self._left: list[Left] = []

    def found(self) -> tuple[list[Candidate], list[Left]]:
        if self._place.expression:
            return [self._selected()], []
        declared = dict(self._declared())
        by_name = self._by_name({id(it.function) for it in declared.values()}, set(declared))
        return [*declared.values(), *by_name], self._left

    # --- one object

    def _selected(self) -> Candidate:
        """Return the object that the place names."""
        expression, said = self._place.expression, self._place.declaration
        where = f"{self._place.source}:{expression}"
        try:
            value = evaluated(expression, self._module)
        except BaseException as error:
            line = f"{where} cannot be evaluated: {one_line(error)}{self._near(expression)}"
            raise UserFileError(line, own_traceback(error)) from error
        known = said or self._declaration_of(value)
        meaning = meaning_of(expression.partition("(")[0].rpartition(".")[2])
        if known is None and meaning is None:
            raise UserFileError(f"{where}: {UNNAMED}; say what it is, {where}=OPERATION")
        function = as_function(value)
        if function is None:
            raise UserFileError(f"{where} {_why_not_called(value)}")
        operation = known.operation if known else meaning[0].operation if meaning else ""
        renamed = [own for _, own in known.rename] if known else ()
        if lacking := arguments_lacking(value, OPERATIONS[operation], renamed):
            raise UserFileError(f"{where}: {lacking}")
        name = self._names.get(expression, f"{self._namespace}.{expression}")
        if known is not None:
            return self._made(expression, name, function, known.operation, known)
        assert meaning is not None  # noqa: S101 -- or the error above
        return self._candidate(expression, name, function, meaning[0])

    def _near(self, expression: str) -> str:
        """Return what a name that does not exist may have meant."""
        given = expression.partition("(")[0].partition(".")[0]
        offered = [it for it in vars(self._module) if not it.startswith("_")]
        if given in vars(self._module):
            return ""
        near = get_close_matches(given, offered, 1)
        names = near or [it for it in offered if meaning_of(it)][:8]
        meant = "did you mean" if near else "it has"
        return f" ({meant} {', '.join(names)}{'?' if near else ''})" if names else ""

    def _declaration_of(self, value: Any) -> Declaration | None:
        for item in getattr(self._module, REGISTER, ()):
            if isinstance(item, Declared) and (item.function is value or _wraps(value, item)):
                return item.declaration
        return None

    # --- all that a module defines

    def _declared(self) -> Iterator[tuple[str, Candidate]]:
        """Yield what is declared, by its attribute in the module."""
        for item in getattr(self._module, REGISTER, ()):
            names = [
                name
                for name, value in vars(self._module).items()
                if value is item.function or _wraps(value, item)
            ]
            own = str(getattr(item.function, "__name__", type(item.function).__name__))
            key = own if own in names or not names else names[0]
            function = as_function(vars(self._module)[key] if names else item.function)
            name = self._names.get(key, f"{self._namespace}.{key}")
            if function is None:
                self._left.append(Left(name, "it cannot be called"))
                continue
            said = item.declaration
            yield key, self._made(key, name, function, said.operation, said)

    def _by_name(self, functions: set[int], keys: set[str]) -> Iterator[Candidate]:
        """Yield what is taken by its name; note what is left."""
        is_defined = defined_names(self._module)
        seen: dict[int, str] = {}
        for key, value in list(vars(self._module).items()):
            if id(value) in functions or key in keys or not self._is_offered(key, value):
                continue
            found = self._taken_or_left(key, value, is_defined=is_defined(key, value))
            if isinstance(found, Candidate) and id(value) in seen:
                found = Left(found.name, f"it is {seen[id(value)]} under another name")
            if isinstance(found, Left):
                self._left.append(found)
            elif found is not None:
                seen[id(value)] = found.name
                yield found

    def _taken_or_left(self, key: str, value: Any, *, is_defined: bool) -> Candidate | Left | None:
        """Return what becomes of an attribute; None for nothing that needs a word."""
        said, function = _meaning_of_object(value) or meaning_of(key), as_function(value)
        name = self._names.get(key, f"{self._namespace}.{key}")
        if said is None:
            is_meant = is_defined and function is not None and looks_like_a_loss(key)
            if function is None and is_defined and (method := _named_method(value)):
                return Left(name, f"name a method of it: {self._place.source}:{key}.{method}")
            return Left(name, _UNNAMED_HERE) if is_meant else None
        if not is_defined:
            return Left(name, IMPORTED)
        meaning, is_known = said
        reason = misfit(value, OPERATIONS[meaning.operation], is_known=is_known)
        if function is None or reason:
            return Left(name, reason or "it cannot be called")
        return self._candidate(key, name, function, meaning)

    def _is_offered(self, key: str, value: Any) -> bool:
        """Return whether an attribute may be meant as a function for others."""
        is_gradient = key.endswith(_VJP) and hasattr(self._module, key.removesuffix(_VJP))
        if key.startswith(("_", "test_")) or is_gradient or isinstance(value, ModuleType):
            return False
        if is_formula(value):
            return False
        return callable(value) or as_function(value) is not None

    def _candidate(
        self, key: str, name: str, function: Callable[..., Any], meaning: Meaning
    ) -> Candidate:
        """Return a candidate that is taken by its name.

        Raises:
            UserFileError: the module says of its targets what cannot be.
        """
        operation = meaning.operation
        said = self._targets.get(key, meaning.targets or None)
        allowed = OPERATIONS[operation].targets
        if isinstance(said, str) or not set(said or ()) <= set(allowed):
            raise UserFileError(
                f"{self._place.source}: targets[{key!r}] is {said!r}; "
                f"it must be a set of {', '.join(allowed)}"
            )
        kinds = None if said is None else frozenset(said)
        return self._made(key, name, function, operation, Declaration(targets=kinds))

    def _made(
        self,
        expression: str,
        name: str,
        function: Callable[..., Any],
        operation: str,
        declaration: Declaration,
    ) -> Candidate:
        """Return a candidate with the gradient that is written by hand, `NAME_vjp`."""
        vjp = getattr(self._module, expression + _VJP, None) if self._is_by_hand else None
        return Candidate(
            name,
            function,
            operation,
            declaration,
            vjp if callable(vjp) else None,
            self._module,
            expression,
        )


def _meaning_of_object(value: Any) -> tuple[Meaning, bool] | None:
    """Return what the name of an object's class says, or that of a partial function's function."""
    if isinstance(value, functools.partial):
        found = meaning_of(str(getattr(value.func, "__name__", "")))
    elif inspect.isclass(value) or inspect.isroutine(value):
        return None
    else:
        found = meaning_of(type(value).__name__)
    return found if found and found[1] else None


def _why_not_called(value: Any) -> str:
    """Return why nothing can be called of an object."""
    if is_partial_class(value):
        return f"is a partial class: {misfit(value, OPERATIONS['softmax'], is_known=True)}"
    return f"is {type(value).__name__!r}, and cannot be called"


def _named_method(value: Any) -> str:
    """Return the first method of a class with the name of an operation; empty if it has none."""
    methods = vars(value) if inspect.isclass(value) else {}
    named = (it for it in methods if not it.startswith("_") and meaning_of(it))
    return next((it for it in named if callable(getattr(value, it))), "")


def _wraps(value: Any, item: Declared) -> bool:
    """Return whether an attribute is a declared function in the wrapping of other decorators."""
    seen = 0
    while seen < 20 and (inner := inspect.getattr_static(value, "__wrapped__", None)) is not None:
        if inner is item.function:
            return True
        value, seen = inner, seen + 1
    return False
