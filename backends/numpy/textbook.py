"""The formulas of the five tutorials, word for word, in NumPy.

They are here to be judged: most break on large logits, and the report shows where.
"""

from __future__ import annotations

import numpy as np

namespace = "numpy.textbook"
kind = "textbook"
targets = {"cross_entropy_probs": {"one_hot", "soft"}, "cross_entropy_probs_picked": {"index"}}


def softmax_unshifted(logits, *, axis=-1):
    return np.exp(logits) / np.exp(logits).sum(axis, keepdims=True)


def softmax_over_axis_0(logits):
    return np.exp(logits) / np.exp(logits).sum(0)


def log_softmax_of_softmax(logits, *, axis=-1):
    return np.log(softmax_unshifted(logits, axis=axis))


def log_softmax_unshifted(logits, *, axis=-1):
    return logits - np.log(np.exp(logits).sum(axis, keepdims=True))


def logsumexp_shifted(logits, *, axis=-1):
    a = logits.max(axis)
    return a + np.log(np.exp(logits - np.expand_dims(a, axis)).sum(axis))


def log_softmax_shifted(logits, *, axis=-1):
    return logits - np.expand_dims(logsumexp_shifted(logits, axis=axis), axis)


def nll_loss_by_indexing(log_probs, target, *, reduction="mean"):
    return _reduce(-log_probs[range(target.shape[0]), target], reduction)


def cross_entropy_of_softmax(logits, target, *, reduction="mean"):
    """Negative log of the picked probabilities."""
    return cross_entropy_probs_picked(softmax_unshifted(logits), target, reduction=reduction)


def cross_entropy_unshifted(logits, target, *, reduction="mean"):
    return nll_loss_by_indexing(log_softmax_unshifted(logits), target, reduction=reduction)


def cross_entropy_shifted(logits, target, *, reduction="mean"):
    return nll_loss_by_indexing(log_softmax_shifted(logits), target, reduction=reduction)


def cross_entropy_probs_picked(probs, target, *, reduction="mean"):
    return _reduce(-np.log(probs[range(target.shape[0]), target]), reduction)


def cross_entropy_probs(probs, target, *, reduction="mean"):
    return _reduce(-np.sum(target * np.log(probs), 1), reduction)


def sigmoid(logits):
    return 1.0 / (1 + np.exp(-logits))


def binary_cross_entropy(probs, target, *, reduction="mean"):
    return _reduce(-(target * np.log(probs) + (1 - target) * np.log(1 - probs)), reduction)


def binary_cross_entropy_with_logits(logits, target, *, reduction="mean"):
    return binary_cross_entropy(sigmoid(logits), target, reduction=reduction)


def _reduce(losses, reduction):
    return {"none": losses.copy, "mean": losses.mean, "sum": losses.sum}[reduction]()
