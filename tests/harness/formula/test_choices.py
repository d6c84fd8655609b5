"""Comparisons are joined and compared with classes, and arrays are put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.bounds import SOUND
from lossdiff.harness.formula import Answers, forget

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


@pytest.mark.parametrize(
    ("careless", "careful"),
    [
        (lambda x, t: f.log(f.take(f.softmax(x), t)), lambda x, t: f.take(f.log_softmax(x), t)),
        (lambda x, _: f.log(f.sigmoid(x)), lambda x, _: f.log_sigmoid(x)),
        (lambda x, _: f.log(1 - f.sigmoid(x)), lambda x, _: f.log_sigmoid(-x)),
        (lambda x, _: f.log1p(-f.sigmoid(x)), lambda x, _: f.log_sigmoid(-x)),
    ],
)
def test_a_careless_logarithm_has_the_bound_of_the_careful_one(careless: A, careful: A) -> None:
    limits = []
    for formula in (careless, careful):
        lossdiff.define("my_loss", lambda x, t, formula=formula: formula(x, t))
        case = Case.parse("my_loss/index.random/float32/4x3/normal_100/-/0")
        answers = Answers(case, case.inputs())
        limits.append([answers.bound(it, SOUND) for it in ("value", "gradient_logits")])

    np.testing.assert_array_equal(*(it[0] for it in limits))
    np.testing.assert_array_equal(*(it[1] for it in limits))


def test_the_logarithm_of_1_minus_a_softmax_loses_no_digit() -> None:
    lossdiff.define("my_loss", lambda x, target: -f.log1p(-f.take(f.softmax(x), target)))
    case = Case.parse("my_loss/index.random/float32/2x3/two_units/-/0")
    values = np.array([[60.0, 0.0, 0.0], [-60.0, 0.0, 0.0]], np.float32)
    inputs = replace(case.inputs(), values=values, target=np.array([0, 0]))
    answers = Answers(replace(case, options=case.options.replaced(reduction="none")), inputs)
    right = answers.solution.quantities

    np.testing.assert_allclose(right["value"].to_float(), [60 - np.log(2), np.exp(-60) / 2], 1e-15)
    for quantity in ("value", "gradient_logits"):
        bound = answers.bound(quantity, SOUND)
        assert (bound <= 1e-4 * np.abs(right[quantity].to_float()).max() + 1e-30).all()
