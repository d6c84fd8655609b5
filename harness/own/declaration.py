"""Say in a user's file what a function is: `@implements("cross_entropy", targets={"index"})`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, TypeVar, get_args

from ...backends.claim import NO_LIMITS, Layout, Limits
from ...cases.operations import DTYPES, OPERATIONS, Reduction
from ...errors import DeclarationError

F = TypeVar("F", bound=Callable[..., Any])
_LIMITS = {field.name for field in fields(Limits)} - {"fixed"}
_SETS = {"dtypes", "ranks", "required"}
_RANKS = range(6)
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
    for name in _SETS & limits.keys():
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
    if given is None or isinstance(given, Mapping):
        return tuple((given or {}).items())
    example = "{'label_smoothing': 'eps'}"
    raise DeclarationError(f"rename is {given!r}; it must be a dictionary, such as {example}")


def _set(name: str, given: Collection[Any]) -> frozenset[Any]:
    """Return a collection as a set; a single text would be taken for its letters."""
    if isinstance(given, str) or not isinstance(given, Collection):
        raise DeclarationError(f"{name} is {given!r}; it must be a set, such as {{{given!r}}}")
    return frozenset(given)


def check(declaration: Declaration) -> None:
    """Refuse a declaration that names what does not exist.

    Raises:
        DeclarationError: a name is not one of those that are allowed.
    """
    operation = _named("operation", declaration.operation, OPERATIONS)
    contract, limits = OPERATIONS[operation], declaration.limits
    for kind in declaration.targets or ():
        _named(f"target of {operation}", kind, contract.targets)
    for dtype in (*limits.dtypes, *((limits.result_dtype,) if limits.result_dtype else ())):
        _named("dtype", dtype, DTYPES)
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


def _fixed(operation: str, option: str, value: object) -> None:
    """Refuse an option that the operation does not have, or a value that it cannot have."""
    allowed = OPERATIONS[operation].options
    if option not in allowed:
        # Whoever misspells a keyword of `implements` finds it here, too.
        _named(f"option of {operation}", option, (*allowed, *(implements.__kwdefaults__ or {})))
    if option == "reduction":
        _named("reduction", value, get_args(Reduction))
    elif option in _WHOLE and (isinstance(value, bool) or not isinstance(value, Integral)):
        raise DeclarationError(f"{option} is {value!r}; it must be a whole number")
    elif option in _NUMBERS and (isinstance(value, bool) or not isinstance(value, Real | None)):
        raise DeclarationError(f"{option} is {value!r}; it must be a number")


def _named(what: str, given: object, allowed: Collection[str]) -> str:
    """Return a name that is allowed."""
    if isinstance(given, str) and given in allowed:
        return given
    near = get_close_matches(str(given), allowed, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    names = ", ".join(allowed) or "none"
    raise DeclarationError(f"{given!r} is no {what}{meant} (allowed: {names})")
