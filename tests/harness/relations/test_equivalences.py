"""Two routes to the same number agree within the sum of their bounds, or are said not to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend, call_for
from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.harness.judging import solved_case
from lossdiff.harness.relations.equivalences import EQUIVALENCES, answer_of, compared
from lossdiff.harness.runfile.resume_rows import AnswerRow
from lossdiff.harness.runfile.rows import RelationRow

SIGMOID, NLL, ONE_HOT = (relation.name for relation in EQUIVALENCES)
CASES = [
    Case.parse(text)
    for text in (
        "sigmoid/float64/6x2/two_units/-/0",
        "softmax/float64/6x2/two_units/-/0",
        "cross_entropy/index.random/float32/4x10/normal/-/0",
        "cross_entropy/one_hot.random/float32/4x10/normal/-/0",
        "cross_entropy/index.random/float32/4x10/normal/reduction=none/0",
        "cross_entropy/one_hot.random/float32/4x10/normal/reduction=none/0",
    )
]


class Answers:
    """Keeps the answers that take part, and compares them."""

    def __init__(self) -> None:
        self._rows: list[AnswerRow] = []

    def see(self, question: Any, claim: Claim, mode: str, value: Any) -> None:
        row = answer_of(question, claim, mode, "cpu", value)
        self._rows += [row] if row else []

    def rows(self) -> list[RelationRow]:
        return compared(lambda: self._rows)


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load_backend("numpy")


@pytest.fixture(scope="module")
def rows(backend: Backend) -> list[RelationRow]:
    """Return what NumPy's own functions give."""
    relations = Answers()
    for claim, case, value in _answers(backend):
        relations.see(solved_case(case), claim, "eager", value)
    return relations.rows()


def _answers(backend: Backend) -> Iterator[tuple[Claim, Case, Any]]:
    for case in CASES:
        for implementation in backend.implementations.values():
            if implementation.operation == case.operation and not implementation.unsupported(case):
                call = call_for(implementation, case, case.inputs())
                arrays = [getattr(case.inputs(), name) for name in call.arguments]
                yield implementation.claim, case, np.asarray(call(*arrays))


def _related(left: Any, right: Any, one: Case, other: Case, *, kind: Any = "native") -> Any:
    """Compare two answers of made-up implementations."""
    relations = Answers()
    for name, case, value in (("acme.left_by_nll", one, left), ("acme.right", other, right)):
        claim = Claim(name, "numpy", case.operation, kind, frozenset(), frozenset())
        relations.see(solved_case(case), claim, "eager", np.asarray(value))
    return relations.rows()


def test_every_relation_is_looked_at(rows: list[RelationRow]) -> None:
    assert {row.relation for row in rows} == {relation.name for relation in EQUIVALENCES}


def test_the_claims_of_the_tutorials_hold_for_numpy(rows: list[RelationRow]) -> None:
    assert [row for row in rows if not row.agrees] == []
    assert all(row.largest_ratio <= 1 for row in rows)


@pytest.mark.parametrize(
    ("relation", "left", "right", "cases"),
    [
        (SIGMOID, "scipy.special.expit", "scipy.special.softmax", 1),
        (SIGMOID, "numpy.recipes.sigmoid", "scipy.special.softmax", 1),
        (NLL, "numpy.recipes.cross_entropy_by_nll", "numpy.recipes.cross_entropy", 2),
        (ONE_HOT, "numpy.recipes.cross_entropy", "numpy.recipes.cross_entropy", 2),
    ],
)
def test_a_pair_of_implementations_has_a_row_of_its_own(
    rows: list[RelationRow], relation: str, left: str, right: str, cases: int
) -> None:
    (row,) = [row for row in rows if (row.relation, row.left, row.right) == (relation, left, right)]

    assert (row.framework, row.mode, row.cases) == ("numpy", "eager", cases)


def test_textbook_formulas_take_no_part(rows: list[RelationRow]) -> None:
    assert not [row for row in rows if "textbook" in row.left + row.right]


def test_no_implementation_is_compared_with_itself_on_the_same_case(
    rows: list[RelationRow],
) -> None:
    assert not [row for row in rows if row.left == row.right and row.relation != ONE_HOT]


def test_routes_that_differ_by_more_than_their_bounds_do_not_agree() -> None:
    case = CASES[2]
    value = np.float32(solved_case(case).solution.quantities["value"].hi)

    (near,) = _related(value, np.nextafter(value, np.float32(9)), case, case)
    (far,) = _related(value, value + np.float32(0.01), case, case)

    assert near.agrees
    assert not far.agrees
    assert far.largest_ratio > 1
    assert far.largest_difference == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("order", [1, -1])
def test_a_route_that_is_not_finite_does_not_agree_whatever_else_does(
    bad: float, order: int
) -> None:
    relations = Answers()
    for case in (CASES[2], CASES[4])[::order]:
        value = solved_case(case).solution.quantities["value"].hi.astype(np.float32)
        wrong = np.full_like(value, bad) if case == CASES[4] else value
        for name, answer in (("acme.left_by_nll", wrong), ("acme.right", value)):
            claim = Claim(name, "numpy", case.operation, "native", frozenset(), frozenset())
            relations.see(solved_case(case), claim, "eager", np.asarray(answer))

    (row,) = relations.rows()

    assert (row.agrees, row.cases) == (False, 2)
    assert row.largest_ratio == np.inf


def test_answers_of_another_shape_take_no_part() -> None:
    assert _related(np.zeros(3, np.float32), np.zeros(3, np.float32), CASES[2], CASES[2]) == []


def test_extreme_and_refused_cases_take_no_part() -> None:
    extreme = Case.parse("cross_entropy/index.random/float32/4x10/far_tail/-/0")
    refused = Case.parse("cross_entropy/index.too_large/float32/4x10/normal/-/0")

    for case in (extreme, refused):
        assert _related(np.float32(1), np.float32(2), case, case) == []
