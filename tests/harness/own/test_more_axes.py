"""A loss that takes three or four axes only is taken, asked and judged with these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend
from lossdiff.harness.own import Candidate, Declaration, Failed, Taken, learn, questions_for

Loss = Callable[..., Any]


@pytest.fixture(scope="module")
def numpy() -> Backend:
    return load_backend("numpy")


def taken(function: Loss, backend: Backend, operation: str = "cross_entropy") -> Taken:
    found = learn(Candidate("mine", function, operation, Declaration()), backend)
    assert isinstance(found, Taken), found
    return found


def log_softmax(x: Any) -> Any:
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def of_sequences(logits: Any, targets: Any) -> Any:
    b, t, c = logits.shape
    logs = log_softmax(logits.reshape(b * t, c))
    return -logs[np.arange(b * t), targets.reshape(b * t)].mean()


def of_classes_first(logits: Any, targets: Any) -> Any:
    _, _, _ = logits.shape
    return -np.take_along_axis(log_softmax(logits.swapaxes(1, 2)), targets[..., None], -1).mean()


def of_images(logits: Any, targets: Any) -> Any:
    n, c, h, w = logits.shape
    logs = log_softmax(logits.transpose(0, 2, 3, 1).reshape(-1, c))
    return -logs[np.arange(n * h * w), targets.reshape(-1)].reshape(n, h, w)


def of_images_with_classes_last(logits: Any, targets: Any) -> Any:
    n, h, w, c = logits.shape
    return of_sequences(logits.reshape(n, h * w, c), targets.reshape(n, h * w))


def test_the_axes_that_a_loss_takes_are_found_out_and_said(numpy: Backend) -> None:
    for function, rank, layout, letters in (
        (of_sequences, 3, "classes_last", "(B, T, C), with the classes last"),
        (of_classes_first, 3, "classes_first", "(N, C, d), with the classes on axis 1"),
        (of_images, 4, "classes_first", "(N, C, H, W), with the classes on axis 1"),
        (of_images_with_classes_last, 4, "classes_last", "(N, H, W, C), with the classes last"),
    ):
        found = taken(function, numpy)
        calling, claim = found.implementation.calling, found.implementation.claim

        assert claim.limits.ranks == {rank}
        assert calling is not None
        assert calling.layout == layout
        assert len([it for it in found.remarks if letters in it]) == 1
        assert {len(case.shape) for case in questions_for(claim)} == {rank}


def test_the_reduction_is_found_out_with_these_axes(numpy: Backend) -> None:
    fixed = [
        dict(taken(function, numpy).implementation.claim.limits.fixed)["reduction"]
        for function in (
            of_sequences,
            of_images,
            lambda x, t: of_sequences(x, t) * t.size,
            lambda x, t: of_sequences(x, t) * t.shape[1],  # a mean over the batch only
        )
    ]

    assert fixed == ["mean", "none", "sum", "mean"]


def test_other_operations_have_their_axes_found_out_too(numpy: Backend) -> None:
    def attention(scores: Any) -> Any:
        _, _, _, _ = scores.shape
        return np.exp(log_softmax(scores))

    def masks(logits: Any, target: Any) -> Any:
        _, _, _, _ = logits.shape
        return (np.logaddexp(0, logits) - logits * target).mean()

    for function, operation in (
        (attention, "softmax"),
        (masks, "binary_cross_entropy_with_logits"),
    ):
        found = taken(function, numpy, operation)

        assert found.implementation.claim.limits.ranks == {4}
        assert any(it.startswith("it takes four axes, and not two") for it in found.remarks)


def test_what_takes_no_axes_fails_with_the_error_of_the_plain_question(numpy: Backend) -> None:
    def broken(logits: Any, targets: Any) -> Any:
        raise ValueError(f"no loss of {logits.ndim} axes")

    found = learn(Candidate("mine", broken, "cross_entropy", Declaration()), numpy)

    assert isinstance(found, Failed)
    assert "no loss of 2 axes" in found.traceback
    assert "4x10" in found.question


def test_what_answers_with_two_axes_is_asked_with_two(numpy: Backend) -> None:
    def doubled_with_two(logits: Any, targets: Any) -> Any:
        if logits.ndim == 3:
            return of_sequences(logits, targets)
        return 2 * of_sequences(logits[None], targets)

    assert not any("and not (N, C)" in it for it in taken(doubled_with_two, numpy).remarks)


def test_a_gradient_beside_the_loss_has_the_axes_of_the_function(numpy: Backend) -> None:
    def with_gradient(logits: Any, targets: Any) -> Any:
        logs = log_softmax(logits)
        at = np.arange(logits.shape[2]) == targets[..., None]
        return -np.take_along_axis(logs, targets[..., None], -1)[..., 0], np.exp(logs) - at

    found = taken(with_gradient, numpy)
    vjp = found.implementation.vjp
    logits, targets = np.arange(30.0).reshape(2, 3, 5) / 7, np.zeros((2, 5), int)
    cotangent = np.arange(10.0).reshape(2, 5)

    assert "it returns the value and its gradient" in found.remarks
    assert vjp is not None
    (gradient,) = vjp(cotangent, logits, targets)
    p = np.exp(np.moveaxis(log_softmax(np.moveaxis(logits, 1, -1)), -1, 1))
    p[:, 0] -= 1
    np.testing.assert_allclose(gradient, cotangent[:, None] * p)
