"""Layouts change where numbers lie in memory, and nothing else."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from lossdiff.cases.factors import LAYOUTS as REASONS
from lossdiff.cases.layouts import LAYOUTS, laid_out, locked
from lossdiff.cases.model import Case

DTYPES = (np.float32, ml_dtypes.bfloat16, np.int64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_numbers_stay_and_the_array_is_a_copy(layout: str, dtype: Any) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    other = laid_out(array, layout)

    assert (other.dtype, other.shape) == (array.dtype, array.shape)
    assert np.array_equal(other.astype(float), array.astype(float))
    assert not np.shares_memory(other, array)


@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_nobody_can_write_to_what_is_locked(shape: tuple[int, ...], dtype: Any) -> None:
    array = np.ones(shape).astype(dtype)
    made = locked(array)

    assert (made.dtype, made.shape) == (array.dtype, array.shape)
    assert made.tobytes() == array.tobytes()
    assert not np.shares_memory(made, array)
    for it in (made, made[...], made.T, made.base):
        with pytest.raises((ValueError, TypeError)):
            it[...] = 0
        with pytest.raises((ValueError, AttributeError)):
            it.flags.writeable = True


def test_each_layout_is_what_its_name_says() -> None:
    array = np.zeros((2, 3, 4), np.float32)
    made = {layout: laid_out(array, layout) for layout in LAYOUTS}

    assert made["transposed"].strides == (4, 8, 24)
    assert made["stepped"].strides == (96, 32, 8)
    assert made["reversed"].strides[-1] == -4
    assert made["channels_last"].strides == (48, 4, 12)
    assert not made["read_only"].flags.writeable
    assert not made["unaligned"].flags.aligned
    assert made[""].flags.c_contiguous


def test_equal_rows_are_one_row_in_memory() -> None:
    rows = np.broadcast_to(np.arange(5, dtype=np.float32)[:, None], (2, 5, 3)).copy()

    assert laid_out(rows, "expanded").strides == (0, 4, 0)
    assert laid_out(np.arange(6.0).reshape(2, 3), "expanded").strides == (24, 8)


def test_the_case_of_an_expanded_layout_has_equal_rows() -> None:
    case = Case.parse("softmax/float32/4x10~expanded/repeated/-/0")

    assert laid_out(case.inputs().values, case.layout).strides == (0, 4)


def test_a_scalar_has_no_layout() -> None:
    assert laid_out(np.array(1.5), "stepped") == 1.5


def test_every_layout_has_a_reason() -> None:
    assert set(REASONS) == set(LAYOUTS) - {""}


@pytest.mark.parametrize("layout", REASONS)
def test_a_layout_stands_in_the_id(layout: str) -> None:
    text = f"softmax/float32/2x3x5~{layout}/normal/-/0"
    case = Case.parse(text)

    assert (case.layout, case.id) == (layout, text)
    plain = Case.parse("softmax/float32/2x3x5/normal/-/0")
    assert np.array_equal(case.inputs().values, plain.inputs().values)
