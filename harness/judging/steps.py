"""Define an operation as a sequence of steps, any of which a mistake may replace.

With the steps as they stand, `Formula` gives the right answer. It keeps the shape of the arrays: a
row's class axis has the length 1 where it is summed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from ...cases.dtypes import FORMATS
from ...cases.operations import Reduction
from ..answers import GRADIENT_LOGITS, GRADIENT_TARGET, LINEAR_GRADIENTS, VALUE
from .problem import Problem
from .traced import (
    Approx,
    Array,
    Traced,
    chosen,
    exp,
    gradient,
    held,
    log,
    log1p,
    log_sigmoid,
    sigmoid,
    tanh,
    times,
)

Over = tuple[int, ...]
Pair = tuple[Traced, Traced]


# --- the steps as they should be -------------------------------------------------------------


def unchanged(_: Problem, x: Traced) -> Traced:
    return x


def by_maximum(_: Problem, x: Array, over: Over) -> Array:
    return np.asarray(x.max(over, keepdims=True))


def exact_log(_problem: Problem, _x: Traced, _p: Traced, difference: Traced) -> Traced:
    return difference


def smoothed(problem: Problem, target: Traced) -> Traced:
    """Return (1 − ε)·q + ε/C, and 0 in rows that do not count."""
    if not problem.smoothing:
        return target
    share = problem.smoothing / problem.classes
    return chosen(problem.counts & np.ones(target.value.shape, np.bool_),
                  target * (1 - problem.smoothing) + share, 0.0)  # fmt: skip


def weighted(problem: Problem, target: Traced) -> Traced:
    return smoothed(problem, target) * problem.weight


def divisor(problem: Problem) -> float:
    """Return what a mean divides by: rows, elements, or the weights of the rows that count."""
    if problem.case.options.denominator is not None:
        return problem.case.options.denominator
    return own_divisor(problem)


def own_divisor(problem: Problem) -> float:
    """Return what a mean divides by that is given no denominator."""
    if not problem.case.contract.reads_classes:
        return float(problem.x.size)
    if problem.is_index:
        return float((problem.target * problem.weight).sum())
    return float(problem.rows)


def transformed(problem: Problem, x: Traced) -> Traced:
    """Return scaled and capped logits."""
    scale, cap = problem.case.options.logit_scale, problem.case.options.logit_softcap
    scaled = x if scale == 1 else x * scale
    return scaled if cap is None else tanh(scaled / cap) * cap


def z_loss(problem: Problem, lse: Traced) -> Traced:
    """Return what each row costs more, with a class axis of length 1."""
    return chosen(problem.counts, lse * lse * problem.case.options.z_loss, 0.0)


def logs_of_sigmoid(problem: Problem, x: Traced) -> Pair:
    """Return log p and log(1 − p), of logits or of p itself."""
    if problem.case.contract.domain == "probs":
        return logs_of(x)
    return log_sigmoid(x), log_sigmoid(-x)


def logs_of(p: Traced) -> Pair:
    """Return log p and log(1 − p)."""
    return log(p), log1p(-p)


def smoothed_binary(problem: Problem, target: Traced) -> Traced:
    """Return (1 − ε)·z + ε/2 for the target of a binary loss."""
    epsilon = problem.smoothing
    return target * (1 - epsilon) + epsilon / 2 if epsilon else target


def binary_loss(problem: Problem, target: Traced, logs: Pair) -> Traced:
    one, other = logs
    hit = times(target * problem.pos_weight, one)
    return -((hit + times(-target + 1.0, other)) * problem.weight)


def with_bias(problem: Problem, x: Traced) -> Traced:
    """Return the logits of a linear layer, of its inner products."""
    layer = problem.layer
    return x if layer is None else x + layer.bias


def carried(_: Problem, g: Approx, _quantity: str) -> Approx:
    return g


def right_sigmoid(_: Problem, x: Traced) -> Traced:
    return sigmoid(x)


Step = Callable[[Problem, Traced], Traced]


@dataclass(frozen=True)
class Steps:
    """The steps of every operation.

    Attributes:
        first: what becomes of the first argument before all else.
        bias: what becomes of the inner products of a linear layer.
        carried: what becomes of the gradient with respect to its logits, before it is carried on to
            one of its arguments.
        logits: what becomes of logits before their softmax, by the options of language models.
        z_loss: what each row costs more, made of lse.
        has_plain_lse: whether that lse is of the logits before their scale and cap.
        over: the axes that softmax runs over; None for the class axis.
        shift: what is subtracted from the logits before their exponentials are formed.
        addends: which of the exponentials are summed.
        total: what becomes of their sum.
        padding: what becomes of it by classes of padding, given the shift.
        log_p: log p of x, p and the difference x − log Σ exp x.
        target: what becomes of the target before all else.
        weighted: the effective weights of the terms of a loss over classes.
        product: their product with −log p.
        divisor: what a mean divides by.
        rows: what becomes of the losses of the rows, given log p and lse; None for nothing.
        counts: the rows whose losses count.
        sigmoid: σ of the logits.
        logs: log p and log(1 − p) of a binary loss, and log σ.
        smoothing: the target of a binary loss, smoothed.
        binary: a binary loss of that target, by element.
        reduction: another reduction than the one that is asked for.
        last: what becomes of the reduced loss.
        factor: what the value, and with it the gradients, are multiplied by.
        incoming: what becomes of the cotangent.
        back: what becomes of the gradient with respect to the first argument.
        gradient: another formula for that gradient; None for the derivative of the value.
        swaps: whether the first argument and the target are exchanged.
    """

    first: Step = unchanged
    bias: Step = with_bias
    carried: Callable[[Problem, Approx, str], Approx] = carried
    logits: Step = transformed
    z_loss: Step = z_loss
    has_plain_lse: bool = False
    over: Callable[[Problem], Over] | None = None
    shift: Callable[[Problem, Array, Over], Array] = by_maximum
    addends: Step = unchanged
    total: Step = unchanged
    padding: Callable[[Problem, Traced, Array], Traced] = lambda _, total, _shift: total
    log_p: Callable[[Problem, Traced, Traced, Traced], Traced] = exact_log
    target: Step = unchanged
    weighted: Step = weighted
    product: Callable[[Traced, Traced], Traced] = times
    divisor: Callable[[Problem], float] = divisor
    rows: Callable[[Problem, Traced, Traced, Traced], Traced] | None = None
    counts: Callable[[Problem], Array] = lambda problem: problem.counts
    sigmoid: Step = right_sigmoid
    logs: Callable[[Problem, Traced], Pair] = logs_of_sigmoid
    smoothing: Step = smoothed_binary
    binary: Callable[[Problem, Traced, Pair], Traced] = binary_loss
    reduction: Reduction | Literal[""] = ""
    last: Step = unchanged
    factor: Callable[[Problem], float] = lambda _: 1.0
    incoming: Callable[[Problem, Array], Array] = lambda _, v: v
    back: Callable[[Problem, Approx], Approx] = lambda _, g: g
    gradient: Callable[[Formula], Approx] | None = None
    swaps: bool = False


RIGHT = Steps()


@dataclass(frozen=True, eq=False)
class Formula:
    """A computation of one case, by steps that may be mistaken."""

    problem: Problem
    steps: Steps

    def answer(self, quantity: str) -> Approx | None:
        """Return a quantity with its running error, in units of the roundoff; None without one."""
        with np.errstate(all="ignore"):
            if quantity == VALUE:
                return self.value.approx
            if quantity in LINEAR_GRADIENTS.values():
                g = self.answer(GRADIENT_LOGITS)
                return None if g is None else self._carried(g, quantity)
            if quantity == GRADIENT_LOGITS and self.steps.gradient:
                return self.steps.back(self.problem, self.steps.gradient(self))
            if quantity == GRADIENT_LOGITS:
                return self.steps.back(self.problem, self._by_first)
            return self._by_target if quantity == GRADIENT_TARGET else None

    def _carried(self, g: Approx, quantity: str) -> Approx | None:
        """Return the gradient with respect to an argument of a linear layer, given its logits'."""
        layer = self.problem.layer
        if layer is None:
            return None
        g = self.steps.carried(self.problem, g, quantity)
        if quantity == "gradient_hidden":
            return g.dot(layer.weight)
        if quantity == "gradient_linear_weight":
            return g.transposed().dot(layer.hidden)
        rows = np.ones((len(layer.hidden), 1), layer.hidden.dtype)
        made = g.transposed().dot(rows)
        return Approx(made.value[:, 0], made.error[:, 0])

    def by_hand(self, quantity: str) -> Approx | None:
        """Return a gradient as it is written by hand; None where it is not one of logits.

        It is made of the probabilities as the steps give them, right or wrong; None where the
        operation is not one over classes of logits, or is a mistake of the gradient alone.
        """
        case, steps = self.problem.case, self.steps
        is_linear = quantity in LINEAR_GRADIENTS.values()
        if quantity != GRADIENT_LOGITS and not is_linear:
            return None
        if case.contract.domain not in ("logits", "hidden") or not self._reads_classes:
            return None
        if steps.gradient:
            return None
        if case.options.is_of_language_models:
            return None
        with np.errstate(all="ignore"):
            g = steps.back(self.problem, self._by_hand().approx)
            return self._carried(g, quantity) if is_linear else g

    def _by_hand(self) -> Traced:
        case, axis = self.problem.case, self.problem.axis
        x = self.steps.bias(self.problem, self.x)
        p = self.probabilities(self.steps.first(self.problem, x))
        v = self.row_cotangent() * self.steps.factor(self.problem)
        if case.operation == "softmax":
            inner = (p * v).sum(axis)
            return p * (-inner + v)
        if case.operation == "log_softmax":
            return -(p * np.sum(v, axis=axis, keepdims=True)) + v
        if case.operation == "logsumexp":
            return p * v
        w = self.steps.weighted(self.problem, self.steps.target(self.problem, self.q))
        counts = self.steps.counts(self.problem) & np.ones(p.value.shape, np.bool_)
        return chosen(counts, (p * w.sum(axis) - w) * v, 0.0)

    def row_cotangent(self) -> Array:
        """Return the cotangent of each row's loss, or of each element, in a shape that broadcasts.

        It is divided by what a mean divides by.
        """
        problem, v = self.problem, self.cotangent
        if problem.case.operation == "logsumexp":
            return np.expand_dims(v, problem.axis)
        if not problem.case.contract.is_loss:
            return v
        if v.ndim:
            return np.expand_dims(v, problem.axis)
        reduction = self.steps.reduction or problem.reduction
        divided = v / self.steps.divisor(problem) if reduction == "mean" else v
        return np.broadcast_to(divided, problem.counts.shape)

    def element_cotangent(self) -> Array:
        """Return the cotangent of each element's loss with its weights; of no loss, the cotangent.

        It is divided by what a mean divides by.
        """
        problem, v = self.problem, self.cotangent
        if not problem.case.contract.is_loss:
            return v
        is_mean = not v.ndim and (self.steps.reduction or problem.reduction) == "mean"
        divided = v / self.steps.divisor(problem) if is_mean else v
        return np.asarray(divided * problem.weight * np.ones_like(problem.x))

    @cached_property
    def x(self) -> Traced:
        """The first argument, or the inner products of a linear layer."""
        layer = self.problem.layer
        if layer is None:
            return Traced(Approx.of(self.problem.x))
        return Traced(Approx(layer.products, layer.error))

    @cached_property
    def q(self) -> Traced:
        """The target."""
        return Traced(Approx.of(self.problem.target))

    @cached_property
    def cotangent(self) -> Array:
        """The cotangent of the value."""
        return self.steps.incoming(
            self.problem, self.problem.case.cotangent(self.value.value.shape)
        )

    @cached_property
    def _by_first(self) -> Approx:
        return gradient(self.value, self.cotangent, self.x)

    @cached_property
    def _by_target(self) -> Approx:
        return gradient(self.value, self.cotangent, self.q)

    @cached_property
    def value(self) -> Traced:
        """The value of the operation, in its shape."""
        values, target = (self.q, self.x) if self.steps.swaps else (self.x, self.q)
        x = self.steps.first(self.problem, self.steps.bias(self.problem, values))
        made = self._of_classes(x, target) if self._reads_classes else self._of_elements(x, target)
        factor = self.steps.factor(self.problem)
        return held(made * factor if factor != 1.0 else made, FORMATS[self.problem.case.dtype])

    @property
    def _reads_classes(self) -> bool:
        return self.problem.case.contract.reads_classes

    # --- operations over classes ---

    def _of_classes(self, x: Traced, target: Traced) -> Traced:
        operation = self.problem.case.operation
        if operation == "softmax":
            return self.probabilities(x)
        if operation == "logsumexp":
            shift, _, total = self._exponentials(x)
            return (log(total) + shift).reshape(self._shape_of_rows)
        options = self.problem.case.options
        z = self.steps.logits(self.problem, x) if options.is_of_language_models else x
        log_p = self.log_probabilities(z)
        if operation == "log_softmax":
            return log_p
        weights = self.steps.weighted(self.problem, self.steps.target(self.problem, target))
        losses = self.steps.product(weights, -log_p).sum(self.problem.axis)
        if self.steps.rows is not None:
            losses = self.steps.rows(self.problem, losses, log_p, self._lse(z))
        losses = chosen(self.steps.counts(self.problem), losses, 0.0)
        if options.z_loss:
            lse = self._lse(x if self.steps.has_plain_lse else z)
            losses = losses + self.steps.z_loss(self.problem, lse)
        return self._reduced(losses)

    def _lse(self, x: Traced) -> Traced:
        """Return the logsumexp of each row: over another axis there is none."""
        shift, _, total = self._exponentials(x, (self.problem.axis,))
        return log(total) + shift

    def _exponentials(self, x: Traced, over: tuple[int, ...] = ()) -> tuple[Array, Traced, Traced]:
        """Return the shift, the exponentials and their sum over the given or the usual axes."""
        problem, steps = self.problem, self.steps
        over = over or (steps.over(problem) if steps.over else (problem.axis,))
        shift = steps.shift(problem, x.value, over)
        e = held(exp(x - shift), problem.inner)
        total = steps.total(problem, held(steps.addends(problem, e).sum(*over), problem.inner))
        return shift, e, steps.padding(problem, total, shift)

    def probabilities(self, x: Traced) -> Traced:
        """Return softmax(x)."""
        _, e, total = self._exponentials(x)
        return e / total

    def log_probabilities(self, x: Traced) -> Traced:
        """Return log softmax(x), or log x of probabilities."""
        domain = self.problem.case.contract.domain
        if domain == "log_probs":
            return self.steps.log_p(self.problem, x, exp(x), x)
        if domain == "probs":
            return self.steps.log_p(self.problem, x, x, log(x))
        shift, e, total = self._exponentials(x)
        p = held(e / total, self.problem.inner)
        return self.steps.log_p(self.problem, x, p, (x - shift) - log(total))

    # --- element-wise operations ---

    def _of_elements(self, x: Traced, target: Traced) -> Traced:
        operation, problem = self.problem.case.operation, self.problem
        if operation == "exp":
            return exp(x)
        if operation == "sigmoid":
            return self.steps.sigmoid(problem, x)
        logs = self.steps.logs(problem, x)
        if operation == "log_sigmoid":
            return logs[0]
        z = self.steps.smoothing(problem, self.steps.target(problem, target))
        return self._reduced(self.steps.binary(problem, z, logs))

    # --- reductions ---

    def _reduced(self, losses: Traced) -> Traced:
        reduction = self.steps.reduction or self.problem.reduction
        if reduction == "none":
            return losses.reshape(
                self._shape_of_rows if self._reads_classes else losses.value.shape
            )
        total = losses.sum().reshape(()) if losses.value.ndim else losses
        made = total / self.steps.divisor(self.problem) if reduction == "mean" else total
        return self.steps.last(self.problem, made)

    @property
    def _shape_of_rows(self) -> tuple[int, ...]:
        shape = self.problem.x.shape
        return shape[: self.problem.axis] + shape[self.problem.axis + 1 :]


def changed(**steps: object) -> Steps:
    """Return the right steps with some of them replaced."""
    return replace(RIGHT, **steps)  # type: ignore[arg-type]
