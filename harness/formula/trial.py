"""Run a formula once on arrays without numbers, to see what it gives and whether it can be run."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ...cases.operations import OF_NUMBERS, Operation, Result, TargetKind
from ...errors import DefinitionError
from ..answers import one_line
from .functions import Target
from .graph import Array, Shape, given, steps
from .labels import Labels
from .missing import said_of
from .options import TAKEN, taken_by

_TRIED = (5, 7)  # two primes: the shape of the result says what it is a number of
_RESULTS: dict[Shape, Result] = {(): "scalar", _TRIED[:1]: "rows", _TRIED: "elements"}
_NONE: Mapping[str, Any] = MappingProxyType({})
_SMOOTHING = 0.1


def applied(
    formula: Callable[..., Any], x: Array, target: Target | None, options: Mapping[str, Any] = _NONE
) -> Array:
    """Return what a formula computes.

    Args:
        formula: the formula.
        x: its first argument.
        target: its target; None for none.
        options: the options and parameters that it takes.

    Raises:
        DefinitionError: it raises an error, or returns something else than an array of a formula.
    """
    called = getattr(formula, "__name__", "the formula")
    arrays = (x,) if target is None else (x, target)
    if unfit := _unfit(formula, len(arrays), options):
        raise DefinitionError(f"{called} {unfit}")
    try:
        found: Any = formula(*arrays, **options)
    except DefinitionError as error:
        raise DefinitionError(f"{called}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a formula may call sys.exit
        missing = said_of(error)
        reason = f"raises {one_line(error)} (a formula is written with lossdiff.formula)"
        said = f"{called}: {missing}" if missing else f"{called} {reason}"
        raise DefinitionError(said) from error
    if isinstance(found, int | float):
        raise DefinitionError(f"{called} returns the number {found!r}, whatever its arguments are")
    if not isinstance(found, Array) or found.is_mask:
        kind = "comparison" if isinstance(found, Array) else type(found).__name__
        raise DefinitionError(f"{called} returns a {kind}, where an array of numbers is due")
    return found


def _unfit(formula: Callable[..., Any], count: int, options: Mapping[str, Any]) -> str:
    """Return why a formula cannot be called with some arrays; empty if it can."""
    try:
        inspect.signature(formula).bind(*range(count), **options)
    except ValueError:  # it tells nothing of its parameters
        return ""
    except TypeError as error:
        if count == 1:
            given = "is called with x alone where targets is ()"
        else:
            given = "is called with x and the target; for x alone say targets=()"
        return f"{given}: {error}"
    return ""


def result_of(operation: Operation, formula: object, kind: TargetKind | None) -> Result:
    """Return what the result of a formula has a number for.

    Args:
        operation: its name, options and parameters.
        formula: the formula.
        kind: the kind of the target; None for none.

    Raises:
        DefinitionError: it cannot be run, or gives something else.
    """
    if not callable(formula):
        kind_of_formula = type(formula).__name__
        raise DefinitionError(f"{operation.name}: a {kind_of_formula} is no formula")
    target = _target(kind, _TRIED)
    targets = [target]
    is_smoothed = "label_smoothing" in set(operation.options) - taken_by(formula)
    if is_smoothed and kind == "index":
        targets.append(given("target", _TRIED))  # a smoothed target holds numbers
    try:
        shapes = {_tried(operation, formula, it, _TRIED).shape for it in targets}
    except DefinitionError as error:
        raise DefinitionError(f"{operation.name}: {error}") from error
    result = _RESULTS.get(min(shapes, key=len))
    if result is None or len(shapes) > 1:
        raise DefinitionError(
            f"{operation.name}: of x of shape (N, C) = {_TRIED} its result has shape "
            f"{' and '.join(map(str, shapes))}; allowed: (), (N,) or (N, C)"
        )
    return result


def count_numbers(operation: Operation, formula: Callable[..., Any], shape: tuple[int, int]) -> int:
    """Return how many numbers all steps of a formula have for x of a shape (N, C)."""
    kind = operation.targets[0] if operation.targets else None
    found = _tried(operation, formula, _target(kind, shape), shape)
    return sum(math.prod(it.shape) for it in steps([found]))


def _target(kind: TargetKind | None, shape: tuple[int, int]) -> Target | None:
    if kind == "index":
        return Labels(np.zeros(shape[0], np.int64), shape[1])
    return None if kind is None else given("target", shape)


def _tried(
    operation: Operation,
    formula: Callable[..., Any],
    target: Target | None,
    tried: tuple[int, int],
) -> Array:
    names = taken_by(formula, has_target=target is not None)
    lacking = sorted(set(dict(operation.parameters)) - names)
    called = getattr(formula, "__name__", "the formula")
    for option in TAKEN:
        if option in names and option not in operation.options and _is_needed(formula, option):
            raise DefinitionError(f"{called} takes {option}, which is not among the options")
    if lacking:
        raise DefinitionError(f"{called} has no parameter {lacking[0]}")
    options: dict[str, Any] = {name: values[0] for name, values in operation.parameters}
    for name in ("weight", "pos_weight"):
        options[name] = given(name, tried[1:])
    options["label_smoothing"] = _SMOOTHING
    known = names & {*operation.options, *dict(operation.parameters)}
    taken = {name: it for name, it in options.items() if name in known}
    return applied(formula, given("values", tried), target, taken)


def check_options(operation: Operation, formula: Callable[..., Any]) -> None:
    """Refuse options that cannot be applied to a formula.

    Args:
        operation: the operation, with its result.
        formula: one of its formulas.

    Raises:
        DefinitionError: an option has no meaning for this formula.
    """
    reason = _misfit(operation, taken_by(formula, has_target=operation.is_loss))
    if reason:
        raise DefinitionError(f"{operation.name}: {reason}")


def _is_needed(formula: Callable[..., Any], option: str) -> bool:
    return inspect.signature(formula).parameters[option].default is inspect.Parameter.empty


def _misfit(operation: Operation, names: frozenset[str]) -> str:
    """Return why an option cannot be applied; empty if all can."""
    options, kinds = set(operation.options), set(operation.targets)
    if not kinds and options - set(dict(operation.parameters)):
        return "options go with a target, and it has none"
    if "pos_weight" in options and "pos_weight" not in names:
        return "pos_weight has to be a parameter of the formula, which says what it weighs"
    if "ignore_index" in options and ("index" not in kinds or operation.result != "rows"):
        return "ignore_index is an option of losses with an index target and a loss for each row"
    if "label_smoothing" in options and "real" in kinds:
        return "label_smoothing is an option of probabilities, and a real target holds none"
    is_taken = "weight" not in options or "weight" in names
    return "" if is_taken else _unweighed(operation)


def _unweighed(operation: Operation) -> str:
    """Return why weights cannot be applied around a formula; empty if they can."""
    options, kinds = set(operation.options), set(operation.targets)
    if operation.result == "scalar":
        why = "its result is one number"
    elif operation.result == "rows" and kinds & set(OF_NUMBERS):
        why = "a row has no single class"
    elif operation.result == "rows" and "label_smoothing" in options:
        why = "a smoothed target has no single class"
    else:
        return ""
    return f"weight has to be a parameter of the formula: {why}"
