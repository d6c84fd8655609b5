"""The arrays and calls of a framework as program text, for scripts that show a verdict.

A script shows one verdict and needs nothing of this project. The lines that depend on the framework
come from the `ScriptDialect` in its own `script.py`; `harness/repro/script.py` writes the rest.
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
    """The call that a script makes.

    Attributes:
        mode: the mode in which the framework runs it.
        wanted: the result, one of its gradients, or the derivative of the gradient with respect
            to the first array, along `direction`.
        call: the text of the call.
        gradient: the text of the call that returns all gradients, where they are written by hand.
        arrays: the names of the call's arrays, the first argument first.
        wrt: the arrays with respect to which it is differentiated.
        position: the index of the wanted gradient in `wrt`.
        of_scalar: whether the result is a number.
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
        """Whether nothing is compiled."""
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
    """Writes the lines of a script that depend on the framework.

    In these lines, arrays have the names that `ScriptCall` gives them, the cotangent is named
    `cotangent`, the direction of the second derivative `direction`, and the result `got`.

    Attributes:
        imports: the lines that import the framework, and NumPy as `np`.
        prefix: the name of the module whose attributes are the dtypes.
        to_float64: an expression that converts `got` to a NumPy array of float64.
        dtype_name: an expression of the name of `dtype`, the dtype of `got`.
        variables: environment variables that the framework reads once, at its import.
        on_cpu: further variables that are set if the device is the CPU.
    """

    imports: ClassVar[tuple[str, ...]]
    prefix: ClassVar[str]
    to_float64: ClassVar[str] = "np.asarray(got).astype(np.float64)"
    # NumPy and TensorFlow dtypes have an attribute `name`; PyTorch prints `torch.float32`.
    dtype_name: ClassVar[str] = 'str(getattr(dtype, "name", dtype)).removeprefix("torch.")'
    variables: ClassVar[Mapping[str, str]] = {}
    on_cpu: ClassVar[Mapping[str, str]] = {}

    def environment(
        self, device: str, facts: Mapping[str, Any], imports: Sequence[str]
    ) -> dict[str, str]:
        """Return the environment variables that a script sets before its imports.

        Args:
            device: `cpu` or `gpu`.
            facts: the environment that the backend reported, `Backend.environment`.
            imports: the import lines of the implementation.
        """
        return {**self.variables, **(self.on_cpu if device == "cpu" else {})}

    # --- arrays

    def dtype(self, name: str) -> str:
        """Return an expression of the dtype that has this name in NumPy."""
        return f"{self.prefix}.{name}"

    @abstractmethod
    def listed(self, numbers: str, dtype: str, device: str) -> str:
        """Return the expression of an array that is written as nested lists.

        Args:
            numbers: the text of nested lists of numbers, or of one number.
            dtype: a result of `dtype`.
            device: `cpu` or `gpu`.
        """

    @abstractmethod
    def filled(self, shape: tuple[int, ...], number: str, dtype: str, device: str) -> str:
        """Return the expression of an array of equal numbers.

        Args:
            shape: the shape of the array.
            number: the text of the number.
            dtype: a result of `dtype`.
            device: `cpu` or `gpu`.
        """

    @abstractmethod
    def converted(self, array: str, dtype: str, device: str) -> str:
        """Return the expression of an array that is converted from a NumPy array.

        Args:
            array: the expression of the NumPy array.
            dtype: a result of `dtype`.
            device: `cpu` or `gpu`.
        """

    def moved(self, array: str, source: int, to: int) -> str:
        """Return the expression of an array with one of its axes in another place.

        Args:
            array: the expression of the array.
            source: the axis.
            to: its new place.
        """
        return f"{self.prefix}.moveaxis({array}, {source}, {to})"

    # --- calls

    def names_cotangent(self, call: ScriptCall) -> bool:
        """Return whether the lines of a call name a cotangent.

        They need none for the value of a scalar where automatic differentiation assumes a
        cotangent of 1, since no value depends on it.
        """
        is_simple = call.of_scalar and call.is_eager and call.wants_value
        return bool(call.wrt) and not is_simple

    @abstractmethod
    def call_lines(self, call: ScriptCall) -> list[str]:
        """Return the lines that compute `got` from the arrays, as the backend computes it.

        An empty first line separates a function definition from the lines before it.
        """


def comma(names: Sequence[str]) -> str:
    """Return names as the text of an argument list.

    >>> comma(["logits", "target"])
    'logits, target'
    """
    return ", ".join(names)


def function_lines(call: ScriptCall, last: str) -> list[str]:
    """Return the lines of a function `run` of the arrays, and `last`, the line that calls it."""
    return ["", f"def run({comma(call.arrays)}):", f"    return {call.call}", "", "", last]
