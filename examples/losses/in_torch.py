"""Implementations of the losses of `definitions.py`, as they are commonly written in PyTorch."""

from __future__ import annotations

import torch
from definitions import CAP, GAMMA, SMALL, TEMPERATURE, Z, operations
from torch.nn import functional as F

__all__ = ["operations"]


def focal_loss(logits, target, reduction="mean"):
    log_p = F.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
    return _reduced(-((1 - log_p.exp()) ** GAMMA) * log_p, reduction)


def binary_focal_loss(logits, target, reduction="mean"):
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = torch.sigmoid(logits)
    return _reduced((p * (1 - target) + (1 - p) * target) ** GAMMA * loss, reduction)


def z_loss(logits, target):
    return F.cross_entropy(logits, target) + Z * (torch.logsumexp(logits, 1) ** 2).mean()


def softcapped_cross_entropy(logits, target, reduction="mean"):
    return F.cross_entropy(CAP * torch.tanh(logits / CAP), target, reduction=reduction)


def distillation_loss(logits, target):
    log_q = F.log_softmax(logits / TEMPERATURE, 1)
    return F.kl_div(log_q, target, reduction="batchmean") * TEMPERATURE**2


def dice_loss(probs, target):
    return 1 - 2 * (probs * target).sum() / (probs.sum() + target.sum() + SMALL)


def info_nce(logits, target):
    alike = F.normalize(logits, dim=1) @ F.normalize(target, dim=1).T / 0.1
    return F.cross_entropy(alike, torch.arange(len(alike)))


def _reduced(loss, reduction):
    return {"mean": torch.mean, "sum": torch.sum, "none": torch.clone}[reduction](loss)
