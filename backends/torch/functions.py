"""The operations of the `torch` namespace itself."""

from __future__ import annotations

import torch

namespace = "torch"
kind = "native"


def softmax(logits, *, axis=-1):
    return torch.softmax(logits, axis)


def log_softmax(logits, *, axis=-1):
    return torch.log_softmax(logits, axis)


def logsumexp(logits, *, axis=-1):
    return torch.logsumexp(logits, axis)


def sigmoid(logits):
    return torch.sigmoid(logits)


def exp(logits):
    return torch.exp(logits)
