"""Make the usual mistakes of a formula: its graph with a step, an option or a gradient changed.

The numbers of each are compared with an answer that came back; see `judging.mistakes_by_formula`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from ...cases.model import Case, Inputs
from ..answers import GRADIENT_LOGITS, HVP_LOGITS, VALUE
from .functions import detach, log, maximum, minimum, one_hot, sigmoid, softmax
from .gradient import gradients
from .graph import DETACHED, Array, Labels, broadcast, constant, reshaped
from .options import TARGET, VALUES, Arguments
from .rewriting import Change, rewritten, written

ValueOf = Callable[[Arguments, Case], Array]

_EPSILONS = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
_BASES = (2, 10)
_MOST_CONSTANTS = 6
_DETACHABLE = ("form", "power", "exp", "expm1", "log", "log1p", "sqrt", "max", "sum")
_NAMES = {"complement": "sigmoid", "power": "a power", "multiply": "a product"}
_SUMMED, _FACTORS = ("add", "subtract"), ("multiply", "divide")


@dataclass(frozen=True)
class FormulaMistake:
    """A usual mistake of a formula.

    Attributes:
        name: the mistake in words.
        value: the value with it.
        source: what is differentiated: the value, unless the mistake is in the gradient alone.
        arguments: the arguments, with respect to which it is differentiated.
        ignores_cotangent: whether what comes in from above is left out.
    """

    name: str
    value: Array
    source: Array
    arguments: Arguments
    ignores_cotangent: bool = False

    @property
    def is_of_gradient(self) -> bool:
        """Whether the value is right."""
        return self.source is not self.value or self.ignores_cotangent

    def quantity(self, name: str, case: Case) -> Array | None:
        """Return a quantity with the mistake; None where it is no other than the right one."""
        if name == VALUE:
            return None if self.is_of_gradient else self.value
        if name == HVP_LOGITS:
            return None
        wrt = self.arguments.x if name == GRADIENT_LOGITS else self.arguments.target
        if not isinstance(wrt, Array):
            return None
        shape = self.source.shape
        seed = np.ones(shape) if self.ignores_cotangent else case.cotangent(shape)
        found = gradients(self.source, broadcast(constant(seed), shape), [wrt])
        return reshaped(found[0], case.shape)


def mistakes_of(value_of: ValueOf, case: Case, inputs: Inputs) -> Iterator[FormulaMistake]:
    """Yield the usual mistakes of a formula on a case, the simplest first.

    Args:
        value_of: returns the value for some arguments and a case.
        case: the case.
        inputs: its arrays.
    """
    arguments = Arguments.of(case, inputs)
    right = reshaped(value_of(arguments, case), case.defined_shape)
    for name, other, at in (*_of_options(arguments, case), *_of_targets(arguments, case)):
        value = reshaped(value_of(other, at), case.defined_shape)
        yield FormulaMistake(name, value, value, other)
    for name, value in _of_means(value_of, arguments, case):
        yield FormulaMistake(name, value, value, arguments)
    for name, change in _of_steps(right):
        value = rewritten(right, change)
        if value is not right:
            yield FormulaMistake(name, value, value, arguments)
    yield FormulaMistake("the incoming gradient is ignored", right, right, arguments, True)
    for name, change in _of_gradients(right):
        source = rewritten(right, change)
        if source is not right:
            yield FormulaMistake(name, right, source, arguments)


# --- options, targets and means


def _of_options(arguments: Arguments, case: Case) -> Iterator[tuple[str, Arguments, Case]]:
    for option in ("weight", "pos_weight"):
        if getattr(arguments, option) is not None:
            without: dict[str, None] = {option: None}
            yield f"{option} is not applied", replace(arguments, **without), case  # type: ignore[arg-type]
    if case.options.label_smoothing:
        options = case.options.replaced(label_smoothing=0.0)
        yield "label_smoothing is not applied", arguments, replace(case, options=options)
    for name, _ in case.options.parameters:
        default = case.contract.default(name)
        others = tuple(it for it in case.options.parameters if it[0] != name)
        options = replace(case.options, parameters=others)
        yield f"{name} is {default:g}, whatever is given", arguments, replace(case, options=options)


def _of_targets(arguments: Arguments, case: Case) -> Iterator[tuple[str, Arguments, Case]]:
    target = arguments.target
    if not isinstance(target, Labels):
        return
    for by, name in ((-1, "labels are counted from 1"), (1, "labels are one too large")):
        labels = Labels((target.values + by) % target.classes, target.classes)
        yield name, replace(arguments, target=labels), case
    if arguments.counts is not None and not arguments.counts.all():
        everything = np.ones_like(arguments.counts)
        last = Labels(np.where(arguments.counts, target.values, target.classes - 1), target.classes)
        for name, labels in (("as class 0", target), ("as the last class", last)):
            other = replace(arguments, target=labels, counts=everything)
            yield f"ignored rows count {name}", other, case


def _of_means(value_of: ValueOf, arguments: Arguments, case: Case) -> Iterator[tuple[str, Array]]:
    """Yield means that divide by something else."""
    if "reduction" not in case.contract.options or case.options.reduction != "mean":
        return
    options = case.options.replaced(reduction="sum")
    total = value_of(arguments, replace(case, options=options))
    rows = float(arguments.x.shape[0])
    counted = rows if arguments.counts is None else float(arguments.counts.sum())
    if arguments.weight is not None and counted:
        name = "the mean divides by the number of rows that count, not by their weights"
        yield name, total / counted
        if arguments.target is not None:
            weights = broadcast(arguments.weight[None, :], arguments.x.shape)
            shares = one_hot(arguments.target) * weights
            yield "the mean divides by the sum of the weights", total / shares.sum()
    if counted not in (rows, 0):
        yield "the mean divides by the number of all rows", total / rows


# --- steps


def _of_steps(right: Array) -> Iterator[tuple[str, Change]]:
    """Yield changes of the formula's steps."""
    yield "the sign of the first argument is wrong", _replaced_input(lambda x: -x)
    for base in _BASES:
        yield f"the logarithm has base {base}", partial(_in_base, float(np.log(base)))
    steps = written(right)
    operations = {it.value if it.op == "form" else it.op for it in steps}
    if operations & {"softmax", "log_softmax", "logsumexp"}:
        yield "softmax applied twice", _replaced_input(softmax)
    if operations & {"complement", "softplus"}:
        yield "sigmoid applied twice", _replaced_input(sigmoid)
    if any(it.op == "input" and it.value == TARGET for it in steps):
        yield "the target and the first argument are exchanged", _exchanged(steps)
        yield "the sign of the target is wrong", _replaced_input(lambda t: -t, TARGET)
        yield "0 and 1 of the target are exchanged", _replaced_input(lambda t: 1.0 - t, TARGET)
    for step in steps:
        yield from _without_constant(step)
    yield from _exchanged_constants(steps)
    for step in steps:
        yield from _other_terms(step)
    yield from _of_rows(steps)
    yield from _of_logarithms()


