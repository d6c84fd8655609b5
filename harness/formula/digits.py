"""Compute a right answer to any number of digits: built-in operations by their formulas, too.

The oracle's pairs have about 27 digits, which is enough to judge. Whoever compares with another
program of many digits wants more of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.model import Case, Inputs
from ...cases.operations import OF_NUMBERS
from ..answers import GRADIENT_LOGITS
from ..oracle import Solution
from .answers import quantities_of
from .decimals import Decimals, decimals, on_decimals
from .definition import definition_of
from .gradient import gradients
from .graph import Array, broadcast, constant, given
from .layer import layer_of
from .operations import value_of
from .options import matrix_of

_GUARD = 20  # digits more than wanted, at first; twice as many each time
_ROUNDS = 8
_VALUES, _TARGET = "values", "target"


def in_digits(
    case: Case, inputs: Inputs, solution: Solution, digits: int, written: Mapping[str, Decimals]
) -> dict[str, Decimals]:
    """Return the quantities of a right answer as decimals.

    They are computed with more and more digits, until two results agree in those that are wanted.

    Args:
        case: the question, of an array that is judged as a whole.
        inputs: its arrays.
        solution: its answer by the oracle, which says what is 0, infinite or not agreed on.
        digits: the number of significant digits.
        written: the numbers of `values` and `target`, in their shapes, where float64 does not hold
            them.
    """
    form = _Form(case, solution.quantities["value"].shape)
    outputs = _outputs(form, inputs)
    numbers = dict(_numbers(form, inputs, written))
    known = {name: exact.hi for name, exact in solution.quantities.items()}
    before: dict[str, Decimals] = {}
    work = digits + _GUARD
    layer = layer_of(inputs, numbers[_VALUES]) if case.contract.is_linear else None
    for _ in range(_ROUNDS):
        if layer is not None:
            numbers[_VALUES] = layer.logits(work)
        values = on_decimals(list(outputs.values()), numbers, work)
        now = {name: form.back(name, values[array]) for name, array in outputs.items()}
        if layer is not None:
            now |= layer.gradients(now.pop(GRADIENT_LOGITS), work)
        if before and all(_agree(now[it], before[it], known[it], digits) for it in known):
            break
        before, work = now, 2 * work
    return {name: _rounded(now[name], known[name], digits) for name in known}


@dataclass(frozen=True)
class _Form:
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

    def back(self, quantity: str, array: Decimals) -> Decimals:
        """Return a quantity in the shape of the contract."""
        case = self.case
        if quantity == "value" and (not array.shape or array.shape != self.shape):
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


def _outputs(form: _Form, inputs: Inputs) -> dict[str, Array]:
    """Return an array of the graph for each quantity."""
    case = form.case
    own = definition_of(case.operation)
    if own is not None:
        return quantities_of(own.formula, case, inputs)
    x, z = given(_VALUES, form.shape), given(_TARGET, form.shape)
    value = value_of(case, inputs, x, z)
    wrt: dict[str, Array] = {GRADIENT_LOGITS: x}
    if case.target_kind in OF_NUMBERS:
        wrt["gradient_target"] = z
    cotangent = broadcast(constant(form.cotangent(value.shape)), value.shape)
    found = gradients(value, cotangent, list(wrt.values()))
    return {"value": value, **dict(zip(wrt, found, strict=True))}


def _numbers(
    form: _Form, inputs: Inputs, written: Mapping[str, Decimals]
) -> Iterator[tuple[str, Decimals]]:
    """Yield the arguments of the formula by their names; labels are no numbers of it."""
    for name, array in ((_VALUES, inputs.values), (_TARGET, inputs.target)):
        if array is None or (name == _TARGET and form.case.target_kind == "index"):
            continue
        exact = written[name] if name in written else decimals(array.astype(np.float64))
        # Hidden states are rows as they are.
        is_layer = name == _VALUES and form.case.contract.is_linear
        yield name, exact if is_layer else form.rows(exact)
    if form.case.contract.is_defined:  # built-in operations have their weights as constants
        for name in ("weight", "pos_weight"):
            array = getattr(inputs, name)
            if array is not None:
                yield name, decimals(array.astype(np.float64))


def _agree(now: Decimals, before: Decimals, known: NDArray[np.float64], digits: int) -> bool:
    """Return whether two results agree, where the oracle knows of a number that is not 0."""
    context = Context(prec=digits + 2)
    settled = (known == 0) | ~np.isfinite(known)
    pairs = zip(now.ravel().tolist(), before.ravel().tolist(), settled.ravel(), strict=True)
    return all(
        done or (one != 0 and context.plus(one) == context.plus(other))
        for one, other, done in pairs
    )


def _rounded(array: Decimals, known: NDArray[np.float64], digits: int) -> Decimals:
    context = Context(prec=digits)
    found = np.empty(array.shape, object)
    for place in np.ndindex(array.shape):
        high = float(known[place])
        is_number = high != 0 and np.isfinite(high)
        found[place] = context.plus(array.item(place)) if is_number else Decimal(high)
    return found
