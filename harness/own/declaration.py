"""Say in a user's file what a function is: `@implements("cross_entropy", targets={"index"})`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, TypeGuard, TypeVar, get_args

from ...backends.claim import NO_LIMITS, Layout, Limits
from ...cases.checked import members, near, shown
from ...cases.operations import DTYPES, OPERATIONS, Reduction
from ...errors import DeclarationError, SchemaError

F = TypeVar("F", bound=Callable[..., Any])
# What a function lacks, and what it cannot be called without, is found out.
_LIMITS = {field.name for field in fields(Limits)} - {"fixed", "lacks", "required"}
_EXAMPLES = {"targets": "{'index'}", "dtypes": "{'float32'}", "ranks": "{2}"}
_SIZES = ("max_classes", "classes")
_SWITCHES = ("finite_logits_only", "hard_labels", "targets_sum_to_1", "gradient_by_target")
_RANKS = range(6)
_MOST_WHOLE = 2**63
_WHOLE = {"ignore_index"}
_NUMBERS = {"label_smoothing", "logit_scale", "logit_softcap", "z_loss", "denominator"}
REGISTER = "__lossdiff_declared__"  # a list among the globals of the module that declares


@dataclass(frozen=True)
class Declaration:
    """What its user says of a function; what is not said is found out.

    Attributes:
        operation: the operation that it computes; empty where its name says so.
        targets: the kinds of target that it takes; None if they are to be found out.
        limits: what it does not do.
        rename: pairs of an option or argument of the contract and the function's parameter for it.
        layout: the place of the classes among the axes of its arrays.
    """

    operation: str = ""
    targets: frozenset[str] | None = None
    limits: Limits = NO_LIMITS
    rename: tuple[tuple[str, str], ...] = ()
    layout: Layout = "classes_first"


@dataclass(frozen=True)
class Declared:
    """A function with its declaration."""

    function: Callable[..., Any]
    declaration: Declaration


@dataclass(frozen=True)
class Implements:
    """A decorator that declares what a function is, and returns the function unchanged.

    Attributes:
        declaration: what it says.
        declares: the globals of the module that declares.
    """

    declaration: Declaration
    declares: dict[str, Any]

    def __call__(self, function: F) -> F:
        """Declare a function."""
        self.declares.setdefault(REGISTER, []).append(Declared(function, self.declaration))
        return function


def implements(
    operation: str,
    *,
    targets: Collection[str] | None = None,
    dtypes: Collection[str] = (),
    ranks: Collection[int] = (),
    max_classes: int = 0,
    classes: int = 0,
    layout: Layout = "classes_first",
    result_dtype: str = "",
    clip: float = 0.0,
    finite_logits_only: bool = False,
    hard_labels: bool = False,
    targets_sum_to_1: bool = False,
    gradient_by_target: bool = True,
    rename: Mapping[str, str] | None = None,
    **fixed: Any,
) -> Implements:
    """Return a decorator that says which operation a function computes, and returns it unchanged.

    Without a decorator's line it is called beside a function of somebody else's:
    `implements("cross_entropy")(package.losses.loss)`.

    Args:
        operation: the operation; `lossdiff list operations` names them.
        targets: the kinds of target that it takes: `index`, `one_hot`, `soft`, `multi_label`.
        dtypes: the dtypes that it takes; all if empty.
        ranks: the numbers of axes of its first argument; all if empty.
        max_classes: the largest number of classes; 0 for any.
        classes: the only number of classes; 0 for any.
        layout: `classes_first` if the classes are on axis 1, `classes_last` if on the last.
        result_dtype: the dtype of its results, if it is not that of its first argument.
        clip: the ε to which it clips probabilities.
        finite_logits_only: whether NaN and infinities are excluded.
        hard_labels: whether all numbers of its target are 0 or 1.
        targets_sum_to_1: whether the targets of each row sum to 1.
        gradient_by_target: whether it has a gradient with respect to the target.
        rename: the function's parameters for options, `{"label_smoothing": "eps"}`.
        fixed: options that have one value in it: `reduction="none"`, `label_smoothing=0.1`.

    Raises:
        DeclarationError: a name is not one of those that are allowed.

    >>> @implements("cross_entropy", targets={"index"}, reduction="mean")
    ... def loss(logits, target): ...
    """
    declaration = declaration_of(
        operation,
        targets=targets,
        dtypes=dtypes,
        ranks=ranks,
        max_classes=max_classes,
        classes=classes,
        layout=layout,
        result_dtype=result_dtype,
        clip=clip,
        finite_logits_only=finite_logits_only,
        hard_labels=hard_labels,
        targets_sum_to_1=targets_sum_to_1,
        gradient_by_target=gradient_by_target,
        rename=rename,
        **fixed,
    )
    return Implements(declaration, sys._getframe(1).f_globals)  # noqa: SLF001 -- who calls


def declaration_of(
    operation: str,
    *,
    targets: Collection[str] | None = None,
    layout: Layout = "classes_first",
    rename: Mapping[str, str] | None = None,
    **said: Any,
) -> Declaration:
    """Return what is said of a function by the keywords of `implements`.

    Args:
        operation: the operation.
        targets: the kinds of target that it takes; None if they are to be found out.
        layout: the place of the classes.
        rename: the function's parameters for options.
        said: the fields of `Limits`, and the options that have one value.

    Raises:
        DeclarationError: a name or a value is not one of those that are allowed.

    >>> declaration_of("cross_entropy", targets={"index"}, reduction="sum").limits.fixed
    (('reduction', 'sum'),)
    """
    limits = {name: said.pop(name) for name in _LIMITS & said.keys()}
    for name in _EXAMPLES.keys() & limits.keys():
        limits[name] = _set(name, limits[name])
    declaration = Declaration(
        operation,
        None if targets is None else _set("targets", targets),
        Limits(**limits, fixed=tuple(said.items())),
        _renames(rename),
        layout,
    )
    check(declaration)
    return declaration


def _renames(given: object) -> tuple[tuple[str, str], ...]:
    example = "{'label_smoothing': 'eps'}"
    if given is not None and not isinstance(given, Mapping):
        raise DeclarationError(
            f"rename is {shown(given)}; it must be a dictionary, such as {example}"
        )
    for option, parameter in (given or {}).items():
        if not isinstance(parameter, str) or not parameter.isidentifier():
            raise DeclarationError(
                f"rename has {shown(parameter)} for {shown(option)}; it must be the name of a "
                f"parameter, as in {example}"
            )
    return tuple((given or {}).items())


def _set(name: str, given: object) -> frozenset[Any]:
    """Return a collection as a set; a single text would be taken for its letters."""
    try:
        kind = Integral if name == "ranks" else str
        return frozenset(members(name, given, _EXAMPLES[name], kind))
    except SchemaError as error:
        raise DeclarationError(str(error)) from error


def check(declaration: Declaration) -> None:
    """Refuse a declaration that names what does not exist.

    Raises:
        DeclarationError: a name is not one of those that are allowed.
    """
    operation = _named("operation", declaration.operation, OPERATIONS)
    contract, limits = OPERATIONS[operation], declaration.limits
    for kind in declaration.targets or ():
        _named(f"target of {operation}", kind, contract.targets)
    for dtype in limits.dtypes:
        _named("dtype", dtype, DTYPES)
    if limits.result_dtype is not None and not _is_empty(limits.result_dtype):
        _named("dtype", limits.result_dtype, DTYPES)
    _check_limits(limits)
    for option, value in limits.fixed:
        _fixed(operation, option, value)
    for rank in limits.ranks:
        if rank not in _RANKS:
            raise DeclarationError(
                f"ranks has {rank!r}; questions have {_RANKS[0]} to {_RANKS[-1]} axes"
            )
    for option, _ in declaration.rename:
        _named(f"option of {operation}", option, (*contract.arrays, *contract.options))
    _named("layout", declaration.layout, get_args(Layout))


def _is_empty(given: object) -> bool:
    return isinstance(given, str) and not given


def _check_limits(limits: Limits) -> None:
    """Refuse a limit that is no number, or neither true nor false."""
    for name in _SIZES:
        if not _is_whole(number := getattr(limits, name)) or number < 0:
            raise DeclarationError(
                f"{name} is {shown(number)}; it must be a whole number, 0 for any"
            )
    if not _is_number(limits.clip) or not 0 <= limits.clip < 1:
        raise DeclarationError(
            f"clip is {shown(limits.clip)}; it must be an ε from 0 to 1, such as 1e-7"
        )
    for name in _SWITCHES:
        if not isinstance(said := getattr(limits, name), bool):
            raise DeclarationError(f"{name} is {shown(said)}; it must be True or False")


def _is_whole(given: object) -> TypeGuard[int]:
    """Return whether something is one whole number; neither an array nor a switch is."""
    return isinstance(given, Integral) and not isinstance(given, bool)


def _is_number(given: object) -> bool:
    """Return whether something is one finite number; neither an array nor a switch is."""
    if isinstance(given, bool) or not isinstance(given, Real):
        return False
    try:
        return math.isfinite(float(given))
    except OverflowError:  # a whole number that is larger than any of them
        return False


def _fixed(operation: str, option: str, value: object) -> None:
    """Refuse an option that the operation does not have, or a value that it cannot have."""
    allowed = OPERATIONS[operation].options
    if option not in allowed:
        # Whoever misspells a keyword of `implements` finds it here, too.
        _named(f"option of {operation}", option, (*allowed, *(implements.__kwdefaults__ or {})))
    if option == "reduction":
        _named("reduction", value, get_args(Reduction))
    elif option in _WHOLE:
        if not _is_whole(value) or not -_MOST_WHOLE <= value < _MOST_WHOLE:
            raise DeclarationError(f"{option} is {shown(value)}; it must be a whole number")
    elif option in _NUMBERS:
        if value is not None and not _is_number(value):
            raise DeclarationError(f"{option} is {shown(value)}; it must be a number")
    elif not isinstance(value, str | int | float | None):
        raise DeclarationError(
            f"{option} is {shown(value)}; what has one value is a number, a text or None"
        )


def _named(what: str, given: object, allowed: Collection[str]) -> str:
    """Return a name that is allowed."""
    if isinstance(given, str) and given in allowed:
        return given
    names = ", ".join(allowed) or "none"
    raise DeclarationError(f"{shown(given)} is no {what}{near(given, allowed)} (allowed: {names})")
