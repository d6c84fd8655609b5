"""The operations of `jax.numpy`."""

from __future__ import annotations

import jax.numpy as jnp

namespace = "jax.numpy"
kind = "native"
names = {"logsumexp": "jax.numpy.logaddexp.reduce"}


def logsumexp(logits, *, axis=-1):
    return jnp.logaddexp.reduce(logits, axis=axis)


def exp(logits):
    return jnp.exp(logits)
