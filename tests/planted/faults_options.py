"""Weights, smoothing, ignored rows, labels, axes and reductions that are not the contract's."""

# ruff: noqa: ARG002 -- a step has the arguments of the step that it replaces

from __future__ import annotations

from typing import Any

import numpy as np

from . import base
from .base import Array, Sound, Target

expected = {
    "cross_entropy_mean_over_all_rows": "convention:mean_over_rows",
    "nll_loss_mean_over_all_rows": "convention:mean_over_rows",
    "nll_loss_index_wraps": "convention:bad_index_wraps",
    "nll_loss_bad_index_as_zeros": "convention:bad_index_as_zeros",
    "nll_loss_bad_index_is_nan": "convention:bad_index_is_nan",
    "nll_loss_mean_over_counted_rows": "convention:mean_over_nonzero_weights",
    "cross_entropy_soft_mean_over_weights": "convention:mean_over_weights",
}
# What only `full` shows: the cases that do, by a part of their ids, and why `quick` does not.
full = {
    "nll_loss_labels_in_int8": ("2x1000", "10 classes fit into an int8"),
    "cross_entropy_mean_of_means": ("2x3x2x2", "equally many rows of each sample count"),
}


class _MeanOverAllRows(Sound):
    def index_divisor(self, picked: Array, counts: Array) -> Any:
        return picked.dtype.type(picked.size)


class _MeanOverCountedRows(Sound):
    def index_divisor(self, picked: Array, counts: Array) -> Any:
        return picked.dtype.type(counts.sum())


class _MeanOverOneRowLess(Sound):
    def index_divisor(self, picked: Array, counts: Array) -> Any:
        return picked.sum() - 1

    def soft_divisor(self, q: Array, weight: Array) -> Any:
        return super().soft_divisor(q, weight) - 1


class _SoftMeanOverWeights(Sound):
    def soft_divisor(self, q: Array, weight: Array) -> Any:
        return (weight * q).sum()


class _SumForMean(Sound):
    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        return super().reduced(losses, divisor, "sum" if reduction == "mean" else reduction)


class _MeanOfMeans(Sound):
    """The mean of each sample, then the mean of these; 1 sample a row is right."""

    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        if reduction != "mean" or losses.ndim < 2:
            return super().reduced(losses, divisor, reduction)
        means = losses.reshape(len(losses), -1).mean(1)
        counted = (losses != 0).reshape(len(losses), -1).mean(1)
        return np.where(counted == 0, 0, means / counted).mean()


