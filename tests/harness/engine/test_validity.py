"""The domain of validity: the search finds where an implementation breaks, with few questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_CEILING, Context
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lossdiff.backends.claim import Claim, Limits
from lossdiff.cases.model import Case
from lossdiff.cases.operations import DTYPES, OPERATIONS
from lossdiff.cases.sweeps import SWEEPS
from lossdiff.harness.answers import Failure, Observation
from lossdiff.harness.engine.validity import (
    SCOPES,
    Scope,
    ValiditySearch,
    ValiditySearches,
    next_questions,
)
from lossdiff.harness.formula import define, forget
from lossdiff.harness.formula import functions as f
from lossdiff.harness.judging import Verdict, solved_case
from lossdiff.harness.runfile.rows import DomainRow

SOFTMAX = Claim("acme.softmax", "numpy", "softmax", "user", frozenset(), frozenset())
LOSS = replace(SOFTMAX, name="acme.loss", operation="cross_entropy", targets=frozenset({"index"}))
RIGHT, LEFT, BROKEN = "within bound", "order", "nonfinite"
LEVELS = len(SWEEPS["spread"].levels)
MOST = LEVELS + 2 * 25  # both limits, each in a gap of some decades


def searched(word_at: Callable[[float], str], sweep: str = "spread", dtype: str = "float64") -> Any:
    """Search with a made-up implementation; return what was found and all that was asked."""
    search = ValiditySearch(SOFTMAX, "eager", dtype, SWEEPS[sweep])
    asked: list[float] = []
    while wanted := search.wanted():
        for magnitude in wanted:
            asked.append(magnitude)
            case = search.case(magnitude).id
            search.seen[magnitude] = (Verdict(word_at(magnitude)), "value", case)
        assert len(asked) <= MOST, "the search does not end"
    return search.row("cpu"), asked


def breaks_above(broken: float, left: float | None = None) -> Callable[[float], str]:
    """Return an implementation that is wrong from a magnitude on, and explained from another."""

    def word_at(magnitude: float) -> str:
        if magnitude >= broken:
            return BROKEN
        return LEFT if left is not None and magnitude >= left else RIGHT

    return word_at


def four_digits_above(number: float) -> float:
    """Return the smallest number of four digits that is not below another."""
    return float(Context(prec=4, rounding=ROUND_CEILING).create_decimal(repr(number)))


MAGNITUDES = st.floats(0, 300).map(lambda exponent: 10.0**exponent)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(MAGNITUDES)
@example(1.0)
@example(1e300)
@example(99.995)
@example(9.9995)
@example(88.7228)
def test_a_threshold_is_found_to_four_digits(threshold: float) -> None:
    row, asked = searched(breaks_above(threshold))

    assert row.breaks_at == row.leaves_bound_at == four_digits_above(threshold)
    assert (row.broken_by, row.left_by) == (BROKEN, BROKEN)
    assert len(asked) == len(set(asked)) <= LEVELS + 25


@settings(derandomize=True, deadline=None, max_examples=200)
@given(MAGNITUDES, MAGNITUDES)
def test_two_limits_are_found_side_by_side(one: float, other: float) -> None:
    left, broken = sorted([one, other])
    row, asked = searched(breaks_above(broken, left))

    assert row.breaks_at == four_digits_above(broken)
    assert row.leaves_bound_at == four_digits_above(left)
    assert row.broken_by == BROKEN
    assert len(asked) == len(set(asked)) <= MOST


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.integers(2, 131072), st.sampled_from(["classes", "rows"]))
@example(65520, "classes")
@example(131072, "rows")
def test_a_count_is_found_exactly(threshold: int, sweep: str) -> None:
    row, asked = searched(breaks_above(threshold), sweep, "bfloat16")

    assert row.breaks_at == threshold
    assert len(asked) <= len(SWEEPS[sweep].levels) + 17
    assert all(count == int(count) for count in asked)


@pytest.mark.parametrize("sweep", SWEEPS)
def test_who_never_breaks_has_no_limit(sweep: str) -> None:
    row, asked = searched(lambda _: RIGHT, sweep)

    assert (row.breaks_at, row.leaves_bound_at) == (None, None)
    assert (row.broken_by, row.left_by, row.quantity, row.case) == ("", "", "", "")
    assert tuple(asked) == SWEEPS[sweep].levels_in("float64")
    assert row.asked_to == SWEEPS[sweep].levels[-1]


@pytest.mark.parametrize("sweep", SWEEPS)
def test_who_is_broken_from_the_start_breaks_at_the_first_level(sweep: str) -> None:
    row, asked = searched(lambda _: BROKEN, sweep)

    assert row.breaks_at == row.leaves_bound_at == SWEEPS[sweep].levels[0]
    assert tuple(asked) == SWEEPS[sweep].levels_in("float64")


def test_who_is_explained_everywhere_leaves_the_bound_and_does_not_break() -> None:
    row, _ = searched(lambda _: LEFT)

    assert (row.leaves_bound_at, row.left_by) == (1.0, LEFT)
    assert (row.breaks_at, row.broken_by) == (None, "")


def test_who_is_wrong_in_the_middle_breaks_where_it_is_wrong_first() -> None:
    row, asked = searched(lambda magnitude: BROKEN if 50 <= magnitude < 2e4 else RIGHT)

    assert row.breaks_at == 50
    assert row.asked_to == max(asked) == 1e300


def test_what_is_not_claimed_is_no_limit() -> None:
    assert searched(lambda _: "unsupported")[0].breaks_at is None


def test_the_row_names_the_answer_that_broke() -> None:
    row, _ = searched(breaks_above(88.73, left=2.0), dtype="float32")

    assert row == DomainRow(
        "acme.softmax", "numpy", "user", "softmax", "eager", "cpu", "float32", "spread",
        leaves_bound_at=2.0, left_by=LEFT, breaks_at=88.73, broken_by=BROKEN, quantity="value",
        case="softmax/float32/4x10/spread@88.73/-/0", asked_to=1e30,
    )  # fmt: skip


# --- questions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "targets", "case"),
    [
        ("softmax", set(), "softmax/float32/4x10/spread@10/-/0"),
        ("cross_entropy", {"index", "soft", "one_hot"},
         "cross_entropy/index.random/float32/4x10/spread@10/-/0"),
        ("cross_entropy", {"soft", "one_hot"},
         "cross_entropy/one_hot.random/float32/4x10/spread@10/-/0"),
        ("binary_cross_entropy_with_logits", {"multi_label"},
         "binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/spread@10/-/0"),
    ],
)  # fmt: skip
def test_a_question_has_a_target_that_is_taken(
    operation: str, targets: set[str], case: str
) -> None:
    claim = replace(SOFTMAX, operation=operation, targets=frozenset(targets))

    assert ValiditySearch(claim, "eager", "float32", SWEEPS["spread"]).case(10.0).id == case


def test_questions_of_one_case_and_of_one_shape_come_together() -> None:
    other = replace(SOFTMAX, name="acme.other")
    sweep = SWEEPS["classes"]
    searches = [ValiditySearch(claim, "eager", "bfloat16", sweep) for claim in (SOFTMAX, other)]

    for search in searches:
        search.seen[sweep.levels[0]] = (Verdict("exact"), "value", "")

    asked = next_questions(searches)

    assert [(name, case.shape[1]) for name, _, case in asked] == [
        (name, level) for level in sweep.levels[1:] for name in ("acme.other", "acme.softmax")
    ]


@pytest.mark.parametrize(("word", "more"), [("crashed", 0), ("timed out", 0), ("raised", 5)])
def test_who_dies_at_the_smallest_magnitude_dies_once(word: str, more: int) -> None:
    search = ValiditySearch(SOFTMAX, "eager", "float32", SWEEPS["spread"])
    (first,) = search.wanted()
    assert first == min(search.sweep.levels)

    search.seen[first] = (Verdict(word), "value", "")

    assert (len(search.wanted()) >= more) if more else search.wanted() == []
    assert (search.row("cpu").breaks_at, search.row("cpu").broken_by) == (first, word)


def test_no_search_has_no_question() -> None:
    assert next_questions([]) == []


# --- who is asked ----------------------------------------------------------------------------


def scoped(scope: Scope, claim: Claim, dtype: str = "bfloat16", mode: str = "eager") -> set[str]:
    """Return the sweeps in which an implementation is asked."""
    return {name for name, sweep in SWEEPS.items() if scope.has(claim, mode, dtype, sweep)}


BY_VALUE = {"offset", "down", "spread", "large"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_who_takes_logits_is_asked_in_the_sweeps_that_can_break_it(operation: str) -> None:
    contract = OPERATIONS[operation]
    expected = set(BY_VALUE) if contract.domain == "logits" else set()
    if expected and contract.reads_classes:
        expected.add("classes")
    if expected and contract.is_loss:
        expected.add("rows")

    assert scoped(SCOPES["domain"], replace(SOFTMAX, operation=operation)) == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_counts_are_asked_where_they_can_outgrow_the_accumulator(dtype: str) -> None:
    assert scoped(SCOPES["domain"], LOSS, dtype) == BY_VALUE


def test_textbook_formulas_are_not_asked_for_counts() -> None:
    assert scoped(SCOPES["domain"], replace(LOSS, kind="textbook")) == BY_VALUE


def test_quick_asks_little() -> None:
    assert scoped(SCOPES["quick"], SOFTMAX) == {"offset", "spread"}
    assert scoped(SCOPES["quick"], SOFTMAX, mode="jit") == set()
    assert scoped(SCOPES["quick"], replace(SOFTMAX, operation="sigmoid")) == set()
    assert SCOPES["quick"].dtypes == ("float32",)


def test_full_leaves_out_what_compiles_for_seconds() -> None:
    torch = replace(SOFTMAX, framework="torch")

    assert scoped(SCOPES["full"], torch, mode="compile") == set()
    assert scoped(SCOPES["domain"], torch, mode="compile") == {*BY_VALUE, "classes"}


def domains(suite: str = "domain") -> ValiditySearches:
    """Return the searches of a run."""
    return ValiditySearches(suite, "cpu", solved_case)


def test_one_batch_is_of_one_mode_dtype_and_sweep() -> None:
    batches = list(domains().together([SOFTMAX, LOSS], ["eager", "jit"]))
    kinds = [{search.key[2:] for search in batch} for batch in batches]

    assert all(len(kind) == 1 for kind in kinds)
    assert len(set(map(tuple, kinds))) == len(batches)
    assert sum(map(len, batches)) == 2 * (2 * 4 * len(DTYPES) + 2 * 2 + 2)


@pytest.mark.parametrize("suite", ["worked", "fuzz", "tiny", "bench"])
def test_other_suites_search_for_nothing(suite: str) -> None:
    assert list(domains(suite).together([SOFTMAX], ["eager"])) == []


# --- answers ---------------------------------------------------------------------------------


def seen(case: Case, **answers: Any) -> list[DomainRow]:
    """Return what was found after one answer."""
    made = domains()
    list(made.together([SOFTMAX], ["eager"]))
    made.see(SOFTMAX, case, Observation(case.id, SOFTMAX.name, "eager", answers))
    return made.rows()


SPREAD = Case.parse("softmax/float32/4x10/spread@100/-/0")


def right(case: Case) -> dict[str, Any]:
    """Return the correctly rounded answers."""
    quantities = solved_case(case).solution.quantities
    return {name: exact.to_float().astype(np.float32) for name, exact in quantities.items()}


def test_a_right_answer_is_no_limit() -> None:
    (row,) = seen(SPREAD, **right(SPREAD))

    assert (row.breaks_at, row.leaves_bound_at, row.asked_to) == (None, None, 100.0)


def test_the_worst_quantity_counts() -> None:
    answers = {**right(SPREAD), "gradient_logits": np.full((4, 10), np.nan, np.float32)}
    (row,) = seen(SPREAD, **answers)

    assert (row.breaks_at, row.broken_by, row.quantity) == (100.0, BROKEN, "gradient_logits")
    assert row.case == SPREAD.id


@pytest.mark.parametrize("kind", ["raised", "crashed", "timed out", "mismatched"])
def test_a_failure_is_a_limit(kind: Any) -> None:
    (row,) = seen(SPREAD, value=Failure(kind, "it failed"))

    assert (row.breaks_at, row.broken_by) == (100.0, kind)


def test_who_was_not_asked_has_no_row() -> None:
    made = domains()
    list(made.together([SOFTMAX], ["eager"]))

    assert made.rows() == []


def test_a_search_stays_within_the_claim_of_a_function() -> None:
    claim = replace(
        LOSS, targets=frozenset({"soft"}), limits=Limits(fixed=(("reduction", "none"),))
    )

    search = ValiditySearch(claim, "eager", "float32", SWEEPS["spread"])

    case = search.case(10.0)
    assert (case.target_kind, case.options.reduction) == ("soft", "none")
    assert search.is_claimed
    far = replace(claim, limits=Limits(ranks=frozenset({5})))
    assert not ValiditySearch(far, "eager", "float32", SWEEPS["spread"]).is_claimed


def test_a_formula_of_pairs_of_rows_is_asked_of_as_many_rows_as_can_be_judged() -> None:
    define("own_pairs", lambda x: f.mean(x @ x.T), targets=())
    claim = replace(SOFTMAX, operation="own_pairs")
    search = ValiditySearch(claim, "eager", "float16", SWEEPS["rows"])
    first = search.wanted()
    search.seen[1.0] = Verdict(RIGHT), "value", ""
    others = search.wanted()
    forget("own_pairs")

    assert first == [1.0]
    assert max(others) == 256.0
