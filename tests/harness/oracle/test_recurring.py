"""Test that rows which recur are solved once, and get the bits that they get one by one."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.oracle import CONTRACT, Solution
from lossdiff.harness.oracle.classwise import solve_classwise
from lossdiff.harness.oracle.elementwise import solve_elementwise
from lossdiff.harness.oracle.recurring import once_each

RECURRING = [
    "softmax/float32/5000x2/ties/-/0",
    "log_softmax/float64/5000x2/ties/-/0",
    "logsumexp/bfloat16/5000x2/ties/-/0",
    "sigmoid/float32/20000x2/ties/-/0",
    "cross_entropy/index.random/float32/5000x2/ties/reduction=none/0",
    "cross_entropy/index.some_ignored/float32/5000x2/ties/weight=positive,reduction=none/0",
    "binary_cross_entropy_with_logits/multi_label.binary/float32/20000x2x1/ties/reduction=none/0",
]
DIFFERENT = "softmax/float32/5000x2/normal/-/0"
REDUCED = "cross_entropy/index.random/float32/5000x2/ties/-/0"


def solver_of(case: Case) -> Any:
    return solve_classwise if case.contract.reads_classes else solve_elementwise


def arrays_of(solution: Solution) -> dict[str, np.ndarray]:
    """Return every array of a solution by a name."""
    found = {"row_losses": solution.row_losses}
    parts = {**solution.quantities, "terms": solution.terms}
    for name, part in parts.items():
        found |= {f"{name}.{it.name}": getattr(part, it.name) for it in fields(part)}
    return found


@pytest.mark.parametrize("name", [*RECURRING, DIFFERENT, REDUCED])
def test_the_answers_are_those_of_every_row_by_itself(name: str) -> None:
    case = Case.parse(name)

    with np.errstate(all="ignore"):
        expected = solver_of(case)(case, case.inputs(), CONTRACT)
        actual = once_each(solver_of(case))(case, case.inputs(), CONTRACT)

    assert (expected.unit, expected.condition) == (actual.unit, actual.condition)
    for key, array in arrays_of(expected).items():
        np.testing.assert_array_equal(array, arrays_of(actual)[key], key)


@pytest.mark.parametrize("name", RECURRING)
def test_equal_rows_are_solved_once(name: str) -> None:
    case, seen = Case.parse(name), []

    def solver(part: Case, *others: Any) -> Solution:
        seen.append(part.shape[0])
        return solver_of(case)(part, *others)

    with np.errstate(all="ignore"):
        once_each(solver)(case, case.inputs(), CONTRACT)

    assert seen[0] <= case.shape[0] // 4


@pytest.mark.parametrize("name", [DIFFERENT, REDUCED])
def test_rows_that_differ_or_are_added_are_solved_as_they_are(name: str) -> None:
    case, seen = Case.parse(name), []

    def solver(part: Case, *others: Any) -> Solution:
        seen.append(part)
        return solver_of(case)(part, *others)

    once_each(solver)(case, case.inputs(), CONTRACT)

    assert seen == [case]
