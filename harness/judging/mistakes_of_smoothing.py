"""Mistakes about smooth parts, weights that are changed, and factors of losses over classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ...cases.model import Case
from ..answers import GRADIENT_LOGITS
from . import mistakes_of_options as options
from . import steps as right
from .mistake import (
    GRADIENTS,
    Table,
    of_binary,
    of_class_losses,
    of_full_targets,
    of_ignored,
    of_labels,
    of_log_softmax,
    of_smoothing,
    of_softmax,
    of_weights,
)
from .problem import Problem
from .steps import Formula, Pair, Steps, changed
from .traced import Approx, Array, Traced, chosen, exp, log, times

OF_SMOOTHING = Table()


# --- smooth parts ----------------------------------------------------------------------------


def _is_of_logits(case: Case) -> bool:
    return case.operation in ("cross_entropy", "linear_cross_entropy")


def _mixed(keep: Callable[[float, int], float], share: Callable[[float, int], float]) -> Steps:
    """Return steps whose smoothed target is a·q + b, by functions of ε and C."""

    def mixed(problem: Problem, target: Traced) -> Traced:
        epsilon, size = problem.smoothing, max(problem.classes, 1)
        every = target * keep(epsilon, size) + share(epsilon, size)
        inside = problem.counts & np.ones(target.value.shape, np.bool_)
        return chosen(inside, every, 0.0) * problem.weight

    return changed(weighted=mixed)


@OF_SMOOTHING.mistake(
    "the smooth part is lse − Σx, where C·lse − Σx is due",
    lambda case: of_smoothing(case) and _is_of_logits(case) and not of_weights(case),
)
def smooth_part_of_one_lse() -> Steps:
    def rows(problem: Problem, losses: Traced, _: Traced, lse: Traced) -> Traced:
        share = problem.smoothing / problem.classes
        return losses - lse * (share * (problem.classes - 1))

    return changed(rows=rows)


@OF_SMOOTHING.mistake("the smooth part is divided by C twice", of_smoothing)
def smooth_part_divided_twice() -> Steps:
    return _mixed(lambda epsilon, _: 1 - epsilon, lambda epsilon, size: epsilon / size**2)


@OF_SMOOTHING.mistake(
    "the entropy of the smoothed target is subtracted",
    lambda case: of_smoothing(case) and of_labels(case) and not of_weights(case),
)
def smoothed_divergence() -> Steps:
    return changed(product=_divergence)


@OF_SMOOTHING.mistake(
    "smoothing is shared by the other C − 1 classes, and the entropy of that target is subtracted",
    lambda case: of_smoothing(case) and of_labels(case) and not of_weights(case),
)
def divergence_over_others() -> Steps:
    return changed(weighted=options.smoothing_over_others().weighted, product=_divergence)


def _divergence(q: Traced, loss: Traced) -> Traced:
    return times(q, loss) + times(q, log(q))


def _gradient_of(keep: Callable[[float], float], share: Callable[[float, int], float]) -> Steps:
    """Return a gradient p − (a·q + b), whatever a·q + b sums to."""

    def difference(formula: Formula) -> Approx:
        problem, q = formula.problem, formula.q
        p, v = formula.probabilities(formula.x).value, formula.row_cotangent()
        due = right.weighted(problem, q).value.sum(problem.axis, keepdims=True)
        made = q.value * keep(problem.smoothing) + share(problem.smoothing, problem.classes)
        minus = np.where(problem.counts, made, 0) * problem.weight
        parts = p * due * v, minus * v
        return Approx(parts[0] - parts[1], 8 * (np.abs(parts[0]) + np.abs(parts[1])))

    return changed(gradient=difference)


for _name, _keep, _share in (
    ("lacks ε/C of each class", lambda e: 1 - e, lambda _e, _c: 0.0),
    ("keeps all of the target beside ε/C", lambda _: 1.0, lambda e, c: e / c),
    ("has ε/C with the wrong sign", lambda e: 1 - e, lambda e, c: -e / c),
    ("has ε, where ε/C is due", lambda e: 1 - e, lambda e, _: e),
):
    OF_SMOOTHING.mistake(
        f"the gradient {_name}",
        lambda case: of_smoothing(case) and _is_of_logits(case),
        quantities=(GRADIENT_LOGITS,),
    )(partial(_gradient_of, _keep, _share))


# --- gradients that lack a part --------------------------------------------------------------


@OF_SMOOTHING.mistake(
    "nothing flows back through the logsumexp", _is_of_logits, quantities=(GRADIENT_LOGITS,)
)
def gradient_without_logsumexp() -> Steps:
    def target_alone(formula: Formula) -> Approx:
        w = right.weighted(formula.problem, formula.q).value
        value = -w * formula.row_cotangent()
        return Approx(value, 8 * np.abs(value))

    return changed(gradient=target_alone)


@OF_SMOOTHING.mistake(
    "the gradient has p·(1 − p), where p is due", _is_of_logits, quantities=(GRADIENT_LOGITS,)
)
def gradient_with_derivative_of_sigmoid() -> Steps:
    def difference(formula: Formula) -> Approx:
        p, v = formula.probabilities(formula.x).value, formula.row_cotangent()
        w = right.weighted(formula.problem, formula.q).value
        due = w.sum(formula.problem.axis, keepdims=True)
        parts = p * (1 - p) * due * v, w * v
        return Approx(parts[0] - parts[1], 8 * (np.abs(parts[0]) + np.abs(parts[1])))

    return changed(gradient=difference)


for _as, _steps in (
    ("class 0", options.ignored_rows_summed_as_first_class),
    ("their label counted from the end", options.ignored_rows_summed),
):
    OF_SMOOTHING.mistake(
        f"ignored rows have a gradient, as rows of {_as}",
        lambda case: _is_of_logits(case) and of_ignored(case),
        quantities=GRADIENTS,
    )(_steps)


# --- weights ---------------------------------------------------------------------------------


def _with_weights(change: Callable[[Array], Array]) -> Steps:
    """Return steps with other class weights, which a mean divides by as well."""

    def weighted(problem: Problem, target: Traced) -> Traced:
        return right.smoothed(problem, target) * change(problem.weight)

    def binary(problem: Problem, target: Traced, logs: Pair) -> Traced:
        return options.without_weights(problem, target, logs) * change(problem.weight)

    def divisor(problem: Problem) -> float:
        if problem.is_index:
            return float((problem.target * change(problem.weight)).sum())
        return right.divisor(problem)

    return changed(weighted=weighted, binary=binary, divisor=divisor)


for _name, _change in (
    ("are divided by their sum", lambda w: w / w.sum()),
    ("are divided by their mean", lambda w: w / w.mean()),
    ("are those of the next class", lambda w: np.roll(w, -1)),
    ("are in reverse order", lambda w: w[(slice(None, None, -1),) * w.ndim]),
    ("have their square roots taken", np.sqrt),
    ("are inverted", lambda w: 1 / w),
):
    OF_SMOOTHING.mistake(f"the weights {_name}", of_weights)(partial(_with_weights, _change))


@OF_SMOOTHING.mistake(
    "weight multiplies the term of the target alone, as pos_weight does",
    lambda case: of_weights(case) and of_binary(case),
)
def weight_as_pos_weight() -> Steps:
    return _weight_on(one=True)


@OF_SMOOTHING.mistake(
    "weight multiplies the term of 1 − target alone",
    lambda case: of_weights(case) and of_binary(case),
)
def weight_on_the_other_term() -> Steps:
    return _weight_on(one=False)


def _weight_on(*, one: bool) -> Steps:
    def loss(problem: Problem, target: Traced, logs: Pair) -> Traced:
        hit = times(target * problem.pos_weight, logs[0])
        missed = times(-target + 1.0, logs[1])
        hit, missed = (hit * problem.weight, missed) if one else (hit, missed * problem.weight)
        return -(hit + missed)

    return changed(binary=loss)


# --- sums of exponentials --------------------------------------------------------------------


def _is_not_huge(case: Case) -> bool:
    """Whether the logarithm of a sum is more than a rounding of the logits."""
    return of_softmax(case) and case.family != "finfo_max"


@OF_SMOOTHING.mistake("the maximum stands for the logsumexp", _is_not_huge)
def maximum_for_logsumexp() -> Steps:
    return changed(addends=lambda problem, e: chosen(_is_largest(problem), e, 0.0))


@OF_SMOOTHING.mistake("the largest class is not summed", of_softmax)
def largest_class_dropped() -> Steps:
    return changed(addends=lambda problem, e: chosen(~_is_largest(problem), e, 0.0))


def _is_largest(problem: Problem) -> Array:
    places = np.expand_dims(problem.x.argmax(problem.axis), problem.axis)
    return problem.places == places


@OF_SMOOTHING.mistake(
    "the class of the target is not summed", lambda case: of_log_softmax(case) and of_labels(case)
)
def target_class_dropped() -> Steps:
    return changed(addends=lambda problem, e: chosen(problem.target == 0, e, 0.0))


for _scale in (0.5, 2.0, 0.1, 10.0, 0.05, 20.0, 0.01, 100.0, 0.2, 5.0, 0.07):
    OF_SMOOTHING.mistake(f"the logits are multiplied by {_scale:g}", of_softmax)(
        partial(lambda scale: changed(first=lambda _, x: x * scale), _scale)
    )


# --- factors of the losses -------------------------------------------------------------------


def _focal(gamma: int, loss: Traced) -> Traced:
    """Return (1 − p)^γ·(−log p), of −log p."""
    missed = -exp(-loss) + 1.0
    for _ in range(gamma):
        loss = loss * missed
    return loss


def _focal_of_classes(gamma: int) -> Steps:
    return changed(product=lambda q, loss: times(q, _focal(gamma, loss)))


def _focal_of_elements(gamma: int) -> Steps:
    def loss(problem: Problem, target: Traced, logs: Pair) -> Traced:
        plain = options.without_weights(problem, target, logs)
        return _focal(gamma, plain) * problem.weight

    return changed(binary=loss)


for _gamma in (1, 2, 3):
    OF_SMOOTHING.mistake(f"the factor (1 − p)^{_gamma} of a focal loss", of_class_losses)(
        partial(_focal_of_classes, _gamma)
    )
    OF_SMOOTHING.mistake(f"the factor (1 − p)^{_gamma} of a binary focal loss", of_binary)(
        partial(_focal_of_elements, _gamma)
    )


@OF_SMOOTHING.mistake("1 − p, where −log p is due", of_log_softmax)
def missed_probability() -> Steps:
    return changed(product=lambda q, loss: times(q, -exp(-loss) + 1.0))


@OF_SMOOTHING.mistake("the Brier score: (p − target)², summed", _is_of_logits)
def brier_score() -> Steps:
    def rows(problem: Problem, _: Traced, log_p: Traced, _lse: Traced) -> Traced:
        off = exp(log_p) - Traced(Approx.of(problem.target))
        return (off * off).sum(problem.axis)

    return changed(rows=rows)


@OF_SMOOTHING.mistake(
    "the target is taken as 2z − 1",
    lambda case: of_binary(case) and of_full_targets(case),
)
def target_of_both_signs() -> Steps:
    return changed(target=lambda _, target: target * 2.0 - 1.0)
