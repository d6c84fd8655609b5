"""The four formats, against NumPy, ml_dtypes and mpmath."""

from __future__ import annotations

import ml_dtypes
import mpmath
import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS, Format, format_of

EVERY = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)


@EVERY
def test_formats_are_those_of_the_libraries(form: Format) -> None:
    info = ml_dtypes.finfo(form.dtype)

    assert form.dtype.name == form.name
    assert form.max == float(info.max)
    assert form.tiny == float(info.smallest_normal)
    assert form.smallest == float(info.smallest_subnormal)
    assert form.unit_roundoff == float(info.eps) / 2
    assert form.precision == info.nmant + 1


@EVERY
@pytest.mark.parametrize("name", ["max", "tiny", "smallest"])
def test_logarithms_are_those_of_mpmath(form: Format, name: str) -> None:
    with mpmath.workdps(30):
        expected = float(mpmath.log(mpmath.mpf(getattr(form, name))))

    assert getattr(form, f"log_{name}") == pytest.approx(expected, rel=1e-8)


@EVERY
def test_rounding_is_to_nearest_even_and_overflows_to_infinity(form: Format) -> None:
    u = form.unit_roundoff
    numbers = np.array([1 + u, 1 + 3 * u, 2 * form.max, -2 * form.max, form.smallest, np.nan])

    with np.errstate(over="ignore"):
        expected = [1.0, 1 + 4 * u, np.inf, -np.inf, form.smallest, np.nan]
    rounded = form.round(numbers)
    assert rounded.dtype == form.dtype
    assert np.array_equal(rounded.astype(np.float64), expected, equal_nan=True)


@EVERY
def test_a_format_is_found_by_its_dtype(form: Format) -> None:
    assert format_of(form.dtype) is form


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64", ml_dtypes.float8_e4m3fn])
def test_other_dtypes_have_no_format(dtype: object) -> None:
    assert format_of(np.dtype(dtype)) is None  # type: ignore[call-overload]
