"""Mistakes about rows: which of them count, whose label each has, and means of parts of a batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ...cases.model import Case
from . import steps as right
from .mistake import (
    GRADIENTS,
    Table,
    of_class_losses,
    of_class_means,
    of_ignored,
    of_labels,
    of_means,
    of_sums_and_means,
    of_unreduced,
)
from .problem import Problem
from .steps import Steps, changed
from .traced import Approx, Array, Traced, exp, log

OF_ROWS = Table()


def _has_rows(case: Case) -> bool:
    return of_sums_and_means(case) and len(case.shape) > 1


def _row_numbers(problem: Problem) -> Array:
    """Return the number of each row, in the order of the labels in memory."""
    return np.arange(problem.rows).reshape(problem.counts.shape)


def _row_weights(problem: Problem) -> Array:
    """Return what each row adds to the divisor of a mean, with a class axis of length 1."""
    if not problem.is_index:
        return np.ones(problem.counts.shape)
    return np.asarray((problem.target * problem.weight).sum(problem.axis, keepdims=True))


# --- rows that are left out ------------------------------------------------------------------


def _without(kept: Callable[[Problem], Array], *, is_divided: bool) -> Steps:
    """Return steps that leave rows out, which a mean divides by all the same or does not."""

    def divisor(problem: Problem) -> float:
        return float((_row_weights(problem) * kept(problem)).sum())

    def counts(problem: Problem) -> Array:
        return problem.counts & kept(problem)

    return changed(counts=counts) if is_divided else changed(counts=counts, divisor=divisor)


def _not_first(problem: Problem) -> Array:
    return _row_numbers(problem) > 0


def _not_last(problem: Problem) -> Array:
    return _row_numbers(problem) < problem.rows - 1


def _whole_chunks(size: int, problem: Problem) -> Array:
    return _row_numbers(problem) < (problem.rows // size * size or problem.rows)


OF_ROWS.mistake("the first row is left out", _has_rows)(
    partial(_without, _not_first, is_divided=True)
)
for _which, _kept in (("first", _not_first), ("last", _not_last)):
    OF_ROWS.mistake(
        f"the {_which} row is left out, and the mean divides by the others",
        lambda case: of_class_means(case) and _has_rows(case),
    )(partial(_without, _kept, is_divided=False))

for _size in (3, 4, 8, 16, 32, 64, 128, 1024):
    OF_ROWS.mistake(f"rows beyond a multiple of {_size} are left out", _has_rows)(
        partial(_without, partial(_whole_chunks, _size), is_divided=True)
    )
    OF_ROWS.mistake(
        f"rows beyond a multiple of {_size} are left out, and the mean divides by the others",
        lambda case: of_class_means(case) and _has_rows(case),
    )(partial(_without, partial(_whole_chunks, _size), is_divided=False))


@OF_ROWS.mistake(
    "rows of class 0 are ignored, too",
    lambda case: of_class_losses(case) and case.target_kind == "index",
)
def first_class_ignored() -> Steps:
    return changed(
        counts=lambda problem: problem.counts & (problem.labels != 0),
        divisor=lambda problem: float((_row_weights(problem) * (problem.labels != 0)).sum()),
    )


# --- means of means --------------------------------------------------------------------------


def _mean_of_means(chunk_of: Callable[[Problem], Array]) -> Steps:
    """Return steps that take the mean of each chunk of rows, and the mean of these means."""

    def weighted(problem: Problem, target: Traced) -> Traced:
        places, rows = chunk_of(problem), _row_weights(problem)
        chunks = int(places.max()) + 1
        sums = np.bincount(places.ravel(), rows.ravel().astype(np.float64), chunks)[places]
        factor = right.divisor(problem) / (chunks * sums)
        return right.weighted(problem, target) * factor

    return changed(weighted=weighted)


def _chunks(size: int, problem: Problem) -> Array:
    return _row_numbers(problem) // size


def _of_chunks(case: Case) -> bool:
    return of_class_means(case) and _has_rows(case)


for _size in (2, 3, 4, 8, 16, 32, 64, 128, 1024):
    OF_ROWS.mistake(f"the mean of the means of chunks of {_size} rows", _of_chunks)(
        partial(_mean_of_means, partial(_chunks, _size))
    )


@OF_ROWS.mistake(
    "the mean over each sequence, and then over the batch",
    lambda case: _of_chunks(case) and len(case.shape) > 2,
)
def mean_of_sequences() -> Steps:
    def sequence(problem: Problem) -> Array:
        batch = np.arange(problem.x.shape[0])
        shape = (-1, *(1 for _ in problem.counts.shape[1:]))
        return np.broadcast_to(batch.reshape(shape), problem.counts.shape)

    return _mean_of_means(sequence)


# --- labels of other rows, and labels that are cut off ---------------------------------------


def _is_of_labels(case: Case) -> bool:
    return of_labels(case) and of_class_losses(case) and not of_ignored(case)


def _relabelled(change: Callable[[Array], Array]) -> Steps:
    """Return steps with other labels, from the target as one-hot encoding."""

    def total(problem: Problem) -> float:
        if not problem.is_index:
            return right.divisor(problem)
        return float((change(problem.target) * problem.weight).sum())

    return changed(
        target=lambda problem, _: Traced(Approx.of(change(problem.target))), divisor=total
    )


def _rolled(by: int, target: Array) -> Array:
    return np.roll(target, by, 0)


def _is_of_many_rows(case: Case) -> bool:
    return _is_of_labels(case) and bool(case.shape) and case.shape[0] > 1


for _by, _whose in ((-1, "next"), (1, "previous")):
    OF_ROWS.mistake(f"each row has the label of the {_whose} one", _is_of_many_rows)(
        partial(_relabelled, partial(_rolled, _by))
    )
OF_ROWS.mistake("the rows have their labels in reverse order", _is_of_many_rows)(
    partial(_relabelled, lambda target: target[::-1])
)


def _labels_modulo(size: int) -> Steps:
    """Return steps whose labels are remainders."""

    def target(problem: Problem, _: Traced) -> Traced:
        labels = problem.labels % size
        held = (problem.places == labels) & problem.counts
        return Traced(Approx.of(held.astype(problem.x.dtype)))

    return changed(target=target)


OF_ROWS.mistake(
    "labels are held in 8 bits",
    lambda case: _is_of_labels(case) and case.target_kind == "index" and case.shape[1] > 256,
)(partial(_labels_modulo, 256))


# --- what becomes of the whole ---------------------------------------------------------------


@OF_ROWS.mistake("e to the loss: the perplexity", of_means)
def perplexity() -> Steps:
    return changed(last=lambda _, loss: exp(loss))


@OF_ROWS.mistake(
    "−log Σ q·p, where −Σ q·log p is due: the two are one for one-hot targets only",
    lambda case: of_class_losses(case) and case.target_kind == "soft",
)
def logarithm_of_sum() -> Steps:
    def rows(problem: Problem, _losses: Traced, log_p: Traced, _lse: Traced) -> Traced:
        target = Traced(Approx.of(problem.target))
        return -log((exp(log_p) * target).sum(problem.axis))

    return changed(rows=rows)


@OF_ROWS.mistake("the loss is divided by log C", of_class_losses)
def over_logarithm_of_classes() -> Steps:
    return changed(factor=lambda problem: 1 / float(np.log(max(problem.classes, 2))))


# --- what comes in, in a backward pass -------------------------------------------------------


@OF_ROWS.mistake("the incoming gradients are averaged over the rows", of_unreduced,
                 quantities=GRADIENTS)  # fmt: skip
def incoming_averaged() -> Steps:
    return changed(incoming=lambda _, v: np.full_like(v, v.mean() if v.size else 0))


@OF_ROWS.mistake("the incoming gradients are summed over the rows", of_unreduced,
                 quantities=GRADIENTS)  # fmt: skip
def incoming_summed() -> Steps:
    return changed(incoming=lambda _, v: np.full_like(v, v.sum()))


for _by, _whose in ((1, "previous"), (-1, "next")):
    OF_ROWS.mistake(
        f"each row has the incoming gradient of the {_whose} one", of_unreduced,
        quantities=GRADIENTS,
    )(partial(lambda by: changed(incoming=lambda _, v: np.roll(v, by, 0)), _by))  # fmt: skip


@OF_ROWS.mistake("the incoming gradient is multiplied twice", lambda _: True, quantities=GRADIENTS)
def incoming_twice() -> Steps:
    return changed(incoming=lambda _, v: v * v)
