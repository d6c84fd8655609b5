"""More planted mistakes: shifts, axes, blocks, small constants, signs, labels and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from lossdiff.cases.model import Case, Inputs

from .planted_mistakes import (
    BINARY,
    CE,
    LOG_SOFTMAX,
    LOGSUMEXP,
    ONE_HOT,
    PROBS,
    SOFT,
    SOFTMAX,
    WIDE,
    Array,
    binary,
    log_softmax,
    logits,
    logs,
    losses,
    one_hot,
    planted,
    softmax,
    weight,
)

FAR = "softmax/float32/4x10/normal_100/-/0"


def overflowing(given: Inputs, shift: Any) -> Array:
    """Return softmax in float32 with a shift of some kind."""
    x = given.values
    with np.errstate(all="ignore"):
        e = np.exp(x - np.asarray(shift, np.float32))
        return e / e.sum(-1, keepdims=True)


@planted("no shift: the exponentials overflow", LOGSUMEXP)
def _(given: Inputs, _case: Case) -> Array:
    with np.errstate(all="ignore"):
        return np.log(np.exp(given.values).sum(-1))


@planted("the shift is the maximum of the whole array", FAR)
def _(given: Inputs, _case: Case) -> Array:
    return overflowing(given, given.values.max())


@planted("the shift is the mean", FAR)
def _(given: Inputs, _case: Case) -> Array:
    return overflowing(given, given.values.mean(-1, keepdims=True))


@planted("the shift is the largest magnitude", FAR)
def _(given: Inputs, _case: Case) -> Array:
    return overflowing(given, np.abs(given.values).max(-1, keepdims=True))


@planted("the shift is the minimum", FAR)
def _(given: Inputs, _case: Case) -> Array:
    return overflowing(given, given.values.min(-1, keepdims=True))


@planted("log(1 + e^x): the exponential overflows", "log_sigmoid/float32/4x10/normal_100/-/0")
def _(given: Inputs, _case: Case) -> Array:
    with np.errstate(all="ignore"):
        return -np.log(1 + np.exp(-given.values))


@planted("e^x/(1 + e^x): the exponential overflows", "sigmoid/float32/4x10/normal_100/-/0")
def _(given: Inputs, _case: Case) -> Array:
    with np.errstate(all="ignore"):
        return np.exp(given.values) / (1 + np.exp(given.values))


@planted("the logarithm of a rounded softmax", "log_softmax/float32/4x10/normal_100/-/0")
def _(given: Inputs, _case: Case) -> Array:
    with np.errstate(all="ignore"):
        return np.log(softmax(given.values))


@planted("the logarithm of a rounded sigmoid", "log_sigmoid/float32/4x10/normal_100/-/0")
def _(given: Inputs, _case: Case) -> Array:
    x, e = given.values, np.exp(-np.abs(given.values))
    with np.errstate(all="ignore"):
        return np.log(np.where(x >= 0, 1, e) / (1 + e))


# --- axes and blocks -------------------------------------------------------------------------


@planted("softmax runs over the whole array", SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    return softmax(logits(given).ravel()).reshape(given.values.shape)


@planted("softmax runs over the first axis", SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    return softmax(logits(given), 0)


@planted("softmax runs over axis 1", "softmax/float32/3x5x2/normal/-/0")
def _(given: Inputs, _case: Case) -> Array:
    return softmax(logits(given), 1)


@planted("softmax runs over the last axis", "log_softmax/float32/3x5x2/normal/axis=1/0")
def _(given: Inputs, _case: Case) -> Array:
    return log_softmax(logits(given))


@planted("softmax runs over axis 2", "softmax/float32/3x5x2x2/normal/-/0")
def _(given: Inputs, _case: Case) -> Array:
    return softmax(logits(given), 2)


def without(given: Inputs, kept: Array) -> Array:
    """Return log softmax with a sum over some of the classes."""
    x = logits(given)
    d = x - x.max(-1, keepdims=True)
    return d - np.log((np.exp(d) * kept).sum(-1, keepdims=True))


@planted("the last class is not summed", WIDE)
def _(given: Inputs, _case: Case) -> Array:
    return without(given, np.arange(1000) < 999)


@planted("the first class is not summed", WIDE)
def _(given: Inputs, _case: Case) -> Array:
    return without(given, np.arange(1000) > 0)


@planted("classes beyond a multiple of 32 are not summed", WIDE)
def _(given: Inputs, _case: Case) -> Array:
    return without(given, np.arange(1000) < 992)


@planted("only the first 128 classes are summed", WIDE)
def _(given: Inputs, _case: Case) -> Array:
    return without(given, np.arange(1000) < 128)


@planted("the last class of each block of 128 is not summed", WIDE)
def _(given: Inputs, _case: Case) -> Array:
    return without(given, np.arange(1000) % 128 != 127)


# --- small constants -------------------------------------------------------------------------


@planted(
    "1e-07 is added in the logarithm",
    "cross_entropy_probs/index.random/float64/4x10/probs/reduction=none/0",
)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, log_p=np.log(logits(given) + 1e-7))


@planted("1e-08 is added in the logarithm", "cross_entropy/index.random/float64/4x10/normal_10/-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, log_p=np.log(softmax(logits(given)) + 1e-8)).mean()


@planted("probabilities are clipped to [0.001, 1 − 0.001]", LOG_SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    low, high = np.float32(0.001), np.float32(0.999)
    return np.log(np.clip(softmax(logits(given)), low, high))


@planted("probabilities below 1e-05 are raised to it", LOG_SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    return np.log(np.maximum(softmax(logits(given)), 1e-5))


@planted("1e-05 is added to the sum of exponentials", SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    e = np.exp(logits(given) - logits(given).max(-1, keepdims=True))
    return e / (e.sum(-1, keepdims=True) + 1e-5)


@planted("logits are clipped to [−10, 10]", SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    return softmax(np.clip(logits(given), -10, 10))


@planted("no logarithm is below −64", "log_softmax/float32/4x10/normal_100/-/0")
def _(given: Inputs, _case: Case) -> Array:
    return np.maximum(log_softmax(logits(given)), -64)


# --- signs, bases, labels --------------------------------------------------------------------


@planted("the sign is wrong", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return -losses(given).mean()


@planted("the logarithm has base 2", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).mean() / np.log(2)


@planted("the logarithm has base 10", f"{PROBS}-/0")
def _(given: Inputs, _case: Case) -> Array:
    x = logits(given)
    return binary(given, np.log10(x), np.log10(1 - x)).mean()


@planted("labels are one too large", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, q=np.roll(one_hot(given), 1, 1)).mean()


@planted("labels are one too small", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, q=np.roll(one_hot(given), -1, 1)).mean()


@planted("the target and the first argument are exchanged", f"{SOFT}reduction=none/0")
def _(given: Inputs, _case: Case) -> Array:
    return -(logits(given) * log_softmax(one_hot(given))).sum(1)


@planted("0 and 1 of the target are exchanged", f"{BINARY}-/0")
def _(given: Inputs, _case: Case) -> Array:
    one, other = logs(given)
    return binary(given, other, one).mean()


@planted("only the term of the target is summed, not that of 1 − target", f"{PROBS}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return -(one_hot(given) * np.log(logits(given))).mean()


# --- gradients -------------------------------------------------------------------------------


def gradient(given: Inputs, q: Array | None = None) -> Array:
    """Return the gradient of the sum, p ΣW − W."""
    w = weight(given) * (one_hot(given) if q is None else q)
    return softmax(logits(given)) * w.sum(1, keepdims=True) - w


@planted("the incoming gradient is ignored", f"{CE}reduction=none/0", "gradient_logits")
def _(given: Inputs, _case: Case) -> Array:
    return gradient(given)


@planted(
    "the first number of the incoming gradient stands for all",
    f"{CE}reduction=none/0",
    "gradient_logits",
)
def _(given: Inputs, case: Case) -> Array:
    return gradient(given) * case.cotangent((4,))[0]


@planted(
    "the gradient is that of the sum, where that of the mean is due", f"{CE}-/0", "gradient_logits"
)
def _(given: Inputs, case: Case) -> Array:
    return gradient(given) * case.cotangent(())


@planted(
    "the gradient is that of the sum, where that of the mean is due,"
    " and the incoming gradient is ignored",
    f"{CE}-/0",
    "gradient_logits",
)
def _(given: Inputs, _case: Case) -> Array:
    return gradient(given)


@planted("the gradient is divided by the number of rows twice", f"{CE}-/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return gradient(given) * case.cotangent(()) / 16


@planted("the gradient is divided by the number of rows", f"{CE}reduction=sum/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return gradient(given) * case.cotangent(()) / 4


@planted("the gradient is 0: nothing flows back", f"{CE}-/0", "gradient_logits")
def _(given: Inputs, _case: Case) -> Array:
    return 0 * gradient(given)


@planted("the gradient has the wrong sign", f"{CE}-/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return -gradient(given) * case.cotangent(()) / 4


@planted("the gradient is p·(1 − p): terms between classes are missing", SOFTMAX, "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    p = softmax(logits(given))
    return case.cotangent(p.shape) * p * (1 - p)


@planted("the gradient lacks the term −p·Σ", SOFTMAX, "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    p = softmax(logits(given))
    return case.cotangent(p.shape) * p


@planted("the gradient lacks the term −p·Σ", LOG_SOFTMAX, "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return case.cotangent(given.values.shape)


@planted("the gradient is v − p, as if the cotangents summed to 1", LOG_SOFTMAX, "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    p = softmax(logits(given))
    return case.cotangent(p.shape) - p


@planted(
    "the gradient is p − target, whatever the targets sum to",
    "cross_entropy/soft.unnormalised/float32/4x10/normal/-/0", "gradient_logits",
)  # fmt: skip
def _(given: Inputs, case: Case) -> Array:
    return (softmax(logits(given)) - one_hot(given)) * case.cotangent(()) / 4


@planted("the gradient leaves label_smoothing out", f"{CE}label_smoothing=0.1/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return gradient(given) * case.cotangent(()) / 4


@planted("the gradient leaves the weights out", f"{ONE_HOT}weight=positive/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return (softmax(logits(given)) - one_hot(given)) * case.cotangent(()) / 4


@planted("the gradient leaves pos_weight out", f"{BINARY}pos_weight=positive/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return (np.exp(logs(given)[0]) - one_hot(given)) * case.cotangent(()) / 40


@planted("the gradient is p: the target is missing", f"{CE}-/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return softmax(logits(given)) * case.cotangent(()) / 4


@planted(
    "ignored rows have a gradient",
    "cross_entropy/index.some_ignored/float32/4x10/normal/ignore_index=-1/0", "gradient_logits",
)  # fmt: skip
def _(given: Inputs, case: Case) -> Array:
    assert given.target is not None
    counts = (given.target != -1).sum()
    return (softmax(logits(given)) - one_hot(given)) * case.cotangent(()) / counts


# --- rounding and constants ------------------------------------------------------------------


@planted("rounded to float32", "softmax/float64/4x10/normal/-/0")
def _(given: Inputs, _case: Case) -> Array:
    return softmax(given.values.astype(np.float32)).astype(np.float64)


@planted("computed in float32 inside", "cross_entropy/index.random/float64/4x10/normal/-/0")
def _(given: Inputs, _case: Case) -> Array:
    found = losses(given, log_p=log_softmax(given.values.astype(np.float32)).astype(np.float64))
    return found.mean()


@planted("rounded to float16", LOG_SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    return log_softmax(logits(given)).astype(np.float16)


@planted("1000 times too large", f"{SOFT}reduction=none/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given) * 1000


@planted("2.71828 times too large", SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    return softmax(logits(given)) * np.e


@planted("C times too small (C = 10)", f"{CE}reduction=none/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given) / 10
