"""Mistakes that make another function of a loss: another sum, another target, another loss."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...cases.model import Case
from ..answers import GRADIENT_LOGITS
from . import steps as right
from .mistake import (
    Table,
    is_of_probs,
    of_binary,
    of_class_losses,
    of_log_softmax,
    of_pos_weights,
    of_softmax,
    of_weights,
)
from .mistakes_of_softmax import has_other_axis, many_classes, softmax_of
from .problem import Problem
from .steps import Formula, Pair, Steps, changed
from .traced import (
    Approx,
    Array,
    Traced,
    chosen,
    clip,
    exp,
    log,
    log1p,
    log_sigmoid,
    sigmoid,
    times,
)

OF_FORMS = Table()


# --- sums of exponentials --------------------------------------------------------------------


def _largest(x: Traced, axis: int) -> Traced:
    """Return the maximum over an axis, which is kept with the length 1."""
    places = np.expand_dims(x.value.argmax(axis), axis)
    is_largest = np.zeros(x.value.shape, np.bool_)
    np.put_along_axis(is_largest, places, values=True, axis=axis)
    return chosen(is_largest, x, 0.0).sum(axis % x.value.ndim)


def _without_largest(problem: Problem, x: Traced) -> Traced:
    return x - _largest(x, problem.axis)


def _no_shift(_: Problem, x: Array, over: tuple[int, ...]) -> Array:
    return np.zeros_like(x.max(over, keepdims=True))


def _summed_over(axis: int) -> Steps:
    """Return steps that take the maximum over the classes, and the sum over another axis."""
    return changed(
        first=_without_largest,
        shift=_no_shift,
        over=lambda problem: (axis % problem.x.ndim,),
    )


def _shifted_over(axis: int) -> Steps:
    return changed(first=lambda _, x: x - _largest(x, axis))


for _axis, _name in ((0, "the first axis"), (-1, "the last axis")):
    OF_FORMS.mistake(f"the sum of exponentials runs over {_name}", has_other_axis(_axis))(
        partial(_summed_over, _axis)
    )
    OF_FORMS.mistake(
        f"the shift is the maximum over {_name}, which differs between the classes of a row",
        has_other_axis(_axis),
    )(partial(_shifted_over, _axis))


@OF_FORMS.mistake("the mean of the exponentials, where their sum is due", of_softmax)
def mean_of_exponentials() -> Steps:
    return changed(total=lambda problem, total: total / float(problem.classes))


@OF_FORMS.mistake("1 is added to the sum of exponentials", of_softmax)
def one_too_many() -> Steps:
    return changed(total=lambda _, total: total + 1.0)


@OF_FORMS.mistake("the maximum is not added back", lambda case: case.operation == "logsumexp")
def maximum_not_added() -> Steps:
    return changed(first=_without_largest)


def _not_rescaled(size: int) -> Steps:
    """Return steps whose sum over blocks keeps the maximum that each block was added with."""

    def addends(problem: Problem, e: Traced) -> Traced:
        x = np.moveaxis(problem.x, problem.axis, -1)
        running = np.maximum.accumulate(x, -1)
        ends = np.minimum(np.arange(x.shape[-1]) // size * size + size, x.shape[-1]) - 1
        factor = np.exp(running[..., -1:] - running[..., ends])
        return times(e, Traced(Approx.of(np.moveaxis(factor, -1, problem.axis))))

    return changed(addends=addends)


for _size in (16, 32, 64, 128, 256, 512, 1024):
    OF_FORMS.mistake(
        f"the sum over blocks of {_size} is not rescaled when the maximum grows",
        many_classes(_size + 1),
    )(partial(_not_rescaled, _size))


# --- targets ---------------------------------------------------------------------------------


def _of_soft(case: Case) -> bool:
    return of_class_losses(case) and case.target_kind == "soft"


@OF_FORMS.mistake("targets are divided by their sum", _of_soft)
def targets_normalised() -> Steps:
    return changed(target=lambda problem, target: target / target.sum(problem.axis))


@OF_FORMS.mistake("the largest class of a target stands for all of it", _of_soft)
def targets_hardened() -> Steps:
    def hardened(problem: Problem, target: Traced) -> Traced:
        places = np.expand_dims(target.value.argmax(problem.axis), problem.axis)
        return Traced(Approx.of((problem.places == places).astype(target.value.dtype)))

    return changed(target=hardened)


@OF_FORMS.mistake("softmax is applied to the target, too", _of_soft)
def softmax_of_targets() -> Steps:
    return changed(target=softmax_of)


# --- other losses ----------------------------------------------------------------------------


def _is_unweighted(case: Case) -> bool:
    return of_class_losses(case) and not of_weights(case)


@OF_FORMS.mistake(
    "the entropy of the target is subtracted: the Kullback-Leibler divergence",
    lambda case: _of_soft(case) and _is_unweighted(case),
)
def divergence() -> Steps:
    return changed(product=lambda q, loss: times(q, loss) + times(q, log(q)))


def _yes_or_no(q: Traced, loss: Traced) -> Traced:
    """Return −q·log p − (1 − q)·log(1 − p) of −log p."""
    return times(q, loss) - times(-q + 1.0, log1p(-exp(-loss)))


@OF_FORMS.mistake("the binary loss of each class, summed", _is_unweighted)
def binary_of_classes() -> Steps:
    return changed(product=_yes_or_no)


@OF_FORMS.mistake(
    "the binary loss of each class with its sigmoid, summed",
    lambda case: _is_unweighted(case) and case.operation == "cross_entropy",
)
def binary_of_sigmoids() -> Steps:
    return changed(log_p=lambda _problem, x, _p, _d: log_sigmoid(x), product=_yes_or_no)


@OF_FORMS.mistake("the sigmoid stands for softmax", of_log_softmax)
def sigmoid_for_softmax() -> Steps:
    return changed(log_p=lambda _problem, x, _p, _d: log_sigmoid(x))


def _of_binary_logits(case: Case) -> bool:
    return of_binary(case) and not is_of_probs(case)


@OF_FORMS.mistake(
    "softmax stands for the sigmoid", lambda case: _of_binary_logits(case) and len(case.shape) > 1
)
def softmax_for_sigmoid() -> Steps:
    return changed(logs=lambda problem, x: right.logs_of(softmax_of(problem, x)))


@OF_FORMS.mistake(
    "the logits are taken for log-probabilities", lambda case: case.operation == "cross_entropy"
)
def logits_for_log_probabilities() -> Steps:
    return changed(log_p=lambda _problem, x, _p, _d: x)


# --- binary losses ---------------------------------------------------------------------------


@OF_FORMS.mistake("(1 − z)·log x, where (1 − z)·log(1 − x) is due", of_binary)
def other_term_of_same_logarithm() -> Steps:
    return changed(
        binary=lambda problem, target, logs: right.binary_loss(problem, target, (logs[0], logs[0]))
    )


def _without_absolute(sign: float) -> Steps:
    """Return steps whose log(1 + e^−|x|) lacks the absolute value."""

    def logs(problem: Problem, x: Traced) -> Pair:
        twice = clip(x * sign, 0.0, np.inf)
        one, other = right.logs_of_sigmoid(problem, x)
        return one - twice, other - twice

    return changed(logs=logs)


for _sign, _power in ((-1.0, "−x"), (1.0, "x")):
    OF_FORMS.mistake(f"log(1 + e^{_power}), where log(1 + e^−|x|) is due", _of_binary_logits)(
        partial(_without_absolute, _sign)
    )


@OF_FORMS.mistake("p, where 1 + (p − 1)·z is due for the pos_weight p", of_pos_weights)
def pos_weight_for_share() -> Steps:
    """Return (1 − z)·x − p·log σ(x)."""

    def loss(problem: Problem, target: Traced, logs: Pair) -> Traced:
        x = logs[0] - logs[1]
        return ((-target + 1.0) * x - logs[0] * problem.pos_weight) * problem.weight

    return changed(binary=loss)


# --- gradients of something else -------------------------------------------------------------


def _plainly(value: Array, *parts: Array) -> Approx:
    return Approx(value, 8 * sum((np.abs(part) for part in parts), np.abs(value)))


@OF_FORMS.mistake(
    "the gradient is x·(1 − x), where σ(x)·(1 − σ(x)) is due",
    lambda case: case.operation == "sigmoid",
    quantities=(GRADIENT_LOGITS,),
)
def gradient_of_argument() -> Steps:
    def product(formula: Formula) -> Approx:
        x = formula.x.value
        v = formula.cotangent
        return _plainly(v * x * (1 - x), v * x, v * x * x)

    return changed(gradient=product)


@OF_FORMS.mistake(
    "the gradient is p − z, that with respect to logits",
    lambda case: case.operation == "binary_cross_entropy",
    quantities=(GRADIENT_LOGITS,),
)
def gradient_by_logits() -> Steps:
    def difference(formula: Formula) -> Approx:
        x, z = formula.x.value, formula.q.value
        v = formula.element_cotangent()
        return _plainly((x - z) * v, x * v, z * v)

    return changed(gradient=difference)


@OF_FORMS.mistake(
    "the gradient is p·(1 − p), the second derivative",
    _of_binary_logits,
    quantities=(GRADIENT_LOGITS,),
)
def second_derivative() -> Steps:
    def product(formula: Formula) -> Approx:
        p = sigmoid(formula.x).value
        v = formula.element_cotangent()
        return _plainly(p * (1 - p) * v, p * v)

    return changed(gradient=product)
