"""The protocol between the harness and a framework: arrays in, arrays and gradients out.

An implementation is a plain function of arrays of its own framework, named after its operation;
`implementations_of` finds the implementations in a module. A backend is an adapter of a dozen tiny
methods. Backends never import each other, because programs that are compared must share no code.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import import_module, metadata
from types import ModuleType
from typing import Any, ClassVar

from numpy.typing import NDArray

from ..cases.model import Case, Inputs
from ..cases.operations import BUILT_IN, LANGUAGE_MODELS, OF_NUMBERS, Operation
from .claim import NO_LIMITS, Calling, Claim, Kind
from .framework import Framework, Mode

ARGUMENTS = ("values", "linear_weight", "target", "weight", "pos_weight", "linear_bias")
# Frameworks name these differently, so they are passed by their position.
POSITIONAL = ("values", "linear_weight", "target")
_LINEAR = ("values", "linear_weight", "linear_bias")  # what a linear loss is differentiated by
_VJP = "_vjp"


@dataclass(frozen=True)
class Implementation:
    """One function of one framework that computes an operation.

    Attributes:
        claim: its name, and the cases that it claims to support.
        function: `(values, [linear_weight], [target], *, options) -> array`.
        vjp: the same with the cotangent in front, `-> tuple of gradients`, written by hand, for
            frameworks without automatic differentiation.
        calling: how `function` calls the user's own, for one that `harness.own` has taken.
    """

    claim: Claim
    function: Callable[..., Any]
    vjp: Callable[..., Any] | None = None
    calling: Calling | None = None

    @property
    def name(self) -> str:
        """The name that its users know."""
        return self.claim.name

    @property
    def operation(self) -> str:
        """The operation that it computes."""
        return self.claim.operation

    @property
    def kind(self) -> Kind:
        """Whether it is native, a recipe, a textbook formula, or a user's own."""
        return self.claim.kind

    @property
    def targets(self) -> frozenset[str]:
        """The kinds of target that it takes."""
        return self.claim.targets

    @property
    def options(self) -> frozenset[str]:
        """The options that its signature names."""
        return self.claim.options

    def unsupported(self, case: Case) -> str:
        """Return why the case is not claimed; empty if it is."""
        return self.claim.unsupported(case)


@dataclass(frozen=True)
class Call:
    """An implementation with its static options bound: a function of arrays alone.

    Attributes:
        implementation: the implementation to call.
        options: the static options that differ from their default.
        arguments: the names among `ARGUMENTS` that are passed, in that order.
        wrt: the arguments with respect to which it is differentiated.
        shape: the shape that the result must have.
    """

    implementation: Implementation
    options: tuple[tuple[str, Any], ...]
    arguments: tuple[str, ...]
    wrt: tuple[str, ...]
    shape: tuple[int, ...]

    def __call__(self, *arrays: Any) -> Any:
        """Call the implementation with arrays in the order of `arguments`."""
        return self._apply(self.implementation.function, arrays)

    def direct(self) -> Callable[..., Any]:
        """Return the same call without a Python function in between, for the timed region."""
        # Only values and targets are positional; weights need the keywords that `_apply` passes.
        if not set(self.arguments) <= set(POSITIONAL):
            return self
        function = self.implementation.function
        return partial(function, **dict(self.options)) if self.options else function

    def vjp(self, cotangent: Any, *arrays: Any) -> Any:
        """Call the hand-written vector-Jacobian product.

        Raises:
            NotImplementedError: none is written for this function.
        """
        if self.implementation.vjp is None:
            raise NotImplementedError("no gradient is written for this function")
        return self._apply(self.implementation.vjp, arrays, cotangent)

    # Values and target are positional because frameworks name them differently; weights and
    # options have the names of the contract.
    def _apply(self, function: Callable[..., Any], arrays: tuple[Any, ...], *first: Any) -> Any:
        given = dict(zip(self.arguments, arrays, strict=True))
        positional = [given.pop(name) for name in POSITIONAL if name in given]
        return function(*first, *positional, **given, **dict(self.options))

    @property
    def positions(self) -> tuple[int, ...]:
        """The positions of the arguments of `wrt` in `arguments`."""
        return tuple(self.arguments.index(name) for name in self.wrt)


