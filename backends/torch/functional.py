"""The operations of `torch.nn.functional`."""

from __future__ import annotations

import torch.nn.functional as F

namespace = "torch.nn.functional"
kind = "native"
names = {
    "log_sigmoid": "torch.nn.functional.logsigmoid",
    "binary_cross_entropy_with_logits_soft_margin": f"{namespace}.multilabel_soft_margin_loss",
}
targets = {"cross_entropy": {"index", "one_hot", "soft"}}


def softmax(logits, *, axis=-1):
    return F.softmax(logits, dim=axis)


def log_softmax(logits, *, axis=-1):
    return F.log_softmax(logits, dim=axis)


def sigmoid(logits):
    return F.sigmoid(logits)


def log_sigmoid(logits):
    return F.logsigmoid(logits)


def nll_loss(log_probs, target, *, weight=None, ignore_index=-100, reduction="mean"):
    return F.nll_loss(
        log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction
    )


def cross_entropy(
    logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"
):
    return F.cross_entropy(
        logits,
        target,
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )


def binary_cross_entropy(probs, target, *, weight=None, reduction="mean"):
    return F.binary_cross_entropy(
        probs, target, weight=_by_class(weight, probs), reduction=reduction
    )


def binary_cross_entropy_with_logits(
    logits, target, *, weight=None, pos_weight=None, reduction="mean"
):
    return F.binary_cross_entropy_with_logits(
        logits,
        target,
        weight=_by_class(weight, logits),
        pos_weight=_by_class(pos_weight, logits),
        reduction=reduction,
    )


def binary_cross_entropy_with_logits_soft_margin(logits, target):
    """The mean over the classes comes before the reduction, so only `mean` is the same."""
    return F.multilabel_soft_margin_loss(logits, target)


def _by_class(weight, like):
    """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1; other shapes as they are."""
    if weight is None or weight.ndim != 1:
        return weight
    return weight.reshape(-1, *[1] * (like.ndim - 2))
