"""The bounds by machine: computations by the formula stay within them, wrong ones do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.bounds import SOUND, Algorithm, bound
from lossdiff.harness.formula import Answers, plain
from lossdiff.harness.formula.answers import quantities_of
from lossdiff.harness.oracle import Exact, solve

from .formulas import FORMULAS, defined, ids_of

FAMILIES = ("normal", "ties", "offset_1e7", "far_tail", "one_large", "gap_underflow")


def _computed(case: Case, formula: Any, dtype: Any = None) -> dict[str, Any]:
    """Return what NumPy computes by the formula in the dtype of the case, or in another."""
    inputs = case.inputs()
    outputs = quantities_of(formula, case, inputs)
    arrays = {"values": inputs.values, "target": inputs.target}
    given = {
        name: it if dtype is None else it.astype(dtype)
        for name, it in arrays.items()
        if it is not None and it.dtype.kind == "f"
    }
    return dict(zip(outputs, plain(list(outputs.values()), given), strict=True))


def _worst_ratio(case: Case, formula: Any, algorithm: Algorithm) -> float:
    """Return the largest error of the computation over its bound."""
    answers, worst = Answers(case, case.inputs()), 0.0
    for quantity, computed in _computed(case, formula).items():
        exact = answers.solution.quantities[quantity]
        limit = answers.bound(quantity, algorithm)
        off = abs(exact - Exact.of(computed.astype(np.float64))).to_float()
        measured = np.isfinite(exact.to_float()) & np.isfinite(computed.astype(np.float64))
        ratio = np.where(measured, off / limit, 0.0)
        worst = max(worst, float(ratio.max(initial=0.0)))
    return worst


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_computation_by_the_formula_is_within_the_sound_bound(name: str, dtype: str) -> None:
    with defined(name) as definition, np.errstate(all="ignore"):
        for family in FAMILIES:
            for text in ids_of(name, family, dtype):
                assert _worst_ratio(Case.parse(text), definition.formula, SOUND) <= 1.0, text


@pytest.mark.parametrize("name", FORMULAS)
def test_a_computation_in_16_bits_is_within_the_bound_of_narrow_sums(name: str) -> None:
    with defined(name) as definition, np.errstate(all="ignore"):
        narrow = Algorithm(narrow=True, sequential=True)
        for family in ("normal", "ties", "one_large"):
            for text in ids_of(name, family, "float16"):
                assert _worst_ratio(Case.parse(text), definition.formula, narrow) <= 1.0, text


@pytest.mark.parametrize("name", FORMULAS)
def test_a_computation_in_float32_is_beyond_the_bound_of_float64(name: str) -> None:
    with defined(name) as definition, np.errstate(all="ignore"):
        case = Case.parse(ids_of(name, "normal", "float64")[0])
        answers = Answers(case, case.inputs())
        computed = _computed(case, definition.formula, np.float32)["value"].astype(np.float64)
        off = np.abs(answers.solution.quantities["value"].to_float() - computed)

        assert (off > answers.bound("value", SOUND)).any()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_bound_of_cross_entropy_is_near_the_one_by_hand(family: str, dtype: str) -> None:
    by_hand = Case.parse(f"cross_entropy/index.random/{dtype}/4x10/{family}/-/0")
    solution = solve(by_hand, by_hand.inputs())
    with defined("my_cross_entropy"):
        case = Case.parse(f"my_{by_hand.id}")
        answers = Answers(case, case.inputs())
        for quantity in ("value", "gradient_logits"):
            ratio = answers.bound(quantity, SOUND) / bound(by_hand, solution, quantity, SOUND)
            ratio = ratio[np.isfinite(solution.quantities[quantity].hi)]
            if not ratio.size:  # in float16 the offset is an infinity
                continue
            assert 0.25 <= ratio.min() <= ratio.max() <= 2.0


def test_a_form_that_cancels_widens_the_bound_of_its_rung_alone() -> None:
    with defined("my_cross_entropy"):
        case = Case.parse("my_cross_entropy/index.random/float32/4x10/offset_1e7/-/0")
        answers = Answers(case, case.inputs())

        sound = answers.bound("value", SOUND)
        cancelling = answers.bound("value", Algorithm(cancels=True))

    assert cancelling > 1e3 * sound