def _of_rows(steps: list[Array]) -> Iterator[tuple[str, Change]]:
    for step in steps:
        if step.op == "sum" and step.ndim == 1 and step.args[0].ndim > 1:
            name = "the mean of the rows is taken before the last steps"
            yield name, partial(_mean_at, step)


def _of_logarithms() -> Iterator[tuple[str, Change]]:
    for epsilon in _EPSILONS:
        yield f"{epsilon:g} is added in the logarithm", partial(_logarithm, _shifted(epsilon))
    for epsilon in _EPSILONS:
        name = f"probabilities are clipped to [{epsilon:g}, 1 − {epsilon:g}]"
        yield name, partial(_logarithm, _clipped(epsilon))


def _replaced_input(function: Callable[[Array], Array], name: str = VALUES) -> Change:
    def change(step: Array, _: tuple[Array, ...]) -> Array | None:
        return function(step) if step.op == "input" and step.value == name else None

    return change


def _exchanged(steps: list[Array]) -> Change:
    inputs = {it.value: it for it in steps if it.op == "input"}
    other = {VALUES: TARGET, TARGET: VALUES}

    def change(step: Array, _: tuple[Array, ...]) -> Array | None:
        return inputs.get(other[step.value]) if step.op == "input" and step.value in other else None

    return change


def _in_base(scale: float, step: Array, reads: tuple[Array, ...]) -> Array | None:
    kind = step.value if step.op == "form" else step.op
    if kind in ("log", "log1p") and step.op != "form":
        return replace(step, args=reads) / scale
    if kind in ("log_softmax", "logsumexp", "softplus"):
        return step / scale if reads == (step.wrt,) else None
    return None


def _logarithm(
    function: Callable[[Array], Array], step: Array, reads: tuple[Array, ...]
) -> Array | None:
    """Return logarithms of changed probabilities."""
    if step.op == "log":
        return log(function(reads[0]))
    if step.op == "form" and step.value == "log_softmax":
        return log(function(softmax(reads[0])))
    if step.op == "form" and step.value == "softplus":
        return -log(function(sigmoid(-reads[0])))
    return None


