"""The judge: right answers are exact, and what is moved by two bounds never agrees.

What each verdict means is tested in `test_verdicts`, who is caught and who is not in
`test_planted`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import DTYPES, Options
from lossdiff.cases.suites import suite
from lossdiff.harness.answers import Failure
from lossdiff.harness.bounds.algorithms import SOUND
from lossdiff.harness.judging import SolvedCase, judge, solved_case
from lossdiff.harness.verdicts import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]


@cache
def questions() -> tuple[SolvedCase, ...]:
    """Return the quick suite, solved; the digits are large and add nothing here."""
    cases = suite("quick").cases
    return tuple(solved_case(case) for case in cases if not case.family.startswith("digits"))


# --- properties ------------------------------------------------------------------------------

QUANTITIES = ("value", "gradient_logits")


@st.composite
def rows_of_logits(draw: Callable[..., Any]) -> SolvedCase:
    """Draw a case over classes with given logits, of any magnitude that the dtype holds."""
    dtype = draw(st.sampled_from(DTYPES))
    operation, kind = draw(
        st.sampled_from([
            ("softmax", None), ("log_softmax", None), ("logsumexp", None),
            ("cross_entropy", "index"),
        ])
    )  # fmt: skip
    rows, classes = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    largest = draw(st.sampled_from([1e-3, 1.0, 30.0, 1e3, 3e4]))
    number = st.floats(-largest, largest)
    flat = draw(st.lists(number, min_size=rows * classes, max_size=rows * classes))
    values = FORMATS[dtype].round(np.array(flat).reshape(rows, classes))
    target = None
    if kind:
        labels = st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)
        target = np.array(draw(labels))
    options = (
        Options(reduction=draw(st.sampled_from(["none", "mean", "sum"]))) if kind else Options()
    )
    given_inputs = Inputs(values, target)
    case = Case(
        operation, "file:made", values.shape, dtype, kind, "given" if kind else "", options,
        given=given_inputs,
    )  # fmt: skip
    return SolvedCase(case, given_inputs)


def rounded(question: SolvedCase, quantity: str) -> Array:
    """Return the correctly rounded right answer, in the dtype that is due."""
    exact = question.solution.quantities[quantity]
    once = exact.to_float()
    # where float64 is subnormal that has been rounded twice
    for index in map(tuple, np.argwhere((abs(once) < FORMATS["float64"].tiny) & (exact.hi != 0))):
        scale = Fraction(2) ** (max(int(exact.exponent[index]), -2000) + 1074)
        pair = Fraction(float(exact.hi[index])) + Fraction(float(exact.lo[index]))
        once[index] = round(pair * scale) * 5e-324
    given = question.inputs.target if quantity == "gradient_target" else question.inputs.values
    assert given is not None
    return FORMATS[given.dtype.name].round(once)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(rows_of_logits())
def test_the_correctly_rounded_answer_is_always_exact(question: SolvedCase) -> None:
    for quantity in QUANTITIES:
        verdict = judge(question, quantity, rounded(question, quantity))

        assert verdict.word == "exact"
        assert verdict.ulp is not None
        assert verdict.ulp <= 0.5 + 2.0**-20


@settings(derandomize=True, deadline=None, max_examples=150)
@given(rows_of_logits(), st.integers(0, 17), st.sampled_from([-1, 1]))
def test_an_element_moved_by_two_bounds_never_agrees(
    question: SolvedCase, position: int, sign: int
) -> None:
    form = FORMATS[question.case.dtype]
    for quantity in QUANTITIES:
        got = rounded(question, quantity)
        index = np.unravel_index(position % got.size, got.shape)
        bound = question.bound(question.solution, quantity, SOUND)
        assert bound is not None
        value = question.solution.quantities[quantity].to_float()[index]
        # rounding may take half an ulp back, and less than one ulp is faithful
        ulp = (
            float(form.smallest) if abs(value) < form.tiny else 2 * form.unit_roundoff * abs(value)
        )
        got[index] = form.round(value + sign * (2 * bound[index] + 2 * ulp))
        verdict = judge(question, quantity, got)

        assert kind_of(verdict.word).category != "agrees"
        assert verdict.ratio is not None
        assert verdict.ratio > 1


def test_every_right_answer_of_the_quick_suite_is_exact() -> None:
    for question in questions():
        for quantity, exact in question.solution.quantities.items():
            verdict = judge(question, quantity, rounded(question, quantity))

            agreed = "exact" if not np.isnan(exact.hi).any() else "convention:undefined_nan"
            assert verdict.word == agreed, f"{quantity} of {question.case.id}: {verdict}"


# --- dtypes ----------------------------------------------------------------------------------

MIXED = "cross_entropy/soft.soft:float64/float32/4x10/normal/-/0"
WEIGHTED = "cross_entropy/index.random/bfloat16/4x10/normal/weight=positive:{}/0"


def word(
    name: str, quantity: str, change: Callable[[Array], Any] = lambda got: got
) -> tuple[str, str]:
    """Return the verdict on a right answer that was changed, and its note."""
    question = solved_case(Case.parse(name))
    verdict = judge(question, quantity, change(rounded(question, quantity)))
    return verdict.word, verdict.note


def test_the_value_has_the_dtype_of_the_logits_and_the_gradient_that_of_the_target() -> None:
    assert word(MIXED, "value") == word(MIXED, "gradient_logits") == ("exact", "")
    assert word(MIXED, "gradient_target") == ("exact", "")
    assert rounded(solved_case(Case.parse(MIXED)), "gradient_target").dtype == np.float64


@pytest.mark.parametrize(
    ("name", "quantity", "dtype", "expected"),
    [
        (MIXED, "value", np.float64, "convention:promoted"),
        (MIXED, "gradient_logits", np.float64, "convention:promoted"),
        (MIXED, "gradient_target", np.float32, "convention:dtype_of_logits"),
        (MIXED, "value", np.float16, "mismatched"),
        (MIXED, "gradient_target", np.float16, "mismatched"),
        (WEIGHTED.format("float32"), "value", np.float32, "convention:promoted"),
        (WEIGHTED.format("float32"), "value", np.float64, "mismatched"),
        # float16 and bfloat16 have no common dtype
        (WEIGHTED.format("float16"), "value", np.float32, "mismatched"),
        # whole numbers promote nothing
        ("cross_entropy/index.random:int32/float32/4x10/normal/-/0", "value", np.float64,
         "mismatched"),
    ],
)  # fmt: skip
def test_the_widest_dtype_and_that_of_the_logits_are_conventions_and_no_other_is(
    name: str, quantity: str, dtype: Any, expected: str
) -> None:
    assert word(name, quantity, lambda got: got.astype(dtype))[0] == expected


def test_another_dtype_is_told_with_all_that_were_given() -> None:
    _, note = word(MIXED, "value", lambda got: got.astype(np.float64))
    _, other = word(WEIGHTED.format("float16"), "value", lambda got: got.astype(np.float32))

    assert note.startswith("float64 from values float32, target float64, where float32 is due: ")
    assert "dtype float32, where bfloat16 is due, from values bfloat16, weight float16" in other


def test_a_convention_of_dtypes_excuses_no_wrong_number() -> None:
    found = word(MIXED, "value", lambda got: got.astype(np.float64) * 1.01)

    assert found[0] == "mismatched"
    assert found[1].endswith("its numbers: inaccurate")


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (MIXED, "raised", "convention:dtypes_refused"),
        (WEIGHTED.format("float32"), "raised", "convention:dtypes_refused"),
        ("cross_entropy/index.random:int8/float32/4x10/normal/-/0", "raised",
         "convention:dtypes_refused"),
        (MIXED, "crashed", "crashed"),
        (MIXED, "timed out", "timed out"),
        ("cross_entropy/soft.soft/float32/4x10/normal/-/0", "raised", "raised"),
        ("cross_entropy/index.random/float32/4x10/normal/weight=positive/0", "raised", "raised"),
    ],
)  # fmt: skip
def test_only_different_dtypes_may_be_refused(name: str, kind: Any, expected: str) -> None:
    verdict = judge(solved_case(Case.parse(name)), "value", Failure(kind, "no such kernel"))

    assert (verdict.word, verdict.note) == (expected, "no such kernel")


WHOLE = Inputs(np.array([[1, 2, 3, 6]]))
ASKED = SolvedCase(Case("softmax", "file:abc", (1, 4), "float64", given=WHOLE), WHOLE)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_answer_to_whole_numbers_may_have_any_floating_dtype(dtype: Any) -> None:
    scaled = ASKED.solution.quantities["value"]
    exact = np.ldexp(scaled.hi, scaled.exponent)

    assert kind_of(judge(ASKED, "value", exact.astype(dtype)).word).category == "agrees"
    assert judge(ASKED, "value", (exact + 0.01).astype(dtype)).word == "inaccurate"


def test_an_answer_in_whole_numbers_is_mismatched_and_its_numbers_are_judged() -> None:
    verdict = judge(ASKED, "value", np.array([[0, 0, 0, 0]]))

    assert (verdict.word, verdict.note, verdict.got) == (
        "mismatched", "dtype int64, where float64 is due; its numbers: inaccurate", "0.0"
    )  # fmt: skip


def test_whole_numbers_may_be_refused() -> None:
    assert judge(ASKED, "value", Failure("raised", "no")).word == "convention:dtypes_refused"


def test_a_dtype_without_real_numbers_is_mismatched() -> None:
    kinds = (np.int64, np.bool_, ml_dtypes.float8_e5m2)
    words = {word(MIXED, "value", lambda got, kind=kind: got.astype(kind))[0] for kind in kinds}  # type: ignore[misc]

    assert words == {"mismatched"}


# --- where there is no agreed answer ---------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0.0, "convention:nothing_counts_as_zero"),
        (-0.0, "convention:nothing_counts_as_zero"),
        (np.nan, "convention:undefined_nan"),
        (np.inf, "convention:undefined_inf"),
        (3.0, "convention:undefined_number"),
    ],
)
def test_a_convention_that_has_an_answer_everywhere_names_it(given: float, expected: str) -> None:
    question = solved_case(Case.parse("cross_entropy/index.all_ignored/float32/4x10/normal/-/0"))

    assert judge(question, "value", np.array(given, np.float32)).word == expected


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize(
    "name",
    [
        "cross_entropy/soft.soft_nan/float32/4x10/normal",
        "binary_cross_entropy/multi_label.binary_nan/float32/4x10/probs",
    ],
)
def test_a_target_with_a_nan_may_be_refused_or_give_nan_or_be_overlooked(
    name: str, reduction: str
) -> None:
    question = solved_case(
        Case.parse(f"{name}/{'reduction=none' * (reduction == 'none') or '-'}/0")
    )
    refused = Failure("raised", "a target outside [0, 1]")
    for quantity, exact in question.solution.quantities.items():
        got = exact.to_float().astype(np.float32)
        overlooked = np.where(np.isnan(got), np.float32(0.5), got)

        assert judge(question, quantity, refused).word == "convention:undefined_error"
        assert judge(question, quantity, got).word == "convention:undefined_nan"
        assert judge(question, quantity, overlooked).word == "convention:undefined_number"


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_mean_of_weights_that_are_all_zero_has_no_agreed_answer_but_the_sum_is_zero(
    reduction: str,
) -> None:
    options = {"mean": "weight=all_zero", "sum": "weight=all_zero,reduction=sum"}[reduction]
    name = f"cross_entropy/index.random/float32/4x10/normal/{options}/0"
    question = solved_case(Case.parse(name))
    expected = {
        "mean": ("convention:undefined_nan", "convention:nothing_counts_as_zero"),
        "sum": ("nonfinite", "exact"),
    }[reduction]

    for got, word in zip((np.nan, 0.0), expected, strict=True):
        assert judge(question, "value", np.array(got, np.float32)).word == word
        gradient = np.full((4, 10), got, np.float32)
        assert judge(question, "gradient_logits", gradient).word == word


@pytest.mark.parametrize(
    ("share", "word"), [(0.5, "convention:mean_over_rows"), (1.0, "narrow"), (0.8, "inaccurate")]
)
def test_a_convention_is_met_with_products_of_16_bits_where_it_is_far_nearer(
    share: float, word: str
) -> None:
    case = Case.parse(
        "linear_cross_entropy/index.some_ignored/bfloat16/4x8x10/normal_100/ignore_index=0/0"
    )
    question, quantity = SolvedCase(case, case.inputs()), "gradient_linear_weight"
    right = question.solution.quantities[quantity].to_float()
    answer = FORMATS["bfloat16"].round(right * share * (1 - 2.0**-6))

    assert judge(question, quantity, answer).word == word
