"""Sigmoids and losses over single elements."""

# ruff: noqa: ARG002 -- a step has the arguments of the step that it replaces

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Sound

expected = {
    "binary_cross_entropy_clipped": "convention:clip_1e-7",
    "binary_cross_entropy_log_floor": "convention:log_floor_-100",
    "binary_cross_entropy_log_of_one_minus": "formula",
    "binary_cross_entropy_mean_over_weights": "convention:mean_over_weights",
}


class _ExpOfLogit(Sound):
    def sigma(self, x: Array) -> Array:
        return np.exp(x) / (1 + np.exp(x))

    def softplus(self, x: Array) -> Array:
        return np.log1p(np.exp(x))


class _OneMinus(Sound):
    def sigma(self, x: Array) -> Array:
        right = 1 / (1 + np.exp(-np.abs(x)))
        return np.where(x >= 0, right, 1 - right)


class _LogOfSigmoid(Sound):
    def softplus(self, x: Array) -> Array:
        return -np.log(self.sigma(-x))


class _EpsilonInLogOfSigmoid(Sound):
    def softplus(self, x: Array) -> Array:
        return -np.log(self.sigma(-x) + x.dtype.type(1e-7))


class _Saturates(Sound):
    def sigma(self, x: Array) -> Array:
        return np.where(x < -16, 0, np.where(x > 16, 1, super().sigma(x))).astype(x.dtype)


class _PositiveTail(Sound):
    """−x·z + softplus(x) for x > 0, with exp(−x) on both sides."""

    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        rest = 1 - z + pos_weight * z
        return (1 - z) * x + rest * np.log1p(np.exp(-x))


class _OnlyWithPosWeight(Sound):
    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        if (pos_weight == 1).all():
            return super().logits_losses(x, z, pos_weight)
        return _PositiveTail().logits_losses(x, z, pos_weight)


class _MaxMinusProduct(Sound):
    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        factor = 1 + (pos_weight - 1) * z
        smaller = np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)
        return (1 - z) * x + factor * smaller


class _BceOfSigmoid(Sound):
    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        p = self.sigma(x)
        hit, miss = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
        return -(pos_weight * z * hit + (1 - z) * miss)


class _MeanOverRows(Sound):
    def element_divisor(self, weights: Array) -> Any:
        return weights.dtype.type(len(weights))


class _MeanOverWeights(Sound):
    def element_divisor(self, weights: Array) -> Any:
        return weights.sum()


class _PosWeightOnBoth(Sound):
    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        return pos_weight * super().logits_losses(x, z, np.ones_like(x))


class _PosWeightOnMisses(Sound):
    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        hit = self.times(z, self.softplus(-x))
        return hit + self.times(pos_weight * (1 - z), self.softplus(x))


class _PosWeightForgottenInGradient(Sound):
    def logits_slopes(self, x: Array, z: Array, pos_weight: Array) -> Array:
        return super().logits_slopes(x, z, np.ones_like(x))


class _RoundedTarget(Sound):
    """z is taken for a label: hit where it is above one half."""

    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        return super().logits_losses(x, (z > 0.5).astype(x.dtype), pos_weight)


class _Unchecked(Sound):
    def refuse(self, probabilities: Array) -> None:
        """Take whatever comes."""


class _Clipped(_Unchecked):
    def probs_losses(self, x: Array, z: Array) -> Array:
        return super().probs_losses(np.clip(x, *_limits(x)), z)

    def probs_slopes(self, x: Array, z: Array) -> Array:
        low, high = _limits(x)
        inside = (x >= low) & (x <= high)
        return np.where(inside, super().probs_slopes(x, z), 0)

    def probs_target_slopes(self, x: Array) -> Array:
        return super().probs_target_slopes(np.clip(x, *_limits(x)))


def _limits(x: Array) -> tuple[Any, Any]:
    return x.dtype.type(1e-7), x.dtype.type(1 - 1e-7)


class _LogFloor(Sound):
    def probs_losses(self, x: Array, z: Array) -> Array:
        hit, miss = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
        return -(z * hit + (1 - z) * miss)


class _EpsilonInLogs(Sound):
    def probs_losses(self, x: Array, z: Array) -> Array:
        epsilon = x.dtype.type(1e-7)
        return -(z * np.log(x + epsilon) + (1 - z) * np.log(1 - x + epsilon))


class _ZeroTimesLogZero(Sound):
    def probs_losses(self, x: Array, z: Array) -> Array:
        return -(z * np.log(x) + (1 - z) * np.log1p(-x))


class _LogOfOneMinus(Sound):
    def probs_losses(self, x: Array, z: Array) -> Array:
        return -(self.times(z, np.log(x)) + self.times(1 - z, np.log(1 - x)))


class _TooLargeIsOne(_Unchecked):
    def probs_losses(self, x: Array, z: Array) -> Array:
        return super().probs_losses(np.minimum(x, 1), z)


_EXP_OF_LOGIT = _ExpOfLogit()


def sigmoid_exp_of_logit(logits: Array) -> Array:
    """e^x/(1 + e^x) is inf/inf for large x (the tutorials)."""
    return _EXP_OF_LOGIT.sigmoid(logits)


sigmoid_exp_of_logit_vjp = _EXP_OF_LOGIT.sigmoid_vjp


