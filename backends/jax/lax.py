"""The operations of `jax.lax`, the layer that kernels are written in."""

from __future__ import annotations

from jax import lax

namespace = "jax.lax"
kind = "native"
names = {"sigmoid": "jax.lax.logistic"}


def sigmoid(logits):
    return lax.logistic(logits)


def exp(logits):
    return lax.exp(logits)
