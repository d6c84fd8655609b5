"""The losses of `optax.losses`.

They return one loss for each row (or element), which their users reduce with `jax.numpy`.
Where a loss has no `axis`, the classes are moved to the end. Losses that are a cross-entropy
at one setting only (focal, PolyLoss, ranking, Fenchel-Young) are other losses.
"""

from __future__ import annotations

import jax.numpy as jnp
from optax import losses

namespace = "optax.losses"
kind = "native"
names = {
    "cross_entropy": "optax.losses.softmax_cross_entropy",
    "cross_entropy_with_integer_labels": "optax.losses.softmax_cross_entropy_with_integer_labels",
    "cross_entropy_safe": "optax.losses.safe_softmax_cross_entropy",
    "binary_cross_entropy_with_logits": "optax.losses.sigmoid_binary_cross_entropy",
}
targets = {
    "cross_entropy": {"one_hot", "soft"},
    "cross_entropy_safe": {"one_hot", "soft"},
}


def cross_entropy(logits, target, *, reduction="mean"):
    return _reduce(losses.softmax_cross_entropy(logits, target, axis=1), reduction)


def cross_entropy_with_integer_labels(logits, target, *, reduction="mean"):
    rows = losses.softmax_cross_entropy_with_integer_labels(logits, target, axis=1)
    return _reduce(rows, reduction)


def cross_entropy_safe(logits, target, *, reduction="mean"):
    rows = losses.safe_softmax_cross_entropy(_classes_last(logits), _classes_last(target))
    return _reduce(rows, reduction)


def binary_cross_entropy_with_logits(logits, target, *, reduction="mean"):
    return _reduce(losses.sigmoid_binary_cross_entropy(logits, target), reduction)


def _classes_last(array):
    return jnp.moveaxis(array, 1, -1)


def _reduce(rows, reduction):
    return {"none": lambda: rows, "mean": rows.mean, "sum": rows.sum}[reduction]()