class _SmoothingOfIgnoredRows(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        return super().smoothed(q, np.ones_like(counts), weight, smoothing)


class _SmoothingOverTheBatch(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        share = q.dtype.type(smoothing / q.shape[0]) * counts[..., None]
        return weight * (q * q.dtype.type(1 - smoothing) + share)


class _SmoothingOverOtherClasses(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        others = max(q.shape[-1] - 1, 1)
        share = q.dtype.type(smoothing / others) * (counts[..., None] & (q == 0))
        return weight * (q * q.dtype.type(1 - smoothing) + share)


class _SmoothPartUnweighted(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        share = q.dtype.type(smoothing / q.shape[-1]) * counts[..., None]
        return weight * q * q.dtype.type(1 - smoothing) + share


class _SmoothingAddedToTheWhole(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        share = q.dtype.type(smoothing / q.shape[-1]) * counts[..., None]
        return weight * (q + share)


class _SmoothingOfIndexOnly(Sound):
    def target(
        self, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
    ) -> Target:
        kept = smoothing if target.ndim < x.ndim else 0.0
        return super().target(x, target, weight, ignore_index, kept)


class _WeightOfLikeliestClass(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        of_row = weight[q.argmax(-1)][..., None]
        return of_row * super().smoothed(q, counts, np.ones_like(weight), smoothing)


class _WeightTwice(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        return super().smoothed(q, counts, weight * weight, smoothing)


class _WeightForgotten(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        return super().smoothed(q, counts, np.ones_like(weight), smoothing)


class _OnlyMinusHundredIgnored(Sound):
    def is_counted(self, labels: Array, ignore_index: int, classes: int) -> Array:
        return labels != -100


class _DefaultNotIgnored(Sound):
    def is_counted(self, labels: Array, ignore_index: int, classes: int) -> Array:
        return (labels != ignore_index) | (ignore_index == -100)


class _OnlyLabelsIgnored(Sound):
    def is_counted(self, labels: Array, ignore_index: int, classes: int) -> Array:
        return (labels != ignore_index) | (ignore_index < 0)

    def checked(self, labels: Array, counts: Array, classes: int) -> Array:
        return super().checked(np.clip(labels, 0, None), counts, classes)


class _IgnoredClassLeavesTheSum(Sound):
    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        return super().cross_entropy(_masked(logits, target, **options), target, **options)

    def cross_entropy_vjp(
        self, cotangent: Array, logits: Array, target: Array, **options: Any
    ) -> tuple[Array, ...]:
        masked = _masked(logits, target, **options)
        return super().cross_entropy_vjp(cotangent, masked, target, **options)


def _masked(logits: Array, target: Array, *, ignore_index: int = -100, **_: Any) -> Array:
    masked = np.array(logits)
    if 0 <= ignore_index < logits.shape[1] and target.ndim < logits.ndim:
        masked[:, ignore_index] = -np.inf
    return masked


class _IgnoredLabelsChecked(Sound):
    def checked(self, labels: Array, counts: Array, classes: int) -> Array:
        return super().checked(labels, np.ones_like(counts), classes)


class _IndexWraps(Sound):
    def checked(self, labels: Array, counts: Array, classes: int) -> Array:
        wrapped = np.where(counts & (labels < 0), labels + classes, labels)
        return super().checked(wrapped, counts, classes)


class _IndexClamped(Sound):
    def checked(self, labels: Array, counts: Array, classes: int) -> Array:
        return super().checked(np.clip(labels, 0, classes - 1), counts, classes)


class _BadIndexAsZeros(Sound):
    def checked(self, labels: Array, counts: Array, classes: int) -> Array:
        return labels


class _BadIndexIsNan(Sound):
    def checked(self, labels: Array, counts: Array, classes: int) -> Array:
        return np.clip(labels, 0, classes - 1)

    def target(
        self, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
    ) -> Target:
        t = super().target(x, target, weight, ignore_index, smoothing)
        bad = t.counts & ((target < 0) | (target >= x.shape[-1]))
        w = np.where(bad[..., None], x.dtype.type(np.nan), t.w)
        return Target(w, t.counts, t.divisor, t.by_target)


class _LabelsInInt8(Sound):
    def checked(self, labels: Array, counts: Array, classes: int) -> Array:
        return super().checked(labels, counts, classes).astype(np.int8).astype(int) % classes


class _LabelsOfTheNextRow(Sound):
    def target(
        self, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
    ) -> Target:
        return super().target(x, np.roll(target, -1, 0), weight, ignore_index, smoothing)


class _LastAxisAlways(Sound):
    def rows(self, values: Array, axis: int) -> Array:
        return self.wide(values)

    def back(self, rows: Array, axis: int, like: Array) -> Array:
        return self.narrow(rows, like)


class _FlatWithoutMovingTheAxis(Sound):
    """(N, C, d) taken as (N·d, C) without moving C to the end."""

    def rows(self, values: Array, axis: int) -> Array:
        shape = np.moveaxis(values, axis, -1).shape
        return self.wide(values).reshape(shape)

    def back(self, rows: Array, axis: int, like: Array) -> Array:
        return self.narrow(rows, like).reshape(like.shape)


class _WeightAlongTheLastAxis(Sound):
    def by_class(self, weight: Array | None, like: Array) -> Array:
        return np.ones_like(like) if weight is None else self.wide(weight) * np.ones_like(like)


_MEAN_OVER_ALL_ROWS = _MeanOverAllRows()


def cross_entropy_mean_over_all_rows(logits: Array, target: Array, **options: Any) -> Array:
    """The mean divides by N, not by the sum of weights (keras-team/keras#19740)."""
    return _MEAN_OVER_ALL_ROWS.cross_entropy(logits, target, **options)


cross_entropy_mean_over_all_rows_vjp = _MEAN_OVER_ALL_ROWS.cross_entropy_vjp


def nll_loss_mean_over_all_rows(log_probs: Array, target: Array, **options: Any) -> Array:
    """Ignored rows count in the denominator of the mean (llvm/torch-mlir#3585)."""
    return _MEAN_OVER_ALL_ROWS.nll_loss(log_probs, target, **options)


nll_loss_mean_over_all_rows_vjp = _MEAN_OVER_ALL_ROWS.nll_loss_vjp

_MEAN_OVER_COUNTED_ROWS = _MeanOverCountedRows()


def nll_loss_mean_over_counted_rows(log_probs: Array, target: Array, **options: Any) -> Array:
    """The mean divides by how many rows count, although they have weights."""
    return _MEAN_OVER_COUNTED_ROWS.nll_loss(log_probs, target, **options)


nll_loss_mean_over_counted_rows_vjp = _MEAN_OVER_COUNTED_ROWS.nll_loss_vjp

_MEAN_OVER_ONE_ROW_LESS = _MeanOverOneRowLess()


def cross_entropy_mean_over_one_row_less(logits: Array, target: Array, **options: Any) -> Array:
    """The mean divides by N - 1, as a variance would."""
    return _MEAN_OVER_ONE_ROW_LESS.cross_entropy(logits, target, **options)


cross_entropy_mean_over_one_row_less_vjp = _MEAN_OVER_ONE_ROW_LESS.cross_entropy_vjp

_SOFT_MEAN_OVER_WEIGHTS = _SoftMeanOverWeights()


def cross_entropy_soft_mean_over_weights(logits: Array, target: Array, **options: Any) -> Array:
    """Soft targets divided as index targets are, by sum(w q) (pytorch/pytorch#61044)."""
    return _SOFT_MEAN_OVER_WEIGHTS.cross_entropy(logits, target, **options)


cross_entropy_soft_mean_over_weights_vjp = _SOFT_MEAN_OVER_WEIGHTS.cross_entropy_vjp

_SUM_FOR_MEAN = _SumForMean()


def cross_entropy_sum_for_mean(logits: Array, target: Array, **options: Any) -> Array:
    """reduction="mean" is understood as a sum, the attribute misread (llvm/torch-mlir#3585)."""
    return _SUM_FOR_MEAN.cross_entropy(logits, target, **options)


cross_entropy_sum_for_mean_vjp = _SUM_FOR_MEAN.cross_entropy_vjp

_MEAN_OF_MEANS = _MeanOfMeans()


def cross_entropy_mean_of_means(logits: Array, target: Array, **options: Any) -> Array:
    """The mean of each sample's mean, where samples have different numbers of counted rows."""
    return _MEAN_OF_MEANS.cross_entropy(logits, target, **options)


_SMOOTHING_OF_IGNORED = _SmoothingOfIgnoredRows()


def cross_entropy_smoothing_of_ignored_rows(logits: Array, target: Array, **options: Any) -> Array:
    """The smooth part counts ignored rows (pytorch/pytorch#73205, tinygrad/tinygrad#3570)."""
    return _SMOOTHING_OF_IGNORED.cross_entropy(logits, target, **options)


_SMOOTHING_OVER_BATCH = _SmoothingOverTheBatch()


def cross_entropy_smoothing_over_batch(logits: Array, target: Array, **options: Any) -> Array:
    """Smoothing over the wrong axis: ε is divided by the number of samples."""
    return _SMOOTHING_OVER_BATCH.cross_entropy(logits, target, **options)


cross_entropy_smoothing_over_batch_vjp = _SMOOTHING_OVER_BATCH.cross_entropy_vjp

_SMOOTHING_OVER_OTHERS = _SmoothingOverOtherClasses()


def cross_entropy_smoothing_over_others(logits: Array, target: Array, **options: Any) -> Array:
    """ε is shared by the other C - 1 classes, as fairseq's label_smoothed_nll_loss has it."""
    return _SMOOTHING_OVER_OTHERS.cross_entropy(logits, target, **options)


cross_entropy_smoothing_over_others_vjp = _SMOOTHING_OVER_OTHERS.cross_entropy_vjp

_SMOOTH_PART_UNWEIGHTED = _SmoothPartUnweighted()


def cross_entropy_smooth_part_unweighted(logits: Array, target: Array, **options: Any) -> Array:
    """Class weights are not applied to the smooth part (pytorch/pytorch#72056)."""
    return _SMOOTH_PART_UNWEIGHTED.cross_entropy(logits, target, **options)


cross_entropy_smooth_part_unweighted_vjp = _SMOOTH_PART_UNWEIGHTED.cross_entropy_vjp

_SMOOTHING_ADDED = _SmoothingAddedToTheWhole()


def cross_entropy_smoothing_added(logits: Array, target: Array, **options: Any) -> Array:
    """The target q + ε/C, where (1 - ε) q + ε/C is due."""
    return _SMOOTHING_ADDED.cross_entropy(logits, target, **options)


cross_entropy_smoothing_added_vjp = _SMOOTHING_ADDED.cross_entropy_vjp

_SMOOTHING_OF_INDEX_ONLY = _SmoothingOfIndexOnly()


def cross_entropy_smoothing_of_index_only(logits: Array, target: Array, **options: Any) -> Array:
    """One-hot and soft targets are not smoothed."""
    return _SMOOTHING_OF_INDEX_ONLY.cross_entropy(logits, target, **options)


cross_entropy_smoothing_of_index_only_vjp = _SMOOTHING_OF_INDEX_ONLY.cross_entropy_vjp

_WEIGHT_OF_LIKELIEST = _WeightOfLikeliestClass()


def cross_entropy_weight_of_likeliest(logits: Array, target: Array, **options: Any) -> Array:
    """The weight of a soft target's likeliest class for its whole row (Keras' class_weight)."""
    return _WEIGHT_OF_LIKELIEST.cross_entropy(logits, target, **options)


cross_entropy_weight_of_likeliest_vjp = _WEIGHT_OF_LIKELIEST.cross_entropy_vjp

_WEIGHT_TWICE = _WeightTwice()


def nll_loss_weight_twice(log_probs: Array, target: Array, **options: Any) -> Array:
    """The weight is applied to the labels and to the loss."""
    return _WEIGHT_TWICE.nll_loss(log_probs, target, **options)


nll_loss_weight_twice_vjp = _WEIGHT_TWICE.nll_loss_vjp

_WEIGHT_FORGOTTEN = _WeightForgotten()


def cross_entropy_weight_forgotten(logits: Array, target: Array, **options: Any) -> Array:
    """The weight is in the divisor of the mean only."""
    return _WEIGHT_FORGOTTEN.cross_entropy(logits, target, **options)


cross_entropy_weight_forgotten_vjp = _WEIGHT_FORGOTTEN.cross_entropy_vjp

_ONLY_MINUS_HUNDRED = _OnlyMinusHundredIgnored()


def cross_entropy_ignores_minus_100_only(logits: Array, target: Array, **options: Any) -> Array:
    """The default of ignore_index is written into the kernel."""
    return _ONLY_MINUS_HUNDRED.cross_entropy(logits, target, **options)


cross_entropy_ignores_minus_100_only_vjp = _ONLY_MINUS_HUNDRED.cross_entropy_vjp

_DEFAULT_NOT_IGNORED = _DefaultNotIgnored()


def cross_entropy_default_not_ignored(logits: Array, target: Array, **options: Any) -> Array:
    """ignore_index is honoured only if it is not -100 (flagos-ai/FlagGems#73)."""
    return _DEFAULT_NOT_IGNORED.cross_entropy(logits, target, **options)


cross_entropy_default_not_ignored_vjp = _DEFAULT_NOT_IGNORED.cross_entropy_vjp

_ONLY_LABELS_IGNORED = _OnlyLabelsIgnored()


def nll_loss_ignores_labels_only(log_probs: Array, target: Array, **options: Any) -> Array:
    """A negative ignore_index is not honoured: the row counts as class 0."""
    return _ONLY_LABELS_IGNORED.nll_loss(log_probs, target, **options)


nll_loss_ignores_labels_only_vjp = _ONLY_LABELS_IGNORED.nll_loss_vjp

_IGNORED_CLASS_LEAVES = _IgnoredClassLeavesTheSum()


def cross_entropy_ignored_class_leaves(logits: Array, target: Array, **options: Any) -> Array:
    """ignore_index masks a class, not rows (awslabs/sockeye#203; asked in pytorch#63004)."""
    return _IGNORED_CLASS_LEAVES.cross_entropy(logits, target, **options)


cross_entropy_ignored_class_leaves_vjp = _IGNORED_CLASS_LEAVES.cross_entropy_vjp

_IGNORED_LABELS_CHECKED = _IgnoredLabelsChecked()


def nll_loss_checks_ignored_labels(log_probs: Array, target: Array, **options: Any) -> Array:
    """An ignored label must be one of the classes (pytorch/pytorch#15508, thunder#1752)."""
    return _IGNORED_LABELS_CHECKED.nll_loss(log_probs, target, **options)


nll_loss_checks_ignored_labels_vjp = _IGNORED_LABELS_CHECKED.nll_loss_vjp

_INDEX_WRAPS = _IndexWraps()


def nll_loss_index_wraps(log_probs: Array, target: Array, **options: Any) -> Array:
    """Negative labels count from the end (google-deepmind/optax#1185, PaddlePaddle#36891)."""
    return _INDEX_WRAPS.nll_loss(log_probs, target, **options)


nll_loss_index_wraps_vjp = _INDEX_WRAPS.nll_loss_vjp

_INDEX_CLAMPED = _IndexClamped()


def cross_entropy_index_clamped(logits: Array, target: Array, **options: Any) -> Array:
    """A label that is too large is the last class (PaddlePaddle/Paddle#10945)."""
    return _INDEX_CLAMPED.cross_entropy(logits, target, **options)


cross_entropy_index_clamped_vjp = _INDEX_CLAMPED.cross_entropy_vjp

_BAD_INDEX_AS_ZEROS = _BadIndexAsZeros()


def nll_loss_bad_index_as_zeros(log_probs: Array, target: Array, **options: Any) -> Array:
    """A label out of range is a row of zeros, as one_hot makes it (google-deepmind/optax#1185)."""
    return _BAD_INDEX_AS_ZEROS.nll_loss(log_probs, target, **options)


nll_loss_bad_index_as_zeros_vjp = _BAD_INDEX_AS_ZEROS.nll_loss_vjp

_BAD_INDEX_IS_NAN = _BadIndexIsNan()


def nll_loss_bad_index_is_nan(log_probs: Array, target: Array, **options: Any) -> Array:
    """A label out of range gives NaN, silently (tensorflow/tensorflow#126005)."""
    return _BAD_INDEX_IS_NAN.nll_loss(log_probs, target, **options)


nll_loss_bad_index_is_nan_vjp = _BAD_INDEX_IS_NAN.nll_loss_vjp

_LABELS_IN_INT8 = _LabelsInInt8()


def nll_loss_labels_in_int8(log_probs: Array, target: Array, **options: Any) -> Array:
    """The label wraps in its small type, as int32 does in PaddlePaddle/Paddle#30590."""
    return _LABELS_IN_INT8.nll_loss(log_probs, target, **options)


nll_loss_labels_in_int8_vjp = _LABELS_IN_INT8.nll_loss_vjp

_LABELS_OF_NEXT_ROW = _LabelsOfTheNextRow()


def cross_entropy_labels_of_next_row(logits: Array, target: Array, **options: Any) -> Array:
    """Labels shifted by one against the logits, as a language model shifts them once too often."""
    return _LABELS_OF_NEXT_ROW.cross_entropy(logits, target, **options)


cross_entropy_labels_of_next_row_vjp = _LABELS_OF_NEXT_ROW.cross_entropy_vjp

_LAST_AXIS = _LastAxisAlways()


def softmax_over_last_axis(logits: Array, **options: Any) -> Array:
    """The axis is not read."""
    return _LAST_AXIS.softmax(logits, **options)


softmax_over_last_axis_vjp = _LAST_AXIS.softmax_vjp

_FLAT = _FlatWithoutMovingTheAxis()


def cross_entropy_flat_without_moving(logits: Array, target: Array, **options: Any) -> Array:
    """(N, C, d) reshaped to (N d, C) without moving the axis."""
    return _FLAT.cross_entropy(logits, target, **options)


cross_entropy_flat_without_moving_vjp = _FLAT.cross_entropy_vjp


def logsumexp_keeps_axis(logits: Array, *, axis: int = -1) -> Array:
    """The reduced axis stays, with length 1."""
    return np.expand_dims(Sound().logsumexp(logits, axis=axis), axis)


_WEIGHT_ALONG_LAST = _WeightAlongTheLastAxis()


def binary_cross_entropy_with_logits_weight_along_last(
    logits: Array, target: Array, **options: Any
) -> Array:
    """Class weights are spread along the last axis, where the classes are on axis 1 of three."""
    return _WEIGHT_ALONG_LAST.binary_cross_entropy_with_logits(logits, target, **options)


targets = base.every_kind(globals())
