"""Findings on frameworks' functions by their cause: one entry of the ledger, or one new fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lossdiff.harness.causes import causes_of_findings
from lossdiff.harness.runfile import VerdictRow

ROW = VerdictRow(
    "cross_entropy/index.random/float32/4x10/normal/-/0", "cross_entropy", "index", "normal",
    "4x10", "float32", {}, "torch.nn.functional.cross_entropy", "torch", "native", "eager", "cpu",
    "value", "inaccurate",
)  # fmt: skip
KNOWN = replace(ROW, known=True, ledger="masked")


def finding(row: VerdictRow = ROW, **facts: Any) -> VerdictRow:
    return replace(row, **facts)


def test_what_one_entry_names_is_one_cause() -> None:
    given = [KNOWN, finding(KNOWN, implementation="optax.losses.x", framework="jax", mode="jit")]

    (cause,) = causes_of_findings(given)

    assert (cause.id, cause.count, cause.libraries) == ("masked", 2, ("PyTorch", "Optax"))
    assert cause.modes == {"eager": 1, "jit": 1}


def test_new_findings_come_before_known_ones() -> None:
    found = causes_of_findings([KNOWN, ROW])

    assert [cause.section for cause in found] == ["new", "native"]


def test_new_findings_on_one_library_and_operation_are_one_cause() -> None:
    given = [ROW, finding(implementation="torch.nn.CrossEntropyLoss"), finding(family="grid")]

    (cause,) = causes_of_findings(given)

    assert cause.count == 3


@pytest.mark.parametrize(
    "facts",
    [
        {"verdict": "nonfinite"},
        {"quantity": "gradient_logits"},
        {"looks_like": "softmax applied twice"},
        {"operation": "softmax"},
        {"implementation": "optax.losses.x", "framework": "jax"},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_new_findings_that_differ_in_more_are_two_causes(facts: dict[str, Any]) -> None:
    assert len(causes_of_findings([ROW, finding(**facts)])) == 2


@pytest.mark.parametrize("facts", [{"mode": "compile"}, {"dtype": "float16"}])
def test_what_shows_in_eager_float32_shows_elsewhere_for_the_same_reason(
    facts: dict[str, Any],
) -> None:
    (cause,) = causes_of_findings([finding(**facts), ROW])

    assert cause.plainest == ROW


def test_an_error_is_one_cause_whatever_was_wanted_of_the_call() -> None:
    given = [
        finding(verdict="raised", quantity=quantity) for quantity in ("value", "gradient_logits")
    ]

    (cause,) = causes_of_findings(given)

    assert cause.quantities.total() == 2


def test_new_causes_of_functions_that_users_call_come_first() -> None:
    found = causes_of_findings([finding(kind="textbook", dtype="float64"), finding(mode="jit")])

    assert [cause.plainest.kind for cause in found] == ["native", "textbook"]


def test_what_a_compiler_alone_shows_is_apart_from_what_16_bits_show() -> None:
    assert len(causes_of_findings([finding(mode="compile"), finding(dtype="float16")])) == 2


@pytest.mark.parametrize(
    ("kinds", "verdict", "section"),
    [
        (("native", "recipe"), "nonfinite", "native"),
        (("recipe", "textbook"), "nonfinite", "recipe"),
        (("textbook",), "accepted", "textbook"),
        (("native", "textbook"), "accepted", "invalid"),
    ],
)
def test_a_cause_is_told_with_the_functions_that_it_touches(
    kinds: tuple[str, ...], verdict: str, section: str
) -> None:
    (cause,) = causes_of_findings(finding(KNOWN, kind=kind, verdict=verdict) for kind in kinds)

    assert cause.section == section


def test_a_cause_is_shown_by_a_function_that_users_call() -> None:
    textbook = finding(KNOWN, kind="textbook", implementation="torch.textbook.cross_entropy")
    large = finding(KNOWN, shape="400x1000", case=KNOWN.case.replace("4x10", "400x1000"))

    (cause,) = causes_of_findings([textbook, large])

    assert cause.plainest == large


def test_a_cause_is_shown_by_what_a_script_can_show() -> None:
    (cause,) = causes_of_findings([finding(KNOWN, verdict="relation:shift", shape="1x2"), KNOWN])

    assert cause.plainest == KNOWN


def test_verdicts_that_are_no_findings_and_users_functions_are_left_out() -> None:
    assert causes_of_findings([finding(verdict="exact"), finding(kind="user")]) == []


def test_what_hits_more_libraries_is_worse() -> None:
    one = finding(KNOWN, ledger="one")
    two = [
        finding(KNOWN, ledger="two"),
        finding(KNOWN, ledger="two", implementation="jax.nn.x", framework="jax"),
    ]

    assert [cause.id for cause in causes_of_findings([one, *two])] == ["two", "one"]


def test_the_order_of_the_verdicts_changes_nothing() -> None:
    given = [finding(KNOWN, ledger=f"e{n % 3}", case=f"{KNOWN.case[:-1]}{n}") for n in range(9)]
    given += [finding(dtype="float16"), ROW, finding(mode="compile", verdict="nonfinite")]

    assert causes_of_findings(given) == causes_of_findings(given[::-1])


def test_a_cause_is_shown_by_the_question_that_shows_it_in_most_libraries() -> None:
    plain = finding(KNOWN, verdict="nonfinite")
    other = finding(plain, case=KNOWN.case.replace("normal", "neg_inf"), family="neg_inf")
    keras = finding(other, implementation="keras.losses.X", framework="tensorflow")

    (cause,) = causes_of_findings([plain, other, keras])

    assert (cause.plainest, cause.beside) == (other, (keras,))


def test_a_cause_is_shown_with_the_verdict_that_it_mostly_gets() -> None:
    usual = [finding(KNOWN, case=f"{KNOWN.case[:-1]}{n}", verdict="nonfinite") for n in (1, 2)]

    (cause,) = causes_of_findings([KNOWN, *usual])

    assert cause.plainest == usual[0]
