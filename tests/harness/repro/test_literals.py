"""Arrays as program text: read back, the bits are the same."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from lossdiff.backends import dialect_of
from lossdiff.cases.dtypes import FORMATS, Array, Format
from lossdiff.harness.repro.literals import array_text, modules_needed


def read(text: str) -> Array:
    """Evaluate an expression as a script does."""
    names: dict[str, Any] = {"np": np, "ml_dtypes": ml_dtypes, "base64": base64, "zlib": zlib}
    result: Array = eval(text, names)  # noqa: S307 -- written here
    return result


def assert_same(array: Array) -> str:
    """Write an array, read it back, and return the text."""
    text = array_text(array, dialect_of("numpy"), "cpu")
    back = read(text)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == np.ascontiguousarray(array).tobytes()
    return text


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_numbers_of_every_size(form: Format) -> None:
    draws = np.random.default_rng(0)
    numbers = draws.normal(size=300) * 2.0 ** draws.integers(form.emin - 5, form.emax, 300)
    ends = [0.0, -0.0, np.inf, -np.inf, np.nan, form.max, form.tiny, form.smallest, -form.smallest]
    assert_same(form.round(np.array([*numbers, *ends])).reshape(3, -1))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_finite_16_bit_number(name: str) -> None:
    numbers = np.arange(2**16, dtype=np.uint16).view(FORMATS[name].dtype)
    with np.errstate(invalid="ignore"):
        finite = numbers[np.isfinite(numbers.astype(np.float64))]
    for part in np.array_split(finite, 64):
        assert_same(part)


def test_plain_numbers_are_plain() -> None:
    assert assert_same(np.array([[0.1, 1e7], [88.7, -3]], np.float32)) == (
        "np.array([[0.1, 1e7], [88.7, -3.0]], dtype=np.float32)"
    )
    assert assert_same(np.array([3, -100])) == "np.array([3, -100], dtype=np.int64)"


def test_a_bfloat16_is_exact_before_it_is_rounded() -> None:
    text = assert_same(FORMATS["bfloat16"].round(np.array([0.1])))

    assert "0.10009765625" in text


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int64"])
def test_many_equal_numbers_are_written_once(dtype: str) -> None:
    array = np.full((4000, 5), 2).astype(FORMATS[dtype].dtype if dtype in FORMATS else dtype)

    assert len(assert_same(array)) < 60


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_many_numbers_are_packed(form: Format) -> None:
    text = assert_same(form.round(np.random.default_rng(0).normal(size=(500, 10))))

    assert modules_needed(text) == ["import base64", "import zlib"]


def test_the_bits_of_a_nan_are_kept() -> None:
    assert_same(np.array([0x7FC00001, 0xFFC00000], np.uint32).view(np.float32))


def test_no_and_one_element() -> None:
    assert_same(np.zeros((0, 3), np.float32))
    assert_same(np.array(1.5, np.float64))


def test_long_rows_are_wrapped() -> None:
    text = assert_same(np.random.default_rng(0).normal(size=(3, 40)))

    assert max(map(len, text.splitlines())) <= 100
