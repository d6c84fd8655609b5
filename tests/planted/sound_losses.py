"""Sound ways to make a loss: gathers, masks, weights, pure Python, and forms for one element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, xlog1py, xlogy

from .base import Array, Sound, Target


class _NormalisedWeights(Sound):
    """The weights are divided by their sum first, then the losses are summed."""

    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        if reduction != "mean":
            return super().reduced(losses, divisor, reduction)
        return (losses * (1 / divisor)).sum()

    def spread(self, cotangent: Array, losses: Array, divisor: Any, reduction: str) -> Array:
        v = super().spread(cotangent, losses, divisor, "none")
        return v * (1 / divisor) if reduction == "mean" else v


class _MaskedFirst(Sound):
    """Rows that do not count are replaced by zeros before anything is computed."""

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        return super().cross_entropy(_without_ignored(logits, target, **options), target, **options)

    def cross_entropy_vjp(
        self, cotangent: Array, logits: Array, target: Array, **options: Any
    ) -> tuple[Array, ...]:
        masked = _without_ignored(logits, target, **options)
        return super().cross_entropy_vjp(cotangent, masked, target, **options)


def _without_ignored(logits: Array, target: Array, *, ignore_index: int = -100, **_: Any) -> Array:
    if target.ndim == logits.ndim:
        return logits
    return np.where(np.expand_dims(target != ignore_index, 1), logits, logits.dtype.type(0))


class _GradientOfParts(Sound):
    """−w (1 − p) at the target and p (Σw − w) elsewhere: no difference of nearly equal numbers."""

    def by_logits(self, p: Array, t: Target) -> Array:
        others = p.sum(-1, keepdims=True) - p
        return p * (t.w.sum(-1, keepdims=True) - t.w) - t.w * others


class _LseMinusX(Sound):
    """A form that cancels: explained, and no finding."""

    def log_probs(self, x: Array) -> Array:
        return x - self.lse(x)[..., None]


class _Expit(Sound):
    """SciPy's functions for one element."""

    def sigma(self, x: Array) -> Array:
        return expit(x)

    def softplus(self, x: Array) -> Array:
        return -log_expit(-x)

    def probs_losses(self, x: Array, z: Array) -> Array:
        return -(xlogy(z, x) + xlog1py(1 - z, -x))


class _Logaddexp(Sound):
    def softplus(self, x: Array) -> Array:
        return np.logaddexp(x.dtype.type(0), x)


class _TwoBranches(Sound):
    def sigma(self, x: Array) -> Array:
        return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))

    def sigma_slope(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))
        return e / (1 + e) / (1 + e)

    def softplus(self, x: Array) -> Array:
        return np.where(x > 0, x + np.log1p(np.exp(-x)), np.log1p(np.exp(x)))


class _MaxMinusProduct(Sound):
    """max(x, 0) − xz + log1p(exp(−|x|)): cancels, and leaves infinite logits to another form."""

    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        factor = 1 + (pos_weight - 1) * z
        smaller = np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)
        return np.where(
            np.isinf(x), super().logits_losses(x, z, pos_weight), (1 - z) * x + factor * smaller
        )


def cross_entropy_normalised_weights(logits: Array, target: Array, **options: Any) -> Array:
    return _NormalisedWeights().cross_entropy(logits, target, **options)


cross_entropy_normalised_weights_vjp = _NormalisedWeights().cross_entropy_vjp


def cross_entropy_masked_first(logits: Array, target: Array, **options: Any) -> Array:
    return _MaskedFirst().cross_entropy(logits, target, **options)


cross_entropy_masked_first_vjp = _MaskedFirst().cross_entropy_vjp


def cross_entropy_gradient_of_parts(logits: Array, target: Array, **options: Any) -> Array:
    return _GradientOfParts().cross_entropy(logits, target, **options)


cross_entropy_gradient_of_parts_vjp = _GradientOfParts().cross_entropy_vjp


def cross_entropy_lse_minus_x(logits: Array, target: Array, **options: Any) -> Array:
    return _LseMinusX().cross_entropy(logits, target, **options)


cross_entropy_lse_minus_x_vjp = _LseMinusX().cross_entropy_vjp


def log_softmax_lse_minus_x(logits: Array, **options: Any) -> Array:
    return _LseMinusX().log_softmax(logits, **options)


log_softmax_lse_minus_x_vjp = _LseMinusX().log_softmax_vjp


