"""Results on whose way a step overflows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from lossdiff.cases.model import Case
from lossdiff.harness.formula import Answers, define, forget
from lossdiff.harness.formula import functions as f

from .formulas import defined

A = Any


def test_a_finite_number_that_comes_by_way_of_an_overflow_is_not_agreed_on() -> None:
    define("root_of_squares", lambda x: f.sqrt(f.sum(x * x, axis=1)), targets=())
    case = Case.parse("root_of_squares/float32/3x1/finfo_max/-/0")
    value = Answers(case, case.inputs()).solution.quantities["value"]
    forget("root_of_squares")

    assert np.isnan(value.hi).all()


def test_a_probability_that_underflows_is_0_and_agreed_on() -> None:
    with defined("my_cross_entropy"):
        case = Case.parse("my_cross_entropy/index.random/float32/4x10/finfo_max/-/0")
        quantities = Answers(case, case.inputs()).solution.quantities

    assert np.isfinite(quantities["gradient_logits"].hi).all()


def test_a_result_beyond_the_range_is_an_infinity_and_agreed_on() -> None:
    define("squares", lambda x: x * x, targets=())
    case = Case.parse("squares/float32/3x2/finfo_max/-/0")
    value = Answers(case, case.inputs()).solution.quantities["value"]
    forget("squares")

    assert (value.exponent > 128).all()


def test_a_difference_of_two_overflows_is_unknown_to_all_that_follows() -> None:
    define("margin", lambda x: f.softplus(f.sum(x * x) - 3.0 * f.sum(x * x)), targets=())
    case = Case.parse("margin/float32/3x2/finfo_max/-/0")
    value = Answers(case, case.inputs()).solution.quantities["value"]
    forget("margin")

    assert np.isnan(value.hi).all()


def test_a_product_that_overflows_in_another_order_is_not_agreed_on() -> None:
    def gaussian(x: A) -> A:
        variance = f.exp(x[:, 1])
        return f.detach(f.sqrt(variance)) * (x[:, 0] ** 2 / (2.0 * variance))

    define("gaussian", gaussian, targets=())
    case = Case.parse("gaussian/float32/2x2/two_units/-/0")
    inputs = replace(case.inputs(), values=np.array([[3, -90], [3, -4]], np.float32))
    found = Answers(case, inputs).solution.quantities["gradient_logits"]
    forget("gaussian")

    assert np.isnan(found.hi[0]).any()
    assert np.isfinite(found.hi[1]).all()


def test_a_saturated_loss_of_an_infinity_has_no_agreed_gradient() -> None:
    define("odds", lambda x: f.softplus(f.log1p(-f.exp(x[:, 0])) - x[:, 0]), targets=())
    case = Case.parse("odds/float32/2x2/two_units/-/0")
    inputs = replace(case.inputs(), values=np.array([[0, 1], [-1, 1]], np.float32))
    quantities = Answers(case, inputs).solution.quantities
    forget("odds")

    assert np.isnan(quantities["gradient_logits"].hi).tolist() == [[True, False], [False, False]]
    assert np.isfinite(quantities["value"].hi).all()


def test_what_a_choice_leaves_out_stays_0_next_to_an_infinity() -> None:
    define(
        "chosen",
        lambda x: f.sum(f.where(x > 0, f.log(x), 0.0), axis=1) + f.softplus(f.log(x[:, 0])),
        targets=(),
    )
    case = Case.parse("chosen/float32/1x2/two_units/-/0")
    inputs = replace(case.inputs(), values=np.array([[2, 0]], np.float32))
    found = Answers(case, inputs).solution.quantities["gradient_logits"]
    forget("chosen")

    assert found.hi[0, 1] == 0
