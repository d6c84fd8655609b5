"""Planted mistakes as public losses have them: in smoothing, weights, rows and chunks of rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from lossdiff.cases.model import Case, Inputs

from .planted_mistakes import (
    BINARY,
    CE,
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
    softmax,
    weight,
)

SMOOTHED = f"{CE}label_smoothing=0.1,reduction=none/0"
EACH = f"{CE}reduction=none/0"
WEIGHTED = f"{CE}weight=positive,reduction=none/0"
TALL = "cross_entropy/index.random/float32/33x33/normal/"
SEQUENCES = "cross_entropy/index.random/float32/2x3x5/normal/weight=positive/0"
IGNORED = "cross_entropy/index.some_ignored/float32/4x10/normal/ignore_index=-1"


def plant(name: str, case: str, answer: Callable[[Inputs], Array], quantity: str = "value") -> None:
    """Enter a mistake that is told in one expression."""
    planted(name, case, quantity)(lambda given, _: answer(given))


def smoothed(given: Inputs, epsilon: float = 0.1) -> Array:
    return (1 - epsilon) * one_hot(given) + epsilon / given.values.shape[1]


def labels(given: Inputs) -> Array:
    assert given.target is not None
    return given.target


def cotangent(name: str, given: Inputs) -> Array:
    return Case.parse(name).cotangent(given.values.shape[:1])[:, None]


# --- softmax and its logarithm ---------------------------------------------------------------


@planted("no shift: the exponentials overflow", "softmax/float64/4x10/offset_-1e3/-/0")
def no_shift_below(given: Inputs, _: Case) -> Array:
    with np.errstate(all="ignore"):
        e = np.exp(logits(given))
        return e / e.sum(-1, keepdims=True)


@planted(
    "probabilities are clipped to [1e-15, 1 − 1e-15]",
    "binary_cross_entropy/multi_label.binary/float64/4x10/probs_zero_one/reduction=none/0",
)
def clipped_next_to_one(given: Inputs, _: Case) -> Array:
    p = np.clip(given.values, 1e-15, 1 - 1e-15)
    return -(given.target * np.log(p) + (1 - given.target) * np.log(1 - p))


@planted("the maximum stands for the logsumexp", EACH)
def maximum_for_logsumexp(given: Inputs, _: Case) -> Array:
    x = logits(given)
    return losses(given, x - x.max(1, keepdims=True))


def _lse_without(given: Inputs, dropped: Array) -> Array:
    x = logits(given)
    return x - np.log(np.where(dropped, 0, np.exp(x)).sum(1, keepdims=True))


@planted("the largest class is not summed", EACH)
def largest_class_dropped(given: Inputs, _: Case) -> Array:
    x = logits(given)
    return losses(given, _lse_without(given, x == x.max(1, keepdims=True)))


@planted("the class of the target is not summed", EACH)
def target_class_dropped(given: Inputs, _: Case) -> Array:
    return losses(given, _lse_without(given, one_hot(given) == 1))


plant("the logits are multiplied by 0.5", SOFTMAX, lambda it: softmax(logits(it) / 2))


# --- smoothing -------------------------------------------------------------------------------


@planted("the smooth part is lse − Σx, where C·lse − Σx is due", SMOOTHED)
def smooth_part_of_one_lse(given: Inputs, _: Case) -> Array:
    x = logits(given)
    lse = np.log(np.exp(x).sum(1))
    return 0.9 * losses(given) + 0.1 / x.shape[1] * (lse - x.sum(1))


@planted("the smooth part is divided by C twice", SMOOTHED)
def smooth_part_divided_twice(given: Inputs, _: Case) -> Array:
    smooth = -log_softmax(logits(given)).mean(1)
    return 0.9 * losses(given) + 0.1 * smooth / given.values.shape[1]


@planted("the entropy of the smoothed target is subtracted", SMOOTHED)
def smoothed_divergence(given: Inputs, _: Case) -> Array:
    q = smoothed(given)
    return (q * (np.log(q) - log_softmax(logits(given)))).sum(1)


@planted(
    "smoothing is shared by the other C − 1 classes, and the entropy of that target is subtracted",
    SMOOTHED,
)
def divergence_over_others(given: Inputs, _: Case) -> Array:
    q = np.where(one_hot(given) == 1, 0.9, 0.1 / (given.values.shape[1] - 1))
    return (q * (np.log(q) - log_softmax(logits(given)))).sum(1)


def plant_smooth_gradient(name: str, target: Callable[[Array], Array]) -> None:
    plant(
        f"the gradient {name}",
        SMOOTHED,
        lambda it: (softmax(logits(it)) - target(one_hot(it))) * cotangent(SMOOTHED, it),
        "gradient_logits",
    )


plant_smooth_gradient("lacks ε/C of each class", lambda q: 0.9 * q)
plant_smooth_gradient("keeps all of the target beside ε/C", lambda q: q + 0.01)
plant_smooth_gradient("has ε/C with the wrong sign", lambda q: 0.9 * q - 0.01)
plant_smooth_gradient("has ε, where ε/C is due", lambda q: 0.9 * q + 0.1)


@planted("the gradient has p·(1 − p), where p is due", EACH, "gradient_logits")
def derivative_of_sigmoid(given: Inputs, _: Case) -> Array:
    p = softmax(logits(given))
    return (p * (1 - p) - one_hot(given)) * cotangent(EACH, given)


@planted("nothing flows back through the logsumexp", EACH, "gradient_logits")
def gradient_without_logsumexp(given: Inputs, _: Case) -> Array:
    return -one_hot(given) * cotangent(EACH, given)


# --- weights ---------------------------------------------------------------------------------


def plant_weights(name: str, change: Callable[[Array], Array]) -> None:
    def answer(given: Inputs) -> Array:
        return -(change(weight(given)) * one_hot(given) * log_softmax(logits(given))).sum(1)

    plant(f"the weights {name}", WEIGHTED, answer)


plant_weights("are divided by their sum", lambda w: w / w.sum())
plant_weights("are divided by their mean", lambda w: w / w.mean())
plant_weights("are those of the next class", lambda w: np.roll(w, -1))
plant_weights("are in reverse order", lambda w: w[::-1])
plant_weights("have their square roots taken", np.sqrt)
plant_weights("are inverted", lambda w: 1 / w)


@planted(
    "weight multiplies the term of the target alone, as pos_weight does",
    f"{BINARY}weight=positive/0",
)
def weight_as_pos_weight(given: Inputs, _: Case) -> Array:
    one, other = logs(given)
    z = one_hot(given)
    return -(weight(given) * z * one + (1 - z) * other).mean()


@planted("weight multiplies the term of 1 − target alone", f"{BINARY}weight=positive/0")
def weight_on_the_other_term(given: Inputs, _: Case) -> Array:
    one, other = logs(given)
    z = one_hot(given)
    return -(z * one + weight(given) * (1 - z) * other).mean()


# --- factors and other losses ----------------------------------------------------------------


@planted("the factor (1 − p)^2 of a focal loss", EACH)
def focal(given: Inputs, _: Case) -> Array:
    return losses(given) * (1 - np.exp(-losses(given))) ** 2


@planted("the factor (1 − p)^2 of a binary focal loss", f"{BINARY}reduction=none/0")
def binary_focal(given: Inputs, _: Case) -> Array:
    found = binary(given, *logs(given))
    return found * (1 - np.exp(-found)) ** 2


plant("1 − p, where −log p is due", EACH, lambda it: 1 - np.exp(-losses(it)))
plant(
    "the Brier score: (p − target)², summed",
    EACH,
    lambda it: ((softmax(logits(it)) - one_hot(it)) ** 2).sum(1),
)


@planted("the target is taken as 2z − 1", f"{BINARY}reduction=none/0")
def target_of_both_signs(given: Inputs, _: Case) -> Array:
    one, other = logs(given)
    z = 2 * one_hot(given) - 1
    return -(pos_weight(given) * z * one + (1 - z) * other)


plant("e to the loss: the perplexity", f"{CE}-/0", lambda it: np.exp(losses(it).mean()))
plant("the loss is divided by log C", f"{TALL}-/0", lambda it: losses(it).mean() / np.log(33))


# --- rows ------------------------------------------------------------------------------------

plant("the first row is left out", f"{CE}-/0", lambda it: losses(it)[1:].sum() / 4)
plant(
    "the first row is left out, and the mean divides by the others",
    f"{CE}-/0",
    lambda it: losses(it)[1:].mean(),
)
plant(
    "the last row is left out, and the mean divides by the others",
    f"{CE}-/0",
    lambda it: losses(it)[:-1].mean(),
)
plant(
    "rows beyond a multiple of 8 are left out",
    f"{TALL}-/0",
    lambda it: losses(it)[:32].sum() / 33,
)
plant(
    "rows beyond a multiple of 8 are left out, and the mean divides by the others",
    f"{TALL}-/0",
    lambda it: losses(it)[:32].mean(),
)
plant(
    "rows of class 0 are ignored, too",
    f"{TALL}-/0",
    lambda it: losses(it)[labels(it) != 0].mean(),
)
plant(
    "the mean of the means of chunks of 16 rows",
    f"{TALL}-/0",
    lambda it: np.mean([losses(it)[i : i + 16].mean() for i in (0, 16, 32)]),
)


@planted("the mean over each sequence, and then over the batch", SEQUENCES)
def mean_of_sequences(given: Inputs, _: Case) -> Array:
    log_p, places = log_softmax(logits(given), 1), labels(given)
    picked = np.take_along_axis(log_p, places[:, None], 1)[:, 0]
    w = weight(given)[places]
    return (-(picked * w).sum(1) / w.sum(1)).mean()


def relabelled(given: Inputs, target: Array) -> Array:
    q = np.arange(given.values.shape[1]) == target[:, None]
    return losses(given, q=q.astype(np.float64))


plant(
    "each row has the label of the next one",
    EACH,
    lambda it: relabelled(it, np.roll(labels(it), -1)),
)
plant(
    "each row has the label of the previous one",
    EACH,
    lambda it: relabelled(it, np.roll(labels(it), 1)),
)
plant(
    "the rows have their labels in reverse order",
    EACH,
    lambda it: relabelled(it, labels(it)[::-1]),
)
plant(
    "labels are held in 8 bits",
    "cross_entropy/index.random/float32/8x1000/normal/reduction=none/0",
    lambda it: relabelled(it, labels(it) % 256),
)


def plant_ignored(name: str, place: int) -> None:
    """Enter a gradient of ignored rows, as if they had some label."""

    def answer(given: Inputs) -> Array:
        q = one_hot(given)
        ignored = labels(given) == -1
        q[ignored, place] = 1
        v = Case.parse(f"{IGNORED}/0").cotangent(()) / (~ignored).sum()
        return (softmax(logits(given)) - q) * v

    plant(f"ignored rows have a gradient, as rows of {name}", f"{IGNORED}/0", answer,
          "gradient_logits")  # fmt: skip


plant_ignored("class 0", 0)
plant_ignored("their label counted from the end", -1)


plant(
    "−log Σ q·p, where −Σ q·log p is due: the two are one for one-hot targets only",
    "cross_entropy/soft.soft/float32/4x10/normal/reduction=none/0",
    lambda it: -np.log((softmax(logits(it)) * np.asarray(it.target, np.float64)).sum(1)),
)


plant(
    "logits are taken for log-probabilities: their softmax is missing",
    EACH,
    lambda it: -(logits(it) * one_hot(it)).sum(1),
)


# --- what comes in ---------------------------------------------------------------------------


def plant_incoming(name: str, change: Callable[[Array], Array]) -> None:
    plant(
        name,
        EACH,
        lambda it: (softmax(logits(it)) - one_hot(it)) * change(cotangent(EACH, it)),
        "gradient_logits",
    )


plant_incoming("the incoming gradients are averaged over the rows", np.mean)
plant_incoming("the incoming gradients are summed over the rows", np.sum)
plant_incoming("each row has the incoming gradient of the next one", lambda v: np.roll(v, -1, 0))
plant_incoming("each row has the incoming gradient of the previous one", lambda v: np.roll(v, 1, 0))
plant_incoming("the incoming gradient is multiplied twice", np.square)
