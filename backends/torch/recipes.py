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


def cross_entropy_of_language_models(
    logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean",
    logit_scale=1.0, logit_softcap=None, z_loss=0.0, denominator=None,
):  # fmt: skip
    """Scaled and capped logits, a z-loss and an outside denominator, in float32 at least."""
    if target.ndim != logits.ndim - 1:  # it would broadcast
        raise ValueError(f"labels of shape {tuple(target.shape)}")
    counts = target != ignore_index
    # Before the softmax: a NaN in a row that does not count would spoil the z-loss.
    z = logits.to(torch.promote_types(logits.dtype, torch.float32))
    z = z.masked_fill(~counts.unsqueeze(1), 0) * logit_scale
    if logit_softcap is not None:
        z = logit_softcap * torch.tanh(z / logit_softcap)
    weight = None if weight is None else weight.to(z.dtype)
    options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
    losses = F.cross_entropy(z, target, weight, reduction="none", **options)
    if z_loss:
        # The gradient of logsumexp is exp(z − lse), in which a common offset would cancel.
        top = z.detach().amax(1, keepdim=True)
        lse = torch.logsumexp(z - top, 1) + top.squeeze(1)
        losses = losses + z_loss * torch.where(counts, lse**2, 0)
    if reduction == "mean":
        if denominator is None:
            labels = torch.where(counts, target, 0)
            denominator = (counts if weight is None else counts * weight[labels]).sum()
        losses = losses.sum() / denominator
    return (losses.sum() if reduction == "sum" else losses).to(logits.dtype)


def linear_cross_entropy(
    hidden, linear_weight, target, *, linear_bias=None, weight=None, ignore_index=-100,
    label_smoothing=0.0, reduction="mean", logit_scale=1.0, logit_softcap=None, z_loss=0.0,
    denominator=None,
):  # fmt: skip
    """Logits in float32 at least, and their loss; a row that does not count may hold NaN."""
    dtype = torch.promote_types(hidden.dtype, torch.float32)
    states = hidden.to(dtype).masked_fill((target == ignore_index).unsqueeze(1), 0)
    bias = None if linear_bias is None else linear_bias.to(dtype)
    logits = F.linear(states, linear_weight.to(dtype), bias)
    loss = cross_entropy_of_language_models(
        logits, target, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing,
        reduction=reduction, logit_scale=logit_scale, logit_softcap=logit_softcap, z_loss=z_loss,
        denominator=denominator,
    )  # fmt: skip
    return loss.to(hidden.dtype)


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
