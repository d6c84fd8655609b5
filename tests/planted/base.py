"""A sound implementation in NumPy, step by step: a planted fault is one that changes one step.

Two passes over the classes, with a shift; 16-bit dtypes are computed in float32 and rounded once.
The steps see arrays whose last axis holds the classes.
"""

# ruff: noqa: ARG002 -- a step has the arguments of the step that it replaces

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
KINDS = frozenset({"index", "one_hot", "soft"})


@dataclass(frozen=True)
class Target:
    """A target of classes, ready to be multiplied with −log p.

    Attributes:
        w: weight · smoothed target, 0 in rows that do not count; shape (…, C).
        counts: which rows count, shape (…).
        divisor: what `mean` divides by.
        by_target: ∂w/∂target, shape (C,).
    """

    w: Array
    counts: Array
    divisor: Any
    by_target: Array


class Sound:
    """All operations; every method is a step that a fault may replace."""

    # --- numbers ---

    def wide(self, values: Array) -> Array:
        """Return `values` in the dtype that sums run in."""
        return values.astype(np.float32) if values.dtype.itemsize == 2 else values

    def narrow(self, values: Any, like: Array) -> Array:
        """Return a result in the dtype of the first argument."""
        return np.asarray(values).astype(like.dtype)

    def rows(self, values: Array, axis: int) -> Array:
        return np.moveaxis(self.wide(values), axis, -1)

    def back(self, rows: Array, axis: int, like: Array) -> Array:
        return self.narrow(np.moveaxis(rows, -1, axis), like)

    # --- over classes: steps ---

    def top(self, x: Array) -> Array:
        return x.max(-1, keepdims=True)

    def exp(self, x: Array) -> Array:
        return np.exp(x)

    def log(self, x: Array) -> Array:
        return np.log(x)

    def total(self, e: Array) -> Array:
        return e.sum(-1, keepdims=True)

    def parts(self, x: Array) -> tuple[Array, Array, Array]:
        """Return m, exp(x − m) and Σ exp(x − m)."""
        m = self.top(x)
        e = self.exp(x - m)
        return m, e, self.total(e)

    def probs(self, x: Array) -> Array:
        _, e, s = self.parts(x)
        return e / s

    def log_probs(self, x: Array) -> Array:
        m, _, s = self.parts(x)
        return (x - m) - self.log(s)

    def lse(self, x: Array) -> Array:
        m, _, s = self.parts(x)
        return (m + self.log(s))[..., 0]

    def through_softmax(self, v: Array, p: Array) -> Array:
        return p * (v - (p * v).sum(-1, keepdims=True))

    def through_log_softmax(self, v: Array, p: Array) -> Array:
        return v - p * v.sum(-1, keepdims=True)

    def through_lse(self, v: Array, x: Array) -> Array:
        return v[..., None] * self.probs(x)

    # --- over classes: operations ---

    def softmax(self, logits: Array, *, axis: int = -1) -> Array:
        return self.back(self.probs(self.rows(logits, axis)), axis, logits)

    def softmax_vjp(self, cotangent: Array, logits: Array, *, axis: int = -1) -> tuple[Array]:
        p = self.probs(self.rows(logits, axis))
        return (self.back(self.through_softmax(self.rows(cotangent, axis), p), axis, logits),)

    def log_softmax(self, logits: Array, *, axis: int = -1) -> Array:
        return self.back(self.log_probs(self.rows(logits, axis)), axis, logits)

    def log_softmax_vjp(self, cotangent: Array, logits: Array, *, axis: int = -1) -> tuple[Array]:
        p = self.probs(self.rows(logits, axis))
        return (self.back(self.through_log_softmax(self.rows(cotangent, axis), p), axis, logits),)

    def logsumexp(self, logits: Array, *, axis: int = -1) -> Array:
        return self.narrow(self.lse(self.rows(logits, axis)), logits)

    def logsumexp_vjp(self, cotangent: Array, logits: Array, *, axis: int = -1) -> tuple[Array]:
        x = self.rows(logits, axis)
        return (self.back(self.through_lse(self.wide(cotangent), x), axis, logits),)

    # --- losses over classes: steps ---

    def is_counted(self, labels: Array, ignore_index: int, classes: int) -> Array:
        return labels != ignore_index

    def checked(self, labels: Array, counts: Array, classes: int) -> Array:
        """Return labels within [0, C); those that do not count are 0."""
        if (counts & ((labels < 0) | (labels >= classes))).any():
            raise IndexError(f"a label is outside [0, {classes})")
        return np.where(counts, labels, 0)

    def refuse(self, probabilities: Array) -> None:
        """Raise where a probability lies outside [0, 1]; NaN passes."""
        if ((probabilities < 0) | (probabilities > 1)).any():
            raise ValueError("a probability is outside [0, 1]")

    def smoothed(self, q: Array, counts: Array, weight: Array, smoothing: float) -> Array:
        """Return weight · ((1 − ε) q + ε/C)."""
        if smoothing:
            share = q.dtype.type(smoothing / q.shape[-1]) * counts[..., None]
            q = q * q.dtype.type(1 - smoothing) + share
        return weight * q

    def index_divisor(self, picked: Array, counts: Array) -> Any:
        """Return Σ w_y of the rows that count; `picked` is 0 in the others."""
        return picked.sum()

    def soft_divisor(self, q: Array, weight: Array) -> Any:
        return q.dtype.type(q[..., 0].size)

    def target(
        self, x: Array, target: Array, weight: Array | None, ignore_index: int, smoothing: float
    ) -> Target:
        classes = x.shape[-1]
        w = np.ones(classes, x.dtype) if weight is None else self.wide(weight)
        if target.ndim < x.ndim:
            counts = self.is_counted(target, ignore_index, classes)
            labels = self.checked(target, counts, classes)
            q = ((np.arange(classes) == labels[..., None]) & counts[..., None]).astype(x.dtype)
            divisor = self.index_divisor((w * q).sum(-1), counts)
        else:
            self.refuse(target)
            q = self.rows(target, 1)
            counts = np.ones(q.shape[:-1], np.bool_)
            divisor = self.soft_divisor(q, w)
        by_target = w * x.dtype.type(1 - smoothing)
        return Target(self.smoothed(q, counts, w, smoothing), counts, divisor, by_target)

    def times(self, w: Array, l: Array) -> Array:
        """Return w·l, where 0 times infinity is 0."""
        return np.where(w == 0, 0, w * l)

    def row_losses(self, t: Target, l: Array) -> Array:
        return self.times(t.w, l).sum(-1)

    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        if reduction == "none":
            return losses
        return losses.sum() / divisor if reduction == "mean" else losses.sum()

    def spread(self, cotangent: Array, losses: Array, divisor: Any, reduction: str) -> Array:
        """Return the cotangent of each loss."""
        v = np.broadcast_to(self.wide(cotangent), losses.shape)
        return v / divisor if reduction == "mean" else v

    def by_logits(self, p: Array, t: Target) -> Array:
        return p * t.w.sum(-1, keepdims=True) - t.w

    def by_target(self, l: Array, t: Target) -> Array:
        return self.times(np.broadcast_to(t.by_target, l.shape), l)

    def only_counted(self, gradient: Array, t: Target) -> Array:
        return np.where(t.counts[..., None], gradient, 0)

    # --- losses over classes: operations ---

    def cross_entropy(
        self, logits: Array, target: Array, *, weight: Array | None = None,
        ignore_index: int = -100, label_smoothing: float = 0.0, reduction: str = "mean",
    ) -> Array:  # fmt: skip
        x = self.rows(logits, 1)
        t = self.target(x, target, weight, ignore_index, label_smoothing)
        losses = self.row_losses(t, -self.log_probs(x))
        return self.narrow(self.reduced(losses, t.divisor, reduction), logits)

    def cross_entropy_vjp(
        self, cotangent: Array, logits: Array, target: Array, *, weight: Array | None = None,
        ignore_index: int = -100, label_smoothing: float = 0.0, reduction: str = "mean",
    ) -> tuple[Array, ...]:  # fmt: skip
        x = self.rows(logits, 1)
        t = self.target(x, target, weight, ignore_index, label_smoothing)
        v = self.spread(cotangent, t.w[..., 0], t.divisor, reduction)[..., None]
        gradients = [self.only_counted(self.by_logits(self.probs(x), t) * v, t)]
        if target.ndim == logits.ndim:
            gradients.append(self.by_target(-self.log_probs(x), t) * v)
        likes = (logits, target)
        return tuple(map(self.back, gradients, (1, 1), likes))

    def nll_loss(
        self, log_probs: Array, target: Array, *, weight: Array | None = None,
        ignore_index: int = -100, reduction: str = "mean",
    ) -> Array:  # fmt: skip
        x = self.rows(log_probs, 1)
        t = self.target(x, target, weight, ignore_index, 0.0)
        return self.narrow(self.reduced(self.row_losses(t, -x), t.divisor, reduction), log_probs)

    def nll_loss_vjp(
        self, cotangent: Array, log_probs: Array, target: Array, *, weight: Array | None = None,
        ignore_index: int = -100, reduction: str = "mean",
    ) -> tuple[Array]:  # fmt: skip
        x = self.rows(log_probs, 1)
        t = self.target(x, target, weight, ignore_index, 0.0)
        v = self.spread(cotangent, t.w[..., 0], t.divisor, reduction)[..., None]
        return (self.back(self.only_counted(-t.w * v, t), 1, log_probs),)

    def cross_entropy_probs(
        self, probs: Array, target: Array, *, weight: Array | None = None, reduction: str = "mean"
    ) -> Array:
        self.refuse(probs)
        x = self.rows(probs, 1)
        t = self.target(x, target, weight, -100, 0.0)
        losses = self.row_losses(t, -self.log(x))
        return self.narrow(self.reduced(losses, t.divisor, reduction), probs)

    def cross_entropy_probs_vjp(
        self, cotangent: Array, probs: Array, target: Array, *, weight: Array | None = None,
        reduction: str = "mean",
    ) -> tuple[Array, ...]:  # fmt: skip
        self.refuse(probs)
        x = self.rows(probs, 1)
        t = self.target(x, target, weight, -100, 0.0)
        v = self.spread(cotangent, t.w[..., 0], t.divisor, reduction)[..., None]
        gradients = [self.times(-t.w, 1 / x) * v, self.by_target(-self.log(x), t) * v]
        kept = gradients if target.ndim == probs.ndim else gradients[:1]
        return tuple(map(self.back, kept, (1, 1), (probs, target)))

    # --- one element: steps ---

    def sigma(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))
        return np.where(x >= 0, e.dtype.type(1), e) / (1 + e)

    def softplus(self, x: Array) -> Array:
        """Return log(1 + e^x)."""
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def sigma_slope(self, x: Array) -> Array:
        return self.sigma(x) * self.sigma(-x)

    def log_sigma_slope(self, x: Array) -> Array:
        return self.sigma(-x)

    def by_class(self, weight: Array | None, like: Array) -> Array:
        """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1."""
        if weight is None:
            return np.ones_like(like)
        shaped = self.wide(weight).reshape(-1, *[1] * (like.ndim - 2))
        return np.broadcast_to(shaped, like.shape)

    def element_divisor(self, weights: Array) -> Any:
        return weights.dtype.type(weights.size)

    def logits_losses(self, x: Array, z: Array, pos_weight: Array) -> Array:
        hit = self.times(pos_weight * z, self.softplus(-x))
        return hit + self.times(1 - z, self.softplus(x))

    def logits_slopes(self, x: Array, z: Array, pos_weight: Array) -> Array:
        return (1 - z) * self.sigma(x) - pos_weight * z * self.sigma(-x)

    def probs_losses(self, x: Array, z: Array) -> Array:
        return -(self.times(z, np.log(x)) + self.times(1 - z, np.log1p(-x)))

    def probs_slopes(self, x: Array, z: Array) -> Array:
        return self.times(1 - z, 1 / (1 - x)) - self.times(z, 1 / x)

    def probs_target_slopes(self, x: Array) -> Array:
        return np.log1p(-x) - np.log(x)

    # --- one element: operations ---

    def sigmoid(self, logits: Array) -> Array:
        return self.narrow(self.sigma(self.wide(logits)), logits)

    def sigmoid_vjp(self, cotangent: Array, logits: Array) -> tuple[Array]:
        slope = self.sigma_slope(self.wide(logits))
        return (self.narrow(self.wide(cotangent) * slope, logits),)

    def log_sigmoid(self, logits: Array) -> Array:
        return self.narrow(-self.softplus(-self.wide(logits)), logits)

    def log_sigmoid_vjp(self, cotangent: Array, logits: Array) -> tuple[Array]:
        slope = self.log_sigma_slope(self.wide(logits))
        return (self.narrow(self.wide(cotangent) * slope, logits),)

    def binary_cross_entropy(
        self, probs: Array, target: Array, *, weight: Array | None = None, reduction: str = "mean"
    ) -> Array:
        self.refuse(probs)
        self.refuse(target)
        x, z = self.wide(probs), self.wide(target)
        w = self.by_class(weight, x)
        losses = self.times(w, self.probs_losses(x, z))
        return self.narrow(self.reduced(losses, self.element_divisor(w), reduction), probs)

    def binary_cross_entropy_vjp(
        self, cotangent: Array, probs: Array, target: Array, *, weight: Array | None = None,
        reduction: str = "mean",
    ) -> tuple[Array, Array]:  # fmt: skip
        self.refuse(probs)
        self.refuse(target)
        x, z = self.wide(probs), self.wide(target)
        w = self.by_class(weight, x)
        v = self.spread(cotangent, x, self.element_divisor(w), reduction)
        by_probs = self.times(w, self.probs_slopes(x, z)) * v
        by_target = self.times(w, self.probs_target_slopes(x)) * v
        return self.narrow(by_probs, probs), self.narrow(by_target, target)

    def binary_cross_entropy_with_logits(
        self, logits: Array, target: Array, *, weight: Array | None = None,
        pos_weight: Array | None = None, reduction: str = "mean",
    ) -> Array:  # fmt: skip
        self.refuse(target)
        x, z = self.wide(logits), self.wide(target)
        w = self.by_class(weight, x)
        losses = self.times(w, self.logits_losses(x, z, self.by_class(pos_weight, x)))
        return self.narrow(self.reduced(losses, self.element_divisor(w), reduction), logits)

    def binary_cross_entropy_with_logits_vjp(
        self, cotangent: Array, logits: Array, target: Array, *, weight: Array | None = None,
        pos_weight: Array | None = None, reduction: str = "mean",
    ) -> tuple[Array, Array]:  # fmt: skip
        self.refuse(target)
        x, z = self.wide(logits), self.wide(target)
        w, p = self.by_class(weight, x), self.by_class(pos_weight, x)
        v = self.spread(cotangent, x, self.element_divisor(w), reduction)
        by_logits = self.times(w, self.logits_slopes(x, z, p)) * v
        # p·softplus(−x) − softplus(x): without pos_weight that is −x, exactly
        smaller = self.softplus(-np.abs(x))
        larger = np.where(x > 0, x, self.times(p, x))
        by_target = self.times(w, (p - 1) * smaller - larger) * v
        return self.narrow(by_logits, logits), self.narrow(by_target, target)


def every_kind(module: dict[str, Any]) -> dict[str, frozenset[str]]:
    """Return the `targets` of a module whose losses over classes take every kind of target."""
    return {name: KINDS for name in module if name.startswith("cross_entropy")}
