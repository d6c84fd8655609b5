"""Hessian-vector products by formula: the exact ones, and bounds that sound computations keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case, Inputs
from lossdiff.harness.bounds import SOUND
from lossdiff.harness.formula import Answers, define, forget, plain
from lossdiff.harness.formula import functions as f
from lossdiff.harness.formula.answers import quantities_of
from lossdiff.harness.formula.options import numbers_of
from lossdiff.harness.judging import judge, solved_case
from lossdiff.harness.oracle import solve_second

from .formulas import FORMULAS, TARGETS, defined

A = Any
SECOND = "hvp_logits"
STEP = 2.0**-12
PAIRS = {
    "my_cross_entropy/index.random": "cross_entropy/index.random",
    "my_cross_entropy/soft.soft": "cross_entropy/soft.soft",
    "my_binary/multi_label.fractional": "binary_cross_entropy_with_logits/multi_label.fractional",
}


def _case(name: str, dtype: str = "float64") -> Case:
    _, kinds, domain = FORMULAS[name]
    target = f"/{kinds[0]}.{TARGETS[kinds[0]]}" if kinds else ""
    family = "grid" if domain == "logits" else "grid_probs"
    return Case.parse(f"{name}{target}/{dtype}/4x10/{family}/-/0")


@pytest.mark.parametrize("question", PAIRS)
def test_the_product_is_the_one_by_hand(question: str) -> None:
    rest = "float64/4x10/grid/-/0"
    by_hand = Case.parse(f"{PAIRS[question]}/{rest}")
    right = solve_second(by_hand, by_hand.inputs())
    with defined(question.partition("/")[0]):
        case = Case.parse(f"{question}/{rest}")
        ours = Answers(case, case.inputs()).solution.quantities[SECOND]

    assert right is not None
    assert np.allclose(ours.to_float(), right.to_float(), 2.0**-52, 2.0**-90)


@pytest.mark.parametrize("name", sorted(set(FORMULAS) - {"my_hinge", "my_huber"}))
def test_the_product_is_how_the_gradient_changes(name: str) -> None:
    with defined(name):
        case = _case(name)

        def gradient(by: float) -> A:
            moved = case.inputs().values + by * case.direction()
            inputs = replace(case.inputs(), values=moved)
            return Answers(case, inputs).solution.quantities["gradient_logits"].to_float()

        found = Answers(case, case.inputs()).solution.quantities[SECOND].to_float()
        slope = (gradient(STEP) - gradient(-STEP)) / (2 * STEP)
    assert np.allclose(found, slope, 1e-4, 1e-6 * np.abs(slope).max() + 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_the_formula_itself_keeps_the_bound(name: str, dtype: str) -> None:
    with defined(name):
        case = _case(name, dtype)
        solved = solved_case(case)
        outputs = quantities_of(FORMULAS[name][0], case, case.inputs())
        numbers = {key: it.astype(dtype) for key, it in numbers_of(case, case.inputs()).items()}
        answer = plain([outputs[SECOND]], numbers)[0]
        verdict = judge(solved, SECOND, answer)

    assert not verdict.is_finding, verdict
    assert verdict.ratio is None or verdict.ratio <= 1


@pytest.mark.parametrize("name", ["my_cross_entropy", "my_focal", "my_distillation"])
def test_a_bound_leaves_no_room_for_another_number(name: str) -> None:
    with defined(name):
        solved = solved_case(_case(name, "float32"))
        exact = solved.solution.quantities[SECOND].to_float()
        bound = solved.bound(solved.solution, SECOND, SOUND)
        verdict = judge(solved, SECOND, (1.001 * exact).astype(np.float32))

    assert (bound < 1e-4 * np.abs(exact).max()).all()
    assert verdict.word == "inaccurate"


def _at(formula: A, values: list[float]) -> A:
    define("bent", formula, targets=())
    case = replace(Case.parse("bent/float64/1x3/grid/-/0"))
    inputs = Inputs(np.array([values]))
    found = Answers(case, inputs).solution.quantities
    forget("bent")
    return found[SECOND].to_float()[0] / case.direction()[0]


def test_where_a_gradient_jumps_it_has_no_derivative() -> None:
    found = _at(lambda x: f.sum(abs(x) * x + f.maximum(x, 1.0)), [-2.0, 0.0, 1.0])

    assert found[0] == -2 * 0.625
    assert np.isnan(found[1:]).all()


def test_functions_that_are_smooth_at_0_have_a_second_derivative_there() -> None:
    found = _at(lambda x: f.sum(f.tanh(x) + f.softplus(x) + f.sigmoid(x)), [0.0, 2.0, -2.0])

    t, p = np.tanh(2.0), 1 / (1 + np.exp(-2.0))
    curve = -2 * t * (1 - t * t) + p * (1 - p) * (1 - 2 * p)
    expected = [0.25, curve + p * (1 - p), -curve + p * (1 - p)]
    assert np.allclose(found / 0.625, expected, 1e-12)
