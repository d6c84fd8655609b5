"""The operations of `tf.nn`, `tf.math` and `tf.compat.v1.losses`.

The losses of `tf.nn` return one loss for each row, which their users reduce themselves.
"""

from __future__ import annotations

import tensorflow as tf

namespace = "tf.nn"
kind = "native"
names = {
    "logsumexp": "tf.math.reduce_logsumexp",
    "sigmoid": "tf.math.sigmoid",
    "log_sigmoid": "tf.math.log_sigmoid",
    "exp": "tf.math.exp",
    "cross_entropy": "tf.nn.softmax_cross_entropy_with_logits",
    "cross_entropy_sparse": "tf.nn.sparse_softmax_cross_entropy_with_logits",
    "cross_entropy_v1": "tf.compat.v1.losses.softmax_cross_entropy",
    "cross_entropy_v1_weighted": "tf.compat.v1.losses.softmax_cross_entropy(weights)",
    "cross_entropy_v1_sparse": "tf.compat.v1.losses.sparse_softmax_cross_entropy",
    "binary_cross_entropy_v1": "tf.compat.v1.losses.log_loss",
    "binary_cross_entropy_with_logits": "tf.nn.sigmoid_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_pos_weight": "tf.nn.weighted_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_v1": "tf.compat.v1.losses.sigmoid_cross_entropy",
}
targets = {
    "cross_entropy": {"one_hot", "soft"},
    "cross_entropy_v1": {"one_hot", "soft"},
    "cross_entropy_v1_weighted": {"one_hot"},
}

# The defaults of their users: `mean` divides by the number of weights that are not 0.
_V1_REDUCTIONS = {
    "none": "none", "mean": "weighted_sum_by_nonzero_weights", "sum": "weighted_sum",
}  # fmt: skip


def softmax(logits, *, axis=-1):
    return tf.nn.softmax(logits, axis=axis)


def log_softmax(logits, *, axis=-1):
    return tf.nn.log_softmax(logits, axis=axis)


def logsumexp(logits, *, axis=-1):
    return tf.math.reduce_logsumexp(logits, axis=axis)


def sigmoid(logits):
    return tf.math.sigmoid(logits)


def log_sigmoid(logits):
    return tf.math.log_sigmoid(logits)


def exp(logits):
    return tf.math.exp(logits)


def cross_entropy(logits, target, *, reduction="mean"):
    axis = -1 if logits.shape.rank == 2 else 1
    losses = tf.nn.softmax_cross_entropy_with_logits(labels=target, logits=logits, axis=axis)
    return _reduce(losses, reduction)


def cross_entropy_sparse(logits, target, *, reduction="mean"):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=target, logits=_classes_last(logits)
    )
    return _reduce(losses, reduction)


def cross_entropy_v1(logits, target, *, label_smoothing=0.0, reduction="mean"):
    """Reduce in float32, whatever the dtype, as all of `tf.compat.v1.losses` do."""
    return cross_entropy_v1_weighted(
        logits, target, label_smoothing=label_smoothing, reduction=reduction
    )


def cross_entropy_v1_weighted(
    logits, target, *, weight=None, label_smoothing=0.0, reduction="mean"
):
    """Give each row the weight of its class."""
    onehot = _classes_last(target)
    rows = 1.0 if weight is None else tf.reduce_sum(onehot * weight, axis=-1)
    return tf.compat.v1.losses.softmax_cross_entropy(
        onehot,
        _classes_last(logits),
        weights=rows,
        label_smoothing=label_smoothing,
        reduction=_V1_REDUCTIONS[reduction],
    )


def cross_entropy_v1_sparse(logits, target, *, weight=None, reduction="mean"):
    return tf.compat.v1.losses.sparse_softmax_cross_entropy(
        target,
        _classes_last(logits),
        weights=1.0 if weight is None else tf.gather(weight, target),
        reduction=_V1_REDUCTIONS[reduction],
    )


def binary_cross_entropy_v1(probs, target, *, weight=None, reduction="mean"):
    """Add 1e-7 to each probability before the logarithm; return float32."""
    return tf.compat.v1.losses.log_loss(
        target,
        probs,
        weights=_by_class(weight, probs),
        reduction=_V1_REDUCTIONS[reduction],
    )


def binary_cross_entropy_with_logits(logits, target, *, reduction="mean"):
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits)
    return _reduce(losses, reduction)


def binary_cross_entropy_with_logits_pos_weight(
    logits, target, *, pos_weight=None, reduction="mean"
):
    losses = tf.nn.weighted_cross_entropy_with_logits(
        labels=target, logits=logits, pos_weight=_by_class(pos_weight, logits)
    )
    return _reduce(losses, reduction)


def binary_cross_entropy_with_logits_v1(
    logits, target, *, weight=None, label_smoothing=0.0, reduction="mean"
):
    return tf.compat.v1.losses.sigmoid_cross_entropy(
        target,
        logits,
        weights=_by_class(weight, logits),
        label_smoothing=label_smoothing,
        reduction=_V1_REDUCTIONS[reduction],
    )


def _classes_last(array):
    """Shape (N, C, d1, …, dk) to (N, d1, …, dk, C)."""
    rank = array.shape.rank
    return array if rank == 2 else tf.transpose(array, [0, *range(2, rank), 1])


def _by_class(weight, like):
    """Shape (C,) to (1, C, 1, …, 1), so that it broadcasts along axis 1; 1.0 for none."""
    if weight is None:
        return 1.0
    if weight.shape.rank != 1:
        return weight
    return tf.reshape(weight, [1, -1, *[1] * (like.shape.rank - 2)])


def _reduce(losses, reduction):
    return {"none": tf.identity, "mean": tf.reduce_mean, "sum": tf.reduce_sum}[reduction](losses)
