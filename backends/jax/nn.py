"""The operations of `jax.nn`."""

from __future__ import annotations

import jax

namespace = "jax.nn"
kind = "native"


def softmax(logits, *, axis=-1):
    return jax.nn.softmax(logits, axis)


def log_softmax(logits, *, axis=-1):
    return jax.nn.log_softmax(logits, axis)


def logsumexp(logits, *, axis=-1):
    return jax.nn.logsumexp(logits, axis)


def sigmoid(logits):
    return jax.nn.sigmoid(logits)


def log_sigmoid(logits):
    return jax.nn.log_sigmoid(logits)
