"""Shifts, logarithms and small constants that are there for stability, and are not right."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import base
from .base import Array, Sound

# What is not a finding everywhere it shows, but a word that explains: the word that must be said.
expected = {
    "log_softmax_lse_minus_x": "formula",
    "cross_entropy_lse_minus_picked": "formula",
}


class _Unshifted(Sound):
    def top(self, x: Array) -> Array:
        return np.zeros_like(x[..., :1])


class _ShiftedByMean(Sound):
    def top(self, x: Array) -> Array:
        return x.mean(-1, keepdims=True)


class _ShiftedByLargestMagnitude(Sound):
    def top(self, x: Array) -> Array:
        return np.abs(x).max(-1, keepdims=True)


class _ShiftedByMaximumOfAll(Sound):
    def top(self, x: Array) -> Array:
        return np.broadcast_to(x.max(), x[..., :1].shape)


class _StaleMaximum(Sound):
    def parts(self, x: Array) -> tuple[Array, Array, Array]:
        half = x.shape[-1] // 2
        first, m = x[..., :half], self.top(x)
        early = np.exp(first - first.max(-1, keepdims=True, initial=-np.inf))
        e = np.exp(x - m)
        late = e[..., half:].sum(-1, keepdims=True)
        return m, e, early.sum(-1, keepdims=True) + late


class _LogOfSoftmax(Sound):
    def log_probs(self, x: Array) -> Array:
        return np.log(self.probs(x))


class _EpsilonInLog(Sound):
    def log_probs(self, x: Array) -> Array:
        return np.log(self.probs(x) + x.dtype.type(1e-7))


class _ClippedProbs(Sound):
    def log_probs(self, x: Array) -> Array:
        low, high = x.dtype.type(1e-7), x.dtype.type(1 - 1e-7)
        return np.log(np.clip(self.probs(x), low, high))


class _FlooredProbs(Sound):
    def log_probs(self, x: Array) -> Array:
        return np.log(np.maximum(self.probs(x), x.dtype.type(1e-20)))


class _EpsilonInDenominator(Sound):
    def total(self, e: Array) -> Array:
        return super().total(e) + e.dtype.type(1e-7)


class _LseMinusX(Sound):
    def log_probs(self, x: Array) -> Array:
        return x - self.lse(x)[..., None]


class _ClippedLogits(Sound):
    def rows(self, values: Array, axis: int) -> Array:
        return np.clip(super().rows(values, axis), -50, 50)


class _TieCountedOnce(Sound):
    def parts(self, x: Array) -> tuple[Array, Array, Array]:
        m = self.top(x)
        e = np.exp(x - m)
        return m, e, np.where(x == m, 0, e).sum(-1, keepdims=True)

    def lse(self, x: Array) -> Array:
        m, _, s = self.parts(x)
        return (m + np.log1p(s))[..., 0]


class _CappedLoss(Sound):
    def row_losses(self, t: base.Target, l: Array) -> Array:
        return np.minimum(super().row_losses(t, l), 100)


_UNSHIFTED = _Unshifted()


def softmax_unshifted(logits: Array, **options: Any) -> Array:
    """No shift: exp overflows (the tutorials; chainer/chainer#6366)."""
    return _UNSHIFTED.softmax(logits, **options)


softmax_unshifted_vjp = _UNSHIFTED.softmax_vjp


def log_softmax_unshifted(logits: Array, **options: Any) -> Array:
    """No shift: x - log(sum(exp(x))) (the tutorials; chainer/chainer#6366)."""
    return _UNSHIFTED.log_softmax(logits, **options)


log_softmax_unshifted_vjp = _UNSHIFTED.log_softmax_vjp


def logsumexp_unshifted(logits: Array, **options: Any) -> Array:
    """No shift: log(sum(exp(x))) (the tutorials)."""
    return _UNSHIFTED.logsumexp(logits, **options)


logsumexp_unshifted_vjp = _UNSHIFTED.logsumexp_vjp

_SHIFTED_BY_MEAN = _ShiftedByMean()


def cross_entropy_shifted_by_mean(logits: Array, target: Array, **options: Any) -> Array:
    """A shift by the mean of a row: one large logit still overflows."""
    return _SHIFTED_BY_MEAN.cross_entropy(logits, target, **options)


cross_entropy_shifted_by_mean_vjp = _SHIFTED_BY_MEAN.cross_entropy_vjp

_SHIFTED_BY_MAGNITUDE = _ShiftedByLargestMagnitude()


def softmax_shifted_by_magnitude(logits: Array, **options: Any) -> Array:
    """A shift by max(abs(x)): every exp underflows where all logits are far below 0."""
    return _SHIFTED_BY_MAGNITUDE.softmax(logits, **options)


softmax_shifted_by_magnitude_vjp = _SHIFTED_BY_MAGNITUDE.softmax_vjp

_SHIFTED_BY_ALL = _ShiftedByMaximumOfAll()


def log_softmax_shifted_by_all(logits: Array, **options: Any) -> Array:
    """A shift by the largest logit of the batch: another row's sum underflows to 0."""
    return _SHIFTED_BY_ALL.log_softmax(logits, **options)


log_softmax_shifted_by_all_vjp = _SHIFTED_BY_ALL.log_softmax_vjp

_STALE = _StaleMaximum()


def softmax_stale_maximum(logits: Array, **options: Any) -> Array:
    """An online sum that is not rescaled when the maximum grows."""
    return _STALE.softmax(logits, **options)


softmax_stale_maximum_vjp = _STALE.softmax_vjp

_LOG_OF_SOFTMAX = _LogOfSoftmax()


def log_softmax_of_softmax(logits: Array, **options: Any) -> Array:
    """The logarithm of a rounded probability (the tutorials)."""
    return _LOG_OF_SOFTMAX.log_softmax(logits, **options)


log_softmax_of_softmax_vjp = _LOG_OF_SOFTMAX.log_softmax_vjp

_EPSILON_IN_LOG = _EpsilonInLog()


def cross_entropy_epsilon_in_log(logits: Array, target: Array, **options: Any) -> Array:
    """log(p + 1e-7) (the tutorials; tf.compat.v1.losses.log_loss)."""
    return _EPSILON_IN_LOG.cross_entropy(logits, target, **options)


cross_entropy_epsilon_in_log_vjp = _EPSILON_IN_LOG.cross_entropy_vjp

_CLIPPED_PROBS = _ClippedProbs()


def cross_entropy_clipped_probabilities(logits: Array, target: Array, **options: Any) -> Array:
    """Probabilities of logits clipped to [1e-7, 1 - 1e-7] (keras-team/keras#17634)."""
    return _CLIPPED_PROBS.cross_entropy(logits, target, **options)


cross_entropy_clipped_probabilities_vjp = _CLIPPED_PROBS.cross_entropy_vjp

_FLOORED_PROBS = _FlooredProbs()


def cross_entropy_floored_probabilities(logits: Array, target: Array, **options: Any) -> Array:
    """log(max(p, 1e-20)): no loss above 46.05 (Oneflow-Inc/oneflow#3137)."""
    return _FLOORED_PROBS.cross_entropy(logits, target, **options)


cross_entropy_floored_probabilities_vjp = _FLOORED_PROBS.cross_entropy_vjp

_EPSILON_IN_DENOMINATOR = _EpsilonInDenominator()


def softmax_epsilon_in_denominator(logits: Array, **options: Any) -> Array:
    """1e-7 added to the sum, against a division by 0 that the shift has already ruled out."""
    return _EPSILON_IN_DENOMINATOR.softmax(logits, **options)


softmax_epsilon_in_denominator_vjp = _EPSILON_IN_DENOMINATOR.softmax_vjp

_LSE_MINUS_X = _LseMinusX()


def log_softmax_lse_minus_x(logits: Array, **options: Any) -> Array:
    """The maximum added before x is subtracted: the offset eats the digits."""
    return _LSE_MINUS_X.log_softmax(logits, **options)


log_softmax_lse_minus_x_vjp = _LSE_MINUS_X.log_softmax_vjp


def cross_entropy_lse_minus_picked(logits: Array, target: Array, **options: Any) -> Array:
    """The lse minus the picked logit (google-deepmind/optax#1792, ml-explore/mlx#4188)."""
    return _LSE_MINUS_X.cross_entropy(logits, target, **options)


cross_entropy_lse_minus_picked_vjp = _LSE_MINUS_X.cross_entropy_vjp

_CLIPPED_LOGITS = _ClippedLogits()


def log_softmax_clipped_logits(logits: Array, **options: Any) -> Array:
    """Logits clipped to [-50, 50] so that exp cannot overflow."""
    return _CLIPPED_LOGITS.log_softmax(logits, **options)


log_softmax_clipped_logits_vjp = _CLIPPED_LOGITS.log_softmax_vjp

_TIE_COUNTED_ONCE = _TieCountedOnce()


def logsumexp_tie_counted_once(logits: Array, **options: Any) -> Array:
    """log1p of the sum without the maximum, where several classes are the maximum."""
    return _TIE_COUNTED_ONCE.logsumexp(logits, **options)


_CAPPED_LOSS = _CappedLoss()


def cross_entropy_capped(logits: Array, target: Array, **options: Any) -> Array:
    """No loss above 100 (as BCE has it, pytorch/pytorch#31453), where logits need no floor."""
    return _CAPPED_LOSS.cross_entropy(logits, target, **options)


cross_entropy_capped_vjp = _CAPPED_LOSS.cross_entropy_vjp

targets = base.every_kind(globals())
