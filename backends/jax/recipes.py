"""What JAX and Optax lack, composed from their own functions as their users would write it.

Classes are on axis 1; `losses` holds one loss for each row.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jax.scipy.special import xlog1py, xlogy

namespace = "jax.recipes"
kind = "recipe"
targets = {
    "cross_entropy_soft": {"one_hot", "soft"},
    "cross_entropy_probs_soft": {"one_hot", "soft"},
}


def cross_entropy(
    logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean",
    logit_scale=1.0, logit_softcap=None, z_loss=0.0, denominator=None,
):  # fmt: skip
    """Index targets with every option of `torch.nn.functional.cross_entropy`, and of LLMs."""
    _check_labels(target, logits)
    dtype, counts = logits.dtype, target != ignore_index
    labels = jnp.where(counts, target, 0)
    # Before the logarithm: a NaN in a row that does not count would spoil its gradient.
    logits = jnp.where(jnp.expand_dims(counts, 1), logits, 0)
    if logit_scale != 1 or logit_softcap is not None or z_loss:
        logits = _transformed(logits, logit_scale, logit_softcap)
    log_probs = jax.nn.log_softmax(logits, axis=1)
    row_weights = _row_weights(counts, labels, weight, logits.dtype)
    losses = -row_weights * _pick(log_probs, labels)
    if label_smoothing:
        by_class = log_probs if weight is None else log_probs * _by_class(weight, logits)
        uniform = jnp.where(counts, -by_class.mean(axis=1), 0)
        losses = (1 - label_smoothing) * losses + label_smoothing * uniform
    if z_loss:
        losses += jnp.where(counts, z_loss * jax.nn.logsumexp(logits, axis=1) ** 2, 0)
    if denominator is not None and reduction == "mean":
        return (losses.sum() / denominator).astype(dtype)
    return _reduce_weighted(losses, row_weights, reduction).astype(dtype)


def linear_cross_entropy(hidden, linear_weight, target, *, linear_bias=None, ignore_index=-100,
                         logit_scale=1.0, logit_softcap=None, z_loss=0.0, denominator=None,
                         **options):  # fmt: skip
    """Logits in float32 at least, and their loss; a row that does not count may hold NaN."""
    dtype = jnp.promote_types(hidden.dtype, jnp.float32)
    states = jnp.where(jnp.expand_dims(target != ignore_index, 1), hidden, 0).astype(dtype)
    logits = jnp.matmul(states, linear_weight.astype(dtype).T, precision="highest")
    if linear_bias is not None:
        logits = logits + linear_bias.astype(dtype)
    loss = cross_entropy(
        logits, target, ignore_index=ignore_index, logit_scale=logit_scale,
        logit_softcap=logit_softcap, z_loss=z_loss, denominator=denominator, **options,
    )  # fmt: skip
    return loss.astype(hidden.dtype)


def cross_entropy_soft(logits, target, *, weight=None, label_smoothing=0.0, reduction="mean"):
    """One-hot targets or probabilities; smoothing and weights go into the labels."""
    labels = optax.losses.smooth_labels(target, label_smoothing, axis=1)
    if weight is not None:
        labels = labels * _by_class(weight, labels)
    losses = optax.losses.safe_softmax_cross_entropy(
        jnp.moveaxis(logits, 1, -1), jnp.moveaxis(labels, 1, -1)
    )
    return _reduce(losses, reduction)


def cross_entropy_by_one_hot(logits, target, *, label_smoothing=0.0, reduction="mean"):
    """Smoothed one-hot labels, as many training scripts write it."""
    _check_labels(target, logits)
    one_hot = jax.nn.one_hot(target, logits.shape[1], dtype=logits.dtype, axis=1)
    labels = optax.losses.smooth_labels(one_hot, label_smoothing, axis=1)
    return _reduce(optax.losses.softmax_cross_entropy(logits, labels, axis=1), reduction)


def cross_entropy_by_nll(logits, target, *, weight=None, ignore_index=-100, reduction="mean"):
    """nll_loss of log_softmax: what cross_entropy is documented to be."""
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    return nll_loss(jax.nn.log_softmax(logits, axis=1), target, **options)


def nll_loss(log_probs, target, *, weight=None, ignore_index=-100, reduction="mean"):
    """Pick the entries; the mean divides by the weights of the rows that count."""
    _check_labels(target, log_probs)
    counts = target != ignore_index
    labels = jnp.where(counts, target, 0)
    row_weights = _row_weights(counts, labels, weight, log_probs.dtype)
    picked = jnp.where(counts, _pick(log_probs, labels), 0)  # 0 · NaN is NaN
    return _reduce_weighted(-row_weights * picked, row_weights, reduction)


def cross_entropy_probs(probs, target, *, weight=None, reduction="mean"):
    """Index targets, from probabilities."""
    _check_labels(target, probs)
    row_weights = _row_weights(True, target, weight, probs.dtype)
    losses = -row_weights * jnp.log(_pick(probs, target))
    return _reduce_weighted(losses, row_weights, reduction)


def cross_entropy_probs_soft(probs, target, *, weight=None, reduction="mean"):
    """One-hot or soft targets, from probabilities; 0·log 0 is 0."""
    terms = -xlogy(target, probs)
    if weight is not None:
        terms = terms * _by_class(weight, terms)
    return _reduce(terms.sum(axis=1), reduction)


def binary_cross_entropy(probs, target, *, weight=None, reduction="mean"):
    """From probabilities; 0·log 0 is 0."""
    losses = -(xlogy(target, probs) + xlog1py(1 - target, -probs))
    if weight is not None:
        losses = losses * _by_class(weight, losses)
    return _reduce(losses, reduction)


def binary_cross_entropy_with_logits(
    logits, target, *, weight=None, pos_weight=None, reduction="mean"
):
    """Optax's sigmoid_binary_cross_entropy, with a weight for the positive term."""
    positive = target * jax.nn.log_sigmoid(logits)
    negative = (1 - target) * jax.nn.log_sigmoid(-logits)
    if pos_weight is not None:
        positive = positive * _by_class(pos_weight, logits)
    losses = -(positive + negative)
    if weight is not None:
        losses = losses * _by_class(weight, logits)
    return _reduce(losses, reduction)


