"""What PyTorch lacks, composed from its own functions as its users would write it."""

from __future__ import annotations

import torch
import torch.nn.functional as F

namespace = "torch.recipes"
kind = "recipe"
targets = {
    "cross_entropy_probs": {"index", "one_hot", "soft"},
}


def cross_entropy_by_gather(logits, target, *, reduction="mean"):
    """Logsumexp minus the picked logit, as many training scripts write it."""
    picked = logits.gather(1, target.unsqueeze(1)).squeeze(1)
    return _reduce(torch.logsumexp(logits, 1) - picked, reduction)


def cross_entropy_by_nll(logits, target, *, weight=None, ignore_index=-100, reduction="mean"):
    """nll_loss of log_softmax: what cross_entropy is documented to be."""
    return F.nll_loss(
        F.log_softmax(logits, 1),
        target,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
    )


def cross_entropy_probs(probs, target, *, weight=None, reduction="mean"):
    """nll_loss or a sum of products, on the logarithm of probabilities."""
    if not target.is_floating_point():
        return F.nll_loss(probs.log(), target, weight=weight, reduction=reduction)
    terms = -torch.special.xlogy(target, probs)
    if weight is not None:
        terms = terms * weight.reshape(-1, *[1] * (probs.ndim - 2))
    return _reduce(terms.sum(1), reduction)


def log_sigmoid_by_softplus(logits):
    return -F.softplus(-logits)


def _reduce(losses, reduction):
    return {"none": losses.clone, "mean": losses.mean, "sum": losses.sum}[reduction]()
