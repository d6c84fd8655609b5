"""Comparisons are joined and compared with classes, and arrays are put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lossdiff.harness.formula import forget

import lossdiff
from lossdiff import formula as f

A = Any
X, LABELS = [[-2.0, 0.25, 3.0], [0.5, 0.0, -1.0]], [2, 0]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    forget("my_loss")


def _rows(formula: A) -> A:
    lossdiff.define("my_loss", formula)
    found = lossdiff.exact("my_loss", X, LABELS, reduction="none")
    return np.asarray(found.value, float), np.asarray(found.gradient_logits, float)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (lambda x, _: (x > 0) & (x < 1), [[0, 1, 0], [1, 0, 0]]),
        (lambda x, _: (x < 0) | (x >= 1), [[1, 0, 1], [0, 0, 1]]),
        (lambda x, _: ~(x > 0), [[1, 0, 0], [0, 1, 1]]),
        (lambda x, _: x == 0.25, [[0, 1, 0], [0, 0, 0]]),
        (lambda x, _: (x != 0) & (np.arange(x.shape[1]) != 1), [[1, 0, 1], [1, 0, 1]]),
        (lambda x, t: t[:, None] > np.arange(x.shape[1]), [[1, 1, 0], [0, 0, 0]]),
        (lambda x, t: (t[:, None] != 0) & (x < 3), [[1, 1, 0], [0, 0, 0]]),
    ],
)  # fmt: skip
def test_a_comparison_chooses(chosen: A, expected: A) -> None:
    def formula(x: A, target: A) -> A:
        return f.sum(f.where(chosen(x, target), x * 10.0 ** np.arange(x.shape[1]), 0.0), axis=1)

    weights = np.array([1.0, 10.0, 100.0])
    value, gradient = _rows(formula)

    np.testing.assert_array_equal((np.array(expected) * np.array(X) * weights).sum(1), value)
    np.testing.assert_array_equal(np.array(expected) * weights * np.ones((2, 3)), gradient)


def test_arrays_are_put_together_and_their_gradients_are_parted() -> None:
    def formula(x: A, target: A) -> A:
        positive = f.take(x, target)[:, None]
        both = f.concatenate([positive, x * x], axis=1)
        return f.dot(10.0 ** np.arange(x.shape[1] + 1), both)

    value, gradient = _rows(formula)
    x = np.array(X)

    np.testing.assert_array_equal([9049.25, 1003.0], value)
    np.testing.assert_array_equal(2 * x * [10, 100, 1000] + [[0, 0, 1], [1, 0, 0]], gradient)


def test_sparsemax_is_written_without_a_sort() -> None:
    def formula(x: A, target: A) -> A:
        above = f.sum(f.maximum(x[:, None, :] - x[:, :, None], 0.0), axis=2)
        kept = f.where(above < 1.0, 1.0, 0.0)
        tau = (f.sum(kept * x, axis=1) - 1.0) / f.sum(kept, axis=1)
        return 0.5 * f.sum(kept * (x * x - tau[:, None] ** 2), axis=1) + 0.5 - f.take(x, target)

    value, gradient = _rows(formula)

    np.testing.assert_allclose([0.0, 0.5 * (0.25 - 2 * 0.0625) + 0.5 - 0.5], value, atol=1e-15)
    np.testing.assert_allclose([[0, 0, 0], [-0.25, 0.25, 0]], gradient, atol=1e-15)