def log_sigmoid_by_softplus(logits):
    return -jax.nn.softplus(-logits)


def _transformed(logits, scale, softcap):
    """Scale the logits, and then cap them; 16 bits are widened first."""
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32)) * scale
    return logits if softcap is None else softcap * jnp.tanh(logits / softcap)


def _check_labels(target, values):
    """Indexing would broadcast other shapes, and take booleans for 0 and 1."""
    due = values.shape[:1] + values.shape[2:]
    if target.shape != due or not jnp.issubdtype(target.dtype, jnp.integer):
        raise TypeError(f"labels of shape {target.shape} and {target.dtype}, where {due} is due")


def _pick(array, labels):
    """Return the entry of each row's label."""
    return jnp.take_along_axis(array, jnp.expand_dims(labels, 1), axis=1).squeeze(1)


def _by_class(weight, like):
    """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1; other shapes as they are."""
    return weight if weight.ndim != 1 else weight.reshape(-1, *[1] * (like.ndim - 2))


def _row_weights(counts, labels, weight, dtype):
    """Return the weight of each row's label; 0 where the row does not count."""
    weights = jnp.ones(labels.shape, dtype) if weight is None else weight[labels]
    return jnp.where(counts, weights, 0)


def _reduce(losses, reduction):
    return {"none": lambda: losses, "mean": losses.mean, "sum": losses.sum}[reduction]()


def _reduce_weighted(losses, row_weights, reduction):
    """Like `_reduce`; the mean divides by the weights of the rows."""
    if reduction == "mean":
        return losses.sum() / row_weights.sum()
    return _reduce(losses, reduction)
