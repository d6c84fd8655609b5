"""The protocol between the harness and a framework: arrays in, arrays and gradients out.

An implementation is a plain function, named after its operation, of arrays of its own
framework; `implementations_of` finds them in a module. A backend is an adapter of a dozen
tiny methods. Backends never import each other.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import import_module, metadata
from types import ModuleType
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray

from ..cases.model import Case, Inputs
from ..cases.operations import OPERATIONS, Operation
from .framework import Framework

Kind = Literal["native", "recipe", "textbook", "user"]
ARGUMENTS = ("values", "target", "weight", "pos_weight")
_VJP = "_vjp"


@dataclass(frozen=True)
class Claim:
    """What an implementation claims to answer: names only, so that it can be sent around.

    Attributes:
        name: as its users name it, `torch.nn.functional.cross_entropy`.
        framework: whose arrays it takes.
        operation: what it answers.
        kind: native function, recipe of native functions, textbook formula, or a user's own.
        targets: the kinds of target that it takes.
        options: the options that its signature names.
    """

    name: str
    framework: str
    operation: str
    kind: Kind
    targets: frozenset[str]
    options: frozenset[str]

    def unsupported(self, case: Case) -> str:
        """Return why the case is not claimed; empty if it is."""
        if case.target_kind and case.target_kind not in self.targets:
            return f"takes no {case.target_kind} target"
        missing = sorted(case.needs - self.options)
        return f"has no {', '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class Implementation:
    """One function of one framework that answers an operation.

    Attributes:
        claim: its name, and what it claims.
        function: `(values, [target], *, options) -> array`.
        vjp: `(cotangent, values, [target], *, options) -> tuple of gradients`, written by hand,
            for frameworks without automatic differentiation.
    """

    claim: Claim
    function: Callable[..., Any]
    vjp: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        """As its users name it."""
        return self.claim.name

    @property
    def operation(self) -> str:
        """What it answers."""
        return self.claim.operation

    @property
    def kind(self) -> Kind:
        """Native function, recipe, textbook formula, or a user's own."""
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
        implementation: who is asked.
        options: the static options that differ from their default.
        arguments: which of `ARGUMENTS` are given, in that order.
        wrt: which of the arguments to differentiate by.
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
        """Return the same call with nothing of ours in between: what a clock may see."""
        if not set(self.arguments) <= {"values", "target"}:
            return self
        function = self.implementation.function
        return partial(function, **dict(self.options)) if self.options else function

    def vjp(self, cotangent: Any, *arrays: Any) -> Any:
        """Call the hand-written gradient."""
        if self.implementation.vjp is None:
            raise NotImplementedError("no gradient is written for this function")
        return self._apply(self.implementation.vjp, arrays, cotangent)

    def _apply(self, function: Callable[..., Any], arrays: tuple[Any, ...], *first: Any) -> Any:
        given = dict(zip(self.arguments, arrays, strict=True))
        positional = [given.pop(name) for name in ("values", "target") if name in given]
        return function(*first, *positional, **given, **dict(self.options))

    @property
    def positions(self) -> tuple[int, ...]:
        """Where the arguments of `wrt` stand among `arguments`."""
        return tuple(self.arguments.index(name) for name in self.wrt)


Forward = Callable[..., Any]
ForwardBackward = Callable[..., tuple[Any, tuple[Any, ...]]]
SecondOrder = Callable[..., Any]


