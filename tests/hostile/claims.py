"""A user's file that says all that a file can say about itself; loaded by tests only."""

from __future__ import annotations

import numpy as np

namespace = "acme.losses"
names = {"cross_entropy": "acme.CrossEntropy"}
targets = {"cross_entropy": {"index", "one_hot"}}

LIMIT = 10


def cross_entropy(logits, target, *, reduction="mean"):
    shifted = logits - logits.max(1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    if target.ndim < logits.ndim:
        target = np.eye(logits.shape[1], dtype=logits.dtype)[target]
    losses = -(target * log_probs).sum(1)
    return {"none": losses.copy, "mean": losses.mean, "sum": losses.sum}[reduction]()


def log_softmax_of_acme(logits, **options):
    axis = options.get("axis", -1)
    shifted = logits - logits.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def helper(logits):
    return logits


def softmaximum(logits):
    return logits
