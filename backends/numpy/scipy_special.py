"""The operations of `scipy.special`; SciPy has no gradients."""

from __future__ import annotations

from scipy import special

namespace = "scipy.special"
kind = "native"
names = {"sigmoid": "scipy.special.expit", "log_sigmoid": "scipy.special.log_expit"}


def softmax(logits, *, axis=-1):
    return special.softmax(logits, axis=axis)


def log_softmax(logits, *, axis=-1):
    return special.log_softmax(logits, axis=axis)


def logsumexp(logits, *, axis=-1):
    return special.logsumexp(logits, axis=axis)


def sigmoid(logits):
    return special.expit(logits)


def log_sigmoid(logits):
    return special.log_expit(logits)
