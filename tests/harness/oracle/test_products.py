"""Logits by their ranks: pairs of float64 numbers say what whole numbers say."""

from __future__ import annotations

from decimal import localcontext
from itertools import product

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.oracle.products import (
    PairNumbers,
    WholeNumbers,
    products_of,
    ranked,
    ranked_pairs,
)

FAMILIES = ("normal", "ties", "cancelling", "offset", "outlier", "grid", "zeros")


def factors_of(family: str, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    text = f"linear_cross_entropy/index.random/{dtype}/6x8x11/{family}/linear_bias=normal/0"
    inputs = Case.parse(text).inputs()
    arrays = inputs.values, inputs.linear_weight, inputs.linear_bias
    return tuple(array.astype(np.float64) for array in arrays)  # type: ignore[return-value, union-attr]


@pytest.mark.parametrize(("family", "dtype"), [*product(FAMILIES, ("float32", "bfloat16"))])
def test_pairs_and_whole_numbers_are_the_same_numbers(family: str, dtype: str) -> None:
    factors = factors_of(family, dtype)
    found = ranked_pairs(*factors)
    assert found is not None
    (ranks, pairs), (others, whole) = found, ranked(*factors)

    assert np.array_equal(ranks, others)
    places = ranks.astype(np.intp)
    top = np.broadcast_to(places.max(axis=1, keepdims=True), places.shape)
    for one, two in (
        (pairs.of(places), whole.of(places)),
        (pairs.apart(top, places), whole.apart(top, places)),
    ):
        assert all(map(np.array_equal, vars(one).values(), vars(two).values()))
    with localcontext(prec=400):
        last = len(pairs.high) - 1
        assert pairs.decimal(last) == whole.decimal(last)
        assert pairs.decimal_apart(last, 0) == whole.decimal_apart(last, 0)


def test_numbers_of_more_bits_than_a_pair_has_are_whole_numbers() -> None:
    hidden, weight, bias = (factor / 3 for factor in factors_of("normal", "float64"))

    assert ranked_pairs(hidden, weight, bias) is None
    assert isinstance(products_of(hidden, weight, bias, 1.0, None)[1].numbers, WholeNumbers)
    assert ranked_pairs(np.array([[1e300, 1e-300]]), np.ones((2, 2)), np.zeros(2)) is None
    assert ranked_pairs(np.full((1, 1), 1e300), np.full((2, 1), 1e300), np.zeros(2)) is None


def test_equal_pairs_are_equal_transforms_so_that_their_softmax_is_kept() -> None:
    factors = factors_of("normal", "float32")
    (_, one), (_, two) = products_of(*factors, 1.0, None), products_of(*factors, 1.0, None)

    assert isinstance(one.numbers, PairNumbers)
    assert one == two
    assert hash(one) == hash(two)
    assert one != products_of(*factors_of("ties", "float32"), 1.0, None)[1]
