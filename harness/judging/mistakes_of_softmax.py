"""Mistakes about softmax, sigmoid and their logarithms: shifts, axes, blocks, small constants."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ...cases.model import Case
from . import steps as right
from .mistake import (
    Applies,
    Table,
    is_of_probs,
    of_binary,
    of_class_losses,
    of_log_sigmoid,
    of_logarithms,
    of_sigmoid,
    of_softmax,
)
from .problem import Problem
from .steps import Pair, Steps, changed
from .traced import Array, Traced, chosen, clip, exp, held, log, log1p, log_sigmoid, sigmoid

OF_SOFTMAX = Table()
Logs = Callable[[Problem, Traced], Pair]


def _logs(of_probability: Logs) -> Logs:
    """Return log p and log(1 − p) of the probability that the first argument stands for."""

    def of_argument(problem: Problem, x: Traced) -> Pair:
        is_given = problem.case.contract.domain == "probs"
        return of_probability(problem, x if is_given else sigmoid(x))

    return of_argument


# --- softmax and its logarithm ---------------------------------------------------------------


@OF_SOFTMAX.mistake("softmax applied twice", of_softmax)
def softmax_twice() -> Steps:
    return changed(first=softmax_of)


def softmax_of(problem: Problem, x: Traced) -> Traced:
    e = exp(x - x.value.max(problem.axis, keepdims=True))
    return e / e.sum(problem.axis)


@OF_SOFTMAX.mistake("sigmoid applied twice", of_sigmoid)
def sigmoid_twice() -> Steps:
    return changed(first=lambda _, x: sigmoid(x))


def _log_softmax(problem: Problem, x: Traced) -> Traced:
    difference = x - x.value.max(problem.axis, keepdims=True)
    return difference - log(exp(difference).sum(problem.axis))


@OF_SOFTMAX.mistake(
    "softmax applied to probabilities",
    lambda case: is_of_probs(case) and case.contract.reads_classes,
)
def softmax_of_probabilities() -> Steps:
    return changed(log_p=lambda problem, x, _p, _d: _log_softmax(problem, x))


@OF_SOFTMAX.mistake(
    "sigmoid applied to probabilities", lambda case: is_of_probs(case) and of_binary(case)
)
def sigmoid_of_probabilities() -> Steps:
    return changed(logs=lambda _, x: (log_sigmoid(x), log_sigmoid(-x)))


@OF_SOFTMAX.mistake(
    "logits are taken for probabilities",
    lambda case: of_logarithms(case) and not is_of_probs(case),
)
def logits_for_probabilities() -> Steps:
    return changed(
        log_p=lambda _p, x, _q, _d: log(x),
        logs=lambda _, x: (log(x), log1p(-x)),
    )


@OF_SOFTMAX.mistake(
    "log_softmax applied to log-probabilities", lambda case: case.operation == "nll_loss"
)
def log_softmax_of_log_probabilities() -> Steps:
    return changed(log_p=lambda problem, x, _p, _d: _log_softmax(problem, x))


@OF_SOFTMAX.mistake(
    "logits are taken for log-probabilities: their softmax is missing",
    lambda case: case.operation in ("cross_entropy", "linear_cross_entropy"),
)
def softmax_missing() -> Steps:
    return changed(log_p=lambda _problem, x, _p, _difference: x)


@OF_SOFTMAX.mistake("the logarithm is missing", of_logarithms)
def logarithm_missing() -> Steps:
    return changed(
        log_p=lambda _problem, _x, p, _d: p,
        logs=_logs(lambda _, p: (p, -p + 1.0)),
    )


@OF_SOFTMAX.mistake("no shift: the exponentials overflow", of_softmax, overflows=True)
def no_shift() -> Steps:
    return changed(shift=lambda _p, x, over: np.zeros_like(x.max(over, keepdims=True)))


@OF_SOFTMAX.mistake("the shift is the maximum of the whole array", of_softmax, overflows=True)
def shift_by_global_maximum() -> Steps:
    return changed(shift=lambda _p, x, over: np.full_like(x.max(over, keepdims=True), x.max()))


@OF_SOFTMAX.mistake("the shift is the mean", of_softmax, overflows=True)
def shift_by_mean() -> Steps:
    return changed(shift=lambda _p, x, over: np.asarray(x.mean(over, keepdims=True)))


@OF_SOFTMAX.mistake("the shift is the largest magnitude", of_softmax, overflows=True)
def shift_by_magnitude() -> Steps:
    return changed(shift=lambda _p, x, over: np.asarray(np.abs(x).max(over, keepdims=True)))


@OF_SOFTMAX.mistake("the shift is the minimum", of_softmax, overflows=True)
def shift_by_minimum() -> Steps:
    return changed(shift=lambda _p, x, over: np.asarray(x.min(over, keepdims=True)))


@OF_SOFTMAX.mistake("log(1 + e^x): the exponential overflows", of_log_sigmoid, overflows=True)
def naive_softplus() -> Steps:
    def log_sigma(problem: Problem, x: Traced) -> Traced:
        return -log(held(exp(-x), problem.inner) + 1.0)

    return changed(logs=lambda problem, x: (log_sigma(problem, x), log_sigma(problem, -x)))


@OF_SOFTMAX.mistake(
    "e^x/(1 + e^x): the exponential overflows",
    lambda case: case.operation == "sigmoid",
    overflows=True,
)
def naive_sigmoid() -> Steps:
    def sigma(problem: Problem, x: Traced) -> Traced:
        e = held(exp(x), problem.inner)
        return e / (e + 1.0)

    return changed(sigmoid=sigma)


@OF_SOFTMAX.mistake(
    "a target of 0 times an infinite logarithm is NaN",
    of_class_losses,
    overflows=True,
    infinities=True,
)
def zero_times_infinity() -> Steps:
    return changed(product=lambda weight, loss: weight * loss)


@OF_SOFTMAX.mistake(
    "0 times an infinite logarithm is NaN",
    of_binary,
    overflows=True,
    infinities=True,
)
def zero_times_infinity_of_elements() -> Steps:
    def loss(problem: Problem, target: Traced, logs: Pair) -> Traced:
        hit = target * problem.pos_weight * logs[0]
        return -((hit + (-target + 1.0) * logs[1]) * problem.weight)

    return changed(binary=loss)


def _is_of_elements(case: Case) -> bool:
    return of_binary(case) and not is_of_probs(case)


@OF_SOFTMAX.mistake(
    "a target of 0 times an infinite logit is NaN",
    _is_of_elements,
    overflows=True,
    infinities=True,
)
def zero_times_infinite_logit() -> Steps:
    """Return max(x, 0) − x·z + log(1 + e^−|x|)."""

    def loss(problem: Problem, target: Traced, logs: Pair) -> Traced:
        return (-logs[1] - target * (logs[0] - logs[1])) * problem.weight

    return changed(binary=loss)


@OF_SOFTMAX.mistake(
    "a target of 1, in (1 − z)·x, times an infinite logit is NaN",
    _is_of_elements,
    overflows=True,
    infinities=True,
)
def complement_times_infinite_logit() -> Steps:
    """Return (1 − z)·x + (1 + (p − 1)·z)·log(1 + e^−x)."""

    def loss(problem: Problem, target: Traced, logs: Pair) -> Traced:
        share = target * (problem.pos_weight - 1.0) + 1.0
        x = logs[0] - logs[1]
        return ((-target + 1.0) * x - share * logs[0]) * problem.weight

    return changed(binary=loss)


# --- axes and blocks -------------------------------------------------------------------------


def _has_many_axes(case: Case) -> bool:
    return of_softmax(case) and len(case.shape) > 1 and case.operation != "logsumexp"


@OF_SOFTMAX.mistake("softmax runs over the whole array", _has_many_axes)
def softmax_over_all() -> Steps:
    return changed(over=lambda problem: tuple(range(problem.x.ndim)))


def _over(axis: int) -> Steps:
    return changed(over=lambda problem: (axis % problem.x.ndim,))


def has_other_axis(axis: int) -> Applies:
    def applies(case: Case) -> bool:
        axes = len(case.shape)
        return (
            of_softmax(case)
            and -axes <= axis < axes
            and axis % axes != case.class_axis
            and case.operation != "logsumexp"
        )

    return applies


for _axis, _name in ((0, "the first axis"), (1, "axis 1"), (-1, "the last axis"), (2, "axis 2")):
    OF_SOFTMAX.mistake(f"softmax runs over {_name}", has_other_axis(_axis))(partial(_over, _axis))


def _without(keep: Callable[[int], Array]) -> Steps:
    """Return steps that sum only some of the classes."""

    def addends(problem: Problem, e: Traced) -> Traced:
        mask = keep(problem.classes).reshape(problem.places.shape)
        return chosen(mask & np.ones(e.value.shape, np.bool_), e, 0.0)

    return changed(addends=addends)


def many_classes(least: int) -> Applies:
    return lambda case: (
        of_softmax(case) and bool(case.shape) and case.shape[case.class_axis] >= least
    )


@OF_SOFTMAX.mistake("the last class is not summed", many_classes(2))
def last_class_dropped() -> Steps:
    return _without(lambda classes: np.arange(classes) < classes - 1)


@OF_SOFTMAX.mistake("the first class is not summed", many_classes(2))
def first_class_dropped() -> Steps:
    return _without(lambda classes: np.arange(classes) > 0)


def _whole_blocks(size: int) -> Steps:
    return _without(lambda classes: np.arange(classes) < (classes // size * size or classes))


def _one_block(size: int) -> Steps:
    return _without(lambda classes: np.arange(classes) < size)


def _block_ends(size: int) -> Steps:
    def inner(classes: int) -> Array:
        places = np.arange(classes)
        return (places % size != size - 1) | (places == classes - 1)

    return _without(inner)


def _tail(size: int) -> Applies:
    return lambda case: many_classes(size + 1)(case) and case.shape[case.class_axis] % size != 0


for _size in (4, 8, 16, 32, 64, 128, 256, 512, 1024):
    OF_SOFTMAX.mistake(f"classes beyond a multiple of {_size} are not summed", _tail(_size))(
        partial(_whole_blocks, _size)
    )
    OF_SOFTMAX.mistake(f"only the first {_size} classes are summed", many_classes(_size + 1))(
        partial(_one_block, _size)
    )
    OF_SOFTMAX.mistake(
        f"the last class of each block of {_size} is not summed", many_classes(_size + 1)
    )(partial(_block_ends, _size))

# --- small constants -------------------------------------------------------------------------

_EPSILONS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 1e-20)


def _added_in_logarithm(epsilon: float) -> Steps:
    return changed(
        log_p=lambda _problem, _x, p, _d: log(p + epsilon),
        logs=_logs(lambda _, p: (log(p + epsilon), log((-p + 1.0) + epsilon))),
    )


def clipped(epsilon: float) -> Steps:
    def limited(problem: Problem, p: Traced) -> Traced:
        low, high = (float(problem.inner.round(it)) for it in (epsilon, 1 - epsilon))
        return clip(p, low, high)

    def logs(problem: Problem, p: Traced) -> Pair:
        within = limited(problem, p)
        return log(within), log(-within + 1.0)

    return changed(log_p=lambda problem, _x, p, _d: log(limited(problem, p)), logs=_logs(logs))


def _floored(epsilon: float) -> Steps:
    def log_of(p: Traced) -> Traced:
        return log(clip(p, epsilon, np.inf))

    return changed(
        log_p=lambda _problem, _x, p, _d: log_of(p),
        logs=_logs(lambda _, p: (log_of(p), log_of(-p + 1.0))),
    )


def _in_denominator(epsilon: float) -> Steps:
    return changed(total=lambda _, total: total + epsilon)


for _epsilon in _EPSILONS:
    OF_SOFTMAX.mistake(f"{_epsilon:g} is added in the logarithm", of_logarithms)(
        partial(_added_in_logarithm, _epsilon)
    )
    OF_SOFTMAX.mistake(
        f"probabilities are clipped to [{_epsilon:g}, 1 − {_epsilon:g}]", of_logarithms
    )(partial(clipped, _epsilon))
    OF_SOFTMAX.mistake(f"probabilities below {_epsilon:g} are raised to it", of_logarithms)(
        partial(_floored, _epsilon)
    )
for _epsilon in _EPSILONS[:9]:
    OF_SOFTMAX.mistake(f"{_epsilon:g} is added to the sum of exponentials", of_softmax)(
        partial(_in_denominator, _epsilon)
    )


def _clipped_logits(limit: float) -> Steps:
    return changed(first=lambda _, x: clip(x, -limit, limit))


def _capped(limit: float) -> Steps:
    def capped(problem: Problem, x: Traced) -> Pair:
        one, other = right.logs_of_sigmoid(problem, x)
        return clip(one, -limit, np.inf), clip(other, -limit, np.inf)

    return changed(
        log_p=lambda _problem, _x, _p, difference: clip(difference, -limit, np.inf), logs=capped
    )


for _limit in (10, 15, 16, 20, 30, 50, 88, 100, 500):
    OF_SOFTMAX.mistake(
        f"logits are clipped to [−{_limit}, {_limit}]",
        lambda case: case.contract.domain == "logits",
    )(partial(_clipped_logits, float(_limit)))
for _limit in (10, 16, 20, 30, 40, 50, 64, 80, 88, 100, 103, 1000):
    OF_SOFTMAX.mistake(f"no logarithm is below −{_limit}", of_logarithms)(
        partial(_capped, float(_limit))
    )
