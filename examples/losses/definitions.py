"""Losses that people ask for, each defined by its formula.

`lossdiff check --impl torch=examples/losses/in_torch.py` judges implementations of them.
"""

from __future__ import annotations

import numpy as np
from lossdiff import formula as f

GAMMA, TEMPERATURE, CAP, Z, SMALL = 2.0, 2.0, 30.0, 1e-4, 1e-7


def focal(x, target):
    """Return −(1 − p)^γ log p of the target's class (Lin et al., arXiv 1708.02002)."""
    log_p = f.take(f.log_softmax(x), target)
    return -((-f.expm1(log_p)) ** GAMMA) * log_p


def binary_focal(x, target):
    """Return the same of each logit, with targets from 0 to 1."""
    loss = target * f.softplus(-x) + (1.0 - target) * f.softplus(x)
    miss = target * f.sigmoid(-x) + (1.0 - target) * f.sigmoid(x)
    return miss**GAMMA * loss


def z_loss(x, target):
    """Return cross-entropy and λ log² Z (PaLM, arXiv 2204.02311)."""
    return -f.take(f.log_softmax(x), target) + Z * f.logsumexp(x) ** 2


def softcapped(x, target):
    """Return the cross-entropy of c tanh(x/c) (Gemma 2, arXiv 2408.00118)."""
    return -f.take(f.log_softmax(CAP * f.tanh(x / CAP)), target)


def distillation(x, target):
    """Return T² KL(target ‖ softmax(x/T)) (Hinton et al., arXiv 1503.02531)."""
    log_q = f.log_softmax(x / TEMPERATURE)
    log_p = f.log(f.where(target > 0, target, 1.0))
    return TEMPERATURE**2 * f.dot(target, log_p - log_q)


def dice(p, target):
    """Return 1 − 2Σpt/(Σp + Σt + ε) over all elements (Milletari et al., arXiv 1606.04797)."""
    return 1.0 - 2.0 * f.sum(p * target) / (f.sum(target) + f.sum(p) + SMALL)


def info_nce(x, target):
    """Return the mean cross-entropy of the cosines of two views (arXiv 1807.03748)."""
    unit = x / f.sqrt(f.sum(x * x, axis=1, keepdims=True))
    other = target / f.sqrt(f.sum(target * target, axis=1, keepdims=True))
    log_p = f.log_softmax(f.matmul(unit, other.T) / 0.1)
    return -f.sum(log_p * np.eye(len(x))) / len(x)


operations = {
    "focal_loss": {"formula": focal, "targets": {"index", "one_hot"}},
    "binary_focal_loss": {"formula": binary_focal, "targets": {"multi_label"}},
    "z_loss": z_loss,
    "softcapped_cross_entropy": softcapped,
    "distillation_loss": {"formula": distillation, "targets": {"soft"}},
    "dice_loss": {"formula": dice, "targets": {"multi_label"}, "domain": "probs"},
    "info_nce": {"formula": info_nce, "targets": {"real"}},
}
