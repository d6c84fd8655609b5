"""Results on whose way a step overflows."""

from __future__ import annotations

import numpy as np
from lossdiff.cases.model import Case
from lossdiff.harness.formula import Answers, define, forget
from lossdiff.harness.formula import functions as f

from .formulas import defined


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