Forward = Callable[..., Any]
ForwardBackward = Callable[..., tuple[Any, tuple[Any, ...]]]
BackwardTwice = Callable[..., tuple[tuple[Any, ...], tuple[Any, ...]]]
SecondOrder = Callable[..., Any]


@dataclass(eq=False)
class Backend(ABC):
    """The adapter of one framework.

    Attributes:
        description: the description of the framework before it is imported.
        modules: the names of its files of implementations, which are next to the adapter.
        packages: the packages whose versions the run file records.
        optional: further packages whose versions it records where they are installed.
        is_immutable: whether no function can write to an array of the framework.
        device: `cpu` or `gpu`.
        extra: the user's own implementations.
        is_guest: whether the process is its user's and not ours; see `as_guest`.
        is_hurried: whether programs are compiled as soon as possible; see `hurried`.
        kept: the folder in which a guest keeps what it has compiled; empty for none.
        is_interpreting: whether kernels are interpreted; see `Mode.is_interpreter`.
    """

    description: ClassVar[Framework]
    modules: ClassVar[tuple[str, ...]]
    packages: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]] = ()
    is_immutable: ClassVar[bool] = False
    device: str = "cpu"
    extra: list[Implementation] = field(default_factory=list)
    is_guest: bool = False
    is_hurried: bool = False
    kept: str = ""
    is_interpreting: bool = False

    def begin(self, mode: Mode) -> None:
        """Make a new backend ready for the mode of its process."""
        self.is_interpreting = mode.is_interpreter

    @property
    def framework(self) -> str:
        """The framework's name."""
        return self.description.name

    @abstractmethod
    def to_array(self, array: NDArray[Any]) -> Any:
        """Return the framework's array on the device, of the same dtype and shape."""

    @abstractmethod
    def to_numpy(self, value: Any) -> NDArray[Any]:
        """Wait for a result; return a NumPy array of the same dtype and shape.

        Raises:
            TypeError: the result is no array of the framework.
        """

    @abstractmethod
    def synchronize(self, value: Any) -> None:
        """Wait until `value` has been computed."""

    @property
    def is_synchronous(self) -> bool:
        """Whether a call has computed its result when it returns."""
        return False

    def moveaxis(self, array: Any, source: int, destination: int) -> Any:
        """Return an array of the framework with one axis at another place."""
        raise NotImplementedError(f"{self.framework} moves no axis")

    def concatenated(self, arrays: Sequence[Any], axis: int) -> Any:
        """Return arrays of the framework as one, joined along an axis."""
        raise NotImplementedError(f"{self.framework} joins no arrays")

    @abstractmethod
    def forward(self, call: Call, mode: str) -> Forward:
        """Return `(*arrays) -> value`, compiled once if `mode` has a compiler."""

    @abstractmethod
    def forward_backward(self, call: Call, mode: str) -> ForwardBackward:
        """Return `(cotangent, *arrays) -> (value, gradients with respect to call.wrt)`.

        The cotangent has the shape of the value. A gradient is None if the framework returns none.
        """

    def backward_twice(self, call: Call) -> BackwardTwice | None:
        """Return `(cotangent, cotangent, *arrays) -> (gradients, gradients)`, from one eager graph.

        The second pass does not write to the first gradients. None if no graph can be kept.
        """
        return None

    def second(self, call: Call, mode: str) -> SecondOrder:
        """Return `(cotangent, direction, *arrays) -> Hessian-vector product`.

        It is the derivative of the gradient with respect to the values along `direction`, and both
        have the shape of the values. It is None if the gradient does not depend on the values.

        Raises:
            NotImplementedError: the framework has no second derivative in this mode.
        """
        raise NotImplementedError(f"{self.framework} has no second derivative")

    @contextmanager
    def as_guest(self) -> Iterator[None]:
        """Answer questions in a process that is its user's, and leave it as it was found.

        What the framework has compiled for the user is kept.
        """
        before, self.is_guest = self.is_guest, True
        try:
            yield
        finally:
            self.is_guest = before

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Compile what is called once or twice as soon as possible, and not as fast as possible."""
        before, self.is_hurried = self.is_hurried, True
        try:
            yield
        finally:
            self.is_hurried = before

    def forget(self) -> None:  # noqa: B027 -- most frameworks store nothing that grows
        """Clear compiled functions; called when dtype or shape changes."""

    def timed(self, call: Call, mode: str) -> Forward:
        """Return `forward` as a user would write it, for the timed region."""
        return self.forward(call, mode)

    def wait_for(self, result: Any) -> Callable[[Any], Any] | None:
        """Return the cheapest function that waits for results of this type; None for no wait."""
        return None if self.is_synchronous else self.synchronize

    def overwrite(self, array: Any, values: NDArray[Any]) -> bool:
        """Write values into an array, and return True; False where arrays cannot be written."""
        return False

    def copied(self, array: Any) -> Any:
        """Return a copy on the device, by which the bandwidth of a GPU's memory is measured."""
        raise NotImplementedError(f"{self.framework} copies nothing on a GPU")

    def cache_bytes(self) -> int:
        """Return the bytes of the GPU's last cache; 0 if unknown, and on the CPU."""
        return 0

    def reset_peak(self) -> None:  # noqa: B027 -- the CPU has no allocator to ask
        """Make the allocator count its peak from now on."""

    def peak(self) -> int | None:
        """Return the most bytes that were allocated since `reset_peak`; None on the CPU."""
        return None

    def compiled_memory(self, function: Forward, arrays: list[Any]) -> int | None:
        """Return the bytes a compiled function needs besides its inputs; None if not reported."""
        return None

    def device_times(self, run: Callable[[], Any], rounds: int) -> list[float]:
        """Return the seconds of each round by events of the device; empty if it has none."""
        return []

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return other settings that results depend on: device name, threads, flags."""

    def hint(self, error: BaseException) -> str:
        """Return what may help against an error of a user's function; empty if nothing is known."""
        return ""

    def why_not_theirs(self, error: BaseException) -> str:
        """Return why an error is no fault of the function that was called; empty if it may be."""
        return ""

    def settings(self) -> dict[str, Any]:
        """Return, by their names, the settings of the framework that its answers depend on.

        Functions share them in a process, so that one which changes a setting is found by it.
        """
        return self.facts()

    def module_names(self) -> list[str]:
        """Return the full names of the modules whose implementations can be asked here."""
        names = [] if self.is_interpreting else [*self.modules]
        if self.is_interpreting or self.device == "gpu":
            names += self.description.guests_here
        return [f"{self.description.package}.{name}" for name in names]

    @cached_property
    def implementations(self) -> dict[str, Implementation]:
        """The implementations by name, including the user's own.

        Raises:
            ValueError: two implementations have the same name.
        """
        found = [
            implementation
            for name in self.module_names()
            for implementation in implementations_of(import_module(name), self.framework)
        ]
        named: dict[str, Implementation] = {}
        for implementation in [*found, *self.extra]:
            if implementation.name in named:
                raise ValueError(f"a second function is named {implementation.name}")
            named[implementation.name] = implementation
        return named

    def forget_implementations(self) -> None:
        """Have `implementations` found anew, since others are the user's own."""
        vars(self).pop("implementations", None)

    def environment(self) -> dict[str, Any]:
        """Return versions, device and settings, for the run file."""
        versions = {name: metadata.version(name) for name in self.packages}
        for name in self.optional:
            with suppress(metadata.PackageNotFoundError):
                versions[name] = metadata.version(name)
        return {"versions": versions, "device": self.device, **self.facts()}


