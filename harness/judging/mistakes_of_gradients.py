"""Mistakes about signs, bases, labels, and about gradients alone."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...cases.model import Case
from ..answers import GRADIENT_LOGITS
from . import mistakes_of_options as options
from . import steps as right
from .mistake import (
    GRADIENTS,
    Table,
    anywhere,
    of_binary,
    of_class_losses,
    of_full_targets,
    of_ignored,
    of_labels,
    of_logarithms,
    of_means,
    of_pos_weights,
    of_smoothing,
    of_sums,
    of_unreduced,
    of_weights,
)
from .problem import Problem
from .steps import Formula, Steps, changed
from .traced import Approx, Array, Traced, times

OF_GRADIENTS = Table()


# --- signs, bases, labels --------------------------------------------------------------------


@OF_GRADIENTS.mistake("the sign is wrong", anywhere)
def wrong_sign() -> Steps:
    return changed(factor=lambda _: -1.0)


@OF_GRADIENTS.mistake("the logarithm has base 2", of_logarithms)
def logarithm_to_base_2() -> Steps:
    return changed(factor=lambda _: 1 / np.log(2.0))


@OF_GRADIENTS.mistake("the logarithm has base 10", of_logarithms)
def logarithm_to_base_10() -> Steps:
    return changed(factor=lambda _: 1 / np.log(10.0))


def _rolled(by: int) -> Steps:
    def rolled(problem: Problem, _: Traced) -> Traced:
        return Traced(Approx.of(np.roll(problem.target, by, problem.axis)))

    def total(problem: Problem) -> float:
        if not problem.is_index:
            return right.divisor(problem)
        return float((np.roll(problem.target, by, problem.axis) * problem.weight).sum())

    return changed(target=rolled, divisor=total)


OF_GRADIENTS.mistake(
    "labels are one too large", lambda case: of_labels(case) and of_class_losses(case)
)(partial(_rolled, 1))
OF_GRADIENTS.mistake(
    "labels are one too small", lambda case: of_labels(case) and of_class_losses(case)
)(partial(_rolled, -1))


@OF_GRADIENTS.mistake("the target and the first argument are exchanged", of_full_targets)
def arguments_swapped() -> Steps:
    return changed(swaps=True)


@OF_GRADIENTS.mistake("0 and 1 of the target are exchanged", of_binary)
def target_inverted() -> Steps:
    return changed(target=lambda _, target: -target + 1.0)


@OF_GRADIENTS.mistake("only the term of the target is summed, not that of 1 − target", of_binary)
def one_term_only() -> Steps:
    return changed(
        binary=lambda problem, target, logs: (
            -(times(target * problem.pos_weight, logs[0]) * problem.weight)
        )
    )


# --- gradients alone -------------------------------------------------------------------------


@OF_GRADIENTS.mistake("the incoming gradient is ignored", anywhere, quantities=GRADIENTS)
def incoming_ignored() -> Steps:
    return changed(incoming=lambda _, v: np.ones_like(v))


@OF_GRADIENTS.mistake(
    "the first number of the incoming gradient stands for all", of_unreduced, quantities=GRADIENTS
)
def incoming_of_first() -> Steps:
    return changed(incoming=lambda _, v: np.full_like(v, v.flat[0] if v.size else 0))


@OF_GRADIENTS.mistake(
    "the gradient is that of the sum, where that of the mean is due",
    of_means,
    quantities=GRADIENTS,
)
def gradient_of_sum() -> Steps:
    return changed(incoming=lambda problem, v: v * right.divisor(problem))


@OF_GRADIENTS.mistake(
    "the gradient is divided by the number of rows twice", of_means, quantities=GRADIENTS
)
def gradient_over_rows_twice() -> Steps:
    return changed(incoming=lambda problem, v: v / problem.rows)


@OF_GRADIENTS.mistake(
    "the gradient is divided by the number of rows", of_sums, quantities=GRADIENTS
)
def gradient_over_rows() -> Steps:
    return changed(incoming=lambda problem, v: v / problem.rows)


@OF_GRADIENTS.mistake("the gradient is 0: nothing flows back", anywhere, quantities=GRADIENTS)
def no_gradient() -> Steps:
    return changed(incoming=lambda _, v: np.zeros_like(v))


@OF_GRADIENTS.mistake("the gradient has the wrong sign", anywhere, quantities=GRADIENTS)
def gradient_sign() -> Steps:
    return changed(incoming=lambda _, v: -v)


def _plainly(value: Array, *parts: Array) -> Approx:
    """Return a gradient that is made of a few products."""
    return Approx(value, 8 * sum((np.abs(part) for part in parts), np.abs(value)))


def _p_of(formula: Formula) -> Array:
    return formula.probabilities(formula.x).value


@OF_GRADIENTS.mistake(
    "the gradient is p·(1 − p): terms between classes are missing",
    lambda case: case.operation == "softmax",
    quantities=(GRADIENT_LOGITS,),
)
def gradient_of_the_diagonal() -> Steps:
    def diagonal(formula: Formula) -> Approx:
        p = _p_of(formula)
        return _plainly(formula.cotangent * p * (1 - p))

    return changed(gradient=diagonal)


@OF_GRADIENTS.mistake(
    "the gradient lacks the term −p·Σ",
    lambda case: case.operation in ("softmax", "log_softmax"),
    quantities=(GRADIENT_LOGITS,),
)
def gradient_without_sum() -> Steps:
    def bare(formula: Formula) -> Approx:
        is_softmax = formula.problem.case.operation == "softmax"
        return _plainly(formula.cotangent * (_p_of(formula) if is_softmax else 1.0))

    return changed(gradient=bare)


@OF_GRADIENTS.mistake(
    "the gradient is v − p, as if the cotangents summed to 1",
    lambda case: case.operation == "log_softmax",
    quantities=(GRADIENT_LOGITS,),
)
def gradient_of_unit_sums() -> Steps:
    def difference(formula: Formula) -> Approx:
        p = _p_of(formula)
        return _plainly(formula.cotangent - p, p)

    return changed(gradient=difference)


def _p_minus_target(formula: Formula, target: Array) -> Approx:
    p, v = _p_of(formula), formula.row_cotangent()
    return _plainly((p - target) * v * formula.problem.counts, p * v, target * v)


def _of_cross_entropy(case: Case) -> bool:
    return case.operation in ("cross_entropy", "linear_cross_entropy")


@OF_GRADIENTS.mistake(
    "the gradient is p − target, whatever the targets sum to",
    lambda case: _of_cross_entropy(case) and case.target_kind == "soft",
    quantities=(GRADIENT_LOGITS,),
)
def gradient_of_unit_targets() -> Steps:
    return changed(
        gradient=lambda formula: _p_minus_target(
            formula, right.smoothed(formula.problem, formula.q).value
        )
    )


@OF_GRADIENTS.mistake("the gradient leaves label_smoothing out", of_smoothing, quantities=GRADIENTS)
def gradient_unsmoothed() -> Steps:
    return options.smoothing_dropped()


@OF_GRADIENTS.mistake("the gradient leaves the weights out", of_weights, quantities=GRADIENTS)
def gradient_unweighted() -> Steps:
    return changed(weighted=options.unweighted, binary=options.without_weights)


@OF_GRADIENTS.mistake("the gradient leaves pos_weight out", of_pos_weights, quantities=GRADIENTS)
def gradient_without_pos_weight() -> Steps:
    return options.pos_weight_dropped()


@OF_GRADIENTS.mistake(
    "the gradient is p: the target is missing", _of_cross_entropy, quantities=(GRADIENT_LOGITS,)
)
def gradient_without_target() -> Steps:
    return changed(gradient=lambda formula: _p_minus_target(formula, 0 * formula.q.value))


@OF_GRADIENTS.mistake(
    "the gradient is p + target", _of_cross_entropy, quantities=(GRADIENT_LOGITS,)
)
def gradient_plus_target() -> Steps:
    return changed(
        gradient=lambda formula: _p_minus_target(
            formula, -right.smoothed(formula.problem, formula.q).value
        )
    )


@OF_GRADIENTS.mistake(
    "ignored rows have a gradient",
    lambda case: _of_cross_entropy(case) and of_ignored(case),
    quantities=(GRADIENT_LOGITS,),
)
def gradient_of_ignored_rows() -> Steps:
    def every(formula: Formula) -> Approx:
        p, v = _p_of(formula), formula.row_cotangent()
        w = right.weighted(formula.problem, formula.q).value
        total = np.where(formula.problem.counts, w.sum(formula.problem.axis, keepdims=True), 1)
        return _plainly((p * total - w) * v, p * total * v, w * v)

    return changed(gradient=every)
