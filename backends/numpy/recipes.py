"""What NumPy and SciPy lack, composed from their functions, with gradients written by hand.

`NAME_vjp(cotangent, values, [target], *, options)` returns the gradients by the first argument
and, for targets that hold probabilities, by the target. Numbers of 16 bits are widened to float32
first, and results are rounded back once.
"""

from __future__ import annotations

from functools import wraps

import numpy as np

namespace = "numpy.recipes"
kind = "recipe"
targets = {
    "cross_entropy": {"index", "one_hot", "soft"},
    "cross_entropy_probs": {"index", "one_hot", "soft"},
}


def _wide(array):
    is_narrow = isinstance(array, np.ndarray) and array.dtype.name in ("float16", "bfloat16")
    return array.astype(np.float32) if is_narrow else array


def _in_float32(function):
    """Widen what has 16 bits, and give the result the dtype of the first argument."""

    @wraps(function)
    def widened(values, *arrays, **options):
        given = [_wide(array) for array in (values, *arrays)]
        result = function(*given, **{name: _wide(array) for name, array in options.items()})
        return _rounded(result, values.dtype) if values.dtype.itemsize == 2 else result

    return widened


def _in_float32_vjp(function):
    """Widen what has 16 bits, and give each gradient the dtype of its argument."""

    @wraps(function)
    def widened(cotangent, *arrays, **options):
        given = [_wide(array) for array in (cotangent, *arrays)]
        results = function(*given, **{name: _wide(array) for name, array in options.items()})
        return tuple(
            _rounded(result, array.dtype) for result, array in zip(results, arrays, strict=False)
        )

    return widened


def _rounded(result, dtype):
    with np.errstate(over="ignore"):
        return np.asarray(result).astype(dtype)


@_in_float32
def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@_in_float32_vjp
def softmax_vjp(cotangent, logits, *, axis=-1):
    p = softmax(logits, axis=axis)
    return (p * (cotangent - (p * cotangent).sum(axis, keepdims=True)),)


@_in_float32
def log_softmax(logits, *, axis=-1):
    shifted = logits - logits.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


@_in_float32_vjp
def log_softmax_vjp(cotangent, logits, *, axis=-1):
    p = softmax(logits, axis=axis)
    return (cotangent - p * cotangent.sum(axis, keepdims=True),)


@_in_float32
def logsumexp(logits, *, axis=-1):
    a = logits.max(axis, keepdims=True)
    return a.squeeze(axis) + np.log(np.exp(logits - a).sum(axis))


@_in_float32_vjp
def logsumexp_vjp(cotangent, logits, *, axis=-1):
    return (np.expand_dims(cotangent, axis) * softmax(logits, axis=axis),)


@_in_float32
def sigmoid(logits):
    e = np.exp(-np.abs(logits))
    return np.where(logits >= 0, e.dtype.type(1), e) / (1 + e)


@_in_float32_vjp
def sigmoid_vjp(cotangent, logits):
    return (cotangent * sigmoid(logits) * sigmoid(-logits),)


@_in_float32
def log_sigmoid(logits):
    return np.minimum(logits, 0) - np.log1p(np.exp(-np.abs(logits)))


@_in_float32_vjp
def log_sigmoid_vjp(cotangent, logits):
    return (cotangent * sigmoid(-logits),)


@_in_float32
def nll_loss(log_probs, target, *, weight=None, ignore_index=-100, reduction="mean"):
    labels, row_weights = _rows(log_probs, target, weight, ignore_index)
    losses = -row_weights * np.take_along_axis(log_probs, labels, 1).squeeze(1)
    return _reduce(np.where(row_weights == 0, 0, losses), reduction, row_weights.sum())


@_in_float32_vjp
def nll_loss_vjp(cotangent, log_probs, target, *, weight=None, ignore_index=-100, reduction="mean"):
    labels, row_weights = _rows(log_probs, target, weight, ignore_index)
    scale = _scaled(cotangent, row_weights, reduction, row_weights.sum())
    return (-_one_hot(labels, log_probs) * np.expand_dims(scale, 1),)


@_in_float32
def cross_entropy(
    logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean",
    logit_scale=1.0, logit_softcap=None, z_loss=0.0, denominator=None,
):  # fmt: skip
    q, divisor = _labels(logits, target, weight, ignore_index, label_smoothing)
    logits, _ = _transformed(logits, logit_scale, logit_softcap)
    log_probs = log_softmax(logits, axis=1)
    losses = -np.where(q == 0, 0, q * log_probs).sum(1)
    if z_loss:
        squares = logsumexp(logits, axis=1) ** 2 * logits.dtype.type(z_loss)
        losses = losses + np.where(target == ignore_index, 0, squares)
    divisor = divisor if denominator is None else losses.dtype.type(denominator)
    return _reduce(losses, reduction, divisor)


