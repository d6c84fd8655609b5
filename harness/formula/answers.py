"""The right answers to a case of a defined operation, and the bounds of a correct computation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ...cases.dtypes import FORMATS, Array
from ...cases.model import Case, Inputs
from ...cases.operations import OF_NUMBERS
from ...errors import DefinitionError
from ..answers import GRADIENT_LOGITS, GRADIENT_TARGET, HVP_LOGITS, VALUE
from ..bounds import SOUND, Algorithm, Precision, precision_of
from ..oracle import Exact, Floats, Solution
from . import graph
from .definition import Definition, Formula, definition_of
from .errors import Logs, Roundings
from .evaluation import Evaluation, evaluated, on_pairs_alone
from .exactly import where
from .gradient import gradients, second_derivative
from .graph import broadcast, constant, reshaped
from .mistakes import FormulaMistake, mistakes_of
from .mistakes_of_numbers import other_numbers
from .options import Arguments, has_divisor, numbers_of, reduced, smoothed, taken_by, weighed
from .overflow import overflowed
from .plain import plain
from .trial import applied

_AXES = 2  # N and C
_NOTHING = Exact.of(np.nan)  # no answer is agreed on
_SUBNORMAL: dict[str, float] = {VALUE: 1.0, HVP_LOGITS: 4.0}  # smallest numbers; of a gradient 2


@dataclass(frozen=True)
class Traced:
    """A formula that was run on the arrays of a case, with its derivatives.

    Attributes:
        outputs: an array of the graph for each quantity.
        evaluation: its exact numbers.
    """

    outputs: dict[str, graph.Array]
    evaluation: Evaluation

    @cached_property
    def _errors(self) -> dict[Precision, Logs]:
        return {}

    def bound(self, quantity: str, dtype: str, precision: Precision) -> Floats:
        """Return the largest error of a quantity, the rounding of the stored result included."""
        output = self.outputs[quantity]
        if precision not in self._errors:
            errors = self.evaluation.errors(Roundings.of(precision, dtype))
            self._errors[precision] = {it: errors[it] for it in self.outputs.values()}
        error = self._errors[precision][output]
        # A stored result is rounded, and its subnormal parts with it, as in `bounds.bound`.
        subnormal = precision.eta * _SUBNORMAL.get(quantity, 2.0)
        subnormal *= 1.0 if precision.s else (precision.c + 1) / 2
        with np.errstate(over="ignore", invalid="ignore"):
            stored = precision.s * np.abs(self.evaluation.results[output].to_float())
            limit = np.exp2(error) + np.where(np.isfinite(stored), stored, 0.0) + subnormal
        return np.asarray(limit)


@dataclass(frozen=True)
class Answers:
    """The right answers to a case, computed when they are first needed.

    Attributes:
        case: the operation, dtype, shape and options.
        inputs: the arrays of the case.
        cotangent: that of the value, in its shape; None for that of the case, of which the
            Hessian-vector product is asked, too.
    """

    case: Case
    inputs: Inputs
    cotangent: Floats | None = None

    @cached_property
    def solution(self) -> Solution:
        """The right answer: value and gradients, or the reason why it is an error."""
        broken = _broken(self.case, self.inputs)
        if broken is not None:
            return Solution(refusal=broken[1], broken_rule=broken[0])
        found = self._traced(self._definition.formula)
        outputs = list(found.outputs.values())
        lost = overflowed(found.evaluation, outputs, FORMATS[self.case.dtype])
        if not has_divisor(self.case, self.inputs):
            lost = [np.ones_like(it) for it in lost]
        exact = {
            name: where(is_lost, _NOTHING, found.evaluation.results[output])
            for (name, output), is_lost in zip(found.outputs.items(), lost, strict=True)
        }
        return Solution(quantities=exact)

    def bound(self, quantity: str, algorithm: Algorithm) -> Floats:
        """Return the largest error of an algorithm over all of its forms.

        Args:
            quantity: `value`, `gradient_logits` or `gradient_target`.
            algorithm: the way in which the quantity was computed.

        Returns:
            Absolute errors as float64, in the shape of the quantity.
        """
        precision = precision_of(self.case.dtype, algorithm)
        dtype = self.case.dtype
        found = [it.bound(quantity, dtype, precision) for it in self._forms(algorithm)]
        limit = np.asarray(np.maximum.reduce(found))
        if algorithm.cancels:
            return limit + self._of_other_forms(quantity, precision)
        return limit

    def _of_other_forms(self, quantity: str, precision: Precision) -> Floats:
        """Return the error of forms that nobody lists: roundings of the largest number.

        By other forms a small element of a gradient comes as a difference of large ones; where the
        loss saturates, of numbers as large as what comes in from above. A small loss of
        probabilities may come as a difference of such that are about 1.
        """
        share = precision.u * (precision.c + precision.depth(self.case.shape[-1]))
        if quantity == VALUE:
            return np.asarray(share * self._losses)
        size = np.abs(self.solution.quantities[quantity].to_float())
        largest = np.where(np.isfinite(size), size, 0.0).max(axis=-1, keepdims=True, initial=0.0)
        return share * np.maximum(largest, self._incoming())

    @property
    def _losses(self) -> int:
        """How many losses a number of the value sums up; 1 for a mean."""
        case = self.case
        is_sum = "reduction" in case.contract.options and case.options.reduction == "sum"
        is_of_rows = case.contract.result == "rows"
        return math.prod(case.shape[:-1] if is_of_rows else case.shape) if is_sum else 1

    def _incoming(self) -> Floats:
        """Return the size of what comes into the loss of each row or element from above."""
        case, given = self.case, self.cotangent
        cotangent = np.abs(case.cotangent(case.defined_shape) if given is None else given)
        if not cotangent.ndim:
            losses = case.shape if case.contract.result == "elements" else case.shape[:-1]
            is_mean = "reduction" in case.contract.options and case.options.reduction == "mean"
            return np.asarray(cotangent / (math.prod(losses) if is_mean else 1))
        return cotangent[..., None] if cotangent.ndim < len(case.shape) else cotangent

    def _forms(self, algorithm: Algorithm) -> Iterator[Traced]:
        own = self._definition
        cancelling = own.cancelling if algorithm.cancels else ()
        for formula in (own.formula, *own.forms, *cancelling):
            yield self._traced(formula)

    @cached_property
    def size(self) -> int:
        """How many numbers the steps of the formula have."""
        return sum(math.prod(it.shape) for it in graph.steps([self._recorded[1]]))

    @cached_property
    def mistakes(self) -> list[FormulaMistake]:
        """The usual mistakes: those that the definition lists, and those of any formula."""
        arguments, right = self._recorded
        found = []
        for name, formula in self._definition.mistakes:
            value = reshaped(value_of(formula, arguments, self.case), self.case.defined_shape)
            found.append(FormulaMistake(name, value, value, arguments))
        own = partial(value_of, self._definition.formula)
        return [*found, *mistakes_of(own, self.case, arguments, right)]

    def with_other_numbers(self, value: Floats) -> Iterator[FormulaMistake]:
        """Yield the formula with another number in place of one of its own that gives a value."""
        arguments, right = self._recorded
        if value.shape != right.shape or not np.isfinite(value).all():
            return
        found = other_numbers(right, lambda it: float(self.in_floats(it).sum()), float(value.sum()))
        for name, wrong in found:
            yield FormulaMistake(name, wrong, wrong, arguments)

    def roughly(self, mistake: FormulaMistake, quantity: str) -> Floats | None:
        """Return what a mistake gives in plain float64; None where it changes nothing."""
        if (mistake, quantity) in self._rough:
            return self._rough[mistake, quantity]
        output = mistake.quantity(quantity, self.case)
        found = None if output is None else self.in_floats(output)
        if quantity == VALUE:  # which is asked once more for each gradient
            self._rough[mistake, quantity] = found
        return found

    def in_floats(self, output: graph.Array) -> Floats:
        """Return the float64 numbers of an array that is made of steps of the formula."""
        return plain([output], self._numbers, self._floats)[0]

    def mistaken(self, mistake: FormulaMistake, quantity: str) -> tuple[Floats, Floats] | None:
        """Return what a mistake gives, and how far a sound computation of that may be from it."""
        output = mistake.quantity(quantity, self.case)
        if output is None:
            return None
        found = on_pairs_alone([output], self._numbers)
        precision = precision_of(self.case.dtype, SOUND)
        errors = found.errors(Roundings.of(precision, self.case.dtype))[output]
        with np.errstate(over="ignore"):
            return found.results[output].to_float(), np.exp2(errors)

    @cached_property
    def _recorded(self) -> tuple[Arguments, graph.Array]:
        """The arguments of the formula, and its value."""
        arguments = Arguments.of(self.case, self.inputs)
        value = value_of(self._definition.formula, arguments, self.case)
        return arguments, reshaped(value, self.case.defined_shape)

    @cached_property
    def _floats(self) -> dict[graph.Array, Floats]:
        """The float64 numbers of the steps, most of which a mistake has, too."""
        order = graph.steps([self._recorded[1]])
        return dict(zip(order, plain(order, self._numbers), strict=True))

    @cached_property
    def _rough(self) -> dict[tuple[FormulaMistake, str], Floats | None]:
        return {}

    @cached_property
    def _numbers(self) -> dict[str, Floats]:
        return dict(numbers_of(self.case, self.inputs))

    @property
    def _definition(self) -> Definition:
        found = definition_of(self.case.operation)
        if found is None:
            raise DefinitionError(f"{self.case.operation} is not defined in this process")
        return found

    @cached_property
    def _known(self) -> dict[Formula, Traced]:
        return {}

    def _traced(self, formula: Formula) -> Traced:
        if formula not in self._known:
            outputs = quantities_of(formula, self.case, self.inputs, self.cotangent)
            form = FORMATS[self.case.dtype]
            # Of a second derivative no bound is as narrow as what pairs lose.
            rough = [it for name, it in outputs.items() if name == HVP_LOGITS]
            found = evaluated(list(outputs.values()), self._numbers, form, rough)
            self._known[formula] = Traced(outputs, found)
        return self._known[formula]


def quantities_of(
    formula: Formula, case: Case, inputs: Inputs, seed: Floats | None = None
) -> dict[str, graph.Array]:
    """Return the graph of a formula and of its gradients, an array for each quantity.

    Args:
        formula: the formula.
        case: the shape, the target and the options.
        inputs: the arrays of the case; of them only those are read that the graph holds.
        seed: the cotangent; None for that of the case, and its second derivative.
    """
    arguments = Arguments.of(case, inputs)
    value = reshaped(value_of(formula, arguments, case), case.defined_shape)
    outputs: dict[str, graph.Array] = {VALUE: value}
    if inputs.is_whole:
        return outputs
    wrt: dict[str, graph.Array] = {GRADIENT_LOGITS: arguments.x}
    if isinstance(arguments.target, graph.Array) and case.target_kind in OF_NUMBERS:
        wrt[GRADIENT_TARGET] = arguments.target
    weights = case.cotangent(value.shape) if seed is None else seed
    cotangent = broadcast(constant(weights), value.shape)
    for name, gradient in zip(wrt, gradients(value, cotangent, list(wrt.values())), strict=True):
        outputs[name] = reshaped(gradient, case.shape)
        if case.is_probed and seed is None and name == GRADIENT_LOGITS:
            direction = reshaped(constant(case.direction()), gradient.shape)
            second = second_derivative(gradient, direction, arguments.x)
            outputs[HVP_LOGITS] = reshaped(second, case.shape)
    return outputs


def value_of(formula: Formula, arguments: Arguments, case: Case) -> graph.Array:
    """Return what a formula gives with the options of a case."""
    names = taken_by(formula, has_target=arguments.target is not None)
    target = smoothed(arguments, case, names)
    found = applied(formula, arguments.x, target, arguments.named(names, case))
    return reduced(weighed(found, arguments, names), arguments, case)


def _broken(case: Case, inputs: Inputs) -> tuple[str, str] | None:
    """Return the rule that a case breaks, and a sentence about it; None where it has an answer."""
    if not 1 <= len(case.shape) <= _AXES:
        return "axes", f"{case.operation} is defined for arrays of shape (N, C)"
    if case.target_kind is None or inputs.target is None:
        return None
    return _broken_target(case, inputs.target)


def _broken_target(case: Case, target: Array) -> tuple[str, str] | None:
    due = case.shape[:-1] if case.target_kind == "index" else case.shape
    if target.shape != due:
        return "target shape", f"a target of shape {target.shape}, where {due} is due"
    if case.target_kind != "index":
        return None
    if target.dtype.kind not in "iu":
        return "target kind", "an index target that holds no whole numbers"
    if "ignore_index" in case.contract.options:
        target = target[target != case.options.ignore_index]
    is_out = bool(((target < 0) | (target >= case.shape[-1])).any())
    return ("label", "an index target out of range") if is_out else None
