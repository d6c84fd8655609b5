"""Hold what users define: an operation by its formula, checked when it is defined."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast, get_args

import numpy as np

from ...cases.operations import BUILT_IN, OPERATIONS, Domain, Operation, Result, TargetKind
from ...errors import DefinitionError
from ..answers import one_line
from .functions import Target
from .graph import Array, Labels, Shape, given

Formula = Callable[..., Array]
_TRIED = (5, 7)  # two primes: the shape of the result says what it is a number of
_RESULTS: dict[Shape, Result] = {(): "scalar", _TRIED[:1]: "rows", _TRIED: "elements"}


@dataclass(frozen=True)
class Definition:
    """An operation that is its formula.

    Attributes:
        operation: its name, domain, targets and options.
        formula: `(x, target)`, or `(x)` without a target; x has shape (N, C).
        forms: other formulas of the same numbers that are as sound.
        cancelling: other formulas of the same numbers, in which terms cancel.
    """

    operation: Operation
    formula: Formula
    forms: tuple[Formula, ...] = ()
    cancelling: tuple[Formula, ...] = ()

    @property
    def name(self) -> str:
        """The name of the operation."""
        return self.operation.name


_DEFINED: dict[str, Definition] = {}


def define(
    name: str,
    formula: Formula,
    *,
    targets: Collection[str] = ("index",),
    domain: str = "logits",
    forms: Collection[Formula] = (),
    cancelling: Collection[Formula] = (),
) -> Definition:
    """Define an operation by its formula, so that implementations of it can be judged.

    The formula is a function of arrays of shape (N, C), written with the functions of
    `lossdiff.formula`. It returns a loss for each row, which has the option `reduction` then; or
    one for each element; or one number. Constants of the loss, as a temperature, are numbers in it.

    Args:
        name: the name under which the operation is asked from now on.
        formula: `(x, target)`, or `(x)` if there is no target.
        targets: the kinds of target that it takes: `index`, `one_hot`, `soft`, `multi_label`;
            `()` for none.
        domain: what x holds: `logits`, `log_probs` or `probs`.
        forms: other formulas of the same numbers that a sound computation may follow.
        cancelling: other formulas of the same numbers, in which terms cancel: an answer that only
            these explain is `formula`.

    Returns:
        The definition; the same name may be defined again.

    Raises:
        DefinitionError: an argument has no meaning, or the formula cannot be computed.
    """
    kinds = _kinds(targets)
    _check_name(name)
    if domain not in get_args(Domain):
        raise DefinitionError(_wrong("domain", domain, get_args(Domain)))
    operation = Operation(name, cast("Domain", domain), kinds, is_defined=True)
    results = {
        _result(operation, it, kind)
        for it in (formula, *forms, *cancelling)
        for kind in kinds or (None,)
    }
    if len(results) > 1:
        listed = " and ".join(sorted(results))
        raise DefinitionError(f"{name}: its formulas give different kinds of result: {listed}")
    result = results.pop()
    has_reduction = bool(kinds) and result != "scalar"
    operation = Operation(
        name, operation.domain, kinds, ("reduction",) if has_reduction else (), True, result, True
    )
    definition = Definition(operation, formula, tuple(forms), tuple(cancelling))
    _DEFINED[name] = definition
    OPERATIONS[name] = operation
    return definition


def definition_of(name: str) -> Definition | None:
    """Return the definition of an operation; None for one that is built in."""
    return _DEFINED.get(name)


def is_formula(value: object) -> bool:
    """Return whether an object is the formula of an operation, and no implementation of it."""
    return any(
        value is it
        for own in _DEFINED.values()
        for it in (own.formula, *own.forms, *own.cancelling)
    )


def forget(name: str) -> None:
    """Remove a definition."""
    _DEFINED.pop(name, None)
    if name not in BUILT_IN:
        OPERATIONS.pop(name, None)


def applied(formula: Formula, x: Array, target: Target | None) -> Array:
    """Return what a formula computes.

    Raises:
        DefinitionError: it raises an error, or returns something else than an array of a formula.
    """
    called = getattr(formula, "__name__", "the formula")
    try:
        found: Any = formula(x) if target is None else formula(x, target)
    except DefinitionError as error:
        raise DefinitionError(f"{called}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a formula may call sys.exit
        reason = one_line(error)
        raise DefinitionError(
            f"{called} raises {reason} (a formula is written with lossdiff.formula)"
        ) from error
    if isinstance(found, int | float):
        raise DefinitionError(f"{called} returns the number {found!r}, whatever its arguments are")
    if not isinstance(found, Array) or found.is_mask:
        kind = "comparison" if isinstance(found, Array) else type(found).__name__
        raise DefinitionError(f"{called} returns a {kind}, where an array of numbers is due")
    return found


def _result(operation: Operation, formula: object, kind: TargetKind | None) -> Result:
    """Return what the result of a formula has a number for."""
    if not callable(formula):
        kind_of_formula = type(formula).__name__
        raise DefinitionError(f"{operation.name}: a {kind_of_formula} is no formula")
    x = given("values", _TRIED)
    target: Target | None = None
    if kind == "index":
        target = Labels(np.zeros(_TRIED[0], np.int64), _TRIED[1])
    elif kind is not None:
        target = given("target", _TRIED)
    try:
        shape = applied(formula, x, target).shape
    except DefinitionError as error:
        raise DefinitionError(f"{operation.name}: {error}") from error
    result = _RESULTS.get(shape)
    if result is None:
        raise DefinitionError(
            f"{operation.name}: of x of shape (N, C) = {_TRIED} its result has shape {shape}; "
            "allowed: (), (N,) or (N, C)"
        )
    return result


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise DefinitionError(f"{name!r} is no name for an operation; allowed: letters, digits, _")
    if name in BUILT_IN:
        raise DefinitionError(f"{name} is built in; choose another name")


def _kinds(targets: object) -> tuple[TargetKind, ...]:
    if isinstance(targets, str) or not isinstance(targets, Collection):
        raise DefinitionError(f"targets is {targets!r}; it must be a set, such as {{'index'}}")
    allowed = get_args(TargetKind)
    for kind in targets:
        if kind not in allowed:
            raise DefinitionError(_wrong("kind of target", kind, allowed))
    return tuple(kind for kind in allowed if kind in targets)


def _wrong(what: str, name: object, allowed: tuple[str, ...]) -> str:
    near = get_close_matches(str(name), allowed, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{name!r} is no {what}{meant} (allowed: {', '.join(allowed)})"
