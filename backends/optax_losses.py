"""The losses of `optax.losses`.

They return one loss for each row (or element), which their users reduce with `jax.numpy`.
Where a loss has no `axis`, the classes are moved to the end.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from optax import losses

namespace = "optax.losses"
kind = "native"
names = {
    "cross_entropy": "optax.losses.softmax_cross_entropy",
    "cross_entropy_with_integer_labels": "optax.losses.softmax_cross_entropy_with_integer_labels",
    "cross_entropy_safe": "optax.losses.safe_softmax_cross_entropy",
    "cross_entropy_poly": "optax.losses.poly_loss_cross_entropy",
    "cross_entropy_ranking": "optax.losses.ranking_softmax_loss",
    "cross_entropy_fenchel_young": "optax.losses.make_fenchel_young_loss",
    "binary_cross_entropy_with_logits": "optax.losses.sigmoid_binary_cross_entropy",
    "binary_cross_entropy_with_logits_focal": "optax.losses.sigmoid_focal_loss",
}
targets = {
    "cross_entropy": {"one_hot", "soft"},
    "cross_entropy_safe": {"one_hot", "soft"},
    "cross_entropy_poly": {"one_hot", "soft"},
    "cross_entropy_ranking": {"one_hot", "soft"},
    "cross_entropy_fenchel_young": {"one_hot"},
}


def cross_entropy(logits, target, *, reduction="mean"):
    return _reduce(losses.softmax_cross_entropy(logits, target, axis=1), reduction)


def cross_entropy_with_integer_labels(logits, target, *, reduction="mean"):
    rows = losses.softmax_cross_entropy_with_integer_labels(logits, target, axis=1)
    return _reduce(rows, reduction)


def cross_entropy_safe(logits, target, *, reduction="mean"):
    rows = losses.safe_softmax_cross_entropy(_classes_last(logits), _classes_last(target))
    return _reduce(rows, reduction)


def cross_entropy_poly(logits, target, *, reduction="mean"):
    """Set ε = 0, where PolyLoss is the cross-entropy."""
    rows = losses.poly_loss_cross_entropy(logits, target, epsilon=0.0, axis=1)
    return _reduce(rows, reduction)


def cross_entropy_ranking(logits, target, *, weight=None, reduction="mean"):
    """Rank the classes, with the target as their relevance; this one has weights."""
    return losses.ranking_softmax_loss(
        _classes_last(logits),
        _classes_last(target),
        weights=weight,
        reduce_fn={"none": None, "mean": jnp.mean, "sum": jnp.sum}[reduction],
    )


def cross_entropy_fenchel_young(logits, target, *, reduction="mean"):
    """Use the loss of logsumexp: the cross-entropy where a target sums to 1."""
    loss = losses.make_fenchel_young_loss(jax.nn.logsumexp)
    return _reduce(loss(_classes_last(logits), _classes_last(target)), reduction)


def binary_cross_entropy_with_logits(logits, target, *, reduction="mean"):
    return _reduce(losses.sigmoid_binary_cross_entropy(logits, target), reduction)


def binary_cross_entropy_with_logits_focal(logits, target, *, reduction="mean"):
    """Set γ = 0, where the focal loss is the cross-entropy."""
    return _reduce(losses.sigmoid_focal_loss(logits, target, gamma=0.0), reduction)


def _classes_last(array):
    return jnp.moveaxis(array, 1, -1)


def _reduce(rows, reduction):
    return {"none": lambda: rows, "mean": rows.mean, "sum": rows.sum}[reduction]()
