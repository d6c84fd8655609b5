"""Too few digits: narrow sums, float32 inside float64, cheap exponentials, cheap constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import base
from .base import Array, Sound, Target

expected = {
    "softmax_sums_in_16_bits": "narrow",
    "cross_entropy_everything_in_16_bits": "narrow",
    "log_softmax_sums_in_16_bits": "narrow",
    "logsumexp_sums_in_16_bits": "narrow",
}


def _sequential(e: Array, dtype: Any) -> Array:
    """Sum over the last axis from first to last, rounding to a dtype at each step."""
    s = np.zeros_like(e[..., :1], dtype)
    for column in range(e.shape[-1]):
        s = s + e[..., column : column + 1].astype(dtype)
    return s


class _SumIn16Bits(Sound):
    """The dtype of the logits is remembered, as a kernel's template has it."""

    dtype: Any = np.float32

    def rows(self, values: Array, axis: int) -> Array:
        self.dtype = values.dtype
        return super().rows(values, axis)

    def total(self, e: Array) -> Array:
        if self.dtype.itemsize > 2:
            return super().total(e)
        return _sequential(e, self.dtype).astype(e.dtype)


class _LossesIn16Bits(Sound):
    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        if reduction == "none" or losses.dtype != np.float32:
            return super().reduced(losses, divisor, reduction)
        total = _sequential(losses.reshape(1, -1), np.float16)[0, 0]
        return total / np.float16(divisor) if reduction == "mean" else total


class _NeverWide(Sound):
    def wide(self, values: Array) -> Array:
        return values


class _Float32Inside(Sound):
    def wide(self, values: Array) -> Array:
        return values.astype(np.float32)


class _Float32Sum(Sound):
    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        if reduction == "none":
            return losses
        return super().reduced(losses.astype(np.float32), np.float32(divisor), reduction)


class _Float32Constant(Sound):
    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        return super().smoothed(q, counts, weight, float(np.float32(smoothing)))


class _HalfTarget(Sound):
    def target(
        self, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
    ) -> Target:
        kept = target if target.ndim < x.ndim else target.astype(np.float16).astype(x.dtype)
        return super().target(x, kept, weight, ignore_index, smoothing)


class _CheapExp(Sound):
    """exp good to 2^-20, as a polynomial of too low a degree has it."""

    def exp(self, x: Array) -> Array:
        remainder = np.where(np.isfinite(x), x - np.floor(x), 0)
        wave = np.sin(remainder * x.dtype.type(2 * np.pi))
        return np.exp(x) * (1 + wave * x.dtype.type(2.0**-20))


class _CoarserExp(_CheapExp):
    """exp good to 2^-16."""

    def exp(self, x: Array) -> Array:
        return np.exp(x) + (super().exp(x) - np.exp(x)) * 16


class _CheapLog(Sound):
    def log(self, x: Array) -> Array:
        return np.log2(x) * x.dtype.type(0.6931)


class _SoftplusThreshold(Sound):
    def softplus(self, x: Array) -> Array:
        return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))


class _ByTanh(Sound):
    def sigma(self, x: Array) -> Array:
        return x.dtype.type(0.5) * (1 + np.tanh(x / 2))


class _ByCheapReciprocal(Sound):
    def probs(self, x: Array) -> Array:
        _, e, s = self.parts(x)
        # a reciprocal of 12 bits, as the processor's own estimate, without a Newton step
        return e * (1 / s).astype(np.float16).astype(e.dtype)


def softmax_sums_in_16_bits(logits: Array, **options: Any) -> Array:
    """Sums of 16-bit logits run in 16 bits (huggingface/candle#3727, sonos/tract#2586)."""
    return _SumIn16Bits().softmax(logits, **options)


def softmax_sums_in_16_bits_vjp(cotangent: Array, logits: Array, **options: Any) -> tuple[Array]:
    return _SumIn16Bits().softmax_vjp(cotangent, logits, **options)


def log_softmax_sums_in_16_bits(logits: Array, **options: Any) -> Array:
    """The sum of bfloat16 ones sticks at 256 (pytorch/executorch#20090)."""
    return _SumIn16Bits().log_softmax(logits, **options)


def logsumexp_sums_in_16_bits(logits: Array, **options: Any) -> Array:
    """The sum of float16 exponentials sticks at 2048, or overflows (google-research/last#43)."""
    return _SumIn16Bits().logsumexp(logits, **options)


def cross_entropy_losses_in_float16(logits: Array, target: Array, **options: Any) -> Array:
    """Losses are summed in float16 before they are divided (pytorch/pytorch#29429)."""
    return _LossesIn16Bits().cross_entropy(logits, target, **options)


def cross_entropy_everything_in_16_bits(logits: Array, target: Array, **options: Any) -> Array:
    """Every step runs in the 16-bit dtype of the logits (google-deepmind/optax#1020)."""
    return _NeverWide().cross_entropy(logits, target, **options)


cross_entropy_everything_in_16_bits_vjp = _NeverWide().cross_entropy_vjp

_FLOAT32_INSIDE = _Float32Inside()


def softmax_float32_inside(logits: Array, **options: Any) -> Array:
    """float64 goes through float32, as JAX does where x64 is off."""
    return _FLOAT32_INSIDE.softmax(logits, **options)


softmax_float32_inside_vjp = _FLOAT32_INSIDE.softmax_vjp


def cross_entropy_float32_sum(logits: Array, target: Array, **options: Any) -> Array:
    """Float64 losses are reduced in float32 (tf.compat.v1.losses)."""
    return _Float32Sum().cross_entropy(logits, target, **options)


def cross_entropy_float32_constant(logits: Array, target: Array, **options: Any) -> Array:
    """label_smoothing is rounded to float32 on its way into a float64 kernel."""
    return _Float32Constant().cross_entropy(logits, target, **options)


def cross_entropy_half_target(logits: Array, target: Array, **options: Any) -> Array:
    """Soft targets are kept in float16 to save memory."""
    return _HalfTarget().cross_entropy(logits, target, **options)


_CHEAP_EXP = _CheapExp()


def softmax_cheap_exp(logits: Array, **options: Any) -> Array:
    """An exp that is good to 2^-20 only."""
    return _CHEAP_EXP.softmax(logits, **options)


softmax_cheap_exp_vjp = _CHEAP_EXP.softmax_vjp


def logsumexp_coarse_exp(logits: Array, **options: Any) -> Array:
    """An exp that is good to 2^-16 only."""
    return _CoarserExp().logsumexp(logits, **options)


def log_softmax_cheap_log(logits: Array, **options: Any) -> Array:
    """A constant ln 2 with four digits."""
    return _CheapLog().log_softmax(logits, **options)


def softmax_cheap_reciprocal(logits: Array, **options: Any) -> Array:
    """The processor's estimate of 1/s, good to 11 bits, without a Newton step."""
    return _ByCheapReciprocal().softmax(logits, **options)


_THRESHOLD = _SoftplusThreshold()


def log_sigmoid_softplus_threshold(logits: Array) -> Array:
    """Softplus is linear above 20, which float32 forgives (torch.nn.Softplus)."""
    return _THRESHOLD.log_sigmoid(logits)


def sigmoid_by_tanh(logits: Array) -> Array:
    """(1 + tanh(x/2))/2: no digit of the left tail is left."""
    return _ByTanh().sigmoid(logits)


targets = base.every_kind(globals())
