"""Sweeps: one number grows, and the values are what the sweep says, in every dtype."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case
from lossdiff.cases.operations import DTYPES
from lossdiff.cases.stream import Floats, Stream
from lossdiff.cases.sweeps import SWEEPS, Sweep, family_of, swept

EVERY = pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)
BY_SIZE = [sweep for sweep in SWEEPS.values() if sweep.counts]
BY_VALUE = [sweep for sweep in SWEEPS.values() if not sweep.counts]


def drawn(family: str, rows: int = 4, classes: int = 10) -> Floats:
    """Return the values of a family of a sweep."""
    return swept(family, Stream(family), rows, classes)


def asked(sweep: Sweep, magnitude: float, dtype: str) -> Case:
    """Return a question of a sweep."""
    return Case("softmax", family_of(sweep, magnitude), sweep.shape(magnitude), dtype)


@EVERY
def test_a_sweep_is_found_by_its_name_and_says_what_grows(sweep: Sweep) -> None:
    assert SWEEPS[sweep.name] is sweep
    assert sweep.meaning


@EVERY
def test_levels_grow(sweep: Sweep) -> None:
    assert all(low < high for low, high in pairwise(sweep.levels))


@EVERY
def test_every_level_has_a_case_whose_id_comes_back(sweep: Sweep) -> None:
    for dtype in DTYPES:
        for level in sweep.levels_in(dtype):
            case = asked(sweep, level, dtype)

            assert Case.parse(case.id) == case
            assert float(case.family.partition("@")[2]) == level


@pytest.mark.parametrize(
    ("name", "magnitude", "family"),
    [
        ("offset", 88.7, "offset@88.7"),
        ("offset", 88.7283, "offset@88.73"),
        ("spread", 1e30, "spread@1e+30"),
        ("classes", 131072.0, "classes@131072"),
        ("rows", 47249.0, "rows@47249"),
    ],
)
def test_a_magnitude_has_four_digits_and_a_count_all_of_them(
    name: str, magnitude: float, family: str
) -> None:
    assert family_of(SWEEPS[name], magnitude) == family


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sweep", BY_VALUE, ids=lambda sweep: sweep.name)
def test_values_and_their_differences_fit_the_dtype_at_the_last_level(
    sweep: Sweep, dtype: str
) -> None:
    last = sweep.levels_in(dtype)[-1]
    values = asked(sweep, last, dtype).inputs().values.astype(np.float64)

    assert np.isfinite(values).all()
    assert np.ptp(values, axis=1).max() < FORMATS[dtype].max / 2


@pytest.mark.parametrize(
    ("dtype", "last"), [("float16", 1e4), ("bfloat16", 1e30), ("float32", 1e30), ("float64", 1e300)]
)
def test_levels_go_as_far_as_the_dtype(dtype: str, last: float) -> None:
    assert {sweep.levels_in(dtype)[-1] for sweep in BY_VALUE} == {last}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sweep", BY_SIZE, ids=lambda sweep: sweep.name)
def test_counts_are_the_same_in_every_dtype(sweep: Sweep, dtype: str) -> None:
    assert sweep.levels_in(dtype) == sweep.levels


# --- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("magnitude", [1.0, 88.7, 1e30])
def test_an_offset_is_the_largest_logit_and_the_others_are_less_than_1_below(
    magnitude: float,
) -> None:
    values = drawn(f"offset@{magnitude}")

    assert (values.max(axis=1) == magnitude).all()
    assert (magnitude - values).max() < 1


def test_down_is_an_offset_below_0() -> None:
    values = drawn("down@93.5")

    assert (values.max(axis=1) == -93.5).all()
    assert -94.5 < values.min() < -93.5


@pytest.mark.parametrize("magnitude", [1.0, 1e300])
def test_a_spread_goes_from_minus_to_plus_with_the_second_half_way_at_most(
    magnitude: float,
) -> None:
    values = drawn(f"spread@{magnitude}")

    assert (values.max(axis=1) == magnitude).all()
    assert (values.min(axis=1) == -magnitude).all()
    assert np.sort(values, axis=1)[:, -2].max() <= magnitude / 2


def test_one_logit_of_each_row_is_large_and_the_others_are_everyday() -> None:
    values = drawn("large@1e8")

    assert ((values == 1e8).sum(axis=1) == 1).all()
    assert np.sort(np.abs(values), axis=1)[:, -2].max() < 10


@pytest.mark.parametrize(
    ("sweep", "shape"), [("classes", (1, 1024)), ("rows", (1024, 2))], ids=["classes", "rows"]
)
def test_a_count_is_a_number_of_equal_classes_or_rows(sweep: str, shape: tuple[int, int]) -> None:
    case = asked(SWEEPS[sweep], 1024, "bfloat16")

    assert case.shape == shape
    assert not case.inputs().values.any()


@pytest.mark.parametrize("sweep", BY_VALUE, ids=lambda sweep: sweep.name)
def test_other_magnitudes_have_the_same_shape(sweep: Sweep) -> None:
    assert {sweep.shape(level) for level in sweep.levels} == {(4, 10)}


# --- what is no sweep ------------------------------------------------------------------------


def test_a_sweep_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="sideways"):
        drawn("sideways@1")


@pytest.mark.parametrize("family", ["offset@", "offset@high", "offset"])
def test_a_magnitude_that_is_no_number_is_an_error(family: str) -> None:
    with pytest.raises(ValueError, match="could not convert string to float"):
        drawn(family)