@_in_float32_vjp
def cross_entropy_vjp(
    cotangent, logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0,
    reduction="mean", logit_scale=1.0, logit_softcap=None, z_loss=0.0, denominator=None,
):  # fmt: skip
    q, divisor = _labels(logits, target, weight, ignore_index, label_smoothing)
    divisor = divisor if denominator is None else logits.dtype.type(denominator)
    scale = np.expand_dims(_scaled(cotangent, np.ones_like(q[:, 0]), reduction, divisor), 1)
    logits, slope = _transformed(logits, logit_scale, logit_softcap)
    total = q.sum(1, keepdims=True)
    if z_loss:
        factor = logits.dtype.type(2 * z_loss)
        total = total + np.expand_dims(logsumexp(logits, axis=1) * factor, 1)
    by_logits = (softmax(logits, axis=1) * total - q) * scale * slope
    if target.dtype.kind != "f":
        by_logits = np.where(np.expand_dims(target == ignore_index, 1), 0, by_logits)
        return (by_logits,)
    keep = logits.dtype.type(1 - label_smoothing)
    factor = keep if weight is None else _by_class(weight, logits) * keep
    return by_logits, _times(factor, -log_softmax(logits, axis=1) * scale)


def linear_cross_entropy(
    hidden, linear_weight, target, *, linear_bias=None, logit_scale=1.0, logit_softcap=None,
    z_loss=0.0, denominator=None, **options,
):  # fmt: skip
    options |= {"logit_scale": logit_scale, "logit_softcap": logit_softcap}
    options |= {"z_loss": z_loss, "denominator": denominator}
    logits = _logits(hidden, linear_weight, linear_bias, target, options)
    return _rounded(cross_entropy(logits, target, **options), hidden.dtype)


def linear_cross_entropy_vjp(
    cotangent, hidden, linear_weight, target, *, linear_bias=None, **options
):
    logits = _logits(hidden, linear_weight, linear_bias, target, options)
    (by_logits,) = cross_entropy_vjp(_wide(cotangent), logits, target, **options)
    counts = np.expand_dims(target != options.get("ignore_index", -100), 1)
    by_hidden = by_logits @ _wide(linear_weight)
    by_weight = by_logits.T @ np.where(counts, _wide(hidden), 0)
    gradients = [_rounded(by_hidden, hidden.dtype), _rounded(by_weight, linear_weight.dtype)]
    if linear_bias is not None:
        gradients.append(_rounded(by_logits.sum(0), linear_bias.dtype))
    return tuple(gradients)


def _logits(hidden, linear_weight, linear_bias, target, options):
    """Inner products of 16-bit numbers in float32; 0 in rows that do not count."""
    logits = _wide(hidden) @ _wide(linear_weight).T
    if linear_bias is not None:
        logits = logits + _wide(linear_bias)
    counts = np.expand_dims(target != options.get("ignore_index", -100), 1)
    return np.where(counts, logits, 0)


@_in_float32
def cross_entropy_by_nll(logits, target, *, weight=None, ignore_index=-100, reduction="mean"):
    """nll_loss of log_softmax: what cross_entropy is documented to be."""
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    return nll_loss(log_softmax(logits, axis=1), target, **options)


@_in_float32
def cross_entropy_probs(probs, target, *, weight=None, reduction="mean"):
    q, divisor = _labels(probs, target, weight, -100, 0.0)
    return _reduce(-np.where(q == 0, 0, q * np.log(probs)).sum(1), reduction, divisor)


@_in_float32_vjp
def cross_entropy_probs_vjp(cotangent, probs, target, *, weight=None, reduction="mean"):
    q, divisor = _labels(probs, target, weight, -100, 0.0)
    scale = np.expand_dims(_scaled(cotangent, np.ones_like(q[:, 0]), reduction, divisor), 1)
    by_probs = -np.where(q == 0, 0, q / probs) * scale
    if target.dtype.kind != "f":
        return (by_probs,)
    factor = probs.dtype.type(1) if weight is None else _by_class(weight, probs)
    return by_probs, _times(factor, -np.log(probs) * scale)


@_in_float32
def binary_cross_entropy(probs, target, *, weight=None, reduction="mean"):
    hit = np.where(target == 0, 0, target * np.log(probs))
    miss = np.where(target == 1, 0, (1 - target) * np.log1p(-probs))
    losses = -(hit + miss)
    if weight is not None:
        losses = losses * _by_class(weight, probs)
    return _reduce(losses, reduction, losses.dtype.type(losses.size))


