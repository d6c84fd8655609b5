"""The oracle for losses of hidden states and linear weights, against Arb."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import DTYPES, Options
from lossdiff.cases.products import PRODUCTS
from lossdiff.harness.oracle import solve
from lossdiff.harness.oracle.softmax import softmax

from .oracle_questions import worst_of

OPTIONS = (
    "reduction=none",
    "label_smoothing=0.1,linear_bias=normal",
    "weight=negative,reduction=sum,logit_softcap=2.5,z_loss=0.5",
    "logit_scale=0.7,logit_softcap=30.0,z_loss=0.0001,denominator=7.0,linear_bias=normal",
    "logit_scale=0.25,linear_bias=padded",
)


@pytest.mark.parametrize("options", OPTIONS)
def test_every_answer_is_within_a_millionth_of_an_ulp(options: str) -> None:
    count, worst = 0, 0.0
    for family in PRODUCTS.values():
        for dtype in family.dtypes:
            name = (
                f"linear_cross_entropy/index.some_ignored/{dtype}/3x4x6/{family.name}/{options}/0"
            )
            values, apart = worst_of(Case.parse(name))
            count, worst = count + values, max(worst, apart)

    print(f"\n{options}: {count} values, worst 2^{math.log2(worst):.1f} ulp of float64")  # noqa: T201
    assert count > 1000


def given(hidden: object, weight: object, bias: object = None, **options: object) -> Case:
    """Return a case of given float64 arrays; each row's label is its number."""
    values, linear_weight = np.asarray(hidden, float), np.asarray(weight, float)
    (rows, size), classes = values.shape, len(linear_weight)
    added = None if bias is None else np.asarray(bias, float)
    inputs = Inputs(
        values, np.arange(rows) % classes, linear_weight=linear_weight, linear_bias=added
    )
    return Case(
        "linear_cross_entropy", "file:made", (rows, classes), "float64", "index", "given",
        Options(**options), given=inputs, hidden=size,  # type: ignore[arg-type]
    )  # fmt: skip


def test_logits_that_agree_in_all_digits_of_float64_keep_their_distance() -> None:
    apart = given([[1e8, 1.0, 1e8]], [[1e8, 1.0, 1.0], [1e8, 2.0, 1.0], [1e8, 1.5, 1.0]])
    lost = given([[2.0**60, 1.0, -(2.0**60)]], [[1.0, 1.0, 1.0], [1.0, 1.25, 1.0]])

    for case in (apart, lost):
        worst_of(case)
        worst_of(replace(case, options=Options(logit_softcap=30.0, z_loss=0.5)))


def test_products_beyond_the_range_of_float64_are_computed() -> None:
    worst_of(given([[1e300, 1e-300]], [[1e-300, 1e300], [1e-300, -1e300]]))
    worst_of(given([[1e200, 1.0]], [[1e200, 3.0], [1e200, 1.0]]))
    worst_of(given([[5e-324, 1.0]], [[5e-324, 3.0], [-5e-324, 1.0]]))


def test_gradients_whose_terms_cancel_keep_their_digits() -> None:
    """Two classes of one weight: p·W of both is what the target takes away, but for one bit."""
    near = math.nextafter(0.5, 1)
    worst_of(given([[1.0, 0.5]], [[0.5, 1.0], [near, 1.0], [0.5, 1.0]]))
    worst_of(given([[1.0], [-1.0], [1.0]], [[0.25], [0.25], [0.25]], reduction="none"))
    worst_of(given([[1.0], [1.0 + 2.0**-50]], [[3.0], [-3.0]]))


def test_one_class_costs_nothing() -> None:
    solution = solve(case := given([[1.0, 2.0]], [[3.0, 4.0]]), case.inputs())

    assert not any(exact.to_float().any() for exact in solution.quantities.values())


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_hidden_state_that_is_nan_has_no_answer_unless_it_is_ignored(dtype: str) -> None:
    text = "linear_cross_entropy/index.{}/{}/4x5x7/{}/reduction=sum/0"
    ignored = Case.parse(text.format("some_ignored", dtype, "nan_where_ignored"))
    counted = Case.parse(text.format("random", dtype, "nan"))

    answers = solve(ignored, ignored.inputs()).quantities
    assert all(np.isfinite(exact.to_float()).all() for exact in answers.values())
    assert not answers["gradient_hidden"].to_float()[::3].any()
    lost = solve(counted, counted.inputs()).quantities
    assert np.isnan(lost["gradient_linear_weight"].to_float()).all()
    assert np.isfinite(lost["gradient_hidden"].to_float()[0]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_longer_sums_than_those_of_the_other_cases_keep_their_digits(dtype: str) -> None:
    case = Case.parse(f"linear_cross_entropy/index.some_ignored/{dtype}/8x20x15/normal/-/0")
    count, worst = worst_of(case)

    assert count > 400
    assert worst < 2.0**-20


def test_a_softmax_of_many_rows_is_that_of_each_row() -> None:
    x = np.random.default_rng(3).normal(size=(70, 500))
    whole, part = softmax(x), softmax(x[33:35])

    assert np.array_equal(whole.p.lo[33:35], part.p.lo)
    assert np.array_equal(whole.log_sum.lo[33:35], part.log_sum.lo)
    assert whole.top.shape == (70,)
