"""No bound vanishes beside an ordinary answer: what is rounded once may be off by a rounding."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.bounds import SOUND, bound
from lossdiff.harness.oracle import solve

_ORDINARY = (1e-30, 1e30)
_LEAST = 2.0**-56  # far below a rounding of float64, and far above a subnormal number
_BINARY = "binary_cross_entropy_with_logits"
_LARGE, _TINY_AND_HUGE = "finfo_max/weight=negative", "offset_-1e7/weight=tiny,pos_weight=huge"
IDS = [
    # Probabilities of 0 and 1 in a mean over 40 elements: 1/40 is rounded.
    "binary_cross_entropy/multi_label.binary/float32/4x10/probs_zero_one/-/0",
    # Weights of either sign where a loss is 0.
    f"cross_entropy/soft.zeros/float32/2x3x5/{_LARGE},label_smoothing=0.1,reduction=sum/0",
    # A product of a tiny weight, a huge one and a large logit.
    f"{_BINARY}/multi_label.fractional/float64/2x3x5/{_TINY_AND_HUGE},reduction=sum/0",
    "cross_entropy/soft.zeros/float64/4x10/gap_below_0/weight=huge/0",
]


def vanishing(case: Case) -> list[str]:
    """Return the quantities of which an ordinary number has no bound."""
    solution = solve(case, case.inputs())
    found = []
    for quantity, exact in solution.quantities.items():
        size = np.abs(exact.to_float())
        limit = bound(case, solution, quantity, SOUND)
        is_ordinary = (size > _ORDINARY[0]) & (size < _ORDINARY[1])
        # A 0 of softmax's row and the like are exact, and so is a number that is passed on.
        if (is_ordinary & ~(limit > size * _LEAST)).any():
            found.append(quantity)
    return found


@pytest.mark.parametrize("case_id", IDS)
def test_extreme_numbers_leave_a_bound(case_id: str) -> None:
    assert vanishing(Case.parse(case_id)) == []


def test_every_ordinary_number_of_quick_has_a_bound() -> None:
    whole = [case for case in suite("quick").cases if case.dtype == "float32" and case.shape]
    cases = [case for case in whole if np.prod(case.shape) <= 100]
    judged = [case for case in cases if not solve(case, case.inputs()).refusal]

    assert [(case.id, found) for case in judged if (found := vanishing(case))] == []
