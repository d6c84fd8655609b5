"""Factors: each level has a reason, and can be asked."""

from __future__ import annotations

import pytest
from lossdiff.cases.factors import (
    LABEL_DTYPES,
    OPTIONS,
    OUT_OF_RANGE,
    SHAPE,
    WRONG_LABEL_DTYPES,
    factors_of,
    families_of,
)
from lossdiff.cases.families import VALUES
from lossdiff.cases.operations import COVERED, OPERATIONS, Operation, Options
from lossdiff.cases.weights import WEIGHTS

FACTORS = {"shape": SHAPE, **OPTIONS}
EACH = pytest.mark.parametrize("name", FACTORS)


@EACH
def test_every_level_says_what_it_is_there_to_find(name: str) -> None:
    assert all(FACTORS[name].levels.values())


@EACH
def test_quick_asks_some_of_the_levels(name: str) -> None:
    assert set(FACTORS[name].quick) <= set(FACTORS[name].levels)


def test_every_option_of_an_operation_is_a_factor_whose_default_is_a_level() -> None:
    for operation in OPERATIONS.values():
        for option in operation.options:
            assert getattr(Options(), option) in OPTIONS[option].levels


@pytest.mark.parametrize("option", ["weight", "pos_weight"])
def test_every_weight_can_be_drawn(option: str) -> None:
    assert set(OPTIONS[option].levels) - {None} <= set(WEIGHTS)


def test_an_option_out_of_range_is_no_level() -> None:
    for option, levels in OUT_OF_RANGE.items():
        assert not set(levels) & set(OPTIONS[option].levels)


def test_a_dtype_of_labels_is_right_or_wrong() -> None:
    assert not set(LABEL_DTYPES) & set(WRONG_LABEL_DTYPES)


@pytest.mark.parametrize("operation", COVERED, ids=lambda it: it.name)
def test_full_asks_every_family_of_the_domain_and_quick_some(operation: Operation) -> None:
    quick, full = (factors_of(operation, suite) for suite in ("quick", "full"))

    assert set(quick["family"]) <= set(full["family"])
    assert {VALUES[family].domain for family in full["family"]} == {operation.domain}
    for factor, levels in quick.items():
        assert set(levels) <= set(full[factor])


def test_families_about_the_classes_of_a_row_are_left_out_element_by_element() -> None:
    assert "ties" in families_of(OPERATIONS["softmax"], "full")
    assert "ties" not in families_of(OPERATIONS["sigmoid"], "full")
