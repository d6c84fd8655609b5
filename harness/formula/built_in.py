"""Run the formulas of built-in operations on cases, to compare them with oracle and bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS
from ...cases.model import Case, Inputs
from ...cases.operations import OF_NUMBERS
from ..answers import GRADIENT_LOGITS, GRADIENT_TARGET, VALUE
from ..bounds import Precision
from ..oracle import Exact, Floats
from .answers import Traced, quantities_of
from .definition import definition_of
from .evaluation import evaluated
from .gradient import gradients
from .graph import Array, broadcast, constant, given
from .operations import value_of
from .options import TARGET, VALUES, matrix_of


@dataclass(frozen=True)
class Form:
    """The arrays of a case as rows, in which formulas take them.

    Rows of classes have the shape (R, C), what reads no classes (1, M), and the arrays of
    operations that a user has defined (N, C).

    Attributes:
        case: the question.
        result: the shape of its value.
    """

    case: Case
    result: tuple[int, ...]

    @cached_property
    def shape(self) -> tuple[int, int]:
        """The shape of the first argument."""
        case = self.case
        if case.contract.is_defined:
            return matrix_of(case)
        count = int(np.prod(case.shape))
        classes = case.shape[case.class_axis] if case.contract.reads_classes else count
        return count // max(classes, 1), classes

    @property
    def has_axis(self) -> bool:
        """Whether an axis of classes is moved to the end."""
        return self.case.contract.reads_classes and not self.case.contract.is_defined

    def rows(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of the shape of the first argument as rows."""
        moved = np.moveaxis(array, self.case.class_axis, -1) if self.has_axis else array
        return moved.reshape(self.shape)

    def back(self, quantity: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return a quantity in the shape of the contract."""
        case = self.case
        if quantity == VALUE and (not array.shape or array.shape != self.shape):
            return array.reshape(self.result)
        if not self.has_axis:
            return array.reshape(case.shape)
        axis = case.class_axis
        rest = case.shape[:axis] + case.shape[axis + 1 :]
        return np.moveaxis(array.reshape(*rest, case.shape[axis]), -1, axis)

    def cotangent(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the cotangent of a value that has some shape in rows."""
        found = self.case.cotangent(self.result)
        return np.asarray(self.rows(found) if shape == self.shape else found.reshape(shape))


def outputs_of(form: Form, inputs: Inputs) -> dict[str, Array]:
    """Return an array of the graph for each quantity."""
    case = form.case
    own = definition_of(case.operation)
    if own is not None:
        return quantities_of(own.formula, case, inputs)
    x, z = given(VALUES, form.shape), given(TARGET, form.shape)
    value = value_of(case, inputs, x, z)
    wrt: dict[str, Array] = {GRADIENT_LOGITS: x}
    if case.target_kind in OF_NUMBERS:
        wrt[GRADIENT_TARGET] = z
    cotangent = broadcast(constant(form.cotangent(value.shape)), value.shape)
    found = gradients(value, cotangent, list(wrt.values()))
    return {VALUE: value, **dict(zip(wrt, found, strict=True))}


@dataclass(frozen=True)
class ByFormula:
    """A case of a built-in operation that its formula answers and bounds.

    Attributes:
        case: of any operation but a loss of hidden states.
        inputs: its arrays.
        result: the shape of its value.
    """

    case: Case
    inputs: Inputs
    result: tuple[int, ...]

    @cached_property
    def _form(self) -> Form:
        return Form(self.case, self.result)

    @cached_property
    def _traced(self) -> Traced:
        outputs = outputs_of(self._form, self.inputs)
        arrays = {VALUES: self.inputs.values}
        if self.case.target_kind != "index" and self.inputs.target is not None:
            arrays[TARGET] = self.inputs.target
        numbers = {name: self._form.rows(it.astype(np.float64)) for name, it in arrays.items()}
        found = evaluated(list(outputs.values()), numbers, FORMATS[self.case.dtype])
        return Traced(outputs, found)

    def quantities(self) -> Iterator[tuple[str, Exact]]:
        """Yield each quantity with its exact numbers, in the shape of the contract."""
        for name, output in self._traced.outputs.items():
            yield name, self._traced.evaluation.results[output].map(self._back(name))

    def bound(self, quantity: str, precision: Precision) -> Floats:
        """Return the largest error of a computation by the formula, element by element."""
        return self._back(quantity)(self._traced.bound(quantity, self.case.dtype, precision))

    def _back(self, quantity: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
        return lambda array: self._form.back(quantity, array)
