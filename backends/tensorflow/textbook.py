"""The formulas of the five tutorials, word for word, in TensorFlow.

They are here to be judged: most break on large logits, and the report shows where.
"""

from __future__ import annotations

import tensorflow as tf

namespace = "tf.textbook"
kind = "textbook"
targets = {"cross_entropy_probs": {"one_hot", "soft"}, "cross_entropy_probs_picked": {"index"}}


def softmax_unshifted(logits, *, axis=-1):
    return tf.exp(logits) / tf.reduce_sum(tf.exp(logits), axis, keepdims=True)


def softmax_over_axis_0(logits):
    return tf.exp(logits) / tf.reduce_sum(tf.exp(logits), 0)


def log_softmax_of_softmax(logits, *, axis=-1):
    return tf.math.log(softmax_unshifted(logits, axis=axis))


def log_softmax_unshifted(logits, *, axis=-1):
    return logits - tf.math.log(tf.reduce_sum(tf.exp(logits), axis, keepdims=True))


def logsumexp_shifted(logits, *, axis=-1):
    a = tf.reduce_max(logits, axis)
    shifted = tf.exp(logits - tf.expand_dims(a, axis))
    return a + tf.math.log(tf.reduce_sum(shifted, axis))


def log_softmax_shifted(logits, *, axis=-1):
    return logits - tf.expand_dims(logsumexp_shifted(logits, axis=axis), axis)


def nll_loss_by_indexing(log_probs, target, *, reduction="mean"):
    return _reduce(-_picked(log_probs, target), reduction)


def cross_entropy_of_softmax(logits, target, *, reduction="mean"):
    """Negative log of the picked probabilities."""
    return cross_entropy_probs_picked(softmax_unshifted(logits), target, reduction=reduction)


def cross_entropy_unshifted(logits, target, *, reduction="mean"):
    return nll_loss_by_indexing(log_softmax_unshifted(logits), target, reduction=reduction)


def cross_entropy_shifted(logits, target, *, reduction="mean"):
    return nll_loss_by_indexing(log_softmax_shifted(logits), target, reduction=reduction)


def cross_entropy_probs_picked(probs, target, *, reduction="mean"):
    return _reduce(-tf.math.log(_picked(probs, target)), reduction)


def cross_entropy_probs(probs, target, *, reduction="mean"):
    return _reduce(-tf.reduce_sum(target * tf.math.log(probs), 1), reduction)


def sigmoid(logits):
    return 1.0 / (1 + tf.exp(-logits))


def binary_cross_entropy(probs, target, *, reduction="mean"):
    losses = -(target * tf.math.log(probs) + (1 - target) * tf.math.log(1 - probs))
    return _reduce(losses, reduction)


def binary_cross_entropy_with_logits(logits, target, *, reduction="mean"):
    return binary_cross_entropy(tf.sigmoid(logits), target, reduction=reduction)


def _picked(array, target):
    """`array[range(N), target]`, which TensorFlow spells gather_nd."""
    rows = tf.range(target.shape[0], dtype=target.dtype)
    return tf.gather_nd(array, tf.stack([rows, target], axis=1))


def _reduce(losses, reduction):
    return {"none": tf.identity, "mean": tf.reduce_mean, "sum": tf.reduce_sum}[reduction](losses)
