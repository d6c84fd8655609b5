"""Plain NumPy functions, each with one usual mistake, for `test_mistakes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from lossdiff.cases.model import Case, Inputs

Array = Any
Answer = Callable[[Inputs, Case], Array]


class Planted(NamedTuple):
    """A mistake, a case that shows it, and a function that makes it."""

    name: str
    case: str
    answer: Answer
    quantity: str = "value"


def planted(name: str, case: str, quantity: str = "value") -> Callable[[Answer], Answer]:
    def listed(answer: Answer) -> Answer:
        PLANTED.append(Planted(name, case, answer, quantity))
        return answer

    return listed


PLANTED: list[Planted] = []
SOFTMAX = "softmax/float32/4x10/normal_10/-/0"
LOG_SOFTMAX = "log_softmax/float32/4x10/normal_10/-/0"
WIDE = "log_softmax/float32/8x1000/normal/-/0"
LOGSUMEXP = "logsumexp/float32/4x10/normal_100/-/0"
CE = "cross_entropy/index.random/float32/4x10/normal/"
ONE_HOT = "cross_entropy/one_hot.random/float32/4x10/normal/"
SOFT = "cross_entropy/soft.soft/float32/4x10/normal/"
BINARY = "binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/normal/"
PROBS = "binary_cross_entropy/multi_label.binary/float32/4x10/probs/"
CLASSES = "cross_entropy_probs/index.random/float32/4x10/probs/"


# --- what a sound function is made of --------------------------------------------------------


def logits(given: Inputs) -> Array:
    return given.values.astype(np.float64)


def softmax(x: Array, axis: int = -1) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_softmax(x: Array, axis: int = -1) -> Array:
    d = x - x.max(axis, keepdims=True)
    return d - np.log(np.exp(d).sum(axis, keepdims=True))


def one_hot(given: Inputs) -> Array:
    classes = np.arange(given.values.shape[1])
    assert given.target is not None
    if given.target.ndim == given.values.ndim:
        return given.target.astype(np.float64)
    return (classes == given.target[:, None]).astype(np.float64)


def weight(given: Inputs) -> Array:
    return 1.0 if given.weight is None else given.weight.astype(np.float64)


def pos_weight(given: Inputs) -> Array:
    return 1.0 if given.pos_weight is None else given.pos_weight.astype(np.float64)


def losses(given: Inputs, log_p: Array | None = None, q: Array | None = None) -> Array:
    """Return −Σ w q log p of each row."""
    found = log_softmax(logits(given)) if log_p is None else log_p
    return -(weight(given) * (one_hot(given) if q is None else q) * found).sum(1)


def logs(given: Inputs) -> tuple[Array, Array]:
    """Return log σ(x) and log σ(−x)."""
    x = logits(given)
    return -np.logaddexp(0, -x), -np.logaddexp(0, x)


def binary(given: Inputs, one: Array, other: Array) -> Array:
    z = one_hot(given)
    return -weight(given) * (pos_weight(given) * z * one + (1 - z) * other)


# --- options ---------------------------------------------------------------------------------


@planted("label_smoothing is not applied", f"{CE}label_smoothing=0.1/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).mean()


@planted(
    "label_smoothing is not applied, 1000 times too large",
    f"{CE}label_smoothing=0.1,reduction=none/0",
)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given) * 1000


@planted("weight is not applied", f"{CE}weight=positive/0")
def _(given: Inputs, _case: Case) -> Array:
    return -(one_hot(given) * log_softmax(logits(given))).sum(1).mean()


@planted("weight is applied twice", f"{CE}weight=positive,reduction=none/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, q=one_hot(given) * weight(given))


def smoothed_binary(given: Inputs, keep: float, added: float) -> Array:
    one, other = logs(given)
    z = one_hot(given) * keep + added
    return -(z * one + (1 - z) * other).mean()


@planted("ε, where ε/2 is due in (1 − ε)·z + ε/2", f"{BINARY}label_smoothing=0.1/0")
def _(given: Inputs, _case: Case) -> Array:
    return smoothed_binary(given, 0.9, 0.1)


@planted("ε/C, where ε/2 is due in (1 − ε)·z + ε/2", f"{BINARY}label_smoothing=0.1/0")
def _(given: Inputs, _case: Case) -> Array:
    return smoothed_binary(given, 0.9, 0.01)


@planted("ε/2 is missing in (1 − ε)·z + ε/2", f"{BINARY}label_smoothing=0.1/0")
def _(given: Inputs, _case: Case) -> Array:
    return smoothed_binary(given, 0.9, 0.0)


@planted("pos_weight is not applied", f"{BINARY}pos_weight=positive/0")
def _(given: Inputs, _case: Case) -> Array:
    one, other = logs(given)
    z = one_hot(given)
    return -(z * one + (1 - z) * other).mean()


@planted("pos_weight multiplies both terms", f"{BINARY}pos_weight=positive/0")
def _(given: Inputs, _case: Case) -> Array:
    one, other = logs(given)
    z = one_hot(given)
    return -(pos_weight(given) * (z * one + (1 - z) * other)).mean()


@planted("pos_weight multiplies the term of 1 − target", f"{BINARY}pos_weight=positive/0")
def _(given: Inputs, _case: Case) -> Array:
    one, other = logs(given)
    z = one_hot(given)
    return -(z * one + pos_weight(given) * (1 - z) * other).mean()


@planted("weight and pos_weight are exchanged", f"{BINARY}weight=positive,pos_weight=with_zeros/0")
def _(given: Inputs, _case: Case) -> Array:
    one, other = logs(given)
    z = one_hot(given)
    return -(pos_weight(given) * (weight(given) * z * one + (1 - z) * other)).mean()


@planted(
    "ignore_index is not applied",
    "cross_entropy/index.some_ignored/float32/4x10/normal/ignore_index=0/0",
)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).mean()


def smoothed(given: Inputs, case: Case, share: Array, keep: float | None = None) -> Array:
    epsilon = case.options.label_smoothing
    q = one_hot(given) * (1 - epsilon if keep is None else keep) + epsilon * share
    return losses(given, q=q).mean()


SMOOTH = f"{CE}label_smoothing=0.1/0"


@planted("smoothing is shared by the other C − 1 classes", SMOOTH)
def _(given: Inputs, case: Case) -> Array:
    return smoothed(given, case, (1 - one_hot(given)) / 9)


@planted("smoothing is divided by C − 1, not by C", SMOOTH)
def _(given: Inputs, case: Case) -> Array:
    return smoothed(given, case, 1 / 9)


@planted("smoothing is divided by the number of rows, not by C", SMOOTH)
def _(given: Inputs, case: Case) -> Array:
    return smoothed(given, case, 1 / 4)


@planted("the smooth part is not divided by C", SMOOTH)
def _(given: Inputs, case: Case) -> Array:
    return smoothed(given, case, 1.0)


@planted("the target keeps only 1 − ε: the smooth part is missing", SMOOTH)
def _(given: Inputs, case: Case) -> Array:
    return smoothed(given, case, 0.0)


@planted("ε/C is added, but the target keeps all its weight", SMOOTH)
def _(given: Inputs, case: Case) -> Array:
    return smoothed(given, case, 1 / 10, keep=1.0)


@planted(
    "the smooth part counts ignored rows",
    "cross_entropy/index.some_ignored/float32/4x10/normal/ignore_index=0,label_smoothing=0.1,reduction=sum/0",
)
def _(given: Inputs, case: Case) -> Array:
    counts = (given.target != 0)[:, None]
    q = one_hot(given) * counts * 0.9 + 0.01
    return losses(given, q=q).sum()


@planted(
    "the smooth part is not weighted", f"{CE}weight=positive,label_smoothing=0.1,reduction=none/0"
)
def _(given: Inputs, _case: Case) -> Array:
    q = one_hot(given) * 0.9 * weight(given) + 0.01
    return -(q * log_softmax(logits(given))).sum(1)


# --- reductions ------------------------------------------------------------------------------


@planted("the sum, where the mean is due", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum()


@planted("the mean, where the sum is due", f"{CE}reduction=sum/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).mean()


@planted("the mean divides by the number of all rows", f"{CE}weight=positive/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / 4


@planted(
    "the mean divides by the number of rows that count, not by their weights",
    f"{CE}weight=positive/0",
)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).mean()


@planted("the mean divides by the sum of the weights", f"{SOFT}weight=positive/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / (one_hot(given) * weight(given)).sum()


@planted("the mean runs over all elements, not over the rows", f"{ONE_HOT}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / 40


@planted("the mean runs over the rows, not over all elements", f"{BINARY}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return binary(given, *logs(given)).sum() / 4


@planted(
    "the mean runs over the batch only", "cross_entropy/index.random/float32/2x3x2x2/normal/-/0"
)
def _(given: Inputs, _case: Case) -> Array:
    log_p = log_softmax(logits(given), 1)
    assert given.target is not None
    return -np.take_along_axis(log_p, given.target[:, None], 1).sum() / 2


@planted("the mean divides by one too few", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / 3


@planted("divided by the number of rows twice", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).sum() / 16


# --- softmax and logarithms ------------------------------------------------------------------


@planted("softmax applied twice", SOFTMAX)
def _(given: Inputs, _case: Case) -> Array:
    return softmax(softmax(logits(given)))


@planted("softmax applied twice", f"{CE}-/0", "gradient_logits")
def _(given: Inputs, case: Case) -> Array:
    p = softmax(logits(given))
    g = case.cotangent(()) * (softmax(p) - one_hot(given)) / 4
    return p * (g - (p * g).sum(1, keepdims=True))


@planted("sigmoid applied twice", f"{BINARY}-/0")
def _(given: Inputs, _case: Case) -> Array:
    p = 1 / (1 + np.exp(-logits(given)))
    return binary(given, -np.logaddexp(0, -p), -np.logaddexp(0, p)).mean()


@planted("softmax applied to probabilities", f"{CLASSES}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).mean()


@planted("sigmoid applied to probabilities", f"{PROBS}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return binary(given, *logs(given)).mean()


@planted("logits are taken for probabilities", "cross_entropy/index.top/float32/4x10/normal/-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, log_p=np.log(np.where(one_hot(given) > 0, logits(given), 1))).mean()


@planted(
    "log_softmax applied to log-probabilities",
    "nll_loss/index.random/float32/4x10/grid_log_probs/-/0",
)
def _(given: Inputs, _case: Case) -> Array:
    return losses(given).mean()


@planted("the logarithm is missing", f"{CE}-/0")
def _(given: Inputs, _case: Case) -> Array:
    return losses(given, log_p=softmax(logits(given))).mean()


@planted(
    "a target of 0 times an infinite logarithm is NaN",
    "cross_entropy/one_hot.random/float32/4x10/neg_inf/reduction=none/0",
)
def _(given: Inputs, _case: Case) -> Array:
    with np.errstate(invalid="ignore"):
        return losses(given)


@planted(
    "0 times an infinite logarithm is NaN",
    PROBS.replace("probs/", "probs_zero_one/") + "reduction=none/0",
)
def _(given: Inputs, _case: Case) -> Array:
    p, z = given.values, given.target
    with np.errstate(all="ignore"):
        return -(z * np.log(p) + (1 - z) * np.log(1 - p))


@planted(
    "a target of 0 times an infinite logit is NaN",
    BINARY.replace("normal/", "neg_inf/") + "reduction=none/0",
)
def _(given: Inputs, _case: Case) -> Array:
    x, z = given.values, given.target
    with np.errstate(all="ignore"):
        return np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))


@planted(
    "a target of 1, in (1 − z)·x, times an infinite logit is NaN",
    BINARY.replace("normal/", "neg_inf/") + "reduction=none/0",
)
def _(given: Inputs, _case: Case) -> Array:
    x, z = given.values, given.target
    with np.errstate(all="ignore"):
        return (1 - z) * x + np.logaddexp(0, -x)
