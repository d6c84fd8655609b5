"""The operations of `keras.ops`.

Its losses return one loss for each row (or element), which their users reduce themselves.
The plain names take logits (`from_logits=True`), `…(from_logits=False)` probabilities.
"""

from __future__ import annotations

from keras import ops

namespace = "keras.ops"
kind = "native"
names = {
    function: f"keras.ops.{name}"
    for function, name in {
        "cross_entropy": "categorical_crossentropy",
        "cross_entropy_sparse": "sparse_categorical_crossentropy",
        "cross_entropy_probs": "categorical_crossentropy(from_logits=False)",
        "cross_entropy_probs_sparse": "sparse_categorical_crossentropy(from_logits=False)",
        "binary_cross_entropy": "binary_crossentropy(from_logits=False)",
        "binary_cross_entropy_with_logits": "binary_crossentropy",
    }.items()
}
targets = {"cross_entropy": {"one_hot", "soft"}, "cross_entropy_probs": {"one_hot", "soft"}}


def softmax(logits, *, axis=-1):
    return ops.softmax(logits, axis=axis)


def log_softmax(logits, *, axis=-1):
    return ops.log_softmax(logits, axis=axis)


def logsumexp(logits, *, axis=-1):
    return ops.logsumexp(logits, axis=axis)


def sigmoid(logits):
    return ops.sigmoid(logits)


def log_sigmoid(logits):
    return ops.log_sigmoid(logits)


def exp(logits):
    return ops.exp(logits)


def cross_entropy(logits, target, *, reduction="mean"):
    axis = _class_axis(logits)
    losses = ops.categorical_crossentropy(target, logits, from_logits=True, axis=axis)
    return _reduce(losses, reduction)


def cross_entropy_sparse(logits, target, *, reduction="mean"):
    losses = ops.sparse_categorical_crossentropy(target, _classes_last(logits), from_logits=True)
    return _reduce(losses, reduction)


def cross_entropy_probs(probs, target, *, reduction="mean"):
    losses = ops.categorical_crossentropy(target, probs, axis=_class_axis(probs))
    return _reduce(losses, reduction)


def cross_entropy_probs_sparse(probs, target, *, reduction="mean"):
    losses = ops.sparse_categorical_crossentropy(target, _classes_last(probs))
    return _reduce(losses, reduction)


def binary_cross_entropy(probs, target, *, reduction="mean"):
    return _reduce(ops.binary_crossentropy(target, probs), reduction)


def binary_cross_entropy_with_logits(logits, target, *, reduction="mean"):
    return _reduce(ops.binary_crossentropy(target, logits, from_logits=True), reduction)


def _class_axis(array):
    return -1 if len(array.shape) == 2 else 1


def _classes_last(array):
    """Shape (N, C, d1, …, dk) to (N, d1, …, dk, C), the only one for index targets."""
    return array if len(array.shape) == 2 else ops.moveaxis(array, 1, -1)


def _reduce(losses, reduction):
    if reduction == "none":
        return losses
    return {"mean": ops.mean, "sum": ops.sum}[reduction](losses)