def _shifted(epsilon: float) -> Callable[[Array], Array]:
    return lambda p: p + epsilon


def _clipped(epsilon: float) -> Callable[[Array], Array]:
    return lambda p: minimum(maximum(p, epsilon), 1.0 - epsilon)


def _number(array: Array) -> float | None:
    """Return the one number that a step is; None if it is something else."""
    return float(array.value) if array.op == "constant" and array.shape == () else None


def _without_constant(step: Array) -> Iterator[tuple[str, Change]]:
    """Yield the formula without a factor, a term or a power that is a number."""
    numbers = [_number(it) for it in step.args]
    if step.op == "power" and step.value != 1.0:
        yield f"without the power {step.value:g}", _at(step, lambda reads: reads[0])
    if step.op not in (*_FACTORS, *_SUMMED) or (numbers[0] is None) == (numbers[1] is None):
        return
    place = 0 if numbers[0] is not None else 1
    number = numbers[place]
    if step.op == "multiply" and number not in (None, 0.0, 1.0, -1.0):
        sign = float(np.sign(number))
        name = f"without the factor {number * sign:g}"
        yield name, _at(step, lambda reads: sign * reads[1 - place])
    if step.op == "divide" and place == 1:
        yield f"without the divisor {number:g}", _at(step, lambda reads: reads[0])
    if step.op in _SUMMED and number:
        is_negative = step.op == "subtract" and place == 0
        yield (
            f"without the term {number:g}",
            _at(step, lambda reads: -reads[1] if is_negative else reads[1 - place]),
        )


def _other_terms(step: Array) -> Iterator[tuple[str, Change]]:
    """Yield the formula with a wrong sign in a sum, or without one of its terms or factors."""
    if step.op in _SUMMED:
        other = "subtract" if step.op == "add" else "add"
        name = "− in place of +" if step.op == "add" else "+ in place of −"
        yield name, _at(step, lambda reads: replace(step, op=other, args=reads))
    if step.op not in (*_SUMMED, *_FACTORS):
        return
    constants = [it.op == "constant" for it in step.args]
    if any(constants):
        if step.op == "multiply":  # the other one is missing
            yield "a factor is missing", _at(step, lambda reads: reads[constants.index(True)])
        return
    kind = "term" if step.op in _SUMMED else "factor"
    sign = -1.0 if step.op == "subtract" else 1.0
    if step.op != "divide":
        yield f"a {kind} is missing", _at(step, lambda reads: sign * reads[1])
    yield f"a {kind} is missing", _at(step, lambda reads: reads[0])


def _at(place: Array, function: Callable[[tuple[Array, ...]], Array]) -> Change:
    def change(step: Array, reads: tuple[Array, ...]) -> Array | None:
        if step is not place:
            return None
        found = function(reads)
        return found if found.shape == step.shape else broadcast(found, step.shape)

    return change


def _exchanged_constants(steps: list[Array]) -> Iterator[tuple[str, Change]]:
    """Yield the formula with two of its numbers in each other's places."""
    numbers = [it for it in steps if _number(it) not in (None, 0.0, 1.0, -1.0)]
    for one, other in combinations(numbers[:_MOST_CONSTANTS], 2):
        first, second = _number(one), _number(other)
        if first != second:
            places = {one: other, other: one}
            yield (
                f"{first:g} and {second:g} are exchanged",
                lambda step, _, places=places: places.get(step),  # type: ignore[misc]
            )


def _mean_at(place: Array, step: Array, reads: tuple[Array, ...]) -> Array | None:
    if step is not place:
        return None
    return broadcast(replace(step, args=reads).mean(), step.shape)


# --- gradients


def _of_gradients(right: Array) -> Iterator[tuple[str, Change]]:
    """Yield changes of which the gradient alone tells: where it does not flow, or flows as well."""

    def through(step: Array, reads: tuple[Array, ...]) -> Array | None:
        is_detached = step.op == "form" and step.value == DETACHED
        return reads[0] if is_detached else None

    yield "the gradient flows through what is detached", through
    for step in written(right):
        kind = step.value if step.op == "form" else step.op
        is_named = step.op in (
            "form",
            "power",
            "exp",
            "expm1",
            "log",
            "log1p",
            "sqrt",
            "max",
            "sum",
        )
        if is_named and step is not right and kind != DETACHED:
            name = f"no gradient flows through {_NAMES.get(kind, kind)}, as if it were detached"
            yield name, partial(_detached_at, step)


def _detached_at(place: Array, step: Array, reads: tuple[Array, ...]) -> Array | None:
    return detach(step) if step is place and reads else None
