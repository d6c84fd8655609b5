"""The operations of `torch.special`."""

from __future__ import annotations

import torch

namespace = "torch.special"
kind = "native"
names = {"sigmoid": "torch.special.expit"}


def softmax(logits, *, axis=-1):
    return torch.special.softmax(logits, axis)


def log_softmax(logits, *, axis=-1):
    return torch.special.log_softmax(logits, axis)


def logsumexp(logits, *, axis=-1):
    return torch.special.logsumexp(logits, axis)


def sigmoid(logits):
    return torch.special.expit(logits)
