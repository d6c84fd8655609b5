"""A function that is written for (N, C) is told apart from one that is wrong of more axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend
from lossdiff.harness.own import Candidate, Declaration, Taken, learn


@pytest.fixture(scope="module")
def numpy() -> Backend:
    return load_backend("numpy")


def taken(
    function: Callable[..., Any], backend: Backend, operation: str = "cross_entropy"
) -> Taken:
    found = learn(Candidate("mine", function, operation, Declaration()), backend)
    assert isinstance(found, Taken), found
    return found


def ranks(found: Taken) -> frozenset[int]:
    return found.implementation.claim.limits.ranks


def log_softmax(x: Any, axis: int) -> Any:
    d = x - x.max(axis, keepdims=True)
    return d - np.log(np.exp(d).sum(axis, keepdims=True))


def losses(log_p: Any, t: Any) -> Any:
    return -np.take_along_axis(log_p, np.expand_dims(t, 1), 1)[:, 0]


def test_a_loss_of_two_axes_that_answers_three_without_an_error_is_not_asked_them(
    numpy: Backend,
) -> None:
    def last(x: Any, t: Any) -> Any:
        return losses(log_softmax(x, -1), t).mean()

    found = taken(last, numpy)

    assert ranks(found) == {2}
    assert len([it for it in found.remarks if "three axes are not asked" in it]) == 1


def test_a_function_of_one_array_likewise(numpy: Backend) -> None:
    def mine(x: Any) -> Any:
        return log_softmax(x, 1)

    assert ranks(taken(mine, numpy, "log_softmax")) == {2}


def test_a_loss_that_is_right_of_one_more_axis_of_one_is_asked_three(numpy: Backend) -> None:
    def by_batch(x: Any, t: Any) -> Any:
        return losses(log_softmax(x, 1), t).sum() / len(t)

    def right(x: Any, t: Any) -> Any:
        return losses(log_softmax(x, 1), t).mean()

    for function in (by_batch, right):
        assert not ranks(taken(function, numpy))


def test_a_loss_whose_text_speaks_of_more_axes_is_asked_them(numpy: Backend) -> None:
    def documented(x: Any, t: Any) -> Any:
        """Return the cross-entropy of logits (N, C, H, W)."""
        return losses(log_softmax(x, -1), t).mean()

    def compared(x: Any, t: Any) -> Any:
        if x.ndim > 2:
            return 2 * losses(log_softmax(x, 1), t).mean()
        return losses(log_softmax(x, 1), t).mean()

    class Moved:
        def __call__(self, x: Any, t: Any) -> Any:
            return losses(log_softmax(np.moveaxis(x, 1, 1), -1), t).mean()

    for function in (documented, compared, Moved()):
        assert not ranks(taken(function, numpy))


def test_what_three_axes_raise_is_said_and_not_asked(numpy: Backend) -> None:
    def picked(x: Any, t: Any) -> Any:
        return -log_softmax(x, 1)[np.arange(len(t)), t].mean()

    found = taken(picked, numpy)

    assert ranks(found) == {2}
    assert any(it.startswith("it is not judged with 3 axes: it gives") for it in found.remarks)
