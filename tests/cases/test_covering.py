"""Covering arrays: every few levels that may meet do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import pytest
from lossdiff.cases.covering import STRENGTH, Constraint, Row, stored_rows
from lossdiff.cases.factors import CONSTRAINTS, factors_of, may_meet
from lossdiff.cases.operations import COVERED, OPERATIONS, Operation

EACH = pytest.mark.parametrize("operation", COVERED, ids=lambda it: it.name)
SUITES = pytest.mark.parametrize("suite", STRENGTH)


def can_be_completed(row: Row, factors: dict[str, list[Any]]) -> bool:
    """Whether a row that may be asked has these levels."""
    if not may_meet(row):
        return False
    left = [name for name in factors if name not in row]
    if not left:
        return True
    return any(can_be_completed({**row, left[0]: level}, factors) for level in factors[left[0]])


def groups(factors: dict[str, list[Any]], strength: int) -> Iterator[tuple[tuple[str, Any], ...]]:
    """Yield every few levels of different factors."""
    for names in combinations(factors, strength):
        for levels in product(*(factors[name] for name in names)):
            yield tuple(zip(names, levels, strict=True))


@SUITES
@EACH
def test_every_few_levels_that_may_meet_do(operation: Operation, suite: str) -> None:
    factors = factors_of(operation, suite)
    strength = min(STRENGTH[suite], len(factors))
    rows = stored_rows(suite, operation.name, factors)
    met = {group for row in rows for group in combinations(row.items(), strength)}

    missing = [
        group
        for group in groups(factors, strength)
        if group not in met and can_be_completed(dict(group), factors)
    ]
    assert missing == []


@SUITES
@EACH
def test_no_row_holds_levels_that_may_not_meet(operation: Operation, suite: str) -> None:
    rows = stored_rows(suite, operation.name, factors_of(operation, suite))

    assert [row for row in rows if not may_meet(row)] == []


def test_an_array_of_other_factors_is_refused_and_says_how_to_make_it() -> None:
    factors = factors_of(OPERATIONS["softmax"], "quick")
    factors["dtype"].pop()

    with pytest.raises(ValueError, match="softmax has other factors in quick; run scripts/make_"):
        stored_rows("quick", "softmax", factors)


def test_a_constraint_is_about_rows_that_have_all_of_its_factors() -> None:
    constraint = Constraint(("a", "b"), lambda a, b: a < b)

    assert [constraint.allows(row) for row in ({"a": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1})] == [
        True, True, False,
    ]  # fmt: skip


def test_constraints_name_factors_that_exist() -> None:
    names = {name for it in OPERATIONS.values() for name in (*factors_of(it, "full"), *it.options)}

    assert {name for constraint in CONSTRAINTS for name in constraint.factors} <= names
