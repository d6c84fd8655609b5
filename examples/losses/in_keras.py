"""The losses of `definitions.py` that Keras has, called as it wants them."""

from __future__ import annotations

import keras
from definitions import GAMMA, operations

__all__ = ["operations"]


def focal_loss(logits, target):
    focal = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=GAMMA, from_logits=True)
    return focal(target, logits)


def binary_focal_loss(logits, target):
    focal = keras.losses.BinaryFocalCrossentropy(gamma=GAMMA, from_logits=True)
    return focal(target, logits)


def dice_loss(probs, target):
    return keras.losses.dice(target, probs)
