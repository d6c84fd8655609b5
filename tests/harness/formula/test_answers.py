"""The right answers by formula, compared with those that are computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.bounds import SOUND
from lossdiff.harness.formula import Answers, define, forget
from lossdiff.harness.formula import functions as f
from lossdiff.harness.judging import judge, solved_case
from lossdiff.harness.oracle import Exact, solve

from .formulas import defined

A = Any
FAMILIES = (
    "normal", "ties", "offset_1e7", "gap_underflow", "one_large", "exp_overflow", "neg_inf",
    "neg_inf_but_one", "all_neg_inf", "pos_inf", "nan",
)  # fmt: skip
PAIRS = {
    "my_cross_entropy/index.random": "cross_entropy/index.random",
    "my_cross_entropy/one_hot.random": "cross_entropy/one_hot.random",
    "my_cross_entropy/soft.soft": "cross_entropy/soft.soft",
    "my_binary/multi_label.fractional": "binary_cross_entropy_with_logits/multi_label.fractional",
}


def _apart(ours: Exact, others: Exact) -> float:
    """Return the largest relative difference, as a base-2 logarithm; NaN must meet NaN."""
    assert np.array_equal(np.isnan(ours.hi), np.isnan(others.hi))
    with np.errstate(all="ignore"):
        off = abs(ours - others)
        size = np.log2(np.abs(off.hi)) + off.exponent - others.binade
    measured = np.isfinite(others.hi) & (off.hi != 0) & (others.exponent > -1140)
    return float(size[measured].max(initial=-1000.0))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("question", PAIRS)
def test_the_answer_is_the_one_by_hand(question: str, family: str) -> None:
    if question.startswith("my_binary") and "neg_inf" in family:
        family = "far_tail"  # 0 times an infinity is a number by hand only
    for rest in (f"float64/4x10/{family}/-/0", f"float32/4x10/{family}/reduction=none/0"):
        by_hand = Case.parse(f"{PAIRS[question]}/{rest}")
        right = solve(by_hand, by_hand.inputs())
        with defined(question.partition("/")[0]):
            case = Case.parse(f"{question}/{rest}")
            ours = Answers(case, case.inputs()).solution
        for quantity, expected in right.quantities.items():
            assert _apart(ours.quantities[quantity], expected) < -73


@pytest.mark.parametrize(
    ("target", "rule"), [("index.too_large", "label"), ("index.wrong_length", "target shape")]
)
def test_a_target_that_names_no_class_has_no_answer(target: str, rule: str) -> None:
    with defined("my_cross_entropy"):
        case = Case.parse(f"my_cross_entropy/{target}/float32/4x10/normal/-/0")

        assert Answers(case, case.inputs()).solution.broken_rule == rule


def test_where_the_largest_of_equal_numbers_is_differentiated_no_answer_is_agreed_on() -> None:
    with defined("my_hinge"):
        case = Case.parse("my_hinge/index.random/float32/4x10/zeros/reduction=none/0")
        quantities = Answers(case, case.inputs()).solution.quantities

    assert np.isfinite(quantities["value"].hi).all()
    assert np.isnan(quantities["gradient_logits"].hi).any()


def _levels(x: A, target: A) -> A:
    """Return a loss of ordered classes: σ(x_k) says whether the class is beyond k."""
    beyond = f.one_hot(target) @ np.tril(np.ones((x.shape[1], x.shape[1])), -1)
    return f.sum(beyond * f.softplus(-x) + (1 - beyond) * f.softplus(x), axis=1)


@pytest.mark.parametrize("family", ["offset_1e7", "far_tail", "normal_100"])
def test_exponentials_beyond_any_format_have_an_answer(family: str) -> None:
    define("levels", _levels)
    case = Case.parse(f"levels/index.random/float64/4x10/{family}/reduction=none/0")
    solution = Answers(case, case.inputs()).solution
    forget("levels")

    x, labels = case.inputs().values, case.inputs().target
    beyond = np.arange(10) < labels[:, None]
    due = np.logaddexp(0, np.where(beyond, -x, x)).sum(1)
    found = solution.quantities["value"].to_float()
    assert np.allclose(found, due, 1e-13, 0)


def test_a_form_that_is_not_listed_explains_what_it_loses() -> None:
    define("saturating", lambda x, target: (1 - f.take(f.softmax(x), target) ** 0.7) / 0.7)
    solved = solved_case(Case.parse("saturating/index.random/float32/4x10/far_tail/-/0"))
    gradient = solved.solution.quantities["gradient_logits"].to_float()
    nothing = judge(solved, "gradient_logits", np.zeros(gradient.shape, np.float32))
    wrong = judge(solved, "gradient_logits", np.full(gradient.shape, 1e-3, np.float32))
    forget("saturating")

    assert np.abs(gradient).max() < 1e-12
    assert (nothing.word, wrong.word) == ("formula", "inaccurate")


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("family", ["normal", "offset_1e7", "gap_underflow"])
def test_sums_up_to_each_number_are_those_of_a_product_of_matrices(family: str, axis: int) -> None:
    def product_of(x: A, target: A) -> A:
        before = np.triu(np.ones((x.shape[axis],) * 2))
        off = f.softmax(x) - target
        return (off @ before if axis else before.T @ off) ** 2

    define("by_steps", lambda x, t: f.cumsum(f.softmax(x) - t, axis) ** 2, targets={"soft"})
    define("by_product", product_of, targets={"soft"})
    steps, product = (
        solved_case(Case.parse(f"{name}/soft.soft/float32/4x10/{family}/reduction=none/0"))
        for name in ("by_steps", "by_product")
    )
    for quantity, number in steps.solution.quantities.items():
        expected = product.solution.quantities[quantity]
        assert np.allclose(number.to_float(), expected.to_float(), 1e-14, 0)
        one, other = (it.bound(it.solution, quantity, SOUND) for it in (steps, product))
        assert ((one <= 2 * other) & (other <= 2 * one)).all()
    forget("by_steps")
    forget("by_product")


def test_a_complement_that_pairs_do_not_hold_has_its_right_logarithm() -> None:
    def unlikelihood(x: A, target: A) -> A:
        return -f.sum((1 - f.one_hot(target)) * f.log1p(-f.softmax(x)), axis=1)

    define("unlikelihood", unlikelihood)
    case = Case.parse("unlikelihood/index.random/float32/4x10/far_tail/reduction=none/0")
    found = Answers(case, case.inputs()).solution.quantities["value"].to_float()
    forget("unlikelihood")

    x = case.inputs().values.astype(np.float64)
    others = np.log(np.sort(np.exp(x), axis=1)[:, :-1].sum(1))
    is_top = x.argmax(1) == case.inputs().target
    assert np.allclose(found, np.where(is_top, 0.0, -others), 1e-12, 1e-15)


def test_a_small_loss_that_is_a_difference_of_probabilities_loses_its_digits() -> None:
    def brier(x: A, target: A) -> A:
        return f.sum((f.softmax(x) - f.one_hot(target)) ** 2, axis=1)

    define("brier", brier)
    solved = solved_case(Case.parse("brier/index.top/float64/4x10/one_large/reduction=sum/0"))
    exact = solved.solution.quantities["value"].to_float()
    words = [judge(solved, "value", exact + by).word for by in (0.0, 4.5e-16, 1e-13)]
    forget("brier")

    assert words == ["exact", "formula", "inaccurate"]
