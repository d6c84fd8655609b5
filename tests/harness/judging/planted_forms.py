"""More planted mistakes: other sums, other targets, and other losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from lossdiff.cases.model import Case, Inputs

from .planted_mistakes import (
    BINARY,
    CE,
    LOGSUMEXP,
    ONE_HOT,
    PROBS,
    SOFT,
    SOFTMAX,
    Array,
    binary,
    log_softmax,
    logits,
    logs,
    losses,
    one_hot,
    planted,
    pos_weight,
    smoothed,
    softmax,
    weight,
)

PIXELS = "cross_entropy/index.random/float32/2x3x5/normal/-/0"
SMOOTH = f"{CE}label_smoothing=0.1/0"


def pixel_loss(given: Inputs, log_p: Array) -> Array:
    assert given.target is not None
    return -np.take_along_axis(log_p, given.target[:, None], 1).mean()


# --- means and smoothing ---------------------------------------------------------------------


@planted(
    "the mean divides by the weights of all classes, not by those of the rows",
    f"{CE}weight=positive/0",
)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / weight(given).sum()


@planted("the mean divides by the number of classes", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / 10


@planted("the target's class gets 1 − ε, without its share ε/C", SMOOTH)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, q=np.where(one_hot(given) == 1, 0.9, 0.01)).mean()


@planted("ε and 1 − ε are exchanged", SMOOTH)
def _(given: Inputs, case: Case) -> Array:
    return smoothed(given, case, 0.9, keep=0.1)


@planted("the last row is left out", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given)[:-1].sum() / 4


@planted("1e-06 is added to what the mean divides by", f"{CE.replace('float32', 'float64')}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / (4 + 1e-6)


# --- ignored rows ----------------------------------------------------------------------------

IGNORED = "cross_entropy/index.some_ignored/float32/4x10/normal/"


def as_class(given: Inputs, ignored: int, label: int) -> Array:
    labels = np.where(given.target == ignored, label, given.target)
    return -np.take_along_axis(log_softmax(logits(given)), labels[:, None], 1)[:, 0]


@planted(
    "ignored rows are summed, and the mean divides by the others", f"{IGNORED}ignore_index=0/0"
)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / (given.target != 0).sum()


@planted(
    "ignored rows are summed as class 0, and the mean divides by the others",
    f"{IGNORED}ignore_index=-1/0",
)
def _(given: Inputs, _case: Case) -> Array:
    return as_class(given, -1, 0).sum() / (given.target != -1).sum()


@planted("ignored rows count as class 0", f"{IGNORED}ignore_index=-1/0")
def _(given: Inputs, _case: Case) -> Array:
    return as_class(given, -1, 0).mean()


@planted("the gradient is p + target", f"{CE}-/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return case.cotangent(()) * (softmax(logits(given)) + one_hot(given)) / 4


# --- sums of exponentials --------------------------------------------------------------------


@planted("the sum of exponentials runs over the last axis", PIXELS)
def _(given: Inputs, _case: Case) -> Array:
    z = logits(given) - logits(given).max(1, keepdims=True)
    return pixel_loss(given, z - np.log(np.exp(z).sum(-1, keepdims=True)))


@planted("the sum of exponentials runs over the first axis", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    z = logits(given) - logits(given).max(1, keepdims=True)
    return losses(given, z - np.log(np.exp(z).sum(0, keepdims=True))).mean()


@planted(
    "the shift is the maximum over the last axis, which differs between the classes of a row",
    PIXELS,
)
def _(given: Inputs, _case: Case) -> Array:
    return pixel_loss(given, log_softmax(logits(given) - logits(given).max(-1, keepdims=True), 1))


@planted(
    "the shift is the maximum over the first axis, which differs between the classes of a row",
    f"{CE}-/0",
)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, log_softmax(logits(given) - logits(given).max(0))).mean()


@planted("the mean of the exponentials, where their sum is due", LOGSUMEXP)
def _(given: Inputs, _case: Case) -> Array:
    top = logits(given).max(-1)
    return top + np.log(np.exp(logits(given) - top[:, None]).mean(-1))


@planted("1 is added to the sum of exponentials", SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    e = np.exp(logits(given) - logits(given).max(-1, keepdims=True))
    return e / (1 + e.sum(-1, keepdims=True))


@planted("the maximum is not added back", LOGSUMEXP.replace("normal_100", "normal"))
def _(given: Inputs, _case: Case) -> Array:
    return np.log(np.exp(logits(given) - logits(given).max(-1, keepdims=True)).sum(-1))


@planted(
    "the sum over blocks of 32 is not rescaled when the maximum grows",
    "softmax/float32/3x127/normal/-/0",
)
def _(given: Inputs, _case: Case) -> Array:
    x, top, total = logits(given), np.full((3, 1), -np.inf), np.zeros((3, 1))
    for start in range(0, 127, 32):
        top = np.maximum(top, x[:, start : start + 32].max(1, keepdims=True))
        total += np.exp(x[:, start : start + 32] - top).sum(1, keepdims=True)
    return np.exp(x - top) / total


# --- targets ---------------------------------------------------------------------------------

UNNORMALISED = SOFT.replace("soft.soft", "soft.unnormalised")


@planted("targets are divided by their sum", f"{UNNORMALISED}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, q=one_hot(given) / one_hot(given).sum(1, keepdims=True)).mean()


@planted("the largest class of a target stands for all of it", f"{SOFT}-/0")
def _(given: Inputs, _case: Case) -> Array:
    q = one_hot(given)
    return losses(given, q=np.eye(10)[q.argmax(1)]).mean()


@planted("softmax is applied to the target, too", f"{SOFT}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, q=softmax(one_hot(given))).mean()


# --- other losses ----------------------------------------------------------------------------


@planted("the entropy of the target is subtracted: the Kullback-Leibler divergence", f"{SOFT}-/0")
def _(given: Inputs, _case: Case) -> Array:
    q = one_hot(given)
    return (losses(given) + (q * np.log(q)).sum(1)).mean()


def yes_or_no(q: Array, p: Array) -> Any:
    return -(q * np.log(p) + (1 - q) * np.log(1 - p)).sum(1)


@planted("the binary loss of each class, summed", f"{ONE_HOT}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return yes_or_no(one_hot(given), softmax(logits(given))).mean()


@planted("the binary loss of each class with its sigmoid, summed", f"{CE}reduction=none/0")
def _(given: Inputs, _case: Case) -> Array:
    return yes_or_no(one_hot(given), 1 / (1 + np.exp(-logits(given))))


@planted("the sigmoid stands for softmax", f"{CE}reduction=none/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, logs(given)[0])


@planted("softmax stands for the sigmoid", f"{BINARY}-/0")
def _(given: Inputs, _case: Case) -> Array:
    p = softmax(logits(given))
    return binary(given, np.log(p), np.log(1 - p)).mean()


@planted("the logits are taken for log-probabilities", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, logits(given)).mean()


# --- binary losses ---------------------------------------------------------------------------


@planted("(1 − z)·log x, where (1 − z)·log(1 − x) is due", f"{PROBS}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return -np.log(given.values.astype(np.float64)).mean()


@planted("log(1 + e^−x), where log(1 + e^−|x|) is due", f"{BINARY}-/0")
def _(given: Inputs, _case: Case) -> Array:
    x, z = logits(given), one_hot(given)
    return ((1 - z) * x + np.log1p(np.exp(-x)) + np.maximum(-x, 0)).mean()


@planted("log(1 + e^x), where log(1 + e^−|x|) is due", f"{BINARY}reduction=none/0")
def _(given: Inputs, _case: Case) -> Array:
    x, z = logits(given), one_hot(given)
    return np.maximum(x, 0) - x * z + np.log1p(np.exp(x))


@planted(
    "p, where 1 + (p − 1)·z is due for the pos_weight p",
    f"{BINARY}pos_weight=positive,reduction=none/0",
)
def _(given: Inputs, _case: Case) -> Array:
    x, z = logits(given), one_hot(given)
    return (1 - z) * x + pos_weight(given) * np.logaddexp(0, -x)


# --- gradients of something else -------------------------------------------------------------


@planted(
    "the gradient is x·(1 − x), where σ(x)·(1 − σ(x)) is due",
    "sigmoid/float32/4x10/normal/-/0",
    "gradient_logits",
)
def _(given: Inputs, case: Case) -> Array:
    x = logits(given)
    return case.cotangent(x.shape) * x * (1 - x)


@planted("the gradient is p − z, that with respect to logits", f"{PROBS}-/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    return case.cotangent(()) * (logits(given) - one_hot(given)) / 40


@planted(
    "the gradient is p·(1 − p), the second derivative",
    f"{BINARY}reduction=none/0",
    "gradient_logits",
)
def _(given: Inputs, case: Case) -> Array:
    p = 1 / (1 + np.exp(-logits(given)))
    return case.cotangent(p.shape) * p * (1 - p)
