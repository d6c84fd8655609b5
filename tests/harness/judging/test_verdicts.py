"""What each verdict means: every word can be reached, and where one ends the next begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import Options
from lossdiff.harness.answers import Failure
from lossdiff.harness.bounds.algorithms import LADDER, SOUND, Algorithm
from lossdiff.harness.judging import SolvedCase, judge, solved_case
from lossdiff.harness.verdicts import CONVENTION, VERDICTS, is_finding, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossdiff.harness.judging import Verdict
    from numpy.typing import NDArray

    Array = NDArray[Any]

PLAIN = "log_softmax/float32/4x10/normal/-/0"
BAD_LABEL = "cross_entropy/index.too_large/float32/4x10/normal/-/0"
BAD_TARGET = "cross_entropy/soft.soft_negative/float32/4x10/normal/-/0"
SKEWED = "cross_entropy/index.random/float32/4x10/normal/weight=positive/0"


def question(name: str) -> SolvedCase:
    """Return the question of a case."""
    return solved_case(Case.parse(name))


def right(asked: SolvedCase, quantity: str = "value") -> Array:
    """Return the right answer, rounded."""
    exact = asked.solution.quantities[quantity].to_float()
    return FORMATS[asked.case.dtype].round(exact)


def other_neighbour(asked: SolvedCase) -> Array:
    """Return the right answer, its first element rounded the other way."""
    exact, got = asked.solution.quantities["value"].to_float(), right(asked)
    up = exact.flat[0] > got.flat[0]
    got.flat[0] = np.nextafter(got.flat[0], got.dtype.type(np.inf if up else -np.inf))
    return got


def moved(asked: SolvedCase, algorithm: Algorithm, part: float = 0.9) -> Array:
    """Return the right answer, the element of the widest bound moved by a part of that."""
    limit = asked.bound(asked.solution, "value", algorithm)
    assert limit is not None
    exact = asked.solution.quantities["value"].to_float().copy()
    widest = int(limit.argmax())
    exact.flat[widest] += part * limit.flat[widest]
    return FORMATS[asked.case.dtype].round(exact)


def changed(asked: SolvedCase, number: float) -> Array:
    """Return the right answer with another number in its last place."""
    got = right(asked)
    got[..., -1] = number
    return got


ANSWERS: dict[str, tuple[str, Callable[[SolvedCase], Any]]] = {
    "exact": (PLAIN, right),
    "faithful": (PLAIN, other_neighbour),
    "within bound": (PLAIN, lambda q: moved(q, SOUND)),
    "refused": (BAD_LABEL, lambda _: Failure("raised", "index 10 is out of bounds")),
    "flushed": (
        "softmax/float32/4x10/gap_underflow/-/0",
        lambda q: np.where(right(q) < FORMATS["float32"].tiny, np.float32(0), right(q)),
    ),
    "order": ("log_softmax/float32/3x70/normal/-/0", lambda q: moved(q, LADDER[0][1])),
    "formula": (
        "log_softmax/float32/4x10/offset_1e7/-/0", lambda q: moved(q, Algorithm(cancels=True)),
    ),
    "narrow": ("log_softmax/bfloat16/4x10/normal/-/0", lambda q: moved(q, Algorithm(narrow=True))),
    "convention": (SKEWED, lambda q: right(q) * np.float32(divisor_of(q) / 4)),
    "inaccurate": (PLAIN, lambda q: changed(q, 1.0)),
    "nonfinite": (PLAIN, lambda q: changed(q, np.nan)),
    "accepted": (BAD_TARGET, lambda _: np.array(7.0, np.float32)),
    "raised": (PLAIN, lambda _: Failure("raised", "not implemented")),
    "mismatched": (PLAIN, lambda q: right(q).astype(np.float64)),
    "crashed": (PLAIN, lambda _: Failure("crashed", "signal 8")),
    "timed out": (PLAIN, lambda _: Failure("timed out", "120 s")),
    "unsupported": (PLAIN, lambda _: Failure("unsupported", "no option axis")),
}  # fmt: skip


def divisor_of(asked: SolvedCase) -> float:
    """Return Σ w of a weighted mean."""
    assert asked.inputs.weight is not None
    assert asked.inputs.target is not None
    return float(asked.inputs.weight[asked.inputs.target].sum())


@pytest.mark.parametrize("word", ANSWERS)
def test_every_verdict_can_be_reached(word: str) -> None:
    name, answer = ANSWERS[word]
    asked = question(name)

    assert judge(asked, "value", answer(asked)).kind.word == word


# Of several calls, or of what a call does besides: see `test_flow`. What a project does not take is
# in `tests/api/test_conventions_taken.py`.
OF_NO_ANSWER = {"nondeterministic", "relation", "mutates", "spoils", "unwanted"}


def test_every_verdict_is_reached_by_an_answer_above() -> None:
    assert set(VERDICTS) == {*ANSWERS, *OF_NO_ANSWER}


def test_agreement_explanation_and_findings_are_as_the_contract_lists_them() -> None:
    words: dict[str, set[str]] = {}
    for word in VERDICTS:
        words.setdefault(kind_of(word).category, set()).add(word)

    assert words["agrees"] == {"exact", "faithful", "within bound", "refused"}
    assert words["explained"] == {
        "flushed", "order", "formula", "narrow", "convention", "nondeterministic"
    }  # fmt: skip
    assert words["unsupported"] == {"unsupported"}


def test_a_convention_or_relation_is_named_after_a_colon() -> None:
    assert kind_of("convention:mean_over_rows").word == "convention"
    assert kind_of("convention:mean_over_rows").category == "explained"
    assert kind_of("relation:shift").word == "relation"
    assert is_finding("relation:shift")
    with pytest.raises(KeyError):
        kind_of("fine")


# --- the ladder ------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [0.2, 0.9])
def test_what_a_sound_algorithm_can_do_needs_no_explanation(part: float) -> None:
    asked = question("log_softmax/float32/3x70/normal/-/0")

    assert judge(asked, "value", moved(asked, SOUND, part)).kind.category == "agrees"


def test_beyond_every_bound_is_inaccurate_even_if_far_below_any_tolerance() -> None:
    asked = question("log_softmax/float64/4x10/normal/-/0")
    widest = [algorithm for word, algorithm in LADDER if word == "formula"][-1]
    verdict = judge(asked, "value", moved(asked, widest, 1.5))

    assert verdict.word == "inaccurate"
    assert verdict.abs_error is not None
    assert verdict.abs_error < 1e-13


def test_float32_inside_float64_is_a_hundred_million_bounds_away() -> None:
    asked = question("log_softmax/float64/4x10/normal/-/0")
    verdict = judge(asked, "value", right(asked).astype(np.float32).astype(np.float64))

    assert verdict.word == "inaccurate"
    assert verdict.ratio is not None
    assert verdict.ratio > 1e6


def test_only_the_narrow_dtypes_are_explained_by_narrowness() -> None:
    asked = question(PLAIN)
    limit = asked.bound(asked.solution, "value", Algorithm(narrow=True, cancels=True))
    assert limit is not None
    half = question("log_softmax/float16/4x10/normal/-/0")

    assert judge(half, "value", moved(half, Algorithm(narrow=True))).note == "sums run in float16"
    coarse = right(asked).astype(np.float16).astype(np.float32)
    assert judge(asked, "value", coarse).word == "inaccurate"


def test_the_worst_element_decides_and_is_named() -> None:
    asked = question(PLAIN)
    got = right(asked)
    got[2, 3] += np.float32(0.5)
    got[1, 1] = np.nan
    verdict = judge(asked, "value", got)

    assert (verdict.word, verdict.where, verdict.got) == ("nonfinite", "[1, 1]", "nan")
    assert float(verdict.exact) == asked.solution.quantities["value"].to_float()[1, 1]


def test_errors_are_measured_against_the_unrounded_value() -> None:
    asked = question(PLAIN)
    verdict = judge(asked, "value", right(asked))

    assert verdict.ulp is not None
    assert 0 < verdict.ulp <= 0.5
    assert verdict.abs_error is not None
    assert verdict.abs_error > 0


def test_the_fingerprint_tells_equal_bits_from_others() -> None:
    asked = question(PLAIN)
    first, second = judge(asked, "value", right(asked)), judge(asked, "value", right(asked))

    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != judge(asked, "value", other_neighbour(asked)).fingerprint


# --- shape and dtype -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "note"),
    [
        (
            lambda got: np.zeros_like(got, np.float16),
            "dtype float16, where float32 is due, from values float32; its numbers: inaccurate",
        ),
        (
            lambda got: got.astype(np.int64),
            "dtype int64, where float32 is due; its numbers: inaccurate",
        ),
        (lambda got: got[None], "shape (1, 4, 10), where (4, 10) is due"),
        (lambda got: got.T, "shape (10, 4), where (4, 10) is due"),
        (lambda got: got.sum(), "shape (), where (4, 10) is due"),
    ],
)
def test_a_mismatch_says_what_is_due(wrong: Callable[[Array], Array], note: str) -> None:
    asked = question(PLAIN)
    verdict = judge(asked, "value", np.asarray(wrong(right(asked))))

    assert (verdict.word, verdict.note) == ("mismatched", note)


# --- ends of the range -----------------------------------------------------------------------

FLOAT32 = FORMATS["float32"]
ULP_OF_MAX = 2.0**104


def total(*losses: float, dtype: str = "float32") -> SolvedCase:
    """Return a question whose right answer is the exact sum of some numbers."""
    log_probs = -np.array(losses, dtype)[:, None]
    inputs = Inputs(log_probs, np.zeros(len(losses), np.int64))
    case = Case(
        "nll_loss", "file:made", log_probs.shape, dtype, "index", "given", Options(reduction="sum"),
        given=inputs,
    )  # fmt: skip
    return SolvedCase(case, inputs)


def said(asked: SolvedCase, number: float) -> Verdict:
    """Return the verdict on one number."""
    return judge(asked, "value", np.asarray(number, asked.inputs.values.dtype))


@pytest.mark.parametrize("beyond", [-0.25, 0.0, 0.25, 0.5, 1.0])
def test_within_an_ulp_of_the_threshold_of_overflow_both_sides_are_right(beyond: float) -> None:
    asked = total(FLOAT32.max, ULP_OF_MAX * beyond)

    assert said(asked, FLOAT32.max).word == "exact"
    assert said(asked, np.inf).word == "exact"
    assert said(asked, -np.inf).word == "nonfinite"
    assert said(asked, np.nan).word == "nonfinite"


def test_further_inside_infinity_is_wrong() -> None:
    asked = total(FLOAT32.max - 2 * ULP_OF_MAX, ULP_OF_MAX / 4)

    assert said(asked, FLOAT32.max - 2 * ULP_OF_MAX).word == "exact"
    assert said(asked, np.inf).word == "nonfinite"


def test_further_outside_nothing_else_than_infinity_is_right() -> None:
    asked = total(FLOAT32.max, 2 * ULP_OF_MAX)

    assert said(asked, np.inf).word == "exact"
    assert said(asked, FLOAT32.max).word == "nonfinite"


def test_an_infinite_answer_has_one_sign() -> None:
    asked = question("cross_entropy/index.bottom/float32/4x10/neg_inf/reduction=sum/0")

    assert np.isinf(right(asked))
    assert said(asked, np.inf).word == "exact"
    for number in (-np.inf, np.nan, FLOAT32.max, 0.0):
        assert said(asked, number).word == "nonfinite"


def test_subnormals_are_measured_in_smallest_numbers() -> None:
    asked = total(2 * FLOAT32.smallest, FLOAT32.smallest)

    assert said(asked, 3 * FLOAT32.smallest).word == "exact"
    assert said(asked, 2 * FLOAT32.smallest).word == "within bound"
    assert said(asked, 0.0).word in ("within bound", "flushed")
    assert said(asked, 100 * FLOAT32.smallest).word == "inaccurate"


@pytest.mark.parametrize("steps", [1.0, 1.9])
def test_a_number_below_twice_the_smallest_normal_one_may_be_flushed(steps: float) -> None:
    tiny = steps * FLOAT32.tiny

    assert said(total(tiny), 0.0).word == "flushed"
    assert said(total(2.5 * FLOAT32.tiny), 0.0).word == "inaccurate"


def test_what_is_flushed_before_a_matrix_product_is_as_large_as_that_makes_it() -> None:
    """A product with hidden states of 77 makes 9e-37 of a gradient that is flushed."""
    asked = question(
        "linear_cross_entropy/index.some_ignored/float32/4x8x10/dominant/"
        "weight=positive,reduction=sum,z_loss=0.5/0"
    )
    right = asked.solution.quantities["gradient_linear_weight"].to_float()
    tiny = np.abs(right) < 1e-36
    assert np.abs(right[tiny]).max() > 10 * FLOAT32.tiny

    flushed = np.where(tiny, 0.0, right).astype(np.float32)
    dropped = np.where(np.abs(right) < 1.0, 0.0, right).astype(np.float32)

    assert judge(asked, "gradient_linear_weight", flushed).word == "flushed"
    assert judge(asked, "gradient_linear_weight", dropped).word == "inaccurate"


def test_zero_has_two_right_signs() -> None:
    assert said(total(0.0), 0.0).word == "exact"
    assert said(total(0.0), -0.0).word == "exact"


@pytest.mark.parametrize("number", [0.0, 5e-324, -5e-324])
def test_what_rounds_to_zero_may_be_one_smallest_number(number: float) -> None:
    """The loss 1e-400 and its like."""
    inputs = Inputs(np.array([[0.0, -921.0]]), np.array([0]))
    case = Case("cross_entropy", "file:made", (1, 2), "float64", "index", "given", given=inputs)
    asked = SolvedCase(case, inputs)

    assert kind_of(said(asked, number).word).category == "agrees"
    assert said(asked, 1e-300).word == "within bound"  # absolute, as lse - x + max would have it


# --- no agreed answer ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "name"),
    [(np.nan, "nan"), (0.0, "zero"), (np.inf, "inf"), (0.25, "number")],
)
def test_where_no_answer_is_agreed_what_was_given_is_named(number: float, name: str) -> None:
    asked = question("softmax/float32/4x10/all_neg_inf/-/0")
    verdict = judge(asked, "value", np.full((4, 10), number, np.float32))

    assert verdict.word == f"{CONVENTION}undefined_{name}"
    assert verdict.exact == "no agreed answer"


def test_rows_that_have_an_answer_are_judged_beside_those_that_have_none() -> None:
    asked = question("softmax/float32/4x10/nan/-/0")
    got = right(asked)
    assert judge(asked, "value", got).word == "convention:undefined_nan"

    got[0, 0] = 0.5
    assert judge(asked, "value", got).word == "inaccurate"
    got[0, 0] = np.nan
    assert judge(asked, "value", got).word == "nonfinite"


def test_a_nan_that_vanishes_is_not_agreement() -> None:
    asked = question("cross_entropy/index.random/float32/4x10/nan/-/0")

    assert kind_of(said(asked, 1.5).word).category != "agrees"


# --- errors ----------------------------------------------------------------------------------


def test_an_error_is_right_where_one_is_due_and_wrong_elsewhere() -> None:
    failure = Failure("raised", "Target 10 is out of bounds.")
    refused = judge(question(BAD_LABEL), "value", failure)

    assert refused.word == "refused"
    assert refused.note == "an index target out of range: Target 10 is out of bounds."
    assert judge(question(PLAIN), "value", failure).word == "raised"


def test_a_crash_is_no_refusal() -> None:
    assert judge(question(BAD_LABEL), "value", Failure("crashed", "signal 11")).word == "crashed"


@pytest.mark.parametrize(
    "name",
    ["bad_index_wraps", "bad_index_as_zeros", "bad_index_clamped", "bad_index_is_nan"],
)
def test_a_bad_label_may_follow_a_convention(name: str) -> None:
    asked = question("cross_entropy/index.negative/float32/4x10/normal/reduction=none/0")
    [solution] = {
        convention: solution
        for convention, solution in reversed(asked.alternatives)
        if convention == name
    }.values()
    got = solution.quantities["value"].to_float().astype(np.float32)

    assert judge(asked, "value", got).word == CONVENTION + name


def test_a_too_large_label_that_means_the_last_class_is_not_taken_for_nan() -> None:
    asked = question("cross_entropy/index.too_large/float32/4x10/normal/reduction=none/0")
    assert asked.inputs.target is not None
    clamped = Inputs(asked.inputs.values, np.minimum(asked.inputs.target, 9))
    got = right(SolvedCase(asked.case, clamped))

    assert judge(asked, "value", got).word == "convention:bad_index_clamped"
