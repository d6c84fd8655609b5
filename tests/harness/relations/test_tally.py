"""Relations that were kept: counted by who was asked, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.harness.relations import RelationCheck
from lossdiff.harness.relations.tally import RelationTally
from lossdiff.harness.runfile.rows import RelationRow

CLAIM = Claim("acme.softmax", "torch", "softmax", "user", frozenset(), frozenset())
CASE = Case.parse("softmax/float32/4x10/grid/-/0")
HOLDS = RelationCheck("shift", "value", True, 1e-8, 0.25)


def rows_after(*seen: RelationCheck, **others: Any) -> list[RelationRow]:
    """Return the rows after some comparisons."""
    kept = RelationTally()
    for related in seen:
        kept.see(others.get("claim", CLAIM), "eager", CASE, related)
    return kept.rows()


def test_a_comparison_becomes_a_row() -> None:
    assert rows_after(HOLDS) == [
        RelationRow(
            "shift", "acme.softmax", "acme.softmax", "torch", "eager", "float32",
            cases=1, largest_difference=1e-8, largest_ratio=0.25, agrees=True,
        )
    ]  # fmt: skip


def test_nothing_seen_is_nothing_to_tell() -> None:
    assert rows_after() == []


def test_the_largest_is_kept_whenever_it_came() -> None:
    near, far = HOLDS, replace(HOLDS, quantity="gradient_logits", difference=2e-8, ratio=0.125)

    for seen in ((near, far), (far, near)):
        (row,) = rows_after(*seen)
        assert (row.cases, row.largest_difference, row.largest_ratio) == (2, 2e-8, 0.25)


def test_one_that_does_not_hold_outweighs_all_that_do() -> None:
    fails = replace(HOLDS, holds=False, ratio=7.0)

    for seen in ((fails, HOLDS), (HOLDS, fails, HOLDS)):
        (row,) = rows_after(*seen)
        assert (row.agrees, row.largest_ratio) == (False, 7.0)
    assert rows_after(HOLDS, HOLDS)[0].agrees


def test_an_explanation_is_not_forgotten() -> None:
    explained = replace(HOLDS, note="formula", ratio=3.0)

    for seen in ((explained, HOLDS), (HOLDS, explained)):
        assert rows_after(*seen)[0].note == "formula"


def test_relations_implementations_modes_and_dtypes_have_rows_of_their_own() -> None:
    kept = RelationTally()
    other_claim = replace(CLAIM, name="acme.other")
    kept.see(CLAIM, "eager", CASE, HOLDS)
    kept.see(CLAIM, "eager", CASE, replace(HOLDS, relation="again"))
    kept.see(other_claim, "eager", CASE, HOLDS)
    kept.see(CLAIM, "compile", CASE, HOLDS)
    kept.see(CLAIM, "eager", replace(CASE, dtype="float64"), HOLDS)
    kept.see(CLAIM, "eager", replace(CASE, shape=(64, 1000)), HOLDS)

    rows = kept.rows()

    assert [(row.relation, row.left, row.mode, row.dtype, row.cases) for row in rows] == [
        ("again", "acme.softmax", "eager", "float32", 1),
        ("shift", "acme.other", "eager", "float32", 1),
        ("shift", "acme.softmax", "compile", "float32", 1),
        ("shift", "acme.softmax", "eager", "float32", 2),
        ("shift", "acme.softmax", "eager", "float64", 1),
    ]
