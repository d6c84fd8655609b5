"""The oracle, against enclosures of a second one that shares nothing with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lossdiff.cases import model
from lossdiff.cases.model import Case
from lossdiff.cases.operations import OPERATIONS
from lossdiff.cases.stored import worked_examples
from lossdiff.harness.oracle.solve import solve

from . import arb
from .oracle_questions import (
    GOOD_ENOUGH,
    LARGE,
    suites,
    worst_of,
)

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_within_a_millionth_of_an_ulp(operation: str) -> None:
    count, worst = 0, 0.0
    for case in suites():
        if case.operation == operation:
            values, apart = worst_of(case)
            count, worst = count + values, max(worst, apart)

    print(f"\n{operation}: {count} values, worst 2^{math.log2(worst):.1f} ulp of float64")  # noqa: T201
    assert count > 1000


def test_every_option_and_target_is_among_the_cases() -> None:
    for operation in OPERATIONS.values():
        cases = [case for case in suites() if case.operation == operation.name]
        for option in operation.options:
            assert any(option in case.options.given() for case in cases), option
        assert {case.target_kind for case in cases} == set(operation.targets or [None])


@pytest.mark.parametrize("name", worked_examples())
def test_worked_examples_agree_with_what_their_documents_print(name: str) -> None:
    example = worked_examples()[name]
    kind = example.target_kind
    case = Case(
        example.operation, f"worked:{name}", example.values.shape, "float64", kind,
        "given" if kind else "", example.options,
    )  # fmt: skip
    exact = solve(case, case.inputs()).quantities["value"].to_float()

    assert np.all(abs(exact - example.expected) <= example.atol)
    worst_of(case)


@pytest.mark.parametrize("name", LARGE)
def test_a_large_case_is_solved_in_its_first_rows_and_its_loss_in_all(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case.parse(name)
    right = arb.answers(case, case.inputs())
    assert right is not None
    monkeypatch.setattr(model, "_MOST_JUDGED", 30)
    solution = solve(case, case.inputs())

    rows = case.judged_rows
    assert rows == 10
    for quantity, exact in solution.quantities.items():
        whole = right[quantity]
        head = whole
        if whole.balls.ndim:
            head = arb.Enclosure(whole.balls[:rows], whole.terms[:rows])
        ulps = arb.ulps_apart(exact, head)
        # beyond the first part float64 stands for the exact sum of a narrower dtype
        finer = {"float64": 0, "float32": 29, "float16": 42, "bfloat16": 45}[case.dtype]
        assert np.all(ulps <= GOOD_ENOUGH * 2.0**finer), quantity
