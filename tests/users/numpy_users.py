"""Functions of NumPy arrays that follow conventions which no framework's own function follows."""

from __future__ import annotations

import numpy as np

targets = {"cross_entropy_of_one_dtype": {"soft"}}


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_zero_where_masked(logits):
    """Give no class of a row that is masked as a whole any weight, as fused attention does."""
    p = softmax(logits)
    return np.where((logits == -np.inf).all(-1, keepdims=True), np.float32(0), p)


def softmax_of_large_negatives(logits):
    """Take -1e4 for -inf, so that a row that is masked as a whole is uniform."""
    return softmax(np.maximum(logits, logits.dtype.type(-1e4)))


def cross_entropy_of_one_dtype(logits, target):
    q = target.astype(logits.dtype)
    return -(q * np.log(softmax(logits))).sum(1).mean()


def cross_entropy_of_one_dtype_vjp(cotangent, logits, target):
    """Return both gradients in the dtype that all is computed in."""
    q, p = target.astype(logits.dtype), softmax(logits)
    scale = cotangent / logits.dtype.type(len(logits))
    return (p * q.sum(1, keepdims=True) - q) * scale, -np.log(p) * scale


def nll_loss_of_nearest_class(log_probs, target):
    rows, classes = log_probs.shape
    return -log_probs[np.arange(rows), target.clip(0, classes - 1)].mean()
