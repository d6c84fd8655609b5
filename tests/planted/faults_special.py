"""NaN, infinities, zeros, subnormals and dtypes."""

# ruff: noqa: ARG002 -- a step has the arguments of the step that it replaces

from __future__ import annotations

from typing import Any

import numpy as np

from . import base
from .base import Array, Sound, Target

expected = {
    "softmax_nan_swallowed": "convention:undefined_number",
    "log_softmax_nan_kept_to_itself": "convention:undefined_nan+number",
    "softmax_uniform_where_masked": "convention:undefined_number",
    "softmax_flushes_subnormals": "flushed",
    "cross_entropy_probs_renormalised": "convention:renormalised",
}
full = {
    "logsumexp_masked_wide_block_is_nan": ("neg_inf_but_one", "10 classes are less than 32"),
}


class _NanSwallowed(Sound):
    def rows(self, values: Array, axis: int) -> Array:
        return np.nan_to_num(super().rows(values, axis), nan=0.0, posinf=np.inf, neginf=-np.inf)


class _NanKeptToItself(Sound):
    def top(self, x: Array) -> Array:
        return np.fmax.reduce(x, -1, keepdims=True)

    def total(self, e: Array) -> Array:
        return np.nansum(e, -1, keepdims=True)


class _MaskedIsFinite(Sound):
    def rows(self, values: Array, axis: int) -> Array:
        return np.maximum(super().rows(values, axis), -1e4)


class _MaskedBlockIsNan(Sound):
    """An online sum over blocks, the first of which may hold −inf alone."""

    block = 4

    def parts(self, x: Array) -> tuple[Array, Array, Array]:
        m, s = np.full_like(x[..., :1], -np.inf), np.zeros_like(x[..., :1])
        for begin in range(0, x.shape[-1], self.block):
            block = x[..., begin : begin + self.block]
            top = np.maximum(m, block.max(-1, keepdims=True))
            s = s * np.exp(m - top) + np.exp(block - top).sum(-1, keepdims=True)
            m = top
        return m, np.exp(x - m), s


class _MaskedWideBlockIsNan(_MaskedBlockIsNan):
    block = 32


class _ZeroTimesInfinity(Sound):
    def times(self, w: Array, l: Array) -> Array:
        return w * l


class _CutOff(Sound):
    def exp(self, x: Array) -> Array:
        return np.where(x < -20, 0, np.exp(x)).astype(x.dtype)


class _Flushes(Sound):
    def narrow(self, values: Any, like: Array) -> Array:
        result = super().narrow(values, like)
        tiny = {"float16": 2.0**-14, "float64": 2.0**-1022}.get(like.dtype.name, 2.0**-126)
        return np.where(np.abs(result.astype(np.float64)) < tiny, 0, result).astype(like.dtype)


class _EarlyFlush(Sound):
    def narrow(self, values: Any, like: Array) -> Array:
        result = np.asarray(values)
        return super().narrow(np.where(np.abs(result) < 1e-30, 0, result), like)


class _SaturatesAtMax(Sound):
    def narrow(self, values: Any, like: Array) -> Array:
        largest = {"float16": 65504.0, "float64": np.finfo(np.float64).max}
        limit = largest.get(like.dtype.name, 3.3e38)
        return super().narrow(np.clip(values, -limit, limit), like)


class _AbsoluteValue(Sound):
    """The sign bit is lost."""

    def narrow(self, values: Any, like: Array) -> Array:
        return np.abs(super().narrow(values, like))


class _AlwaysFloat32(Sound):
    def narrow(self, values: Any, like: Array) -> Array:
        return np.asarray(values).astype(np.float32)


class _Renormalised(Sound):
    def log(self, x: Array) -> Array:
        return np.log(x / x.sum(-1, keepdims=True))


class _ProbsEpsilon(Sound):
    def log(self, x: Array) -> Array:
        return np.log(x + x.dtype.type(1e-7))


class _UniformWhereMasked(Sound):
    def probs(self, x: Array) -> Array:
        masked = (x == -np.inf).all(-1, keepdims=True)
        return np.where(masked, x.dtype.type(1 / x.shape[-1]), super().probs(x))


