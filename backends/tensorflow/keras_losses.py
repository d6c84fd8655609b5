"""The losses of `keras.losses`: the classes, and the functions that they wrap.

The classes compute in `keras.config.floatx()`, float32, unless they are told the dtype; here
they are told the dtype of the logits. The functions return one loss for each row, which
their users reduce themselves. Class weights become weights of the rows (`sample_weight`), as
`Model.fit(class_weight=…)` makes them.

The plain names take logits (`from_logits=True`), `…(from_logits=False)` probabilities.
"""

from __future__ import annotations

import keras

namespace = "keras.losses"
kind = "native"
names = {
    function: f"keras.losses.{name}"
    for function, name in {
        "cross_entropy": "CategoricalCrossentropy",
        "cross_entropy_weighted": "CategoricalCrossentropy(sample_weight)",
        "cross_entropy_sparse": "SparseCategoricalCrossentropy",
        "cross_entropy_sparse_mean_of_weights": "SparseCategoricalCrossentropy"
        "(mean_with_sample_weight)",
        "cross_entropy_sparse_ignoring": "SparseCategoricalCrossentropy(ignore_class)",
        "cross_entropy_function": "categorical_crossentropy",
        "cross_entropy_function_sparse": "sparse_categorical_crossentropy",
        "cross_entropy_function_ignoring": "sparse_categorical_crossentropy(ignore_class)",
        "cross_entropy_probs": "CategoricalCrossentropy(from_logits=False)",
        "cross_entropy_probs_sparse": "SparseCategoricalCrossentropy(from_logits=False)",
        "cross_entropy_probs_function": "categorical_crossentropy(from_logits=False)",
        "cross_entropy_probs_picked": "sparse_categorical_crossentropy(from_logits=False)",
        "binary_cross_entropy": "BinaryCrossentropy(from_logits=False)",
        "binary_cross_entropy_function": "binary_crossentropy(from_logits=False)",
        "binary_cross_entropy_with_logits": "BinaryCrossentropy",
        "binary_cross_entropy_with_logits_function": "binary_crossentropy",
    }.items()
}
targets = {
    name: {"one_hot", "soft"}
    for name in (
        "cross_entropy",
        "cross_entropy_function",
        "cross_entropy_probs",
        "cross_entropy_probs_function",
    )
}
targets["cross_entropy_weighted"] = {"one_hot"}

_REDUCTIONS = {"none": None, "mean": "sum_over_batch_size", "sum": "sum"}


def cross_entropy(logits, target, *, label_smoothing=0.0, reduction="mean"):
    return cross_entropy_weighted(
        logits, target, label_smoothing=label_smoothing, reduction=reduction
    )


def cross_entropy_weighted(logits, target, *, weight=None, label_smoothing=0.0, reduction="mean"):
    """Give each row the weight of its class."""
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True,
        label_smoothing=label_smoothing,
        axis=_class_axis(logits),
        reduction=_REDUCTIONS[reduction],
        dtype=logits.dtype.name,
    )
    if weight is None:
        return loss(target, logits)
    by_class = keras.ops.reshape(weight, [-1, *[1] * (len(logits.shape) - 2)])
    return loss(target, logits, sample_weight=keras.ops.sum(target * by_class, axis=1))


def cross_entropy_sparse(logits, target, *, weight=None, reduction="mean"):
    """Cast the index targets to its dtype too: in bfloat16, class 257 becomes 256."""
    return _sparse(logits, target, weight, _REDUCTIONS[reduction])


def cross_entropy_sparse_mean_of_weights(logits, target, *, weight=None, reduction="mean"):
    mean = {"mean": "mean_with_sample_weight"}
    return _sparse(logits, target, weight, {**_REDUCTIONS, **mean}[reduction])


def _sparse(logits, target, weight, reduction):
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=reduction, dtype=logits.dtype.name
    )
    rows = None if weight is None else keras.ops.take(weight, target)
    return loss(target, _classes_last(logits), sample_weight=rows)


