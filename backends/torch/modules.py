"""The loss and activation classes of `torch.nn`."""

from __future__ import annotations

from torch import nn

namespace = "torch.nn"
kind = "native"
names = {
    "softmax": "torch.nn.Softmax",
    "log_softmax": "torch.nn.LogSoftmax",
    "sigmoid": "torch.nn.Sigmoid",
    "log_sigmoid": "torch.nn.LogSigmoid",
    "nll_loss": "torch.nn.NLLLoss",
    "cross_entropy": "torch.nn.CrossEntropyLoss",
    "binary_cross_entropy": "torch.nn.BCELoss",
    "binary_cross_entropy_with_logits": "torch.nn.BCEWithLogitsLoss",
    "binary_cross_entropy_with_logits_soft_margin": "torch.nn.MultiLabelSoftMarginLoss",
}
targets = {"cross_entropy": {"index", "one_hot", "soft"}}


def softmax(logits, *, axis=-1):
    return nn.Softmax(dim=axis)(logits)


def log_softmax(logits, *, axis=-1):
    return nn.LogSoftmax(dim=axis)(logits)


def sigmoid(logits):
    return nn.Sigmoid()(logits)


def log_sigmoid(logits):
    return nn.LogSigmoid()(logits)


def nll_loss(log_probs, target, *, weight=None, ignore_index=-100, reduction="mean"):
    loss = nn.NLLLoss(weight=weight, ignore_index=ignore_index, reduction=reduction)
    return loss(log_probs, target)


def cross_entropy(
    logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"
):
    loss = nn.CrossEntropyLoss(
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )
    return loss(logits, target)


def binary_cross_entropy(probs, target, *, weight=None, reduction="mean"):
    return nn.BCELoss(weight=_by_class(weight, probs), reduction=reduction)(probs, target)


def binary_cross_entropy_with_logits(
    logits, target, *, weight=None, pos_weight=None, reduction="mean"
):
    loss = nn.BCEWithLogitsLoss(
        weight=_by_class(weight, logits),
        pos_weight=_by_class(pos_weight, logits),
        reduction=reduction,
    )
    return loss(logits, target)


def binary_cross_entropy_with_logits_soft_margin(logits, target):
    return nn.MultiLabelSoftMarginLoss()(logits, target)


def _by_class(weight, like):
    """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1; other shapes as they are."""
    if weight is None or weight.ndim != 1:
        return weight
    return weight.reshape(-1, *[1] * (like.ndim - 2))
