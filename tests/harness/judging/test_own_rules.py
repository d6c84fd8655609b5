"""What is fair of a function that nobody documents: its numbers first, its errors only if meant."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Failure
from lossdiff.harness.judging import (
    DtypeMismatch,
    OwnRules,
    SolvedCase,
    judge,
    judge_own,
    solved_case,
)

PLAIN = "cross_entropy/index.random/{}/4x10/normal/{}/0"
REFUSED = "cross_entropy/index.too_large/float32/4x10/normal/-/0"
RAISED = Failure("raised", "RuntimeError: not implemented for 'Half'", "RuntimeError")


def question(text: str) -> SolvedCase:
    return solved_case(Case.parse(text))


def right(solved: SolvedCase, quantity: str = "value") -> Any:
    """Return the right answer as float64."""
    return solved.solution.quantities[quantity].to_float()


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (REFUSED, "refused"),
        (PLAIN.format("float32", "weight=positive:float64"), "convention:dtypes_refused"),
        ("softmax/float32/4x10/all_neg_inf/-/0", "convention:undefined_error"),
    ],
)
def test_an_error_counts_only_if_the_question_is_answered_without_its_fault(
    text: str, meant: str
) -> None:
    solved = question(text)

    assert judge_own(solved, "value", RAISED, OwnRules(without_fault="number")).word == meant
    assert judge_own(solved, "value", RAISED).word == meant
    assert judge_own(solved, "value", RAISED, OwnRules(without_fault="error")).word == "raised"


def test_what_is_not_implemented_is_not_claimed() -> None:
    failure = Failure("raised", "NotImplementedError: float16", "NotImplementedError")

    verdict = judge_own(question(PLAIN.format("float32", "-")), "value", failure)

    assert (verdict.word, verdict.note) == ("unsupported", "NotImplementedError: float16")


def test_a_convention_is_not_named_by_a_nan_that_any_question_gets() -> None:
    solved, nan = question(REFUSED), np.asarray(np.nan, np.float32)

    assert judge_own(solved, "value", nan, OwnRules(without_fault="number")).word == (
        "convention:bad_index_is_nan"
    )
    assert judge_own(solved, "value", nan, OwnRules(without_fault="nan")).word == "accepted"


def test_what_overflows_with_a_label_out_of_range_is_the_convention_of_overflows() -> None:
    solved = question("cross_entropy/index.too_large/float32/4x10/finfo_max/-/0")
    nan = np.asarray(np.nan, np.float32)

    assert judge_own(solved, "value", nan, OwnRules(without_fault="nan")).word == (
        "convention:overflows_on_the_way"
    )


def test_a_sum_that_overflows_in_float32_is_that_convention_for_bfloat16_too() -> None:
    solved = question("cross_entropy/index.some_ignored/bfloat16/4x10/finfo_max/ignore_index=-1/0")
    inf = np.asarray(np.inf, np.float32)

    assert judge_own(solved, "value", inf).word == "convention:overflows_on_the_way"
    assert judge_own(question(PLAIN.format("bfloat16", "-")), "value", inf).is_finding


# --- labels out of range ---------------------------------------------------------------------

SMOOTHED = "cross_entropy/index.negative/{}/4x10/normal/label_smoothing=0.1,reduction=none/0"


def p_minus_target(solved: SolvedCase) -> Any:
    """Return the gradient p − target of a smoothed one-hot target, as fused losses have it."""
    x, labels = solved.inputs.values.astype(np.float64), solved.inputs.target
    assert labels is not None
    hits = np.arange(10) == labels[:, None]
    e = np.exp(x - x.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return (p - hits * 0.9 - 0.01) * solved.case.cotangent((4,))[:, None]


def test_a_fused_loss_of_one_hot_targets_has_the_gradient_p_minus_target_without_a_class() -> None:
    solved = question(SMOOTHED.format("float32"))
    gradient = p_minus_target(solved).astype(np.float32)

    assert judge_own(solved, "gradient_logits", gradient).word == "convention:bad_index_as_zeros"
    assert judge_own(solved, "gradient_logits", gradient * 2).word == "accepted"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_convention_of_labels_counts_in_16_bits_if_little_is_forgiven(dtype: str) -> None:
    solved, form = question(SMOOTHED.format(dtype)), FORMATS[dtype]
    right = p_minus_target(solved)
    narrow = judge_own(solved, "gradient_logits", form.round(right * (1 + 8 * form.unit_roundoff)))
    assert (narrow.word, narrow.note) == ("convention:bad_index_as_zeros", "narrow")
    coarse = form.round(right + np.abs(right).max() / 8)
    assert judge_own(solved, "gradient_logits", coarse).word == "accepted"


# --- dtypes ----------------------------------------------------------------------------------


def test_a_wrong_dtype_does_not_hide_wrong_numbers() -> None:
    solved = question(PLAIN.format("float32", "-"))

    verdict = judge_own(solved, "value", np.asarray(right(solved) * 2, np.float64))

    assert verdict.word == "inaccurate"
    assert "dtype float64, where float32 is due" in verdict.note


def test_right_numbers_of_a_wrong_dtype_are_mismatched_and_said_to_be_right() -> None:
    solved = question(PLAIN.format("float32", "-"))
    once = np.asarray(right(solved), np.float32).astype(np.float64)

    verdict = judge_own(solved, "value", once)

    assert verdict.word == "mismatched"
    assert isinstance(verdict.detail, DtypeMismatch)
    assert verdict.detail.numbers == "exact"


def test_the_convention_of_numbers_of_a_wrong_dtype_is_said() -> None:
    solved = question(PLAIN.format("float32", "weight=positive"))
    rows = dict(solved.alternatives)["mean_over_rows"].quantities["value"].to_float()

    verdict = judge_own(solved, "value", np.asarray(rows, np.float64))

    assert verdict.word == "mismatched"
    assert "its numbers: convention:mean_over_rows" in verdict.note


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_float32_result_of_16_bits_is_a_convention_if_it_is_right_as_such(dtype: str) -> None:
    solved = question(PLAIN.format(dtype, "-"))
    exact = np.asarray(right(solved), np.float32)
    narrow = FORMATS[dtype].round(right(solved)).astype(np.float32)

    assert judge_own(solved, "value", exact).word == "convention:computed_in_float32"
    assert judge_own(solved, "value", narrow).word == "mismatched"


def test_a_declared_dtype_is_due() -> None:
    solved, rules = question(PLAIN.format("bfloat16", "-")), OwnRules(result_dtype="float32")
    wide = np.asarray(right(solved), np.float32)

    assert judge_own(solved, "value", wide, rules).word == "exact"
    assert judge_own(solved, "value", wide * 2, rules).word == "inaccurate"
    narrow = wide.astype(ml_dtypes.bfloat16)
    assert judge_own(solved, "value", narrow, rules).word == "mismatched"
    gradient = FORMATS["bfloat16"].round(right(solved, "gradient_logits"))
    assert not judge_own(solved, "gradient_logits", gradient, rules).is_finding


def test_an_overflow_next_to_the_largest_number_is_a_convention_and_no_other_is() -> None:
    large = question("cross_entropy/index.random/float32/4x10/finfo_max/reduction=none/0")
    small = question("cross_entropy/index.random/float32/4x10/normal/reduction=none/0")

    for got in (np.nan, np.inf):
        answer = np.full(4, got, np.float32)
        assert judge_own(large, "value", answer).word == "convention:overflows_on_the_way"
        assert judge_own(small, "value", answer).word == "nonfinite"
    finite = question("log_softmax/float16/4x10/finfo_max/-/0")
    clipped = np.maximum(right(finite), -15.9).astype(np.float16)
    assert judge_own(finite, "value", clipped).is_finding


# --- conventions -----------------------------------------------------------------------------


def test_two_conventions_at_once_are_tried() -> None:
    text = "cross_entropy_probs/index.random/float64/4x10/probs_edge/weight=positive/0"
    solved = question(text)
    x, labels = solved.inputs.values, solved.inputs.target
    assert labels is not None
    assert solved.inputs.weight is not None
    clipped = np.clip(x / x.sum(1, keepdims=True), 1e-7, 1 - 1e-7)[np.arange(4), labels]
    counted = np.asarray((solved.inputs.weight[labels] * -np.log(clipped)).mean())

    assert judge(solved, "value", counted).word in ("inaccurate", "convention:mean_over_rows")
    word = judge_own(solved, "value", counted).word
    assert word.startswith("convention:")
    assert "mean_over_rows" in word


@pytest.mark.parametrize(
    "text",
    [
        "binary_cross_entropy/multi_label.binary/float64/4x10/probs_zero_one/reduction=none/0",
        "cross_entropy/index.random/float64/4x10/normal_100/reduction=none/0",
    ],
)
def test_its_own_documented_clip_is_a_convention(text: str) -> None:
    solved, rules = question(text), OwnRules(clip=1e-4)
    x, target = solved.inputs.values, solved.inputs.target
    assert target is not None
    if solved.case.contract.domain == "probs":
        p = np.clip(x, 1e-4, 1 - 1e-4)
        loss = -(target * np.log(p) + (1 - target) * np.log1p(-p))
    else:
        e = np.exp(x - x.max(1, keepdims=True))
        p = np.clip(e / e.sum(1, keepdims=True), 1e-4, 1 - 1e-4)
        loss = -np.log(p[np.arange(4), target])

    assert judge_own(solved, "value", loss).is_finding
    assert judge_own(solved, "value", loss, rules).word == "convention:clip_declared"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_that_are_clipped_to_the_epsilon_of_their_dtype_are_a_convention(
    dtype: str,
) -> None:
    case = f"binary_cross_entropy/multi_label.binary/{dtype}/4x10/probs_edge/reduction=none/0"
    solved = question(case)
    p, z = solved.inputs.values, solved.inputs.target
    assert z is not None
    for times, word in ((1, "convention:clip_eps"), (1000, "inaccurate")):
        eps = times * np.finfo(p.dtype).eps
        clipped = np.clip(p, eps, 1 - eps)

        loss = -(z * np.log(clipped) + (1 - z) * np.log(1 - clipped))

        assert judge_own(solved, "value", loss).word == word


def test_a_loss_that_checks_no_probabilities_follows_a_convention_and_one_of_labels_does_not() -> (
    None
):
    unchecked = solved_case(
        Case.parse("binary_cross_entropy/multi_label.above_one/float32/4x10/probs/-/0")
    )
    labels = solved_case(Case.parse("cross_entropy/index.too_large/float32/4x10/normal/-/0"))

    answer = np.array(77.25, np.float32)
    assert judge_own(unchecked, "value", answer).word == "convention:unchecked"
    assert judge_own(labels, "value", answer).word == "accepted"


def test_float64_that_the_settings_of_the_question_make_is_a_convention() -> None:
    """As `jax.nn.one_hot` is with 64-bit types, which no user of JAX has by default."""
    solved = question(PLAIN.format("float32", "-"))
    exact = np.asarray(right(solved), np.float64)
    rules = OwnRules(widens=True)

    assert judge_own(solved, "value", exact, rules).word == "convention:wide_types"
    assert judge_own(solved, "value", exact * 2, rules).word == "inaccurate"
    assert judge_own(solved, "value", exact).word == "mismatched"
