"""Losses of sequences and of images, which take no (N, C), as their projects have them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import lossdiff

Array = np.ndarray[Any, Any]
_OF_PYTORCH = """
import torch
from torch.nn import functional as F


def of_sequences(logits, targets):
    B, T, C = logits.shape
    return F.cross_entropy(logits.view(B * T, C), targets.view(B * T))


def cross_entropy2d(input, target, weight=None, reduction="mean"):
    n, c, h, w = input.size()
    input = input.transpose(1, 2).transpose(2, 3).contiguous().view(-1, c)
    losses = F.cross_entropy(input, target.view(-1), weight=weight, reduction=reduction)
    return losses.view(n, h, w) if reduction == "none" else losses
"""


def log_softmax(x: Array) -> Array:
    shifted = x - x.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def of_sequences(logits: Array, targets: Array, change: str = "") -> Any:
    batch, length, classes = logits.shape
    logs = log_softmax(logits.reshape(batch * length, classes))
    losses = -logs[np.arange(batch * length), targets.reshape(batch * length)]
    return losses.sum() / batch if change == "by batch" else losses.mean()


def of_sequences_vjp(cotangent: Array, logits: Array, targets: Array) -> tuple[Array]:
    off = np.exp(log_softmax(logits)) - (np.arange(logits.shape[2]) == targets[..., None])
    return ((cotangent * off / targets.size).astype(logits.dtype),)


def of_images(
    logits: Array, target: Array, label_smoothing: float = 0.1, *, change: str = ""
) -> Array:
    n, c, h, w = logits.shape
    logs = log_softmax(logits.transpose(0, 2, 3, 1).reshape(-1, c))
    picked, share = logs[np.arange(n * h * w), target.reshape(-1)], label_smoothing
    if change == "others":
        share = label_smoothing * c / (c - 1)
    smooth = logs.mean(1) if share else 0
    return np.asarray(-((1 - share) * picked + share * smooth).reshape(n, h, w))


def judged(function: Any, change: str = "") -> lossdiff.Result:
    """Return the verdicts on a function with a change."""
    changed = functools.partial(function, change=change) if change else function
    return lossdiff.check_implementation(
        changed, "cross_entropy", framework="numpy", dtypes={"float64"}
    )


@pytest.mark.parametrize("function", [of_sequences, of_images])
def test_a_right_loss_passes_and_its_axes_are_said(function: Any) -> None:
    result = judged(function)

    assert result.ok, str(result)
    assert "with the classes" in str(result)


@pytest.mark.parametrize(
    ("function", "change", "said"),
    [
        (of_sequences, "by batch", "looks like: the mean runs over the batch only"),
        (of_images, "others", "looks like: smoothing is shared by the other C − 1 classes"),
    ],
)
def test_a_planted_mistake_is_named_first(function: Any, change: str, said: str) -> None:
    result = judged(function, change)

    assert not result.ok
    assert said in " ".join(" ".join(str(result).splitlines()[:7]).split())


def test_losses_of_pytorch_pass_as_they_stand() -> None:
    pytest.importorskip("torch", reason="asks functions of torch")
    namespace: dict[str, Any] = {}
    exec(_OF_PYTORCH, namespace)  # noqa: S102 -- the text above

    for name in ("of_sequences", "cross_entropy2d"):
        result = lossdiff.check_implementation(
            namespace[name], "cross_entropy", framework="torch", dtypes={"float32"}
        )

        assert result.ok, str(result)