class _InfinityBeatsNan(Sound):
    """An infinite loss of a masked target is reported as 0."""

    def row_losses(self, t: Target, l: Array) -> Array:
        losses = super().row_losses(t, l)
        return np.where(np.isinf(losses), 0, losses).astype(l.dtype)


def softmax_nan_swallowed(logits: Array, **options: Any) -> Array:
    """A NaN is taken for 0, and nobody hears of it."""
    return _NanSwallowed().softmax(logits, **options)


def log_softmax_nan_kept_to_itself(logits: Array, **options: Any) -> Array:
    """Maximum and sum skip NaN: only the NaN element is NaN (mindspore-ai/mindspore#378)."""
    return _NanKeptToItself().log_softmax(logits, **options)


def log_softmax_masked_is_finite(logits: Array, **options: Any) -> Array:
    """-inf is replaced by -1e4: a masked class has a finite log-probability."""
    return _MaskedIsFinite().log_softmax(logits, **options)


log_softmax_masked_is_finite_vjp = _MaskedIsFinite().log_softmax_vjp


def softmax_uniform_where_masked(logits: Array, **options: Any) -> Array:
    """1/C where every class is masked (tenstorrent/tt-metal#56056)."""
    return _UniformWhereMasked().softmax(logits, **options)


def cross_entropy_masked_block_is_nan(logits: Array, target: Array, **options: Any) -> Array:
    """-inf - (-inf) in a block of masked classes (Dao-AILab/flash-attention#1930)."""
    return _MaskedBlockIsNan().cross_entropy(logits, target, **options)


cross_entropy_masked_block_is_nan_vjp = _MaskedBlockIsNan().cross_entropy_vjp


def logsumexp_masked_wide_block_is_nan(logits: Array, **options: Any) -> Array:
    """The same with a block of 32 classes (Dao-AILab/flash-attention#1930)."""
    return _MaskedWideBlockIsNan().logsumexp(logits, **options)


logsumexp_masked_wide_block_is_nan_vjp = _MaskedWideBlockIsNan().logsumexp_vjp


def cross_entropy_zero_times_infinity(logits: Array, target: Array, **options: Any) -> Array:
    """A label of 0 times a log-probability of -inf (google-deepmind/optax#896)."""
    return _ZeroTimesInfinity().cross_entropy(logits, target, **options)


cross_entropy_zero_times_infinity_vjp = _ZeroTimesInfinity().cross_entropy_vjp


def cross_entropy_infinite_loss_is_zero(logits: Array, target: Array, **options: Any) -> Array:
    """An infinite loss is dropped, as zero_infinity does it in CTC."""
    return _InfinityBeatsNan().cross_entropy(logits, target, **options)


def softmax_cut_off(logits: Array, **options: Any) -> Array:
    """An exp that is 0 below -20."""
    return _CutOff().softmax(logits, **options)


softmax_cut_off_vjp = _CutOff().softmax_vjp


def softmax_flushes_subnormals(logits: Array, **options: Any) -> Array:
    """Subnormal results are 0, as a flush-to-zero mode has them."""
    return _Flushes().softmax(logits, **options)


def softmax_flushes_too_early(logits: Array, **options: Any) -> Array:
    """Normal results below 1e-30 are flushed to 0."""
    return _EarlyFlush().softmax(logits, **options)


def log_softmax_saturates(logits: Array, **options: Any) -> Array:
    """-inf comes back as the largest finite number."""
    return _SaturatesAtMax().log_softmax(logits, **options)


def log_sigmoid_sign_lost(logits: Array) -> Array:
    """-log_sigmoid, as a loss has it."""
    return _AbsoluteValue().log_sigmoid(logits)


def sigmoid_always_float32(logits: Array) -> Array:
    """The result is float32, whatever came in (SciPy's expit for float16)."""
    return _AlwaysFloat32().sigmoid(logits)


def cross_entropy_probs_renormalised(probs: Array, target: Array, **options: Any) -> Array:
    """Probabilities are divided by their sum first (Keras' categorical losses)."""
    return _Renormalised().cross_entropy_probs(probs, target, **options)


def cross_entropy_probs_epsilon(probs: Array, target: Array, **options: Any) -> Array:
    """log(p + 1e-7) of given probabilities (the tutorials)."""
    return _ProbsEpsilon().cross_entropy_probs(probs, target, **options)


targets = base.every_kind(globals())
