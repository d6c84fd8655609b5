"""What TensorFlow and Keras lack, composed from their own functions.

Numbers of 16 bits are widened to float32 first, as TensorFlow's guide to mixed precision
has it for losses, and the result is rounded back once.
"""

from __future__ import annotations

import keras
import tensorflow as tf

namespace = "tf.recipes"
kind = "recipe"
names = {
    "cross_entropy_keras": "keras.recipes.cross_entropy",
    "binary_cross_entropy_keras": "keras.recipes.binary_cross_entropy",
    "binary_cross_entropy_with_logits_keras": "keras.recipes.binary_cross_entropy_with_logits",
}
targets = {
    "cross_entropy_soft": {"one_hot", "soft"},
    "cross_entropy_probs_soft": {"one_hot", "soft"},
}


def cross_entropy(
    logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean",
    logit_scale=1.0, logit_softcap=None, z_loss=0.0, denominator=None,
):  # fmt: skip
    """`torch.nn.functional.cross_entropy` for index targets, classes on axis 1, and for LLMs."""
    counts = tf.not_equal(target, ignore_index)
    labels = tf.where(counts, target, 0)
    # Before the softmax: a NaN in a row that does not count would spoil its gradient.
    scores = tf.where(counts[..., tf.newaxis], _classes_last(_wide(logits)), 0)
    if logit_scale != 1:
        scores *= logit_scale
    if logit_softcap is not None:
        scores = logit_softcap * tf.tanh(scores / logit_softcap)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores)
    weights = _row_weights(weight, labels, counts, losses.dtype)
    losses *= weights
    if label_smoothing:
        by_class = -tf.nn.log_softmax(scores)
        if weight is not None:
            by_class *= tf.cast(weight, by_class.dtype)
        uniform = tf.reduce_mean(by_class, axis=-1)
        losses = (1 - label_smoothing) * losses + label_smoothing * uniform
        losses = tf.where(counts, losses, 0)
    if z_loss:
        losses += tf.where(counts, z_loss * tf.reduce_logsumexp(scores, axis=-1) ** 2, 0)
    if denominator is not None and reduction == "mean":
        return tf.cast(tf.reduce_sum(losses) / denominator, logits.dtype)
    return tf.cast(_reduce(losses, reduction, weights), logits.dtype)


def linear_cross_entropy(hidden, linear_weight, target, *, linear_bias=None, ignore_index=-100,
                         logit_scale=1.0, logit_softcap=None, z_loss=0.0, denominator=None,
                         **options):  # fmt: skip
    """Logits in float32 at least, and their loss; a row that does not count may hold NaN."""
    counts = tf.not_equal(target, ignore_index)
    states = tf.where(counts[:, tf.newaxis], _wide(hidden), 0)
    logits = tf.matmul(states, _wide(linear_weight), transpose_b=True)
    if linear_bias is not None:
        logits += _wide(linear_bias)
    loss = cross_entropy(
        logits, target, ignore_index=ignore_index, logit_scale=logit_scale,
        logit_softcap=logit_softcap, z_loss=z_loss, denominator=denominator, **options,
    )  # fmt: skip
    return tf.cast(loss, hidden.dtype)


def cross_entropy_soft(logits, target, *, weight=None, label_smoothing=0.0, reduction="mean"):
    """Targets are probabilities; right in the gradient too where they do not sum to 1.

    The gradient of `tf.nn.softmax_cross_entropy_with_logits` takes the sum for 1.
    """
    scores = _classes_last(_wide(logits))
    probs = _classes_last(tf.cast(target, scores.dtype))
    if label_smoothing:
        probs = (1 - label_smoothing) * probs + label_smoothing / probs.shape[-1]
    if weight is not None:
        probs *= tf.cast(weight, probs.dtype)
    # A class of probability 0 adds nothing, even if its logit is −inf.
    losses = -tf.reduce_sum(tf.math.multiply_no_nan(tf.nn.log_softmax(scores), probs), axis=-1)
    return tf.cast(_reduce(losses, reduction), logits.dtype)


def cross_entropy_keras(logits, target, *, weight=None, reduction="mean"):
    """Class weights in Keras: the weight of each row, and a mean that divides by their sum."""
    mean = "sum_over_batch_size" if weight is None else "mean_with_sample_weight"
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True,
        reduction={"none": None, "mean": mean, "sum": "sum"}[reduction],
        dtype=_wide(logits).dtype.name,
    )
    rows = None if weight is None else keras.ops.take(weight, target)
    return tf.cast(loss(target, _classes_last(logits), sample_weight=rows), logits.dtype)


def nll_loss(log_probs, target, *, weight=None, ignore_index=-100, reduction="mean"):
    """`torch.nn.functional.nll_loss`, classes on axis 1."""
    counts = tf.not_equal(target, ignore_index)
    labels = tf.where(counts, target, 0)
    picked = _picked(_classes_last(_wide(log_probs)), labels)
    weights = _row_weights(weight, labels, counts, picked.dtype)
    losses = tf.where(counts, -weights * picked, 0)
    return tf.cast(_reduce(losses, reduction, weights), log_probs.dtype)


