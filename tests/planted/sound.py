"""A sound implementation of every operation but `exp`, in NumPy, with gradients by hand.

Two passes over the classes with the maximum as shift; 16-bit dtypes are computed in float32 and
rounded once. `faults` and `sound_variants` change the text of this file: each changes an expression
that stands here exactly once. Between `rows` and `back` the last axis holds the classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Gradients = tuple[Array, ...]

# What the losses take besides labels; nll_loss and the binary losses take what is usual.
targets = dict.fromkeys(
    ("cross_entropy", "cross_entropy_probs"), frozenset({"index", "one_hot", "soft"})
)


# --- dtypes and axes -------------------------------------------------------------------------


def wide(values: Array) -> Array:
    """Return `values` in the dtype that everything is computed in."""
    return values.astype(np.float32) if values.dtype.itemsize == 2 else values


def narrow(result: Any, like: Array) -> Array:
    """Return a result in the dtype of the argument `like`."""
    return np.asarray(result).astype(like.dtype)


def rows(values: Array, axis: int) -> Array:
    """Return `values` in the wide dtype, with the classes on the last axis."""
    return np.moveaxis(wide(values), axis, -1)


def back(result: Array, axis: int, like: Array) -> Array:
    """Return rows in the layout and dtype of the argument `like`."""
    return narrow(np.moveaxis(result, -1, axis), like)


def times(w: Array, l: Array) -> Array:
    """Return w·l, where 0 times infinity is 0."""
    return np.where(w == 0, 0, w * l)


def refuse(probabilities: Array) -> None:
    """Raise where a probability lies outside [0, 1]; NaN passes."""
    if ((probabilities < 0) | (probabilities > 1)).any():
        raise ValueError("a probability is outside [0, 1]")


# --- softmax, log_softmax, logsumexp ---------------------------------------------------------


def parts(x: Array) -> tuple[Array, Array, Array]:
    """Return m = max x, exp(x − m) and Σ exp(x − m)."""
    m = x.max(-1, keepdims=True)
    e = np.exp(x - m)
    return m, e, e.sum(-1, keepdims=True)


def probs_of(x: Array) -> Array:
    _, e, s = parts(x)
    return e / s


def log_probs_of(x: Array) -> Array:
    m, _, s = parts(x)
    return (x - m) - np.log(s)


def lse_of(x: Array) -> Array:
    m, _, s = parts(x)
    return (m + np.log(s))[..., 0]


def softmax(logits: Array, *, axis: int = -1) -> Array:
    return back(probs_of(rows(logits, axis)), axis, logits)


def softmax_vjp(cotangent: Array, logits: Array, *, axis: int = -1) -> Gradients:
    v, p = rows(cotangent, axis), probs_of(rows(logits, axis))
    return (back(p * (v - (p * v).sum(-1, keepdims=True)), axis, logits),)


def log_softmax(logits: Array, *, axis: int = -1) -> Array:
    return back(log_probs_of(rows(logits, axis)), axis, logits)


def log_softmax_vjp(cotangent: Array, logits: Array, *, axis: int = -1) -> Gradients:
    v, p = rows(cotangent, axis), probs_of(rows(logits, axis))
    return (back(v - p * v.sum(-1, keepdims=True), axis, logits),)


def logsumexp(logits: Array, *, axis: int = -1) -> Array:
    return narrow(lse_of(rows(logits, axis)), logits)


def logsumexp_vjp(cotangent: Array, logits: Array, *, axis: int = -1) -> Gradients:
    x = rows(logits, axis)
    return (back(wide(cotangent)[..., None] * probs_of(x), axis, logits),)


# --- losses ----------------------------------------------------------------------------------


class LossRows(NamedTuple):
    """The arguments of a loss over classes; the loss of a row is Σ w·(−log p).

    Attributes:
        x: logits, log-probabilities or probabilities, shape (…, C).
        w: weight · smoothed target, 0 in rows that do not count, shape (…, C).
        counts: which rows count, shape (…).
        divisor: the divisor of `mean`.
        slope: ∂w/∂target, shape (C,).
    """

    x: Array
    w: Array
    counts: Array
    divisor: Any
    slope: Array


def loss_rows(
    values: Array, target: Array, *, weight: Array | None = None, ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> LossRows:  # fmt: skip
    x = rows(values, 1)
    classes = x.shape[-1]
    w = np.ones(classes, x.dtype) if weight is None else wide(weight)
    if target.ndim < x.ndim:
        counts = target != ignore_index
        labels = checked(target, counts, classes)
        q = ((np.arange(classes) == labels[..., None]) & counts[..., None]).astype(x.dtype)
        divisor = (w * q).sum(-1).sum()
    else:
        refuse(target)
        q = rows(target, 1)
        counts = np.ones(q.shape[:-1], np.bool_)
        divisor = q.dtype.type(counts.size)
    keep, share = q.dtype.type(1 - label_smoothing), q.dtype.type(label_smoothing / classes)
    smoothed = w * (q * keep + share * counts[..., None])
    return LossRows(x, smoothed, counts, divisor, w * keep)


def checked(labels: Array, counts: Array, classes: int) -> Array:
    """Return labels within [0, C); those that do not count are 0."""
    if (counts & ((labels < 0) | (labels >= classes))).any():
        raise IndexError(f"a label is outside [0, {classes})")
    return np.where(counts, labels, 0)


def reduced(losses: Array, divisor: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    total = losses.sum()
    return total / divisor if reduction == "mean" else total


def spread(cotangent: Array, shape: tuple[int, ...], divisor: Any, reduction: str) -> Array:
    """Return the cotangent of each loss: the backward pass of `reduced`."""
    v = np.broadcast_to(wide(cotangent), shape)
    return v / divisor if reduction == "mean" else v


def cross_entropy(
    logits: Array, target: Array, *, reduction: str = "mean", **options: Any
) -> Array:
    x, w, _, divisor, _ = loss_rows(logits, target, **options)
    losses = times(w, -log_probs_of(x)).sum(-1)
    return narrow(reduced(losses, divisor, reduction), logits)


def cross_entropy_vjp(
    cotangent: Array, logits: Array, target: Array, *, reduction: str = "mean", **options: Any
) -> Gradients:
    x, w, counts, divisor, slope = loss_rows(logits, target, **options)
    v, p = spread(cotangent, counts.shape, divisor, reduction)[..., None], probs_of(x)
    by_logits = (p * w.sum(-1, keepdims=True) - w) * v
    gradients = [back(np.where(counts[..., None], by_logits, 0), 1, logits)]
    if target.ndim == logits.ndim:
        gradients.append(back(times(slope, -log_probs_of(x)) * v, 1, target))
    return tuple(gradients)


def nll_loss(log_probs: Array, target: Array, *, reduction: str = "mean", **options: Any) -> Array:
    x, w, _, divisor, _ = loss_rows(log_probs, target, **options)
    losses = times(w, -x).sum(-1)
    return narrow(reduced(losses, divisor, reduction), log_probs)


def nll_loss_vjp(
    cotangent: Array, log_probs: Array, target: Array, *, reduction: str = "mean", **options: Any
) -> Gradients:
    _, w, counts, divisor, _ = loss_rows(log_probs, target, **options)
    v = spread(cotangent, counts.shape, divisor, reduction)[..., None]
    return (back(np.where(counts[..., None], -w * v, 0), 1, log_probs),)


def cross_entropy_probs(
    probs: Array, target: Array, *, reduction: str = "mean", **options: Any
) -> Array:
    refuse(probs)
    x, w, _, divisor, _ = loss_rows(probs, target, **options)
    losses = times(w, -np.log(x)).sum(-1)
    return narrow(reduced(losses, divisor, reduction), probs)


def cross_entropy_probs_vjp(
    cotangent: Array, probs: Array, target: Array, *, reduction: str = "mean", **options: Any
) -> Gradients:
    refuse(probs)
    x, w, counts, divisor, slope = loss_rows(probs, target, **options)
    v = spread(cotangent, counts.shape, divisor, reduction)[..., None]
    gradients = [back(times(-w, 1 / x) * v, 1, probs)]
    if target.ndim == probs.ndim:
        gradients.append(back(times(slope, -np.log(x)) * v, 1, target))
    return tuple(gradients)


# --- sigmoid, log_sigmoid --------------------------------------------------------------------


def sigma(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: Array) -> Array:
    """Return log(1 + e^x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(logits: Array) -> Array:
    return narrow(sigma(wide(logits)), logits)


def sigmoid_vjp(cotangent: Array, logits: Array) -> Gradients:
    x = wide(logits)
    return (narrow(wide(cotangent) * (sigma(x) * sigma(-x)), logits),)


def log_sigmoid(logits: Array) -> Array:
    return narrow(-softplus(-wide(logits)), logits)


def log_sigmoid_vjp(cotangent: Array, logits: Array) -> Gradients:
    x = wide(logits)
    return (narrow(wide(cotangent) * sigma(-x), logits),)


# --- binary losses ---------------------------------------------------------------------------


def by_class(weight: Array | None, like: Array) -> Array:
    """Return weights of shape (C,) in the shape of `like`, whose axis 1 holds the classes."""
    if weight is None:
        return np.ones_like(like)
    shaped = wide(weight).reshape(-1, *[1] * (like.ndim - 2))
    return np.broadcast_to(shaped, like.shape)


def elements(values: Array, target: Array, weight: Array | None) -> tuple[Array, Array, Array, Any]:
    """Return values, target and weights in one shape, and the divisor of `mean`."""
    refuse(target)
    x = wide(values)
    z, w = wide(target), by_class(weight, x)
    return x, z, w, w.dtype.type(w.size)


def binary_cross_entropy(
    probs: Array, target: Array, *, weight: Array | None = None, reduction: str = "mean"
) -> Array:
    refuse(probs)
    x, z, w, divisor = elements(probs, target, weight)
    losses = times(w, -(times(z, np.log(x)) + times(1 - z, np.log1p(-x))))
    return narrow(reduced(losses, divisor, reduction), probs)


def binary_cross_entropy_vjp(
    cotangent: Array, probs: Array, target: Array, *, weight: Array | None = None,
    reduction: str = "mean",
) -> Gradients:  # fmt: skip
    refuse(probs)
    x, z, w, divisor = elements(probs, target, weight)
    v = spread(cotangent, x.shape, divisor, reduction)
    by_probs = times(w, times(1 - z, 1 / (1 - x)) - times(z, 1 / x)) * v
    by_target = times(w, np.log1p(-x) - np.log(x)) * v
    return narrow(by_probs, probs), narrow(by_target, target)


def binary_cross_entropy_with_logits(
    logits: Array, target: Array, *, weight: Array | None = None, pos_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:  # fmt: skip
    x, z, w, divisor = elements(logits, target, weight)
    p = by_class(pos_weight, x)
    losses = times(w, times(p * z, softplus(-x)) + times(1 - z, softplus(x)))
    return narrow(reduced(losses, divisor, reduction), logits)


def binary_cross_entropy_with_logits_vjp(
    cotangent: Array, logits: Array, target: Array, *, weight: Array | None = None,
    pos_weight: Array | None = None, reduction: str = "mean",
) -> Gradients:  # fmt: skip
    x, z, w, divisor = elements(logits, target, weight)
    p = by_class(pos_weight, x)
    v = spread(cotangent, x.shape, divisor, reduction)
    by_logits = times(w, (1 - z) * sigma(x) - p * z * sigma(-x)) * v
    # p·softplus(−x) − softplus(x): without pos_weight that is −x, exactly
    larger = np.where(x > 0, x, times(p, x))
    by_target = times(w, (p - 1) * softplus(-np.abs(x)) - larger) * v
    return narrow(by_logits, logits), narrow(by_target, target)
