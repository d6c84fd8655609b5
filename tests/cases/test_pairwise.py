"""Covering arrays that are made at run time: every two levels that may meet do."""

from __future__ import annotations

import time
from itertools import combinations, product
from typing import Any

import pytest
from lossdiff.cases.covering import Constraint, Row
from lossdiff.cases.factors import CONSTRAINTS, factors_of, may_meet
from lossdiff.cases.operations import OPERATIONS, Operation
from lossdiff.cases.pairwise import pairwise

LETTERS = {"a": [1, 2, 3], "b": ["x", "y"], "c": [False, True]}


def missing(rows: list[Row], factors: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    """Return the pairs of levels that no row has."""
    met = {pair for row in rows for pair in combinations(row.items(), 2)}
    every = (
        tuple(zip(names, levels, strict=True))
        for names in combinations(factors, 2)
        for levels in product(*(factors[name] for name in names))
    )
    return [pair for pair in every if pair not in met]


def test_any_two_levels_meet_in_few_rows() -> None:
    rows = pairwise(LETTERS)

    assert missing(rows, LETTERS) == []
    assert len(rows) == 6


def test_levels_that_may_not_meet_do_not_and_all_others_do() -> None:
    apart = Constraint(("a", "b"), lambda a, b: (a, b) != (1, "x"))

    rows = pairwise(LETTERS, [apart])

    assert missing(rows, LETTERS) == [(("a", 1), ("b", "x"))]


def test_a_pair_that_leaves_no_row_is_left_out() -> None:
    # 1 needs y and False needs x, so that 1 and False have no row.
    rows = pairwise(
        LETTERS,
        [
            Constraint(("a", "b"), lambda a, b: a != 1 or b == "y"),
            Constraint(("b", "c"), lambda b, c: c or b == "x"),
        ],
    )

    assert (("a", 1), ("c", False)) in missing(rows, LETTERS)
    assert all(row["a"] != 1 or (row["b"] == "y" and row["c"]) for row in rows)


def test_one_factor_has_a_row_for_each_level_and_an_absent_factor_constrains_nothing() -> None:
    assert pairwise({"a": [1, 2]}, CONSTRAINTS) == [{"a": 1}, {"a": 2}]


def test_a_constraint_about_three_factors_is_refused() -> None:
    with pytest.raises(ValueError, match="3 factors"):
        pairwise(LETTERS, [Constraint(("a", "b", "c"), lambda *_: True)])


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_the_factors_of_the_suite_are_covered_within_their_constraints(
    operation: Operation,
) -> None:
    factors = factors_of(operation, "quick")

    rows = pairwise(factors, CONSTRAINTS)

    assert all(map(may_meet, rows))
    # No two of the constraints meet in one factor's levels so that a third has none left.
    assert [pair for pair in missing(rows, factors) if may_meet(dict(pair))] == []
    assert rows == pairwise(factors, CONSTRAINTS)


def test_the_largest_array_takes_milliseconds() -> None:
    factors = factors_of(OPERATIONS["cross_entropy"], "quick")

    begin = time.process_time()
    pairwise(factors, CONSTRAINTS)

    assert time.process_time() - begin < 0.05
