"""Families of inputs: each is what its name says, in every dtype that it is made for."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.families import VALUES, Family, is_finite
from lossdiff.cases.model import Case
from lossdiff.cases.stream import Floats, Stream

FITTING = [(family, dtype) for family in VALUES.values() for dtype in family.dtypes]
IDS = [f"{family.name}-{dtype}" for family, dtype in FITTING]
# what stands in the family on purpose
SPECIAL = {
    "neg_inf": {-np.inf},
    "neg_inf_but_one": {-np.inf},
    "all_neg_inf": {-np.inf},
    "pos_inf": {np.inf},
    "nan": {np.nan},
    "nan_where_ignored": {np.nan},
    "log_probs_nan_where_ignored": {np.nan},
}


def drawn(family: Family, dtype: str, rows: int = 20, classes: int = 30) -> Floats:
    """Return the values of a family, rounded to a dtype."""
    form = FORMATS[dtype]
    values = family.draw(Stream(family.name), rows, classes, form)
    return form.round(values).astype(np.float64)


@pytest.mark.parametrize(("family", "dtype"), FITTING, ids=IDS)
def test_values_fit_their_dtypes(family: Family, dtype: str) -> None:
    values = drawn(family, dtype)
    special = values[~np.isfinite(values)]

    assert is_finite(family.name) == (special.size == 0)
    if family.name == "both_inf":
        assert set(special) == {np.inf, -np.inf}
    elif family.name in SPECIAL:
        [expected] = SPECIAL[family.name]
        assert special.size > 0
        assert np.array_equal(special, np.full(special.shape, expected), equal_nan=True)
    else:
        assert special.size == 0


@pytest.mark.parametrize(("family", "dtype"), FITTING, ids=IDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1), (6, 3)])
def test_values_come_in_rows_and_classes(
    family: Family, dtype: str, shape: tuple[int, int]
) -> None:
    assert drawn(family, dtype, *shape).shape == shape


@pytest.mark.parametrize(("family", "dtype"), FITTING, ids=IDS)
def test_values_are_of_their_domain(family: Family, dtype: str) -> None:
    values = drawn(family, dtype)
    if family.domain == "probs" and family.name != "probs_outside":
        assert ((values >= 0) & (values <= 1)).all()
    if family.domain == "log_probs":
        assert not (values > 0).any()


@pytest.mark.parametrize("family", VALUES.values(), ids=VALUES)
def test_every_family_is_named_once_and_says_what_it_is_there_to_find(family: Family) -> None:
    assert VALUES[family.name] is family
    assert family.why


@pytest.mark.parametrize(
    "family", [f for f in VALUES.values() if "float16" not in f.dtypes], ids=lambda f: f.name
)
def test_families_that_leave_float16_out_lose_their_digits_there(family: Family) -> None:
    values = family.draw(Stream(family.name), 20, 30, FORMATS["float16"])
    rounded = FORMATS["float16"].round(values).astype(np.float64)

    assert np.abs(values - rounded).max() > 0.1


@pytest.mark.parametrize("dtype", FORMATS)
def test_exp_of_the_overflowing_family_overflows_for_some_and_not_for_others(dtype: str) -> None:
    values, form = drawn(VALUES["exp_overflow"], dtype), FORMATS[dtype]

    assert (values > form.log_max).any()
    assert (values < form.log_max).any()


@pytest.mark.parametrize("dtype", FORMATS)
def test_exp_of_the_underflowing_families_is_subnormal(dtype: str) -> None:
    form = FORMATS[dtype]
    values = drawn(VALUES["exp_underflow"], dtype)
    slack = 2 * form.unit_roundoff * abs(form.log_smallest)

    assert (values <= form.log_tiny + slack).all()
    assert (values >= form.log_smallest - slack).all()
    gaps = drawn(VALUES["gap_underflow"], dtype)
    assert (gaps.max(axis=1) == 0).all()


def test_rows_of_ties_share_their_maximum() -> None:
    values = drawn(VALUES["ties"], "float32")

    assert ((values == values.max(axis=1, keepdims=True)).sum(axis=1) > 1).all()


@pytest.mark.parametrize(
    ("name", "gap"), [("dominant", 10.0), ("far_tail", 42.0), ("far_end", 1e4)]
)
def test_one_class_stands_above_the_others_by_the_gap(name: str, gap: float) -> None:
    values = np.sort(drawn(VALUES[name], "float64"), axis=1)

    assert (values[:, -1] == 0).all()
    assert ((values[:, -2] >= -gap) & (values[:, -2] < 1 - gap)).all()


@pytest.mark.parametrize("name", ["neg_inf", "pos_inf", "nan"])
def test_the_first_row_keeps_its_everyday_values(name: str) -> None:
    values = drawn(VALUES[name], "float32")

    assert np.isfinite(values[0]).all()
    assert ((~np.isfinite(values[1:])).sum(axis=1) == 1).all()


@pytest.mark.parametrize("operation", ["cross_entropy", "nll_loss"])
def test_nan_stands_in_the_rows_that_are_ignored_and_in_no_other(operation: str) -> None:
    family = {"cross_entropy": "nan", "nll_loss": "log_probs_nan"}[operation] + "_where_ignored"
    case = Case.parse(f"{operation}/index.some_ignored/float32/4x10/{family}/-/0")
    inputs = case.inputs()
    is_nan = np.isnan(inputs.values)

    assert (is_nan.all(axis=1) == (inputs.target == -100)).all()
    assert (is_nan.any(axis=1) == is_nan.all(axis=1)).all()


@pytest.mark.parametrize("dtype", FORMATS)
def test_probabilities_next_to_one_stay_below_it(dtype: str) -> None:
    values = drawn(VALUES["probs_edge"], dtype)

    assert values.max() < 1
    assert values.min() > 0
