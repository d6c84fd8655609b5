"""Families of weights: finite, of the sign that their names say, exact."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.stream import Floats, Stream
from lossdiff.cases.weights import WEIGHTS


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