def log_sigmoid_exp_of_logit(logits: Array) -> Array:
    """-log1p(exp(-x)) overflows for very negative x (pytorch/pytorch#2298)."""
    return _EXP_OF_LOGIT.log_sigmoid(logits)


def sigmoid_one_minus(logits: Array) -> Array:
    """1 - s(-x) on the left, where it cancels."""
    return _OneMinus().sigmoid(logits)


def sigmoid_saturates(logits: Array) -> Array:
    """0 and 1 beyond 16, as a table of values ends."""
    return _Saturates().sigmoid(logits)


def log_sigmoid_of_sigmoid(logits: Array) -> Array:
    """log(s(x)): -inf on the far left (the tutorials)."""
    return _LogOfSigmoid().log_sigmoid(logits)


def log_sigmoid_epsilon(logits: Array) -> Array:
    """log(s(x) + 1e-7)."""
    return _EpsilonInLogOfSigmoid().log_sigmoid(logits)


def binary_cross_entropy_with_logits_one_sided(
    logits: Array, target: Array, **options: Any
) -> Array:
    """exp(-x) overflows for very negative logits (pytorch/pytorch#1792)."""
    return _PositiveTail().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_with_logits_pos_weight_overflows(
    logits: Array, target: Array, **options: Any
) -> Array:
    """The branch with pos_weight has no shift (pytorch/pytorch#13773)."""
    return _OnlyWithPosWeight().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_with_logits_infinite(
    logits: Array, target: Array, **options: Any
) -> Array:
    """NaN of inf - inf and 0 times inf at infinite logits (pyro-ppl/numpyro#2240)."""
    return _MaxMinusProduct().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_with_logits_of_sigmoid(
    logits: Array, target: Array, **options: Any
) -> Array:
    """BCE of the rounded sigmoid, floored at -100 (pytorch/pytorch#24933)."""
    return _BceOfSigmoid().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_with_logits_mean_over_rows(
    logits: Array, target: Array, **options: Any
) -> Array:
    """The mean of sums over the classes (pytorch/pytorch#9301, the other way round)."""
    return _MeanOverRows().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_with_logits_pos_weight_on_both(
    logits: Array, target: Array, **options: Any
) -> Array:
    """pos_weight multiplies both terms (PaddlePaddle/Paddle#65859)."""
    return _PosWeightOnBoth().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_with_logits_pos_weight_on_misses(
    logits: Array, target: Array, **options: Any
) -> Array:
    """pos_weight multiplies the wrong term (PaddlePaddle/Paddle#54869)."""
    return _PosWeightOnMisses().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_with_logits_gradient_without_pos_weight(
    logits: Array, target: Array, **options: Any
) -> Array:
    """pos_weight is missing in the gradient."""
    return Sound().binary_cross_entropy_with_logits(logits, target, **options)


binary_cross_entropy_with_logits_gradient_without_pos_weight_vjp = (
    _PosWeightForgottenInGradient().binary_cross_entropy_with_logits_vjp
)


def binary_cross_entropy_with_logits_rounded_target(
    logits: Array, target: Array, **options: Any
) -> Array:
    """A fractional target is taken for a label."""
    return _RoundedTarget().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_with_logits_unchecked(
    logits: Array, target: Array, **options: Any
) -> Array:
    """A target of 2 gives a negative loss (pytorch/pytorch#123339)."""
    return _Unchecked().binary_cross_entropy_with_logits(logits, target, **options)


def binary_cross_entropy_clipped(probs: Array, target: Array, **options: Any) -> Array:
    """Probabilities clipped to [1e-7, 1 - 1e-7] (keras-team/keras#377)."""
    return _Clipped().binary_cross_entropy(probs, target, **options)


binary_cross_entropy_clipped_vjp = _Clipped().binary_cross_entropy_vjp


def binary_cross_entropy_log_floor(probs: Array, target: Array, **options: Any) -> Array:
    """The logarithm is never below -100 (pytorch/pytorch#31453)."""
    return _LogFloor().binary_cross_entropy(probs, target, **options)


def binary_cross_entropy_epsilon_in_logs(probs: Array, target: Array, **options: Any) -> Array:
    """1e-7 is added in both logarithms (tensorflow/tensorflow#62204)."""
    return _EpsilonInLogs().binary_cross_entropy(probs, target, **options)


def binary_cross_entropy_zero_times_log(probs: Array, target: Array, **options: Any) -> Array:
    """0 log 0 is NaN for p in {0, 1} (ml-explore/mlx#1280)."""
    return _ZeroTimesLogZero().binary_cross_entropy(probs, target, **options)


def binary_cross_entropy_log_of_one_minus(probs: Array, target: Array, **options: Any) -> Array:
    """log(1 - p) next to 0 loses the digits that log1p(-p) keeps."""
    return _LogOfOneMinus().binary_cross_entropy(probs, target, **options)


def binary_cross_entropy_too_large_is_one(probs: Array, target: Array, **options: Any) -> Array:
    """A probability above 1 is accepted (pytorch/pytorch#51866)."""
    return _TooLargeIsOne().binary_cross_entropy(probs, target, **options)


def binary_cross_entropy_mean_over_weights(probs: Array, target: Array, **options: Any) -> Array:
    """The mean divides by the sum of weights, where it is over the elements."""
    return _MeanOverWeights().binary_cross_entropy(probs, target, **options)


binary_cross_entropy_mean_over_weights_vjp = _MeanOverWeights().binary_cross_entropy_vjp
