"""Hold what users define: an operation by its formula, checked when it is defined."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, cast, get_args

from ...cases.checked import members, near, shown
from ...cases.operations import (
    BUILT_IN,
    DEFAULTS,
    OPERATIONS,
    Domain,
    Operation,
    Result,
    TargetKind,
)
from ...errors import DefinitionError, SchemaError
from .graph import Array
from .options import OPTIONS
from .trial import check_options, count_numbers, result_of

Formula = Callable[..., Array]
MOST_NUMBERS = 2**24  # of all steps; so many take about a gigabyte and ten seconds
_REDUCTION = "reduction"
_AXES, _LONGEST = 2, 100  # of x, and characters of a name
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Definition:
    """An operation that is its formula.

    Attributes:
        operation: its name, domain, targets and options.
        formula: `(x, target)`, or `(x)` without a target; x has shape (N, C).
        forms: other formulas of the same numbers that are as sound.
        cancelling: other formulas of the same numbers, in which terms cancel.
        mistakes: pairs of a name and a formula of other numbers, as a mistake gives them.
    """

    operation: Operation
    formula: Formula
    forms: tuple[Formula, ...] = ()
    cancelling: tuple[Formula, ...] = ()
    mistakes: tuple[tuple[str, Formula], ...] = ()

    @property
    def name(self) -> str:
        """The name of the operation."""
        return self.operation.name

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """The formula, its other forms, and its mistakes."""
        wrong = (formula for _, formula in self.mistakes)
        return (self.formula, *self.forms, *self.cancelling, *wrong)


_DEFINED: dict[str, Definition] = {}


def define(
    name: str,
    formula: Formula,
    *,
    targets: Collection[str] = ("index",),
    domain: str = "logits",
    options: Collection[str] = (),
    parameters: Mapping[str, float | Collection[float]] = _NONE,
    forms: Collection[Formula] = (),
    cancelling: Collection[Formula] = (),
    mistakes: Mapping[str, Formula] = _NONE,
) -> Definition:
    """Define an operation by its formula, so that implementations of it can be judged.

    The formula is a function of arrays of shape (N, C), written with the functions of
    `lossdiff.formula`. It returns a loss for each row, which has the option `reduction` then; or
    one for each element; or one number. Constants of the loss, as a temperature, are numbers in it.

    Args:
        name: the name under which the operation is asked from now on.
        formula: `(x, target)`, or `(x)` if there is no target, and keywords of that name for
            parameters and for the options that it applies itself.
        targets: the kinds of target that it takes: `index`, `one_hot`, `soft`, `multi_label`, or
            `real`, a second array of any numbers; `()` for none.
        domain: what x holds: `logits`, `log_probs` or `probs`.
        options: those that it has besides `reduction`: `weight`, `pos_weight`, `ignore_index`,
            `label_smoothing`. What the formula does not take is applied around it.
        parameters: numbers of the loss that callers choose, as γ: the values that are asked, the
            default first.
        forms: other formulas of the same numbers that a sound computation may follow.
        cancelling: other formulas of the same numbers, in which terms cancel: an answer that only
            these explain is `formula`.
        mistakes: formulas of wrong numbers that a finding may look like, by what is said then.

    Returns:
        The definition; the same name may be defined again.

    Raises:
        DefinitionError: an argument has no meaning, or the formula cannot be computed.
    """
    kinds = _kinds(targets)
    _check_name(name)
    if not isinstance(domain, str) or domain not in get_args(Domain):
        raise DefinitionError(_wrong("domain", domain, get_args(Domain)))
    if not isinstance(mistakes, Mapping):
        raise DefinitionError(f"mistakes is {shown(mistakes)}; it must be a dictionary of formulas")
    forms, cancelling = _formulas("forms", forms), _formulas("cancelling", cancelling)
    formulas = (formula, *forms, *cancelling, *mistakes.values())
    values = _values(name, parameters)
    operation = Operation(
        name, cast("Domain", domain), kinds, _options(options), is_defined=True, parameters=values
    )
    results = {result_of(operation, it, kind) for it in formulas for kind in kinds or (None,)}
    if len(results) > 1:
        listed = " and ".join(sorted(results))
        raise DefinitionError(f"{name}: its formulas give different kinds of result: {listed}")
    operation = _with_result(operation, results.pop())
    for it in formulas:
        check_options(operation, it)
    definition = Definition(
        operation, formula, tuple(forms), tuple(cancelling), tuple(mistakes.items())
    )
    _DEFINED[name] = definition
    OPERATIONS[name] = operation
    return definition


def _with_result(operation: Operation, result: Result) -> Operation:
    """Return an operation with the options that its result allows, in the order of the contract."""
    named = set(operation.options) - {_REDUCTION}
    if operation.is_loss and result != "scalar":
        named.add(_REDUCTION)
    elif _REDUCTION in operation.options:
        raise DefinitionError(f"{operation.name}: its result is one number, and has no reduction")
    options = (*(it for it in DEFAULTS if it in named), *dict(operation.parameters))
    return replace(operation, options=options, result=result)


def _formulas(what: str, given: object) -> tuple[Formula, ...]:
    if not isinstance(given, list | tuple | set | frozenset):
        raise DefinitionError(f"{what} is {shown(given)}; it must be a list of formulas")
    return tuple(given)


def _options(options: object) -> tuple[str, ...]:
    names = _members("options", options, "{'weight'}")
    for option in names:
        if option not in (*OPTIONS, _REDUCTION):
            raise DefinitionError(_wrong("option of a definition", option, OPTIONS))
    return names


def _members(name: str, given: object, example: str) -> tuple[str, ...]:
    try:
        return members(name, given, example)
    except SchemaError as error:
        raise DefinitionError(str(error)) from error


def _values(name: str, parameters: object) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Return the parameters with the values that are asked, each value once."""
    if not isinstance(parameters, Mapping):
        raise DefinitionError(
            f"parameters is {shown(parameters)}; it must be a dictionary, such as "
            "{'gamma': (2, 0.5)}"
        )
    found = []
    for key, said in parameters.items():
        if not isinstance(key, str) or not key.isidentifier() or key in DEFAULTS:
            taken = f"{name}: {shown(key)} is no name for a parameter"
            is_option = isinstance(key, str) and key in DEFAULTS
            raise DefinitionError(f"{taken}: it is an option" if is_option else taken)
        values = tuple(said) if isinstance(said, AbstractSet | Sequence) else (said,)
        is_right = all(type(it) in (int, float) and math.isfinite(it) for it in values)
        if not values or isinstance(said, str) or not is_right:
            raise DefinitionError(
                f"{name}: {key} is {shown(said)}; allowed: numbers, the default first"
            )
        found.append((key, tuple(dict.fromkeys(map(float, values)))))
    return tuple(sorted(found))


