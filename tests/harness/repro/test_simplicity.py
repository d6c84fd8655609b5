"""Plain numbers: their order, and the plainer ones near by."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lossdiff.cases.dtypes import FORMATS, Format
from lossdiff.harness.repro.simplicity import plainness, rounded_alike, shortest, simpler

FLOAT32 = FORMATS["float32"]


def test_the_order_is_that_of_a_reader() -> None:
    order = [0.0, -0.0, 1.0, -1.0, 2.0, 10.0, 0.5, 100.0, 1e7, 12.0, 88.9, 10000002.0, math.nan]

    assert order == sorted(order, key=lambda number: plainness(number, FLOAT32))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (88.71, [0, 1, 2, 10, 90, 100, 89, 88.5, 88.7]),
        (-0.3, [0, 1, -1, -2, -0.1]),
        (0.0, []),
        (math.inf, [0, 1, 2, 100]),
    ],
)
def test_plainer_numbers(number: float, expected: list[float]) -> None:
    assert simpler(number, FLOAT32) == [float(np.float32(item)) for item in expected]


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@given(st.floats(width=16))
def test_every_step_is_plainer_and_in_the_format(form: Format, number: float) -> None:
    for item in simpler(float(form.round(number)), form):
        assert plainness(item, form) < plainness(float(form.round(number)), form)
        assert float(form.round(item)) == item


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_the_ends_of_the_range_have_plainer_numbers_too(form: Format) -> None:
    for number in (form.max, -form.max, form.tiny, form.smallest):
        assert all(math.isfinite(item) for item in simpler(number, form))


def test_a_bfloat16_is_written_out() -> None:
    brain = FORMATS["bfloat16"]
    number = float(brain.round(0.1))

    assert shortest(number, brain) == "0.10009765625"
    assert shortest(float(np.float32(0.1)), FLOAT32) == "0.1"


def test_whole_arrays_keep_what_is_not_finite() -> None:
    numbers = np.array([[1.26, np.nan], [-np.inf, -0.4]], np.float32)

    zeros, whole, *_ = rounded_alike(numbers, FLOAT32)

    np.testing.assert_array_equal(zeros, np.array([[0, np.nan], [-np.inf, 0]], np.float32))
    np.testing.assert_array_equal(whole, np.array([[1, np.nan], [-np.inf, 0]], np.float32))
