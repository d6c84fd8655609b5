"""The right answers to a case of a defined operation, and the bounds of a correct computation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...cases.dtypes import FORMATS, Array
from ...cases.model import Case, Inputs
from ...errors import DefinitionError
from ..bounds import Algorithm, Precision, precision_of
from ..oracle import Exact, Floats, Solution
from . import graph
from .definition import Definition, Formula, definition_of
from .errors import Logs, Roundings
from .evaluation import Evaluation, evaluated
from .exactly import where
from .gradient import gradients
from .graph import broadcast, constant, reshaped
from .options import Arguments, has_divisor, numbers_of, reduced, smoothed, taken_by, weighed
from .overflow import overflowed
from .trial import applied

_AXES = 2  # N and C
_NOTHING = Exact.of(np.nan)  # no answer is agreed on


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
        subnormal = precision.eta * (1.0 if quantity == "value" else 2.0)
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
    """

    case: Case
    inputs: Inputs

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
        return np.asarray(np.maximum.reduce(found))

    def _forms(self, algorithm: Algorithm) -> Iterator[Traced]:
        own = self._definition
        cancelling = own.cancelling if algorithm.cancels else ()
        for formula in (own.formula, *own.forms, *cancelling):
            yield self._traced(formula)

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
            outputs = quantities_of(formula, self.case, self.inputs)
            numbers = numbers_of(self.case, self.inputs)
            self._known[formula] = Traced(
                outputs, evaluated(list(outputs.values()), numbers, FORMATS[self.case.dtype])
            )
        return self._known[formula]


def quantities_of(formula: Formula, case: Case, inputs: Inputs) -> dict[str, graph.Array]:
    """Return the graph of a formula and of its gradients, an array for each quantity.

    Args:
        formula: the formula.
        case: the shape, the target and the options.
        inputs: the arrays of the case; of them only those are read that the graph holds.
    """
    arguments = Arguments.of(case, inputs)
    value = reshaped(value_of(formula, arguments, case), case.defined_shape)
    outputs = {"value": value}
    if inputs.is_whole:
        return outputs
    wrt = {"gradient_logits": arguments.x}
    if isinstance(arguments.target, graph.Array) and case.target_kind in ("soft", "multi_label"):
        wrt["gradient_target"] = arguments.target
    cotangent = broadcast(constant(case.cotangent(value.shape)), value.shape)
    for name, gradient in zip(wrt, gradients(value, cotangent, list(wrt.values())), strict=True):
        outputs[name] = reshaped(gradient, case.shape)
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