@_in_float32_vjp
def binary_cross_entropy_vjp(cotangent, probs, target, *, weight=None, reduction="mean"):
    scale = _scaled(cotangent, np.ones_like(probs), reduction, probs.dtype.type(probs.size))
    if weight is not None:
        scale = scale * _by_class(weight, probs)
    hit = np.where(target == 0, 0, target / probs)
    miss = np.where(target == 1, 0, (1 - target) / (1 - probs))
    return (miss - hit) * scale, (np.log1p(-probs) - np.log(probs)) * scale


@_in_float32
def binary_cross_entropy_with_logits(
    logits, target, *, weight=None, pos_weight=None, reduction="mean"
):
    hit = target if pos_weight is None else target * _by_class(pos_weight, logits)
    losses = -np.where(hit == 0, 0, hit * log_sigmoid(logits))
    losses = losses - np.where(target == 1, 0, (1 - target) * log_sigmoid(-logits))
    if weight is not None:
        losses = losses * _by_class(weight, logits)
    return _reduce(losses, reduction, losses.dtype.type(losses.size))


@_in_float32_vjp
def binary_cross_entropy_with_logits_vjp(
    cotangent, logits, target, *, weight=None, pos_weight=None, reduction="mean"
):
    scale = _scaled(cotangent, np.ones_like(logits), reduction, logits.dtype.type(logits.size))
    if weight is not None:
        scale = scale * _by_class(weight, logits)
    factor = 1 if pos_weight is None else _by_class(pos_weight, logits)
    by_logits = (1 - target) * sigmoid(logits) - factor * target * sigmoid(-logits)
    by_target = (
        -logits if pos_weight is None else (log_sigmoid(-logits) - factor * log_sigmoid(logits))
    )
    return by_logits * scale, by_target * scale


def _transformed(logits, scale, softcap):
    """Scaled and capped logits, and the derivative of both."""
    one = logits.dtype.type
    if scale != 1:
        logits = logits * one(scale)
    if softcap is None:
        return logits, one(scale)
    y = np.tanh(logits / one(softcap))
    return y * one(softcap), (1 - y * y) * one(scale)


def _by_class(weight, like):
    """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1; other shapes as they are."""
    return weight if weight.ndim != 1 else weight.reshape(-1, *[1] * (like.ndim - 2))


def _times(factor, losses):
    """A factor of 0 leaves nothing of an infinite loss."""
    return np.where(factor == 0, 0, factor * losses)


def _rows(values, target, weight, ignore_index):
    """Labels with a class axis, 0 where ignored, and the weight of each row."""
    classes = values.shape[1]
    if target.dtype.kind not in "iu" or target.shape != values.shape[:1] + values.shape[2:]:
        raise TypeError(f"target of dtype {target.dtype} and shape {target.shape}")
    counts = target != ignore_index
    if ((target < 0) | (target >= classes))[counts].any():
        raise IndexError(f"target out of range [0, {classes})")
    labels = np.expand_dims(np.where(counts, target, 0), 1)
    weights = np.ones(classes, values.dtype) if weight is None else weight
    return labels, np.where(counts, weights[labels.squeeze(1)], 0).astype(values.dtype)


def _one_hot(labels, like):
    q = np.zeros_like(like)
    np.put_along_axis(q, labels, 1, 1)
    return q


def _labels(values, target, weight, ignore_index, label_smoothing):
    """Weighted and smoothed probabilities, and the divisor of the mean."""
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing {label_smoothing} is outside [0, 1]")
    if target.dtype.kind != "f":
        labels, row_weights = _rows(values, target, weight, ignore_index)
        divisor = row_weights.sum()
        q = _one_hot(labels, values)
        q = np.where(np.expand_dims(target == ignore_index, 1), 0, _smoothed(q, label_smoothing))
    elif target.shape == values.shape:
        divisor = values.dtype.type(target[:, 0].size)
        q = _smoothed(target.astype(values.dtype), label_smoothing)
    else:
        raise ValueError(f"target of shape {target.shape} for values of shape {values.shape}")
    return q if weight is None else q * _by_class(weight, values), divisor


def _smoothed(q, label_smoothing):
    if not label_smoothing:
        return q
    keep, uniform = q.dtype.type(1 - label_smoothing), label_smoothing / q.shape[1]
    return q * keep + q.dtype.type(uniform)


def _reduce(losses, reduction, divisor):
    if reduction == "none":
        return losses
    return losses.sum() / divisor if reduction == "mean" else losses.sum()


def _scaled(cotangent, rows, reduction, divisor):
    return cotangent * rows / divisor if reduction == "mean" else cotangent * rows
