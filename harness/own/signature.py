"""Read how a function is called from its signature and what is declared of it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...backends.claim import Calling, Fixed
from ...cases.checked import shown
from ...cases.operations import OPERATIONS, Operation, Options
from .callables import (
    called_of,
    kind_of,
    method_of,
    named_in,
    parameters_in,
    place_in,
)
from .made_with import ARRAYS, attributes, bound_keywords, is_array, is_plain
from .parameters import (
    CLASSES,
    OPTIONS,
    RECIPROCALS,
    clip_of,
    is_switch,
    linear_role_of,
    neutral_of,
    role_of,
    usual_names,
)
from .taken import Candidate

_EMPTY = inspect.Parameter.empty
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_ABSENT = ("logit_softcap", "denominator")  # numbers above 0; None where there is none


@dataclass(frozen=True)
class Reading:
    """What a signature says.

    Attributes:
        calling: how the function is called.
        fixed: options that have one value in it.
        required: options that have no default in it.
        lacks: parameters without a default that nothing is known to be passed to.
        beyond: what it was made with that no question has, in words.
        prefers_logits: whether it takes logits by its own default; None if it does not say.
        remarks: what its user should know: own defaults, and parameters that are left alone.
        forwards: whether it takes any keyword.
        may_swap: whether the names do not say which of the two arrays comes first.
        is_silent: whether it does not say its parameters.
        clip: the default of its parameter for the ε that keeps logarithms finite; 0 for none.
        values: the name of its first argument's parameter; empty if it does not say it.
    """

    calling: Calling
    fixed: tuple[tuple[str, Fixed], ...] = ()
    required: frozenset[str] = frozenset()
    lacks: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    prefers_logits: bool | None = None
    remarks: tuple[str, ...] = ()
    forwards: bool = False
    may_swap: bool = False
    is_silent: bool = False
    clip: float = 0.0
    values: str = ""


@dataclass
class _Reader:
    """Sorts the parameters of one function.

    Attributes:
        operation: what it is taken for.
        renamed: what is declared of its parameters, by parameter.
        names: the names of all parameters.
    """

    operation: Operation
    renamed: Mapping[str, str]
    names: frozenset[str]
    free: list[inspect.Parameter] = field(default_factory=list)
    arrays: dict[str, inspect.Parameter] = field(default_factory=dict)
    firm: set[str] = field(default_factory=set)
    options: dict[str, str] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    always: dict[str, Fixed] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)
    classes: str = ""
    prefers_logits: bool | None = None
    spelling: list[tuple[str, Fixed, Fixed]] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    clip: float = 0.0

    def sort(self, parameters: list[inspect.Parameter], *, arrays: bool, options: bool) -> None:
        """Find the role of each parameter.

        Args:
            parameters: those of a function, or of one of the methods of a class.
            arrays: whether they may take arrays.
            options: whether they may take options.
        """
        for parameter in parameters:
            name = self._role(parameter)
            if arrays and name in self._wanted and self._is_better(name, parameter):
                continue
            if options and name in self.operation.options and self._is_usual(name, parameter):
                self._take_option(name, parameter)
            elif options and self._is_number_of_classes(parameter):
                self.classes = parameter.name
            elif options and name == "from_logits":
                self.always[parameter.name] = self.operation.domain == "logits"
                if isinstance(parameter.default, bool):
                    self.prefers_logits = parameter.default
            else:
                self.free.append(parameter)

    @property
    def _wanted(self) -> tuple[str, ...]:
        return self.operation.arrays

    def _role(self, parameter: inspect.Parameter) -> str:
        if parameter.name in self.renamed:
            return self.renamed[parameter.name]
        if parameter.name in dict(self.operation.parameters):
            return parameter.name
        has_default = parameter.default is not _EMPTY
        default = parameter.default if has_default else None
        if self.operation.is_linear:
            role = linear_role_of(parameter.name, self.names, default)
        else:
            role = role_of(parameter.name, default)
        if role is None:
            return ""
        # An option of another operation, such as the `weights` of a softmax, is no option here.
        if role.is_firm:
            self.firm.add(parameter.name)
        return role.name

    def _is_better(self, role: str, parameter: inspect.Parameter) -> bool:
        """Take a parameter for an array unless a firmer one has been taken."""
        before = self.arrays.get(role)
        is_firm = parameter.name in self.firm or parameter.name in self.renamed
        if before is None:
            self.arrays[role] = parameter
            return True
        if role == "target" and not is_firm and before.name not in self.firm:
            # As in `(y, t)`: of two loose names for labels the second holds them.
            self.arrays.setdefault("values", before)
            self.arrays[role] = parameter
            return True
        if is_firm and before.name not in self.firm:
            self.free.append(before)
            self.arrays[role] = parameter
            return True
        return False

    def _is_number_of_classes(self, parameter: inspect.Parameter) -> bool:
        is_number = parameter.default is _EMPTY or type(parameter.default) is int
        is_named = parameter.name.lower() in CLASSES and self.operation.is_loss
        return is_named and is_number and self.operation.reads_classes

    def _is_usual(self, option: str, parameter: inspect.Parameter) -> bool:
        """Return whether no other parameter has a more usual name for an option."""
        if self.operation.is_linear and option == "weight":
            return True  # its other names are the linear weight's
        names = usual_names(option, self.names)
        rank = {it: names.index(it) for it in self.names if it in names}
        return parameter.name in self.renamed or parameter.name == min(
            rank, key=rank.__getitem__, default=parameter.name
        )

    def _take_option(self, option: str, parameter: inspect.Parameter) -> None:
        self.options[option] = parameter.name
        default = parameter.default
        if option in dict(self.operation.parameters):
            self._take_parameter(option, parameter)
            return
        is_absent = option in _ABSENT and not isinstance(default, str)
        if default is _EMPTY:
            if option in ARRAYS or is_absent:
                self.required.add(option)
            return
        own = getattr(Options(), option)
        is_nothing = default is None or (is_absent and not default)
        if is_nothing and option not in (*ARRAYS, "reduction", "axis"):
            self.spelling.append((option, own, default))  # its own word for doing nothing
            return
        if is_absent:  # a number: whether it takes None is not known
            self.required.add(option)
        if option not in ARRAYS and not _same(option, default, own):
            said = (
                f"its own default {parameter.name}={default!r} does not count: options are passed"
            )
            self.defaults[option] = said

    def _take_parameter(self, name: str, parameter: inspect.Parameter) -> None:
        """Take a parameter of the definition, which is passed even at its default."""
        own = self.operation.default(name)
        self.always[parameter.name] = own
        if parameter.default is not _EMPTY and not _same(name, parameter.default, own):
            self.defaults[name] = (
                f"its own default {parameter.name}={parameter.default!r} does not count: "
                f"that of the definition is {own:g}"
            )

    def place_arrays(self) -> bool:
        """Give the arrays that have no parameter yet the first free ones.

        Returns:
            Whether the names do not say which array is which.
        """
        for role in self._wanted:
            if role in self.arrays:
                continue
            free = next(
                (it for it in self.free if it.kind in _POSITIONAL and it.default is _EMPTY), None
            )
            if free is None:
                self.lacks_array(role)
                continue
            self.free.remove(free)
            self.arrays[role] = free
        names = {it.name for it in self.arrays.values()}
        is_named = bool(names & (self.firm | set(self.renamed)))
        return len(names) > 1 and not is_named and _may_swap(self.operation)

    def lacks_array(self, role: str) -> None:
        self.lacks.append("a target" if role == "target" else "an array")

    def close(self) -> None:
        """Say what becomes of the parameters that are left."""
        alone: list[str] = []
        for parameter in self.free:
            if parameter.default is _EMPTY:
                self.lacks.append(f"{parameter.name!r}")
            elif (neutral := self._neutral_of(parameter)) is not None:
                self.always[parameter.name] = neutral
                what = f"{parameter.name}={neutral:g} is passed, not its own {parameter.default!r}"
                self.remarks.append(f"{what}: {self.operation.name} has no such option")
            elif self._is_clip(parameter):
                self.clip = parameter.default
                what = f"{parameter.name}={parameter.default!r} is taken for the ε"
                self.remarks.append(f"{what} that it clips probabilities to")
            else:
                alone.append(f"{parameter.name}={shown(parameter.default)}")
        if alone:
            self.remarks.append(f"left alone: {', '.join(alone)}")

    def _is_clip(self, parameter: inspect.Parameter) -> bool:
        """Return whether a parameter is the ε of a loss, which its user can read in the signature.

        What does something else with it, such as adding it, is judged as if it had none.
        """
        clips = self.operation.is_loss and not self.operation.is_defined
        return clips and clip_of(parameter.name, parameter.default) > 0

    def _neutral_of(self, parameter: inspect.Parameter) -> float | None:
        """Return the value that takes away what a parameter does; None where it may be meant."""
        # A definition has the constants of the loss, and the function has them as its defaults.
        if self.operation.is_defined:
            return None
        return neutral_of(parameter.name, parameter.default)


def _same(option: str, default: Any, own: Any) -> bool:
    if option == "reduction":
        return default in ("mean", "sum_over_batch_size")
    try:
        return bool(default == own)
    except Exception:  # noqa: BLE001 -- a user's default may be anything
        return False


def read(candidate: Candidate) -> Reading:
    """Read how a candidate is called.

    A function without a signature is called by position.
    """
    operation = OPERATIONS[candidate.operation]
    function, kind = candidate.function, kind_of(candidate.function)
    taking = parameters_in(method_of(function) if kind != "plain" else called_of(function))
    if taking is None:
        return _by_position(operation, is_silent=True)
    if kind != "plain":
        taking = taking[1:]  # without `self`
    making = named_in(parameters_in(function) or []) if kind != "plain" else []
    forwards = kind == "plain" and any(it.kind is it.VAR_KEYWORD for it in taking)
    named = named_in(taking)
    if not named and any(it.kind is it.VAR_POSITIONAL for it in taking):
        return _by_position(operation, forwards=forwards)
    renamed = {own: name for name, own in candidate.declaration.rename}
    names = frozenset(
        it.name.lower().strip("_") for it in (*making, *named) if not is_switch(it.name, it.default)
    )
    reader = _Reader(operation, renamed, names)
    reader.sort(making, arrays=False, options=True)
    reader.sort(named, arrays=True, options=kind == "plain")
    may_swap = reader.place_arrays()
    reader.close()
    return _reading(candidate, reader, kind, forwards=forwards, may_swap=may_swap)


def _reading(
    candidate: Candidate, reader: _Reader, kind: str, *, forwards: bool, may_swap: bool
) -> Reading:
    """Return what was read."""
    fixed, beyond = dict(candidate.declaration.limits.fixed), list[str]()
    own = {**bound_keywords(candidate.function), **attributes(candidate.function)}
    for name, value in own.items():
        role = role_of(name, value)
        if role and role.name in ARRAYS and is_array(value):
            beyond.append(f"a {name} of its own, which no question has")
        elif name in dict(reader.operation.parameters) and is_plain(value):
            fixed.setdefault(name, value)
            reader.options.pop(name, None)
            reader.always.pop(name, None)
        elif reader.operation.is_defined and role and role.name not in reader.operation.options:
            pass  # a constant of the loss, as the definition has it
        elif role and role.name not in reader.operation.options and is_plain(value):
            is_other = not reader.operation.is_defined and neutral_of(name, value) is not None
            if role.name in OPTIONS and is_other:
                beyond.append(f"{name}={value!r}, and {reader.operation.name} has no such option")
        elif role and role.name in reader.operation.options and is_plain(value):
            chosen = _contract_value(role.name, value, is_inverted=_divides(name))
            if chosen is not None:
                fixed.setdefault(role.name, chosen)
            reader.options.pop(role.name, None)
            reader.defaults.pop(role.name, None)
    ordered = [(role, it) for role, it in reader.arrays.items()]
    ordered.sort(key=lambda item: place_in(candidate.function, item[1]))
    places = [place_in(candidate.function, it) for _, it in ordered]
    # What gives a function a gradient of its own may look at arguments by position only.
    is_first = places == list(range(len(ordered)))
    # An object is called through its class, whose names need not be those of its method.
    is_object = kind != "plain" or called_of(candidate.function) is not candidate.function
    kinds = {it.kind for it in reader.arrays.values()}
    by_position = is_object or inspect.Parameter.POSITIONAL_ONLY in kinds
    by_position |= is_first and kinds <= set(_POSITIONAL)
    return Reading(
        Calling(
            arguments=tuple((role, "" if by_position else it.name) for role, it in ordered),
            options=tuple(reader.options.items()),
            spelling=tuple(reader.spelling),
            inverted=tuple(it for it, name in reader.options.items() if _divides(name)),
            always=tuple(reader.always.items()),
            classes=reader.classes,
            layout=candidate.declaration.layout,
            returns="forward_backward" if kind == "forward_backward" else "value",
            constructs=kind != "plain",
        ),
        tuple(fixed.items()),
        frozenset(reader.required - set(fixed)),
        tuple(reader.lacks),
        tuple(beyond),
        reader.prefers_logits,
        (*reader.defaults.values(), *reader.remarks),
        forwards,
        may_swap,
        clip=reader.clip,
        values=reader.arrays["values"].name if "values" in reader.arrays else "",
    )


def _by_position(
    operation: Operation, *, forwards: bool = False, is_silent: bool = False
) -> Reading:
    arguments = tuple((name, "") for name in operation.arrays)
    may_swap = _may_swap(operation)
    return Reading(Calling(arguments), forwards=forwards, may_swap=may_swap, is_silent=is_silent)


def _may_swap(operation: Operation) -> bool:
    """Return whether a function may take the target first.

    A loss that a user has defined may give a number for its two arrays in either order, and the
    wrong order may be the very mistake; only labels are no numbers.
    """
    is_told = not operation.is_defined or "index" in operation.targets
    return operation.is_loss and not operation.is_linear and is_told


def _divides(parameter: str) -> bool:
    """Return whether a parameter takes the reciprocal of its option."""
    return parameter.lower().strip("_") in RECIPROCALS


def _contract_value(option: str, value: Any, *, is_inverted: bool) -> Fixed:
    """Return what the contract calls the value of an option; None for one that is not given."""
    if option == "reduction":
        return {"sum_over_batch_size": "mean", None: "none"}.get(value, value)
    if option in _ABSENT and not value:
        return None
    return 1 / value if is_inverted and value else value
