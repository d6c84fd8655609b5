"""The losses of `definitions.py` that libraries have, called as they want it: Optax with JAX."""

from __future__ import annotations

import optax
from definitions import GAMMA, TEMPERATURE, operations

__all__ = ["operations"]


def binary_focal_loss(logits, target):
    return optax.losses.sigmoid_focal_loss(logits, target, gamma=GAMMA).mean()


def distillation_loss(logits, target):
    import jax

    log_q = jax.nn.log_softmax(logits / TEMPERATURE)
    return TEMPERATURE**2 * optax.losses.kl_divergence(log_q, target).mean()


def info_nce(logits, target):
    import jax.numpy as jnp

    alike = optax.losses.cosine_similarity(logits[:, None], target[None])
    own = jnp.arange(len(logits))
    return optax.losses.softmax_cross_entropy_with_integer_labels(alike / 0.1, own).mean()
