"""Write the call of a user's function as text, in the way in which it is called."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...backends.base import POSITIONAL
from ...backends.claim import Calling
from ...backends.dialect import ScriptDialect
from ...cases.model import Case
from ...cases.operations import DEFAULTS
from ...errors import SourceError
from ..own import KEPT, Candidate, folder_of
from .source_text import Source, source_of, source_of_expressions

_ARRAYS = ("weight", "pos_weight", "linear_bias")
_ROWS = 2  # axes of an array whose last axis is the classes' in either layout
_EMPTY = inspect.Parameter.empty


@dataclass(frozen=True)
class CallText:
    """The arguments of a call, as text.

    Attributes:
        positional: the expressions of the positional ones.
        named: the names of the others, and their expressions.
        settings: the options and what is always passed; they go to the constructor if there is one.
    """

    positional: list[str]
    named: dict[str, str]
    settings: dict[str, str]

    def of(self, callee: str, calling: Calling) -> str:
        """Return the expression of what the function returns."""
        arrays = [*self.positional, *_keywords(self.named)]
        if calling.constructs:
            return f"{callee}({', '.join(_keywords(self.settings))})({', '.join(arrays)})"
        return f"{callee}({', '.join([*arrays, *_keywords(self.settings)])})"

    def of_object(self, callee: str, function: Any) -> tuple[str, str]:
        """Return the expressions of `forward`, and of `backward` after it, of one object."""
        made = f"{callee}({', '.join(_keywords(self.settings))})"
        arrays = ", ".join([*self.positional, *_keywords(self.named)])
        forward = f"(made := {made}).forward({arrays})"
        value, gradient = (kept_in(getattr(function, it)) for it in ("forward", "backward"))
        shown = f"({forward}, made.{value})[1]" if value else f"{made}.forward({arrays})"
        if gradient:
            return shown, f"({forward}, made.backward(cotangent), (made.{gradient},))[2]"
        return shown, f"({forward}, (made.backward(cotangent),))[1]"


def users_source(
    candidate: Candidate,
    calling: Calling,
    arrays: Mapping[str, str],
    options: Mapping[str, Any],
    dialect: ScriptDialect,
    *,
    with_classes: Collection[str] = (),
    wants_gradient: bool,
) -> Source:
    """Return the program text of a user's function and of a call of it.

    Args:
        candidate: the function.
        calling: how it is called.
        arrays: the names of the arrays that are given, by the argument of the contract.
        options: the options that differ from their defaults.
        dialect: how scripts for its framework are written.
        with_classes: the arguments whose classes are moved to the last axis for it.
        wants_gradient: whether a gradient that is written by hand is called, too.

    Raises:
        SourceError: the text cannot be read, or the function shifts its labels.
    """
    module, expression = candidate.module, candidate.expression
    if module is None:
        raise SourceError(f"the source of {candidate.name} cannot be found")
    if calling.shifts:
        raise SourceError(f"{candidate.name} shifts its labels: no script shows it")
    names = set(arrays.values())
    arrays = {
        role: dialect.moved(name, 1, -1) if role in with_classes else name
        for role, name in arrays.items()
    }
    text = _text_of(candidate, calling, arrays, options)
    is_by_hand = wants_gradient and candidate.vjp
    if not (is_by_hand or with_classes) and _is_plain(expression, calling):
        named = {**text.named, **text.settings}
        return _with_folders(source_of(module, expression, text.positional, named))

    def moved_back(gradient: str) -> str:
        return dialect.moved(gradient, -1, 1) if with_classes else gradient

    value, gradient = _expressions(text, candidate, calling, arrays, options, moved_back)
    gradient = gradient if wants_gradient else ""
    if gradient and with_classes and calling.returns != "value_and_gradient":
        gradient = f"tuple({moved_back('part')} for part in {gradient})"
    return _with_folders(source_of_expressions(module, value, gradient, {*names, "part"}))


def with_classes(calling: Calling, case: Case) -> tuple[str, ...]:
    """Return the arguments whose classes have another axis in a function than in the contract.

    Args:
        calling: how the function is called.
        case: the question.
    """
    if calling.layout != "classes_last" or len(case.shape) <= _ROWS:
        return ()
    return ("values",) if case.target_kind == "index" else ("values", "target")


def kept_in(method: Any) -> str:
    """Return the attribute in which a method keeps what it makes; empty if it returns it."""
    try:
        text = textwrap.dedent(inspect.getsource(method))
    except (OSError, TypeError):
        return ""
    nodes = list(ast.walk(ast.parse(text)))
    if any(isinstance(it, ast.Return) and it.value is not None for it in nodes):
        return ""
    stored = {it.attr for it in nodes if isinstance(it, ast.Attribute)}
    return next((name for name in KEPT if name in stored), "")


def _with_folders(source: Source) -> Source:
    """Return a source with the folders in which the user's own modules are found."""
    names = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse("\n".join(source.imports)))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else _modules(node))
    }
    return replace(source, folders=tuple(sorted(set(filter(None, map(folder_of, names))))))


