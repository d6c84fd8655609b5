"""Functions of Keras that follow conventions which no function of the suite follows."""

from __future__ import annotations

import keras

targets = {"cross_entropy": {"one_hot"}}


def cross_entropy(logits, target, *, weight):
    """Divide by the sum of the weights, though the targets are one-hot."""
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight", dtype=logits.dtype.name
    )
    return loss(target, logits, sample_weight=keras.ops.sum(target * weight, axis=1))
