"""Families of hidden states and linear weights: what they draw, and which formats hold it."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.linear import of_linear_losses
from lossdiff.cases.model import Case
from lossdiff.cases.products import BIASES, PRODUCTS, logits_of

TEXT = "linear_cross_entropy/index.random/{}/4x8x10/{}/-/0"


def drawn(family: str, dtype: str = "float64") -> np.ndarray:
    """Return the logits of a case."""
    inputs = Case.parse(TEXT.format(dtype, family)).inputs()
    assert inputs.linear_weight is not None
    return logits_of(inputs.values, inputs.linear_weight, inputs.linear_bias)


@pytest.mark.parametrize("family", PRODUCTS)
def test_a_family_draws_arrays_that_fit_each_other(family: str) -> None:
    inputs = Case.parse(TEXT.format("float32", family)).inputs()

    assert inputs.values.shape == (4, 8)
    assert inputs.linear_weight is not None
    assert inputs.linear_weight.shape == (10, 8)
    assert inputs.values.dtype == inputs.linear_weight.dtype == np.float32
    assert np.isfinite(drawn(family)).all() == PRODUCTS[family].is_finite


@pytest.mark.parametrize("family", [name for name, it in PRODUCTS.items() if it.is_finite])
def test_logits_are_within_the_range_of_every_format_of_a_family(family: str) -> None:
    for dtype in PRODUCTS[family].dtypes:
        assert np.abs(drawn(family, dtype)).max() < FORMATS[dtype].max


def test_inner_products_nearly_cancel() -> None:
    inputs = Case.parse(TEXT.format("float64", "cancelling")).inputs()
    assert inputs.linear_weight is not None
    sizes = np.abs(inputs.values) @ np.abs(inputs.linear_weight).T

    assert np.median(np.abs(drawn("cancelling")) / sizes) < 2.0**-10


def test_a_class_of_padding_would_win() -> None:
    assert drawn("below_zero").max() < -10


def test_a_bias_of_padding_masks_the_last_classes() -> None:
    case = Case.parse(TEXT.format("float32", "normal").replace("/-/", "/linear_bias=padded/"))
    bias = case.inputs().linear_bias

    assert bias is not None
    assert np.isneginf(bias).tolist() == [False] * 8 + [True] * 2
    assert set(BIASES) == {"normal", "padded"}


def test_the_id_of_a_case_names_rows_states_and_classes() -> None:
    case = Case.parse(TEXT.format("float32", "normal"))

    assert (case.shape, case.hidden, case.sizes) == ((4, 10), 8, (4, 8, 10))
    assert case.id == TEXT.format("float32", "normal")


@pytest.mark.parametrize("sizes", ["4x10", "4x0x10", "4x8x0", "4x8x10x2", "4"])
def test_other_sizes_are_no_case(sizes: str) -> None:
    text = TEXT.format("float32", "normal").replace("4x8x10", sizes)

    with pytest.raises(ValueError, match="is not the id of a case"):
        Case.parse(text)


def test_a_family_is_no_case_in_a_format_that_does_not_hold_it() -> None:
    with pytest.raises(ValueError, match="is not the id of a case"):
        Case.parse(TEXT.format("float16", "offset"))


@pytest.mark.parametrize("suite", ["quick", "full"])
def test_every_case_that_is_listed_exists(suite: str) -> None:
    assert all(Case.parse(case.id) == case for case in of_linear_losses(suite))