@dataclass(eq=False)
class Backend(ABC):
    """The adapter of one framework.

    Attributes:
        description: what the framework says of itself before it is imported.
        modules: its files of implementations, beside the adapter.
        packages: whose versions the run file names.
        device: `cpu` or `gpu`.
    """

    description: ClassVar[Framework]
    modules: ClassVar[tuple[str, ...]]
    packages: ClassVar[tuple[str, ...]]
    device: str = "cpu"
    extra: list[Implementation] = field(default_factory=list)

    @property
    def framework(self) -> str:
        """The framework's name."""
        return self.description.name

    @abstractmethod
    def to_array(self, array: NDArray[Any]) -> Any:
        """Return the framework's array on the device, same dtype and shape."""

    @abstractmethod
    def to_numpy(self, value: Any) -> NDArray[Any]:
        """Return a NumPy array of the same dtype and shape; waits for the result."""

    @abstractmethod
    def synchronize(self, value: Any) -> None:
        """Wait until `value` has been computed."""

    @property
    def is_synchronous(self) -> bool:
        """Whether a call has its result when it returns, so that nothing is waited for."""
        return False

    @abstractmethod
    def forward(self, call: Call, mode: str) -> Forward:
        """Return `(*arrays) -> value`, compiled once where `mode` compiles."""

    @abstractmethod
    def forward_backward(self, call: Call, mode: str) -> ForwardBackward:
        """Return `(cotangent, *arrays) -> (value, gradients by call.wrt)`.

        A gradient is None where the framework offers none.
        """

    def second(self, call: Call, mode: str) -> SecondOrder:
        """Return `(cotangent, direction, *arrays) -> derivative of the gradient by values`.

        The derivative along `direction`, an array like the values; None where none flows.

        Raises:
            NotImplementedError: the framework has none in this mode.
        """
        raise NotImplementedError(f"{self.framework} has no second derivative")

    def forget(self) -> None:  # noqa: B027 -- most frameworks keep nothing that grows
        """Drop what was compiled; called between two dtypes or shapes."""

    def timed(self, call: Call, mode: str) -> Forward:
        """Return `forward` as a user would write it, for the clock."""
        return self.forward(call, mode)

    def wait_for(self, result: Any) -> Callable[[Any], Any] | None:
        """Return what waits for results like this one, and little else; None for nothing."""
        return None if self.is_synchronous else self.synchronize

    def copied(self, array: Any) -> Any:
        """Return a copy on the device: the yardstick of a GPU's memory."""
        raise NotImplementedError(f"{self.framework} copies nothing on a GPU")

    def cache_bytes(self) -> int:
        """Return the size of the GPU's last cache; 0 where unknown, and on the CPU."""
        return 0

    def reset_peak(self) -> None:  # noqa: B027 -- the CPU has no allocator to ask
        """Let the allocator count its peak from now on."""

    def peak(self) -> int | None:
        """Return the bytes that the allocator has held at most since; None on the CPU."""
        return None

    def compiled_memory(self, function: Forward, arrays: list[Any]) -> int | None:
        """Return what its compiler says that a function needs beyond its inputs, in bytes."""
        return None

    def device_times(self, run: Callable[[], Any], rounds: int) -> list[float]:
        """Return seconds on the device by its own events; empty where it has none."""
        return []

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what else decides a result: device name, threads, flags."""

    @classmethod
    def module_names(cls) -> list[str]:
        """Return the full names of the modules that hold the framework's implementations."""
        return [f"{cls.description.package}.{name}" for name in cls.modules]

    @cached_property
    def implementations(self) -> dict[str, Implementation]:
        """The implementations by name, a user's own included."""
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

    def environment(self) -> dict[str, Any]:
        """Return versions, device and flags, for the run file."""
        versions = {name: metadata.version(name) for name in self.packages}
        return {"versions": versions, "device": self.device, **self.facts()}


def call_for(implementation: Implementation, case: Case, inputs: Inputs) -> Call:
    """Return the call that asks an implementation a case."""
    arguments = tuple(name for name in ARGUMENTS if getattr(inputs, name) is not None)
    static = {name: value for name, value in case.options.given().items() if name not in ARGUMENTS}
    wrt: tuple[str, ...] = ("values",)
    if case.family.startswith("worked:"):
        wrt = ()  # the tutorials print values
    elif case.target_kind in ("soft", "multi_label"):
        wrt = ("values", "target")
    return Call(implementation, tuple(static.items()), arguments, wrt, result_shape(case))


def result_shape(case: Case) -> tuple[int, ...]:
    """Return the shape that the contract gives the result of a case."""
    shape, axis = case.shape, case.class_axis
    without_classes = shape[:axis] + shape[axis + 1 :]
    if not case.contract.is_loss:
        return without_classes if case.operation == "logsumexp" else shape
    if case.options.reduction != "none":
        return ()
    return shape if case.target_kind == "multi_label" else without_classes


def operation_of(name: str) -> Operation | None:
    """Return the operation that a function's name begins with, the longest that fits."""
    fitting = [key for key in OPERATIONS if name == key or name.startswith(f"{key}_")]
    return OPERATIONS[max(fitting, key=len)] if fitting else None


def implementations_of(
    module: ModuleType, framework: str, *, kind: Kind = "user"
) -> Iterator[Implementation]:
    """Yield the implementations that a module holds.

    A function is one if its name is that of an operation, or begins with it
    (`log_softmax_unshifted`). `NAME_vjp` is the hand-written gradient of `NAME`.
    The module may set:

    - `targets`: `{"cross_entropy": {"index", "one_hot"}}`, the kinds of target a function
      takes (by default `index`, or `multi_label` for the binary losses);
    - `namespace`: what stands before the dot of a name (by default the module's own name);
    - `names`: `{"cross_entropy": "torch.nn.CrossEntropyLoss"}`, where a name differs;
    - `kind`: native, recipe, textbook or user.
    """
    namespace = getattr(module, "namespace", module.__name__.rpartition(".")[2])
    names = getattr(module, "names", {})
    targets = getattr(module, "targets", {})
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
        )
        yield Implementation(claim, function, getattr(module, name + _VJP, None))


def _options_of(function: Callable[..., Any], operation: Operation) -> frozenset[str]:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return frozenset(operation.options)
    return frozenset(parameters) & frozenset(operation.options)
