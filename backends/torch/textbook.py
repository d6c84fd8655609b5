"""The formulas of the five tutorials, word for word, in PyTorch.

They are here to be judged: most break on large logits, and the report shows where.
"""

from __future__ import annotations

import torch

namespace = "torch.textbook"
kind = "textbook"
targets = {"cross_entropy_probs": {"one_hot", "soft"}, "cross_entropy_probs_picked": {"index"}}


def softmax_unshifted(logits, *, axis=-1):
    return torch.exp(logits) / torch.exp(logits).sum(axis, keepdim=True)


def softmax_over_axis_0(logits):
    return torch.exp(logits) / torch.exp(logits).sum(0)


def log_softmax_of_softmax(logits, *, axis=-1):
    return softmax_unshifted(logits, axis=axis).log()


def log_softmax_unshifted(logits, *, axis=-1):
    return logits - torch.exp(logits).sum(axis, keepdim=True).log()


def logsumexp_shifted(logits, *, axis=-1):
    a = logits.max(axis)[0]
    return a + (logits - a.unsqueeze(axis)).exp().sum(axis).log()


def log_softmax_shifted(logits, *, axis=-1):
    return logits - logsumexp_shifted(logits, axis=axis).unsqueeze(axis)


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
    return _reduce(-probs[range(target.shape[0]), target].log(), reduction)


def cross_entropy_probs(probs, target, *, reduction="mean"):
    return _reduce(-torch.sum(target * torch.log(probs), 1), reduction)


def sigmoid(logits):
    return 1.0 / (1 + torch.exp(-logits))


def binary_cross_entropy(probs, target, *, reduction="mean"):
    return _reduce(-(target * probs.log() + (1 - target) * (1 - probs).log()), reduction)


def binary_cross_entropy_with_logits(logits, target, *, reduction="mean"):
    return binary_cross_entropy(torch.sigmoid(logits), target, reduction=reduction)


def _reduce(losses, reduction):
    return {"none": losses.clone, "mean": losses.mean, "sum": losses.sum}[reduction]()
