"""How a script asks a framework: its arrays and its calls as program text.

A script shows one verdict and needs nothing of this project. What it says of a framework is
written by the framework's own `script.py`, a `ScriptDialect`; the rest is written elsewhere.
No dialect imports its framework.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from .framework import EAGER

Wanted = Literal["value", "gradient", "second derivative"]


@dataclass(frozen=True)
class ScriptCall:
    """What a script asks.

    Attributes:
        mode: how the framework is run.
        wanted: the result, one of its gradients, or the derivative of the gradient with respect
            to the first array, along `direction`.
        call: the text of the call.
        gradient: the text of the call that returns all gradients, where they are written by hand.
        arrays: the names of the call's arrays, the first argument first.
        wrt: with respect to which of them it is differentiated.
        position: which of those gradients is wanted.
        of_scalar: whether the result is a number, whose cotangent is 1.
    """

    mode: str
    wanted: Wanted
    call: str
    gradient: str
    arrays: tuple[str, ...]
    wrt: tuple[str, ...]
    position: int
    of_scalar: bool

    @property
    def is_eager(self) -> bool:
        """Whether the call runs as it comes."""
        return self.mode == EAGER

    @property
    def wants_value(self) -> bool:
        """Whether the result itself is wanted."""
        return self.wanted == "value"

    @property
    def wants_second(self) -> bool:
        """Whether the derivative of the gradient is wanted."""
        return self.wanted == "second derivative"


class ScriptDialect(ABC):
    """How scripts for one framework are written.

    In the lines of a script an array is named as `ScriptCall` names it, its `cotangent` and its
    `direction` by these words, and what is asked for is `got`.

    Attributes:
        imports: the lines that import the framework, and NumPy as `np`.
        prefix: what stands before the name of a dtype.
        to_float64: an expression of `got` as a NumPy array of float64.
        dtype_name: an expression of the name of `dtype`, which is `got`'s.
        variables: environment variables that are read once, at the import.
        on_cpu: more of them, where the CPU is asked.
    """

    imports: ClassVar[tuple[str, ...]]
    prefix: ClassVar[str]
    to_float64: ClassVar[str] = "np.asarray(got).astype(np.float64)"
    # A dtype has a name of its own, or is written out: PyTorch writes `torch.float32`.
    dtype_name: ClassVar[str] = 'str(getattr(dtype, "name", dtype)).removeprefix("torch.")'
    variables: ClassVar[Mapping[str, str]] = {}
    on_cpu: ClassVar[Mapping[str, str]] = {}

    def environment(
        self, device: str, facts: Mapping[str, Any], imports: Sequence[str]
    ) -> dict[str, str]:
        """Return the environment variables that a script sets before its imports.

        Args:
            device: `cpu` or `gpu`.
            facts: what the backend said of its environment.
            imports: the import lines of what is asked.
        """
        return {**self.variables, **(self.on_cpu if device == "cpu" else {})}

    # --- arrays

    def dtype(self, name: str) -> str:
        """Return a dtype, by NumPy's name of it, as an expression."""
        return f"{self.prefix}.{name}"

    @abstractmethod
    def listed(self, numbers: str, dtype: str, device: str) -> str:
        """Return the expression of an array from the text of nested lists."""

    @abstractmethod
    def filled(self, shape: tuple[int, ...], number: str, dtype: str, device: str) -> str:
        """Return the expression of an array of equal numbers."""

    @abstractmethod
    def converted(self, array: str, dtype: str, device: str) -> str:
        """Return the expression of an array from that of a NumPy array."""

    # --- calls

    def names_cotangent(self, call: ScriptCall) -> bool:
        """Whether the lines of a call name a cotangent.

        Frameworks that differentiate by themselves take 1 for that of a number.
        """
        is_simple = call.of_scalar and call.is_eager and not call.wants_second
        return bool(call.wrt) and not is_simple

    @abstractmethod
    def call_lines(self, call: ScriptCall) -> list[str]:
        """Return the lines that compute `got` from the arrays, as the backend does."""


def comma(names: Sequence[str]) -> str:
    """Return names as a list of arguments."""
    return ", ".join(names)


def function_lines(call: ScriptCall, last: str) -> list[str]:
    """Return the lines of a function `run` of the arrays, and a last line that uses it."""
    return ["", f"def run({comma(call.arrays)}):", f"    return {call.call}", "", "", last]
