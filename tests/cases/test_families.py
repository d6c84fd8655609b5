"""Families of inputs: each is what its name says, in every dtype that it is made for."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.families import (
    BAD_LABELS,
    LABELS,
    PROBABILITIES,
    TARGETS,
    VALUES,
    WEIGHTS,
    Family,
)
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


# --- targets and weights ---------------------------------------------------------------------


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_classes_unless_they_are_meant_to_be_bad(name: str) -> None:
    logits = Stream("logits").normal(50, 6)
    labels = LABELS[name](Stream(name), logits)
    valid = (labels >= 0) & (labels < 6)

    assert labels.shape == (50,)
    assert labels.dtype == np.int64
    assert valid.all() == (name not in BAD_LABELS)


@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_of_targets_are_what_their_names_say(name: str) -> None:
    target = PROBABILITIES[name](Stream(name), 40, 7)
    inside = (target >= 0) & (target <= 1)

    assert target.shape == (40, 7)
    assert inside.all() == (
        name not in ("soft_negative", "above", "above_one", "soft_nan", "binary_nan")
    )
    if name in ("soft", "zeros"):
        assert np.allclose(target.sum(axis=1), 1)
    if name == "zeros":
        assert ((target == 0).sum(axis=1) == 5).all()
    if name == "binary":
        assert set(target.ravel()) == {0.0, 1.0}
    if name == "all_zero":
        assert not target.any()
    if name in ("soft_nan", "binary_nan"):
        assert np.argwhere(np.isnan(target)).tolist() == [[39, 0]]


def test_every_target_of_the_suites_can_be_drawn() -> None:
    for kind, names in TARGETS.items():
        for name in names:
            assert name in (LABELS if kind in ("index", "one_hot") else PROBABILITIES)


def weights(name: str, dtype: str) -> Floats:
    """Return the weights of a family, rounded to a dtype."""
    form = FORMATS[dtype]
    return form.round(WEIGHTS[name].draw(Stream(name), 100, form)).astype(np.float64)


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("dtype", FORMATS)
def test_weights_are_finite_and_of_the_sign_that_their_names_say(name: str, dtype: str) -> None:
    found = weights(name, dtype)

    assert found.shape == (100,)
    assert np.isfinite(found).all()
    assert (found < 0).any() == (name == "negative")
    assert (found > 0).any() == (name != "all_zero")
    assert (found == 0).any() == (name in ("with_zeros", "all_zero"))


@pytest.mark.parametrize("name", sorted(set(WEIGHTS) - {"negative", "small"}))
@pytest.mark.parametrize("dtype", FORMATS)
def test_weights_are_exact_in_every_dtype_unless_they_are_meant_to_have_all_digits(
    name: str, dtype: str
) -> None:
    form = FORMATS[dtype]

    assert np.array_equal(WEIGHTS[name].draw(Stream(name), 100, form), weights(name, dtype))


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_few_huge_weights_overflow_in_their_sum_and_tiny_ones_are_partly_subnormal(
    dtype: str,
) -> None:
    form, tiny = FORMATS[dtype], weights("tiny", dtype)

    assert weights("huge", dtype).max() > form.max / 4
    assert (weights("huge", dtype)[:8] / 8).sum() > form.max / 8
    assert (tiny < form.tiny).any()
    assert (tiny > form.tiny).any()


def test_every_family_of_weights_says_what_it_is_there_to_find() -> None:
    assert all(family.name == name and family.why for name, family in WEIGHTS.items())