def _modules(node: ast.Import) -> list[str]:
    return [it.name for it in node.names]


def _is_plain(expression: str, calling: Calling) -> bool:
    """Return whether a call is the function's name with its arguments."""
    return expression.isidentifier() and not calling.constructs and calling.returns == "value"


def _expressions(
    text: CallText,
    candidate: Candidate,
    calling: Calling,
    arrays: Mapping[str, str],
    options: Mapping[str, Any],
    moved_back: Callable[[str], str],
) -> tuple[str, str]:
    """Return the expressions of the value, and of the gradients that are written by hand."""
    callee = candidate.expression
    if calling.returns == "forward_backward":
        return text.of_object(callee, candidate.function)
    value = text.of(callee, calling)
    if calling.returns == "value_and_gradient":
        if "linear_weight" in arrays:
            return f"{value}[0]", f"tuple(cotangent * part for part in {value}[1:])"
        # The gradient of a loss each has a cotangent for each row; the classes are on axis 1.
        seed = "cotangent[:, None]" if options.get("reduction") == "none" else "cotangent"
        return f"{value}[0]", f"({seed} * {moved_back(f'{value}[1]')},)"
    if candidate.vjp is None:
        return value, ""
    settings = {name: repr(it) for name, it in options.items() if name not in _ARRAYS}
    settings |= {name: arrays[name] for name in _ARRAYS if name in arrays}
    positional = ["cotangent", *(arrays[it] for it in POSITIONAL if it in arrays)]
    return value, CallText(positional, {}, settings).of(f"{callee}_vjp", Calling())


def _text_of(
    candidate: Candidate,
    calling: Calling,
    arrays: Mapping[str, str],
    options: Mapping[str, Any],
) -> CallText:
    """Return the arguments of a call; options that are the function's own defaults are left out."""
    defaults = _defaults_of(candidate.function)
    settings: dict[str, str] = {}
    taken = {parameter for _, parameter in calling.options}
    for option, parameter in calling.options:
        if option in _ARRAYS:
            if option in arrays:
                settings[parameter] = arrays[option]
            continue
        default = dict(calling.always).get(parameter, DEFAULTS.get(option))
        value = calling.spelled(option, options.get(option, default))
        if not _is_same(defaults.get(parameter, _EMPTY), value):
            settings[parameter] = repr(value)
    settings |= {
        name: repr(value)
        for name, value in calling.always
        if name not in taken and not _is_same(defaults.get(name, _EMPTY), value)
    }
    given = [(arrays[role], parameter) for role, parameter in calling.arguments if role in arrays]
    return CallText(
        [name for name, parameter in given if not parameter],
        {parameter: name for name, parameter in given if parameter},
        settings,
    )


def _defaults_of(function: Any) -> dict[str, Any]:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    return {name: it.default for name, it in parameters.items()}


def _is_same(default: Any, value: Any) -> bool:
    return type(default) is type(value) and repr(default) == repr(value)


def _keywords(named: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in named.items()]