def call_for(implementation: Implementation, case: Case, inputs: Inputs) -> Call:
    """Return the call that evaluates a case with an implementation.

    Args:
        implementation: one that supports the case.
        case: its options are bound, and its target decides what is differentiated.
        inputs: the arrays of the case.
    """
    arguments = tuple(name for name in ARGUMENTS if getattr(inputs, name) is not None)
    static = {name: value for name, value in case.options.given().items() if name not in ARGUMENTS}
    wrt: tuple[str, ...] = ("values",)
    limits = implementation.claim.limits
    if case.family.startswith("worked:") or inputs.is_whole:
        wrt = ()  # the tutorials print values, and whole numbers have no gradient
    elif case.contract.is_linear:
        wrt = tuple(name for name in _LINEAR if getattr(inputs, name) is not None)
    elif case.target_kind in OF_NUMBERS and limits.gradient_by_target:
        wrt = ("values", "target")
    return Call(implementation, tuple(static.items()), arguments, wrt, result_shape(case))


def result_shape(case: Case) -> tuple[int, ...]:
    """Return the shape that the contract gives the result of a case.

    >>> result_shape(Case.parse("logsumexp/float32/3x5x2/normal/axis=1/0"))
    (3, 2)
    """
    shape, axis = case.shape, case.class_axis
    without_classes = shape[:axis] + shape[axis + 1 :]
    if case.contract.is_defined:
        return case.defined_shape
    if not case.contract.is_loss:
        return without_classes if case.operation == "logsumexp" else shape
    if case.options.reduction != "none":
        return ()
    return shape if case.target_kind == "multi_label" else without_classes


