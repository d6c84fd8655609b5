"""Losses as courses and packages have them: right ones pass, and mistakes are named first."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import lossdiff

Array = np.ndarray[Any, Any]


def softmax_loss(x: Array, y: Array, change: str = "") -> tuple[Array, Array]:
    """Return (loss, gradient), as a course has it, with one change."""
    n = len(x)
    if change == "in place":
        x -= x.max(axis=1, keepdims=True)
    scores = x if change == "no shift" else x - x.max(axis=1, keepdims=True)
    e = np.exp(scores)
    probs = e / e.sum(axis=1, keepdims=True)
    loss = -np.sum(scores[np.arange(n), y] - np.log(e.sum(axis=1))) / n
    dx = probs.copy()
    dx[np.arange(n), y] -= 1
    dx = -dx if change == "sign" else dx
    return loss, dx if change == "sum" else dx / n


def log_loss(y_true: Array, y_pred: Array, change: str = "") -> Array:
    """Clip to the epsilon of the dtype, as scikit-learn does."""
    eps = np.finfo(y_pred.dtype).eps
    p = np.clip(y_pred, eps, 1 - eps)
    missed = 0 if change == "half" else (1 - y_true) * np.log(1 - p)
    return np.asarray(-(y_true * np.log(p) + missed).mean())


class SoftmaxCrossEntropy:
    """Keeps its last probabilities."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction
        self.probs = np.zeros(0)

    def __call__(self, logits: Array, targets: Array) -> Array:
        top = logits.max(axis=-1, keepdims=True)
        e = np.exp(logits - top)
        total = e.sum(axis=-1, keepdims=True)
        self.probs = e / total
        picked = np.take_along_axis(logits - top, targets[:, None], axis=-1)
        losses = (np.log(total) - picked)[:, 0]
        return {"mean": losses.mean, "sum": losses.sum, "none": losses.copy}[self.reduction]()


FUNCTIONS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "(loss, gradient)": (softmax_loss, "cross_entropy", {}),
    "labels first": (log_loss, "binary_cross_entropy", {}),
    "a class with state": (SoftmaxCrossEntropy, "cross_entropy", {"ranks": {2}}),
}
PLANTED = [
    ("(loss, gradient)", "sign", "looks like: the gradient has the wrong sign"),
    ("(loss, gradient)", "sum", "looks like: the gradient is that of the sum"),
    ("(loss, gradient)", "no shift", "looks like: no shift: the exponentials overflow"),
    ("(loss, gradient)", "in place", "mutates:logits"),
    ("labels first", "half", "looks like: "),
]


def checked(name: str, change: str = "") -> lossdiff.Result:
    """Return the verdicts on a function with a change."""
    function, operation, declared = FUNCTIONS[name]
    changed = functools.partial(function, change=change) if change else function
    return lossdiff.check_implementation(
        changed, operation, framework="numpy", dtypes={"float32"}, **declared
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_right_loss_passes(name: str) -> None:
    result = checked(name)

    assert result.ok, str(result)


def test_a_partial_of_a_class_is_its_object() -> None:
    made = functools.partial(SoftmaxCrossEntropy, reduction="sum")

    result = lossdiff.check_implementation(
        made, "cross_entropy", framework="numpy", dtypes={"float64"}, ranks={2}
    )

    assert result.ok, str(result)
    assert ("reduction", "sum") in result.claim.limits.fixed


@pytest.mark.parametrize(("name", "change", "said"), PLANTED)
def test_a_planted_mistake_is_named_in_the_first_lines(name: str, change: str, said: str) -> None:
    lines = str(checked(name, change)).splitlines()

    assert said in " ".join(" ".join(lines[:7]).split())
    assert "right an error" not in " ".join(lines[:10])