def cross_entropy_by_nll(logits, target, *, weight=None, ignore_index=-100, reduction="mean"):
    """nll_loss of log_softmax: what cross_entropy is documented to be."""
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    return nll_loss(tf.nn.log_softmax(logits, axis=1), target, **options)


def cross_entropy_probs(probs, target, *, weight=None, reduction="mean"):
    """Index targets, no clipping. The logarithm is taken after the pick, as 0 · (1 / 0) is NaN."""
    losses = -tf.math.log(_picked(_classes_last(_wide(probs)), target))
    weights = _row_weights(weight, target, tf.ones_like(target, tf.bool), losses.dtype)
    return tf.cast(_reduce(losses * weights, reduction, weights), probs.dtype)


def cross_entropy_probs_soft(probs, target, *, weight=None, reduction="mean"):
    """Targets are probabilities, no clipping; 0 · log 0 = 0."""
    q, p = _classes_last(_wide(target)), _classes_last(_wide(probs))
    # tf.math.xlogy would do, but has no gradient by q where q is 0.
    terms = q * tf.math.log(tf.where((q != 0) | (p != 0), p, 1))
    if weight is not None:
        terms *= tf.cast(weight, terms.dtype)
    return tf.cast(_reduce(-tf.reduce_sum(terms, axis=-1), reduction), probs.dtype)


def binary_cross_entropy(probs, target, *, weight=None, reduction="mean"):
    """Multi-label, no clipping; 0 · log 0 = 0."""
    z, p = _wide(target), _wide(probs)
    positive = z * tf.math.log(tf.where((z != 0) | (p != 0), p, 1))
    negative = (1 - z) * tf.math.log1p(-tf.where((z != 1) | (p != 1), p, 0))
    losses = -(positive + negative) * _by_class(weight, p)
    return tf.cast(_reduce(losses, reduction), probs.dtype)


def binary_cross_entropy_with_logits(
    logits, target, *, weight=None, pos_weight=None, reduction="mean"
):
    """Multi-label, with weights of the classes and of their positive terms."""
    x = _wide(logits)
    z = tf.cast(target, x.dtype)
    if pos_weight is None:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=z, logits=x)
    else:
        losses = tf.nn.weighted_cross_entropy_with_logits(
            labels=z, logits=x, pos_weight=_by_class(pos_weight, x)
        )
    return tf.cast(_reduce(losses * _by_class(weight, x), reduction), logits.dtype)


def binary_cross_entropy_keras(probs, target, *, reduction="mean"):
    """Add a last axis of 1, for the mean that Keras takes before it reduces."""
    return _keras_binary(probs, target, reduction, from_logits=False)


def binary_cross_entropy_with_logits_keras(logits, target, *, reduction="mean"):
    """Add a last axis of 1, for the mean that Keras takes before it reduces."""
    return _keras_binary(logits, target, reduction, from_logits=True)


def _keras_binary(values, target, reduction, *, from_logits):
    loss = keras.losses.BinaryCrossentropy(
        from_logits=from_logits,
        reduction={"none": None, "mean": "sum_over_batch_size", "sum": "sum"}[reduction],
        dtype=_wide(values).dtype.name,
    )
    result = loss(target[..., tf.newaxis], values[..., tf.newaxis])
    return tf.cast(result, values.dtype)


def _wide(array):
    return tf.cast(array, tf.float32) if array.dtype.size < 4 else array


def _classes_last(array):
    """Shape (N, C, d1, …, dk) to (N, d1, …, dk, C)."""
    rank = array.shape.rank
    return array if rank == 2 else tf.transpose(array, [0, *range(2, rank), 1])


def _picked(array, labels):
    """Return the element of the last axis that each label names."""
    return tf.gather(array, labels, axis=-1, batch_dims=labels.shape.rank)


def _row_weights(weight, labels, counts, dtype):
    """Return the weight of each row's class, 0 for the rows that do not count."""
    ones = tf.cast(counts, dtype)
    return ones if weight is None else ones * tf.gather(tf.cast(weight, dtype), labels)


def _by_class(weight, like):
    """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1; 1 for none."""
    if weight is None:
        return tf.ones((), like.dtype)
    if weight.shape.rank != 1:
        return tf.cast(weight, like.dtype)
    return tf.reshape(tf.cast(weight, like.dtype), [-1, *[1] * (like.shape.rank - 2)])


def _reduce(losses, reduction, weights=None):
    """`mean` divides by the sum of the weights, where the rows have any."""
    if reduction == "none":
        return losses
    if reduction == "sum" or weights is None:
        return {"sum": tf.reduce_sum, "mean": tf.reduce_mean}[reduction](losses)
    return tf.reduce_sum(losses) / tf.reduce_sum(weights)
