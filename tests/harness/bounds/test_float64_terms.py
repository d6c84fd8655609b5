"""Terms of the bounds in plain float64: those of the oracle, to a few digits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lossdiff.backends.base import result_shape
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.answers import LINEAR_GRADIENTS
from lossdiff.harness.bounds.algorithms import SOUND, Algorithm
from lossdiff.harness.bounds.bound import bound
from lossdiff.harness.bounds.float64_terms import float64_solution
from lossdiff.harness.judging import solved_case
from lossdiff.harness.oracle.solution import Solution

PROBED = [case for case in suite("quick").cases if case.is_probed and case.operation != "exp"]
EVERY = pytest.mark.parametrize("case", PROBED, ids=lambda case: case.id)
CANCELS = Algorithm(sequential=True, cancels=True)

# What the bounds of given probabilities and logarithms do not read.
_OF_LOGITS = ("d", "lse", "log_sum", "entropy_gap")
UNREAD = {"logits": (), "hidden": (), "probs": _OF_LOGITS, "log_probs": (*_OF_LOGITS, "p")}


def plainly(case: Case) -> Solution:
    """Return plain terms around the right answers."""
    right = {
        name: exact.to_float() for name, exact in solved_case(case).solution.quantities.items()
    }
    return float64_solution(case, case.inputs(), case.cotangent(result_shape(case)), right)


@EVERY
def test_terms_are_those_of_the_oracle(case: Case) -> None:
    terms, exact = plainly(case).terms, solved_case(case).solution.terms

    assert type(terms) is type(exact)
    for name, value in vars(terms).items():
        if name in UNREAD[case.contract.domain]:
            continue
        expected = np.asarray(getattr(exact, name), float)
        np.testing.assert_allclose(
            *np.broadcast_arrays(value, expected), rtol=1e-12, atol=1e-12, err_msg=name
        )


@EVERY
@pytest.mark.parametrize("algorithm", [SOUND, CANCELS])
def test_bounds_are_those_of_the_oracle(case: Case, algorithm: Algorithm) -> None:
    ours, exact = plainly(case), solved_case(case).solution

    gradients = LINEAR_GRADIENTS.values() if case.contract.is_linear else ("gradient_logits",)
    for quantity in ("value", *(it for it in gradients if it in exact.quantities)):
        under_same_rules = replace(exact, convention=ours.convention)
        expected = bound(case, under_same_rules, quantity, algorithm)
        got = bound(case, ours, quantity, algorithm)

        assert got is not None
        assert expected is not None
        np.testing.assert_allclose(got, expected, rtol=1e-9, err_msg=quantity)


def test_probabilities_may_have_been_divided_by_their_sum() -> None:
    case = Case.parse("cross_entropy_probs/soft.soft/float32/4x10/grid_probs/-/0")
    contract = bound(case, solved_case(case).solution, "value", SOUND)
    loosest = bound(case, plainly(case), "value", SOUND)

    assert contract is not None
    assert loosest is not None
    assert contract < loosest < 100 * contract


def test_the_answer_stands_for_the_exact_quantities() -> None:
    case = Case.parse("softmax/float32/4x10/grid/-/0")
    answer = np.full((4, 10), 0.5)
    found = float64_solution(case, case.inputs(), case.cotangent((4, 10)), {"value": answer})

    assert found.quantities.keys() == {"value"}
    np.testing.assert_array_equal(found.quantities["value"].to_float(), answer)
