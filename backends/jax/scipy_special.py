"""The operations of `jax.scipy.special`."""

from __future__ import annotations

from jax.scipy import special

namespace = "jax.scipy.special"
kind = "native"
names = {"sigmoid": "jax.scipy.special.expit"}


def softmax(logits, *, axis=-1):
    return special.softmax(logits, axis=axis)


def log_softmax(logits, *, axis=-1):
    return special.log_softmax(logits, axis=axis)


def logsumexp(logits, *, axis=-1):
    return special.logsumexp(logits, axis)


def sigmoid(logits):
    return special.expit(logits)