def cross_entropy_two_calls(
    logits: Array, target: Array, *, weight: Array | None = None, ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:  # fmt: skip
    """nll_loss of a log_softmax that was rounded to the dtype of the logits."""
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    return Sound().nll_loss(Sound().log_softmax(logits, axis=1), target, **options)


cross_entropy_two_calls_vjp = Sound().cross_entropy_vjp


def nll_loss_in_python(
    log_probs: Array, target: Array, *, weight: Array | None = None, ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:  # fmt: skip
    """A loop over rows, exact sums."""
    labels, rows = target.ravel().tolist(), np.moveaxis(log_probs, 1, -1)
    rows = rows.reshape(-1, log_probs.shape[1])
    weights = [1.0] * rows.shape[1] if weight is None else [float(w) for w in weight]
    losses, total = [], 0.0
    for row, label in zip(rows, labels, strict=True):
        if label == ignore_index:
            losses.append(0.0)
            continue
        if not 0 <= label < len(weights):
            raise IndexError(f"label {label}")
        losses.append(-weights[label] * float(row[label]) if weights[label] else 0.0)
        total += weights[label]
    if reduction == "none":
        return np.array(losses).reshape(target.shape).astype(log_probs.dtype)
    loss = math.fsum(losses)
    if reduction == "mean":
        loss = loss / total if total else math.nan
    return np.asarray(loss).astype(log_probs.dtype)


nll_loss_in_python_vjp = Sound().nll_loss_vjp


def nll_loss_gathered(
    log_probs: Array, target: Array, *, weight: Array | None = None, ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:  # fmt: skip
    """Only what is picked is touched."""
    x, classes = Sound().wide(log_probs), log_probs.shape[1]
    counts = target != ignore_index
    labels = Sound().checked(target, counts, classes)
    w = np.ones(classes, x.dtype) if weight is None else Sound().wide(weight)
    w = np.where(counts, w[labels], 0)
    picked = np.take_along_axis(x, np.expand_dims(labels, 1), 1).squeeze(1)
    losses = np.where(w == 0, 0, -w * picked)
    if reduction == "mean":
        return Sound().narrow(np.average(losses / w.mean()), log_probs)
    return Sound().narrow(losses.sum() if reduction == "sum" else losses, log_probs)


nll_loss_gathered_vjp = Sound().nll_loss_vjp


def sigmoid_expit(logits: Array) -> Array:
    return _Expit().sigmoid(logits)


sigmoid_expit_vjp = _Expit().sigmoid_vjp


def log_sigmoid_expit(logits: Array) -> Array:
    return _Expit().log_sigmoid(logits)


log_sigmoid_expit_vjp = _Expit().log_sigmoid_vjp


def sigmoid_two_branches(logits: Array) -> Array:
    return _TwoBranches().sigmoid(logits)


sigmoid_two_branches_vjp = _TwoBranches().sigmoid_vjp


def log_sigmoid_two_branches(logits: Array) -> Array:
    return _TwoBranches().log_sigmoid(logits)


log_sigmoid_two_branches_vjp = _TwoBranches().log_sigmoid_vjp


def log_sigmoid_logaddexp(logits: Array) -> Array:
    return _Logaddexp().log_sigmoid(logits)


log_sigmoid_logaddexp_vjp = _Logaddexp().log_sigmoid_vjp


def binary_cross_entropy_xlogy(probs: Array, target: Array, **options: Any) -> Array:
    return _Expit().binary_cross_entropy(probs, target, **options)


binary_cross_entropy_xlogy_vjp = _Expit().binary_cross_entropy_vjp


def binary_cross_entropy_with_logits_expit(logits: Array, target: Array, **options: Any) -> Array:
    return _Expit().binary_cross_entropy_with_logits(logits, target, **options)


binary_cross_entropy_with_logits_expit_vjp = _Expit().binary_cross_entropy_with_logits_vjp


def binary_cross_entropy_with_logits_logaddexp(
    logits: Array, target: Array, **options: Any
) -> Array:
    return _Logaddexp().binary_cross_entropy_with_logits(logits, target, **options)


binary_cross_entropy_with_logits_logaddexp_vjp = _Logaddexp().binary_cross_entropy_with_logits_vjp


def binary_cross_entropy_with_logits_max_minus_product(
    logits: Array, target: Array, **options: Any
) -> Array:
    return _MaxMinusProduct().binary_cross_entropy_with_logits(logits, target, **options)


binary_cross_entropy_with_logits_max_minus_product_vjp = (
    Sound().binary_cross_entropy_with_logits_vjp
)

targets = {
    name: frozenset({"index", "one_hot", "soft"})
    for name in globals()
    if name.startswith("cross_entropy") and "two_calls" not in name
}