def operation_of(name: str) -> Operation | None:
    """Return the operation whose name a function's name begins with; None if there is none.

    The longest name counts:

    >>> operation_of("log_softmax_unshifted").name, operation_of("binary_search")
    ('log_softmax', None)
    """
    fitting = [key for key in BUILT_IN if name == key or name.startswith(f"{key}_")]
    return BUILT_IN[max(fitting, key=len)] if fitting else None


def implementations_of(
    module: ModuleType, framework: str, *, kind: Kind = "user"
) -> Iterator[Implementation]:
    """Yield the implementations in a module.

    A function is an implementation if its name is that of an operation, or begins with it
    (`log_softmax_unshifted`). `NAME_vjp` is the hand-written gradient of `NAME`.
    The module may set:

    - `targets`: `{"cross_entropy": {"index", "one_hot"}}`, the kinds of target a function
      takes (by default `index`, or `multi_label` for the binary losses);
    - `namespace`: the part of a name before the last dot (by default the module's own name);
    - `limits`: `{"cross_entropy": Limits(ranks=frozenset({2}))}`, what it does not take otherwise;
    - `names`: `{"cross_entropy": "torch.nn.CrossEntropyLoss"}`, if a name differs;
    - `kind`: native, recipe, textbook or user.

    Args:
        module: the imported module.
        framework: the framework whose arrays its functions take.
        kind: the kind of the implementations if the module does not set it.

    Raises:
        ValueError: `targets` is not a set of kinds of target for a function.
    """
    namespace = getattr(module, "namespace", module.__name__.rpartition(".")[2])
    names = getattr(module, "names", {})
    targets = getattr(module, "targets", {})
    limits = getattr(module, "limits", {})
    for name, function in vars(module).items():
        operation = operation_of(name)
        if operation is None or name.endswith(_VJP) or not callable(function):
            continue
        default = {"multi_label"} if "multi_label" in operation.targets else {"index"}
        taken = targets.get(name, default if operation.is_loss else ())
        if isinstance(taken, str) or not set(taken) <= set(operation.targets):
            allowed = ", ".join(operation.targets)
            raise ValueError(f"targets[{name!r}] is {taken!r}; it must be a set of {allowed}")
        claim = Claim(
            name=names.get(name, f"{namespace}.{name}"),
            framework=framework,
            operation=operation.name,
            kind=getattr(module, "kind", kind),
            targets=frozenset(taken),
            options=_options_of(function, operation),
            limits=limits.get(name, NO_LIMITS),
        )
        yield Implementation(claim, function, getattr(module, name + _VJP, None))


def _options_of(function: Callable[..., Any], operation: Operation) -> frozenset[str]:
    """Return the options that a signature names; with `**kwargs` all that are usual, too.

    The options of language models are few functions' own, and have to be named.
    """
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return frozenset(operation.options) - (set(LANGUAGE_MODELS) - set(parameters))
    return frozenset(parameters) & frozenset(operation.options)
