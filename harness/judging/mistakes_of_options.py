"""Mistakes about options, label smoothing, and what a mean divides by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from . import steps as right
from .mistake import (
    Table,
    of_any_smoothing,
    of_binary,
    of_binary_smoothing,
    of_class_means,
    of_ignored,
    of_ignored_smoothing,
    of_means,
    of_pos_weights,
    of_smoothing,
    of_sums,
    of_sums_and_means,
    of_weighted_smoothing,
    of_weights,
)
from .problem import Problem
from .steps import Steps, changed
from .traced import Approx, Array, Traced, chosen, times

OF_OPTIONS = Table()


# --- options that are left out ---------------------------------------------------------------


@OF_OPTIONS.mistake("label_smoothing is not applied", of_any_smoothing, drops=True)
def smoothing_dropped() -> Steps:
    return changed(
        weighted=lambda problem, target: target * problem.weight,
        smoothing=right.unchanged,
    )


@OF_OPTIONS.mistake("ε, where ε/2 is due in (1 − ε)·z + ε/2", of_binary_smoothing)
def smoothing_not_halved() -> Steps:
    return changed(
        smoothing=lambda problem, target: target * (1 - problem.smoothing) + problem.smoothing
    )


@OF_OPTIONS.mistake("ε/C, where ε/2 is due in (1 − ε)·z + ε/2", of_binary_smoothing)
def smoothing_of_classes() -> Steps:
    return changed(
        smoothing=lambda problem, target: (
            target * (1 - problem.smoothing) + problem.smoothing / problem.classes
        )
    )


@OF_OPTIONS.mistake("ε/2 is missing in (1 − ε)·z + ε/2", of_binary_smoothing)
def smoothing_of_hits() -> Steps:
    return changed(smoothing=lambda problem, target: target * (1 - problem.smoothing))


def unweighted(problem: Problem, target: Traced) -> Traced:
    return right.smoothed(problem, target)


def _counted(problem: Problem) -> float:
    if problem.case.contract.reads_classes:
        return float(problem.counts.sum()) if problem.is_index else float(problem.rows)
    return float(problem.x.size)


def without_weights(problem: Problem, target: Traced, logs: right.Pair) -> Traced:
    one, other = logs
    return -(times(target * problem.pos_weight, one) + times(-target + 1.0, other))


@OF_OPTIONS.mistake("weight is not applied", of_weights, drops=True)
def weight_dropped() -> Steps:
    return changed(weighted=unweighted, divisor=_counted, binary=without_weights)


@OF_OPTIONS.mistake("weight is applied twice", of_weights)
def weight_twice() -> Steps:
    return changed(
        weighted=lambda problem, target: right.weighted(problem, target) * problem.weight,
        binary=lambda problem, target, logs: (
            right.binary_loss(problem, target, logs) * problem.weight
        ),
    )


def _without_pos_weight(problem: Problem, target: Traced, logs: right.Pair) -> Traced:
    one, other = logs
    loss = times(target, one) + times(-target + 1.0, other)
    return -(loss * problem.weight)


@OF_OPTIONS.mistake("pos_weight is not applied", of_pos_weights, drops=True)
def pos_weight_dropped() -> Steps:
    return changed(binary=_without_pos_weight)


@OF_OPTIONS.mistake("pos_weight multiplies both terms", of_pos_weights)
def pos_weight_on_both() -> Steps:
    return changed(
        binary=lambda problem, target, logs: (
            _without_pos_weight(problem, target, logs) * problem.pos_weight
        )
    )


@OF_OPTIONS.mistake("pos_weight multiplies the term of 1 − target", of_pos_weights)
def pos_weight_on_the_other_term() -> Steps:
    return changed(
        binary=lambda problem, target, logs: (
            -(
                (times(target, logs[0]) + times((-target + 1.0) * problem.pos_weight, logs[1]))
                * problem.weight
            )
        )
    )


@OF_OPTIONS.mistake(
    "weight and pos_weight are exchanged", lambda case: of_weights(case) and of_pos_weights(case)
)
def weights_exchanged() -> Steps:
    return changed(
        binary=lambda problem, target, logs: (
            -(
                (times(target * problem.weight, logs[0]) + times(-target + 1.0, logs[1]))
                * problem.pos_weight
            )
        )
    )


@OF_OPTIONS.mistake("ignore_index is not applied", of_ignored, drops=True)
def ignore_index_dropped() -> Steps:
    """The label that stands for an ignored row is taken for a class, counted from the end."""
    return changed(
        target=lambda problem, _: Traced(Approx.of(_all_labels(problem))),
        divisor=lambda problem: float((_all_labels(problem) * problem.weight).sum()),
        weighted=_weighted_everywhere,
        counts=_every_row,
    )


def _all_labels(problem: Problem) -> Array:
    labels, size = problem.labels, problem.classes
    inside = (labels >= -size) & (labels < size)
    places = problem.places
    return np.asarray(((places == labels % size) & inside).astype(problem.x.dtype))


def _weighted_everywhere(problem: Problem, target: Traced) -> Traced:
    """Return the effective weights, with the smooth part in rows that do not count, too."""
    share = problem.smoothing / max(problem.classes, 1)
    return (target * (1 - problem.smoothing) + share) * problem.weight


@OF_OPTIONS.mistake("ignored rows are summed, and the mean divides by the others", of_ignored)
def ignored_rows_summed() -> Steps:
    return changed(
        target=lambda problem, _: Traced(Approx.of(_all_labels(problem))),
        weighted=_weighted_everywhere,
        counts=_every_row,
    )


def _ignored_as_first_class(problem: Problem) -> Array:
    ignored = ~problem.counts & (problem.places == 0)
    return np.asarray(np.where(ignored, 1, problem.target).astype(problem.x.dtype))


@OF_OPTIONS.mistake(
    "ignored rows are summed as class 0, and the mean divides by the others", of_ignored
)
def ignored_rows_summed_as_first_class() -> Steps:
    return changed(
        target=lambda problem, _: Traced(Approx.of(_ignored_as_first_class(problem))),
        weighted=_weighted_everywhere,
        counts=_every_row,
    )


@OF_OPTIONS.mistake("ignored rows count as class 0", of_ignored)
def ignored_rows_as_first_class() -> Steps:
    return changed(
        target=lambda problem, _: Traced(Approx.of(_ignored_as_first_class(problem))),
        divisor=lambda problem: float((_ignored_as_first_class(problem) * problem.weight).sum()),
        weighted=_weighted_everywhere,
        counts=_every_row,
    )


def _every_row(problem: Problem) -> Array:
    return np.ones_like(problem.counts)


# --- label smoothing -------------------------------------------------------------------------


def _smoothed_over_others(problem: Problem, target: Traced) -> Traced:
    share = problem.smoothing / max(problem.classes - 1, 1)
    others = (-target + 1.0) * share
    mixed = target * (1 - problem.smoothing) + others
    inside = problem.counts & np.ones(target.value.shape, np.bool_)
    return chosen(inside, mixed, 0.0) * problem.weight


@OF_OPTIONS.mistake("smoothing is shared by the other C − 1 classes", of_smoothing)
def smoothing_over_others() -> Steps:
    return changed(weighted=_smoothed_over_others)


def _smoothed_too_much(problem: Problem, target: Traced) -> Traced:
    share = problem.smoothing / max(problem.classes - 1, 1)
    inside = problem.counts & np.ones(target.value.shape, np.bool_)
    mixed = target * (1 - problem.smoothing) + share
    return chosen(inside, mixed, 0.0) * problem.weight


@OF_OPTIONS.mistake("smoothing is divided by C − 1, not by C", of_smoothing)
def smoothing_over_one_less() -> Steps:
    return changed(weighted=_smoothed_too_much)


@OF_OPTIONS.mistake("smoothing is divided by the number of rows, not by C", of_smoothing)
def smoothing_over_rows() -> Steps:
    def mixed(problem: Problem, target: Traced) -> Traced:
        every = target * (1 - problem.smoothing) + problem.smoothing / problem.rows
        inside = problem.counts & np.ones(target.value.shape, np.bool_)
        return chosen(inside, every, 0.0) * problem.weight

    return changed(weighted=mixed)


@OF_OPTIONS.mistake("the smooth part is not divided by C", of_smoothing)
def smoothing_not_divided() -> Steps:
    def mixed(problem: Problem, target: Traced) -> Traced:
        every = target * (1 - problem.smoothing) + problem.smoothing
        inside = problem.counts & np.ones(target.value.shape, np.bool_)
        return chosen(inside, every, 0.0) * problem.weight

    return changed(weighted=mixed)


@OF_OPTIONS.mistake("the target keeps only 1 − ε: the smooth part is missing", of_smoothing)
def smooth_part_missing() -> Steps:
    return changed(
        weighted=lambda problem, target: target * (1 - problem.smoothing) * problem.weight
    )


@OF_OPTIONS.mistake("ε/C is added, but the target keeps all its weight", of_smoothing)
def smoothing_added() -> Steps:
    def mixed(problem: Problem, target: Traced) -> Traced:
        inside = problem.counts & np.ones(target.value.shape, np.bool_)
        return chosen(inside, target + problem.smoothing / problem.classes, 0.0) * problem.weight

    return changed(weighted=mixed)


def _mixed(keep: Callable[[float, int], float], share: Callable[[float, int], float]) -> Steps:
    """Return steps whose smoothed target is a·q + b, by functions of ε and C."""

    def mixed(problem: Problem, target: Traced) -> Traced:
        epsilon, size = problem.smoothing, max(problem.classes, 1)
        every = target * keep(epsilon, size) + share(epsilon, size)
        inside = problem.counts & np.ones(target.value.shape, np.bool_)
        return chosen(inside, every, 0.0) * problem.weight

    return changed(weighted=mixed)


@OF_OPTIONS.mistake("the target's class gets 1 − ε, without its share ε/C", of_smoothing)
def smoothing_without_own_share() -> Steps:
    return _mixed(lambda epsilon, size: 1 - epsilon - epsilon / size, lambda e, size: e / size)


@OF_OPTIONS.mistake("ε and 1 − ε are exchanged", of_smoothing)
def smoothing_exchanged() -> Steps:
    return _mixed(lambda epsilon, _: epsilon, lambda epsilon, size: (1 - epsilon) / size)


@OF_OPTIONS.mistake("the smooth part counts ignored rows", of_ignored_smoothing)
def smoothing_of_ignored_rows() -> Steps:
    return changed(weighted=_weighted_everywhere, counts=_every_row)


@OF_OPTIONS.mistake("the smooth part is not weighted", of_weighted_smoothing)
def smoothing_unweighted() -> Steps:
    def mixed(problem: Problem, target: Traced) -> Traced:
        hard = target * (1 - problem.smoothing) * problem.weight
        inside = problem.counts & np.ones(target.value.shape, np.bool_)
        return hard + chosen(inside, target * 0.0 + problem.smoothing / problem.classes, 0.0)

    return changed(weighted=mixed)


# --- what is added up, and what that is divided by -------------------------------------------


@OF_OPTIONS.mistake("the sum, where the mean is due", of_means)
def sum_for_mean() -> Steps:
    return changed(divisor=lambda _: 1.0)


@OF_OPTIONS.mistake("the mean, where the sum is due", of_sums)
def mean_for_sum() -> Steps:
    return changed(reduction="mean")


@OF_OPTIONS.mistake("the mean divides by the number of all rows", of_class_means)
def mean_over_all_rows() -> Steps:
    return changed(divisor=lambda problem: float(problem.rows))


@OF_OPTIONS.mistake(
    "the mean divides by the number of rows that count, not by their weights", of_class_means
)
def mean_over_counted_rows() -> Steps:
    return changed(divisor=_counted)


@OF_OPTIONS.mistake("the mean divides by the sum of the weights", of_means)
def mean_over_weights() -> Steps:
    def total(problem: Problem) -> float:
        return float((problem.target * problem.weight).sum())

    return changed(divisor=total)


@OF_OPTIONS.mistake(
    "the mean divides by the weights of all classes, not by those of the rows",
    lambda case: of_class_means(case) and of_weights(case),
)
def mean_over_weights_of_classes() -> Steps:
    return changed(divisor=lambda problem: float(problem.weight.sum()))


@OF_OPTIONS.mistake("the mean divides by the number of classes", of_means)
def mean_over_classes() -> Steps:
    return changed(divisor=lambda problem: float(problem.classes))


@OF_OPTIONS.mistake("the mean runs over all elements, not over the rows", of_class_means)
def mean_over_elements() -> Steps:
    return changed(divisor=lambda problem: float(problem.x.size))


@OF_OPTIONS.mistake(
    "the mean runs over the rows, not over all elements",
    lambda case: of_means(case) and of_binary(case),
)
def mean_over_rows_of_elements() -> Steps:
    return changed(divisor=lambda problem: float(problem.rows))


@OF_OPTIONS.mistake("the mean runs over the batch only", of_means)
def mean_over_batch() -> Steps:
    return changed(divisor=lambda problem: float(problem.x.shape[0]))


@OF_OPTIONS.mistake("the mean divides by one too few", of_means)
def mean_over_one_less() -> Steps:
    return changed(divisor=lambda problem: right.divisor(problem) - 1)


@OF_OPTIONS.mistake("divided by the number of rows twice", of_means)
def mean_twice() -> Steps:
    return changed(divisor=lambda problem: right.divisor(problem) * problem.rows)


@OF_OPTIONS.mistake("the last row is left out", of_sums_and_means)
def last_row_left_out() -> Steps:
    def counts(problem: Problem) -> Array:
        kept = np.ones_like(problem.counts)
        kept[-1:] = False
        return problem.counts & kept

    return changed(counts=counts)


def _added_to_divisor(epsilon: float) -> Steps:
    return changed(divisor=lambda problem: right.divisor(problem) + epsilon)


for _epsilon in (1.0, 1e-3, 1e-4, 1e-5, 1e-6, 2.0**-23, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-13):
    OF_OPTIONS.mistake(f"{_epsilon:.3g} is added to what the mean divides by", of_means)(
        partial(_added_to_divisor, _epsilon)
    )
