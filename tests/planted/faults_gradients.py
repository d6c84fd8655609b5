"""Right values with wrong gradients."""

# ruff: noqa: ARG002 -- a step has the arguments of the step that it replaces

from __future__ import annotations

from typing import Any

import numpy as np

from . import base
from .base import Array, Sound, Target

expected = {
    "sigmoid_slope_cancels": "formula",
    "binary_cross_entropy_with_logits_slope_cancels": "formula",
}


class _NoMean(Sound):
    def spread(self, cotangent: Array, losses: Array, divisor: Any, reduction: str) -> Array:
        return super().spread(cotangent, losses, divisor, "sum")


class _MeanTwice(Sound):
    def spread(self, cotangent: Array, losses: Array, divisor: Any, reduction: str) -> Array:
        v = super().spread(cotangent, losses, divisor, reduction)
        return v / divisor if reduction == "mean" else v


class _NoCotangent(Sound):
    def spread(self, cotangent: Array, losses: Array, divisor: Any, reduction: str) -> Array:
        return super().spread(np.ones_like(cotangent), losses, divisor, reduction)

    def through_softmax(self, v: Array, p: Array) -> Array:
        return super().through_softmax(np.ones_like(v), p)

    def through_log_softmax(self, v: Array, p: Array) -> Array:
        return super().through_log_softmax(np.ones_like(v), p)


class _NoSumOfTarget(Sound):
    def by_logits(self, p: Array, t: Target) -> Array:
        return p - t.w


class _NoOtherClasses(Sound):
    """The diagonal of the Jacobian only."""

    def through_softmax(self, v: Array, p: Array) -> Array:
        return p * (1 - p) * v


class _LogAsSoftmax(Sound):
    def through_log_softmax(self, v: Array, p: Array) -> Array:
        return self.through_softmax(v, p)


class _LogWithoutSum(Sound):
    def through_log_softmax(self, v: Array, p: Array) -> Array:
        return v - p


class _IgnoredRowsKept(Sound):
    def only_counted(self, gradient: Array, t: Target) -> Array:
        return gradient

    def by_logits(self, p: Array, t: Target) -> Array:
        return p * np.where(t.counts, t.w.sum(-1), 1)[..., None] - t.w


class _IgnoredRowsTimesZero(Sound):
    def only_counted(self, gradient: Array, t: Target) -> Array:
        return gradient * t.counts[..., None]


class _NoSmoothing(Sound):
    def cross_entropy_vjp(
        self, cotangent: Array, logits: Array, target: Array, **options: Any
    ) -> tuple[Array, ...]:
        plain = {**options, "label_smoothing": 0.0}
        return super().cross_entropy_vjp(cotangent, logits, target, **plain)


class _NoWeight(Sound):
    def cross_entropy_vjp(
        self, cotangent: Array, logits: Array, target: Array, **options: Any
    ) -> tuple[Array, ...]:
        plain = {**options, "weight": None}
        return super().cross_entropy_vjp(cotangent, logits, target, **plain)


class _ByResult(Sound):
    def through_lse(self, v: Array, x: Array) -> Array:
        return v[..., None] * np.exp(x - self.lse(x)[..., None])


class _TargetKept(Sound):
    def by_target(self, l: Array, t: Target) -> Array:
        return np.array(l)


class _TargetSign(Sound):
    def by_target(self, l: Array, t: Target) -> Array:
        return -super().by_target(l, t)


class _SlopeCancels(Sound):
    def sigma_slope(self, x: Array) -> Array:
        return self.sigma(x) * (1 - self.sigma(x))

    def logits_slopes(self, x: Array, z: Array, pos_weight: Array) -> Array:
        return self.sigma(x) * (1 - z + pos_weight * z) - pos_weight * z


class _SlopeOfResult(Sound):
    """The argument of the backward pass is the result, taken for the logit."""

    def sigma_slope(self, x: Array) -> Array:
        return super().sigma_slope(self.sigma(x))


