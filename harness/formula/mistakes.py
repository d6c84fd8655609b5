"""Make the usual mistakes of a formula: its graph with a step, an option or a gradient changed.

The numbers of each are compared with an answer that came back; see `judging.mistakes_by_formula`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...cases.model import Case
from ..answers import GRADIENT_LOGITS, HVP_LOGITS, VALUE
from .functions import detach, one_hot
from .gradient import gradients
from .graph import DETACHED, LOG_REST, Array, broadcast, constant, reshaped
from .labels import Labels
from .mistakes_of_functions import beside_logarithms
from .mistakes_of_steps import changes_of_steps
from .options import Arguments
from .rewriting import Change, everywhere, rewritten, written

ValueOf = Callable[[Arguments, Case], Array]

_DETACHABLE = ("form", "power", "exp", "expm1", "log", "log1p", "sqrt", "max", "sum")
_NAMES = {
    LOG_REST: "log(1 − softmax)",
    "complement": "sigmoid",
    "power": "a power",
    "multiply": "a product",
}


@dataclass(frozen=True, eq=False)
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


def mistakes_of(
    value_of: ValueOf, case: Case, arguments: Arguments, right: Array
) -> Iterator[FormulaMistake]:
    """Yield the usual mistakes of a formula on a case, the simplest first.

    Args:
        value_of: returns the value for some arguments and a case.
        case: the case.
        arguments: what the case gives the formula.
        right: its value for them, in the shape of the case.
    """
    for name, other, at in (*_of_options(arguments, case), *_of_targets(arguments, case)):
        value = reshaped(value_of(other, at), case.defined_shape)
        yield FormulaMistake(name, value, value, other)
    for name, value in _of_means(value_of, arguments, case):
        yield FormulaMistake(name, value, value, arguments)
    for name, change in changes_of_steps(right):
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


# --- gradients


def _of_gradients(right: Array) -> Iterator[tuple[str, Change]]:
    """Yield changes of which the gradient alone tells: where it does not flow, or flows as well."""

    def through(step: Array, reads: tuple[Array, ...]) -> Array | None:
        is_detached = step.op == "form" and step.value == DETACHED
        return reads[0] if is_detached else None

    yield "the gradient flows through what is detached", through
    order = written(right)
    yield from everywhere((it for it in order if it is not right), _without_gradient)
    if factors := beside_logarithms(order):
        name = "no gradient flows through the factors of logarithms"
        yield name, partial(_detached_factor, factors)


def _without_gradient(step: Array) -> Iterator[tuple[str, Change]]:
    kind = step.value if step.op == "form" else step.op
    if step.op in _DETACHABLE and kind != DETACHED:
        name = f"no gradient flows through {_NAMES.get(kind, kind)}, as if it were detached"
        yield name, partial(_detached_at, step)


def _detached_factor(
    factors: dict[Array, int], step: Array, reads: tuple[Array, ...]
) -> Array | None:
    if step not in factors:
        return None
    place = factors[step]
    held = tuple(detach(it) if at == place else it for at, it in enumerate(reads))
    return replace(step, args=held)


def _detached_at(place: Array, step: Array, reads: tuple[Array, ...]) -> Array | None:
    return detach(step) if step is place and reads else None