def cross_entropy_sparse_ignoring(logits, target, *, ignore_index=-100, reduction="mean"):
    """Mask the ignored rows, so that `mean` divides by the number of the others."""
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True,
        ignore_class=ignore_index,
        reduction=_REDUCTIONS[reduction],
        dtype=logits.dtype.name,
    )
    return loss(target, _classes_last(logits))


def cross_entropy_function(logits, target, *, label_smoothing=0.0, reduction="mean"):
    losses = keras.losses.categorical_crossentropy(
        target,
        logits,
        from_logits=True,
        label_smoothing=label_smoothing,
        axis=_class_axis(logits),
    )
    return _reduce(losses, reduction)


def cross_entropy_function_sparse(logits, target, *, reduction="mean"):
    losses = keras.losses.sparse_categorical_crossentropy(
        target, _classes_last(logits), from_logits=True
    )
    return _reduce(losses, reduction)


def cross_entropy_function_ignoring(logits, target, *, ignore_index=-100, reduction="mean"):
    """Return zeros for the ignored rows, which a mean over all rows then counts."""
    losses = keras.losses.sparse_categorical_crossentropy(
        target, _classes_last(logits), from_logits=True, ignore_class=ignore_index
    )
    return _reduce(losses, reduction)


def cross_entropy_probs(probs, target, *, reduction="mean"):
    """Divide each row by its sum, then clip to [1e-7, 1 − 1e-7]."""
    loss = keras.losses.CategoricalCrossentropy(
        axis=_class_axis(probs), reduction=_REDUCTIONS[reduction], dtype=probs.dtype.name
    )
    return loss(target, probs)


def cross_entropy_probs_sparse(probs, target, *, reduction="mean"):
    """Clip to [1e-7, 1 − 1e-7], then take the logarithms for logits."""
    loss = keras.losses.SparseCategoricalCrossentropy(
        reduction=_REDUCTIONS[reduction], dtype=probs.dtype.name
    )
    return loss(target, _classes_last(probs))


def cross_entropy_probs_function(probs, target, *, reduction="mean"):
    losses = keras.losses.categorical_crossentropy(target, probs, axis=_class_axis(probs))
    return _reduce(losses, reduction)


def cross_entropy_probs_picked(probs, target, *, reduction="mean"):
    losses = keras.losses.sparse_categorical_crossentropy(target, _classes_last(probs))
    return _reduce(losses, reduction)


# The binary losses take the mean over the last axis before they reduce: `none` and `sum` are
# not those of the elements, so `reduction` is not claimed. `keras.ops.binary_crossentropy`
# returns the elements.


def binary_cross_entropy(probs, target, *, label_smoothing=0.0):
    loss = keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing, dtype=probs.dtype.name)
    return loss(target, probs)


def binary_cross_entropy_function(probs, target, *, label_smoothing=0.0):
    losses = keras.losses.binary_crossentropy(target, probs, label_smoothing=label_smoothing)
    return keras.ops.mean(losses)


def binary_cross_entropy_with_logits(logits, target, *, label_smoothing=0.0):
    loss = keras.losses.BinaryCrossentropy(
        from_logits=True, label_smoothing=label_smoothing, dtype=logits.dtype.name
    )
    return loss(target, logits)


def binary_cross_entropy_with_logits_function(logits, target, *, label_smoothing=0.0):
    losses = keras.losses.binary_crossentropy(
        target, logits, from_logits=True, label_smoothing=label_smoothing
    )
    return keras.ops.mean(losses)


def _class_axis(array):
    return -1 if len(array.shape) == 2 else 1


def _classes_last(array):
    """Shape (N, C, d1, …, dk) to (N, d1, …, dk, C), the only one for index targets."""
    return array if len(array.shape) == 2 else keras.ops.moveaxis(array, 1, -1)


def _reduce(losses, reduction):
    if reduction == "none":
        return losses
    return {"mean": keras.ops.mean, "sum": keras.ops.sum}[reduction](losses)