def definition_of(name: str) -> Definition | None:
    """Return the definition of an operation; None for one that is built in."""
    return _DEFINED.get(name)


def can_be_judged(name: str, shape: tuple[int, ...]) -> bool:
    """Return whether a formula can be run for x of a shape, with few enough numbers in its steps.

    Args:
        name: the name of a defined operation.
        shape: (N, C), or (C,) for a single row.
    """
    definition = _DEFINED.get(name)
    if definition is None or not 1 <= len(shape) <= _AXES:
        return False
    rows, classes = (1, *shape)[-_AXES:]
    try:
        count = count_numbers(definition.operation, definition.formula, (rows, classes))
    except DefinitionError:
        return False  # as of a formula that reads more classes than there are
    return count <= MOST_NUMBERS


def is_formula(value: object) -> bool:
    """Return whether an object is the formula of an operation, and no implementation of it."""
    return any(value is it for own in _DEFINED.values() for it in own.formulas)


def forget(name: str) -> None:
    """Remove a definition."""
    _DEFINED.pop(name, None)
    if name not in BUILT_IN:
        OPERATIONS.pop(name, None)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.isidentifier() or len(name) > _LONGEST:
        raise DefinitionError(
            f"{shown(name)} is no name for an operation; allowed: letters, digits, _"
        )
    if name in BUILT_IN:
        raise DefinitionError(f"{name} is built in; choose another name")


def _kinds(targets: object) -> tuple[TargetKind, ...]:
    named, allowed = _members("targets", targets, "{'index'}"), get_args(TargetKind)
    for kind in named:
        if kind not in allowed:
            raise DefinitionError(_wrong("kind of target", kind, allowed))
    return tuple(kind for kind in allowed if kind in named)


def _wrong(what: str, name: object, allowed: tuple[str, ...]) -> str:
    return f"{shown(name)} is no {what}{near(name, allowed)} (allowed: {', '.join(allowed)})"