class _NoSlopeAtZero(Sound):
    def log_sigma_slope(self, x: Array) -> Array:
        return np.where(x == 0, 0, super().log_sigma_slope(x))

    def logits_slopes(self, x: Array, z: Array, pos_weight: Array) -> Array:
        return np.where(x == 0, 0, super().logits_slopes(x, z, pos_weight))


class _NoSlopeInTheTail(Sound):
    def log_sigma_slope(self, x: Array) -> Array:
        return np.where(np.abs(x) > 20, 0, super().log_sigma_slope(x))


class _NoClassWeight(Sound):
    def binary_cross_entropy_vjp(
        self, cotangent: Array, probs: Array, target: Array, **options: Any
    ) -> tuple[Array, Array]:
        plain = {**options, "weight": None}
        return super().binary_cross_entropy_vjp(cotangent, probs, target, **plain)


class _FlooredSlope(Sound):
    def probs_slopes(self, x: Array, z: Array) -> Array:
        return (x - z) / np.maximum(x * (1 - x), x.dtype.type(1e-3))


_SOUND = base.Sound()


def cross_entropy_gradient_without_mean(logits: Array, target: Array, **options: Any) -> Array:
    """The gradient lacks 1/N."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_gradient_without_mean_vjp = _NoMean().cross_entropy_vjp


def nll_loss_gradient_divided_twice(log_probs: Array, target: Array, **options: Any) -> Array:
    """The gradient is divided by N in the kernel and once more outside."""
    return _SOUND.nll_loss(log_probs, target, **options)


nll_loss_gradient_divided_twice_vjp = _MeanTwice().nll_loss_vjp


def softmax_cotangent_ignored(logits: Array, **options: Any) -> Array:
    """The gradient takes every cotangent for 1 (PaddlePaddle/Paddle#5395)."""
    return _SOUND.softmax(logits, **options)


softmax_cotangent_ignored_vjp = _NoCotangent().softmax_vjp


def cross_entropy_cotangent_ignored(logits: Array, target: Array, **options: Any) -> Array:
    """The upstream gradient of unreduced losses is ignored (PaddlePaddle/Paddle#5395)."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_cotangent_ignored_vjp = _NoCotangent().cross_entropy_vjp


def cross_entropy_gradient_p_minus_q(logits: Array, target: Array, **options: Any) -> Array:
    """The gradient p - q, without the sum of q (tensorflow/tensorflow#46672)."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_gradient_p_minus_q_vjp = _NoSumOfTarget().cross_entropy_vjp


def softmax_gradient_of_diagonal(logits: Array, **options: Any) -> Array:
    """The gradient p (1 - p) v, the tutorials' derivative of a softmax by its own logit."""
    return _SOUND.softmax(logits, **options)


softmax_gradient_of_diagonal_vjp = _NoOtherClasses().softmax_vjp


def log_softmax_gradient_of_softmax(logits: Array, **options: Any) -> Array:
    """The gradient of softmax, where that of log_softmax is due."""
    return _SOUND.log_softmax(logits, **options)


log_softmax_gradient_of_softmax_vjp = _LogAsSoftmax().log_softmax_vjp


def log_softmax_gradient_without_sum(logits: Array, **options: Any) -> Array:
    """The gradient v - p, right only where the cotangents sum to 1."""
    return _SOUND.log_softmax(logits, **options)


log_softmax_gradient_without_sum_vjp = _LogWithoutSum().log_softmax_vjp


def cross_entropy_gradient_of_ignored_rows(logits: Array, target: Array, **options: Any) -> Array:
    """Ignored rows have a gradient: p - 0."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_gradient_of_ignored_rows_vjp = _IgnoredRowsKept().cross_entropy_vjp


def cross_entropy_ignored_row_poisons(logits: Array, target: Array, **options: Any) -> Array:
    """Ignored rows are multiplied by 0, NaN and all (pytorch/pytorch#11551)."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_ignored_row_poisons_vjp = _IgnoredRowsTimesZero().cross_entropy_vjp


def cross_entropy_gradient_unsmoothed(logits: Array, target: Array, **options: Any) -> Array:
    """The gradient is p - q, with the q that was not smoothed."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_gradient_unsmoothed_vjp = _NoSmoothing().cross_entropy_vjp


def cross_entropy_gradient_unweighted(logits: Array, target: Array, **options: Any) -> Array:
    """The weights are missing in the gradient."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_gradient_unweighted_vjp = _NoWeight().cross_entropy_vjp


def logsumexp_gradient_of_result(logits: Array, **options: Any) -> Array:
    """exp(x - lse) with the rounded lse, which keeps no digit of a large offset (torch)."""
    return _SOUND.logsumexp(logits, **options)


logsumexp_gradient_of_result_vjp = _ByResult().logsumexp_vjp


def cross_entropy_target_gradient_bare(logits: Array, target: Array, **options: Any) -> Array:
    """The gradient by the target is -log p, without weight and 1 - ε."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_target_gradient_bare_vjp = _TargetKept().cross_entropy_vjp


def cross_entropy_target_gradient_sign(logits: Array, target: Array, **options: Any) -> Array:
    """The gradient by the target is log p: the sign is lost."""
    return _SOUND.cross_entropy(logits, target, **options)


cross_entropy_target_gradient_sign_vjp = _TargetSign().cross_entropy_vjp


def sigmoid_slope_cancels(logits: Array) -> Array:
    """The slope s (1 - s) from the rounded s: 0 far to the right, but not far to the left."""
    return _SOUND.sigmoid(logits)


sigmoid_slope_cancels_vjp = _SlopeCancels().sigmoid_vjp


def sigmoid_slope_of_result(logits: Array) -> Array:
    """The gradient is that at s(x), not at x: the wrong tensor was saved."""
    return _SOUND.sigmoid(logits)


sigmoid_slope_of_result_vjp = _SlopeOfResult().sigmoid_vjp


def log_sigmoid_no_slope_at_zero(logits: Array) -> Array:
    """The slope of abs at 0: the gradient there is 0, not 1/2 (jax-ml/jax#2140)."""
    return _SOUND.log_sigmoid(logits)


log_sigmoid_no_slope_at_zero_vjp = _NoSlopeAtZero().log_sigmoid_vjp


def log_sigmoid_no_slope_in_the_tail(logits: Array) -> Array:
    """The gradient is 0 beyond 20 (pytorch/pytorch#1516)."""
    return _SOUND.log_sigmoid(logits)


log_sigmoid_no_slope_in_the_tail_vjp = _NoSlopeInTheTail().log_sigmoid_vjp


def binary_cross_entropy_with_logits_no_slope_at_zero(
    logits: Array, target: Array, **options: Any
) -> Array:
    """The gradient at 0 is 0 (pytorch/pytorch#2298)."""
    return _SOUND.binary_cross_entropy_with_logits(logits, target, **options)


binary_cross_entropy_with_logits_no_slope_at_zero_vjp = (
    _NoSlopeAtZero().binary_cross_entropy_with_logits_vjp
)


def binary_cross_entropy_with_logits_slope_cancels(
    logits: Array, target: Array, **options: Any
) -> Array:
    """The slope s - z from the rounded s: 0 for a confident hit (pytorch/pytorch#195677)."""
    return _SOUND.binary_cross_entropy_with_logits(logits, target, **options)


binary_cross_entropy_with_logits_slope_cancels_vjp = (
    _SlopeCancels().binary_cross_entropy_with_logits_vjp
)


def binary_cross_entropy_gradient_unweighted(probs: Array, target: Array, **options: Any) -> Array:
    """The weights are missing in the gradient."""
    return _SOUND.binary_cross_entropy(probs, target, **options)


binary_cross_entropy_gradient_unweighted_vjp = _NoClassWeight().binary_cross_entropy_vjp


def binary_cross_entropy_gradient_floored(probs: Array, target: Array, **options: Any) -> Array:
    """The denominator p (1 - p) of the gradient is floored at 1e-3."""
    return _SOUND.binary_cross_entropy(probs, target, **options)


binary_cross_entropy_gradient_floored_vjp = _FlooredSlope().binary_cross_entropy_vjp

targets = base.every_kind(globals())
