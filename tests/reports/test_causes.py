"""Findings on users' functions by their cause: the worst first, each by its plainest finding."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace

import pytest
from lossdiff.harness.runfile import VerdictRow
from lossdiff.reports.cause_lines import lines_of
from lossdiff.reports.causes import causes

ROW = VerdictRow(
    "cross_entropy/index.random/float32/4x10/normal/-/0", "cross_entropy", "index", "normal",
    "4x10", "float32", {}, "mine.loss", "numpy", "user", "eager", "cpu", "value", "exact",
    exact="1.0", got="1.0",
)  # fmt: skip
TWICE, SIGN = "softmax applied twice", "the sign is wrong"


def rows(number: int, **facts: object) -> list[VerdictRow]:
    """Return verdicts on different questions."""
    seed = facts.pop("start", 0)
    assert isinstance(seed, int)
    return [
        replace(ROW, case=f"{ROW.case.rpartition('/')[0]}/{seed + n}", **facts)  # type: ignore[arg-type]
        for n in range(number)
    ]


def wrong(number: int, looks_like: str = "", **facts: object) -> list[VerdictRow]:
    return rows(number, verdict="inaccurate", got="2.0", looks_like=looks_like, **facts)


def said(given: list[VerdictRow]) -> str:
    """Return the lines as one text."""
    return " ".join(" ".join(lines_of(causes(given))).split())


def test_findings_that_look_like_one_mistake_are_one_cause() -> None:
    given = [*wrong(3, TWICE), *wrong(3, TWICE, quantity="gradient_logits")]

    (cause,) = causes(given)

    assert (cause.what, cause.count) == (f"looks like: {TWICE}", 6)
    assert cause.quantities == ("value", "gradient_logits")
    assert not cause.is_of_gradient


def test_a_wrong_second_derivative_is_told_with_what_makes_it_right() -> None:
    text = said(wrong(2, quantity="hvp_logits"))

    assert "a wrong number in the second derivative" in text
    assert "mark it @once_differentiable, or write it so that it can be differentiated" in text


def test_of_several_mistakes_the_one_that_fits_most_findings_is_named() -> None:
    given = [*wrong(2, f"{SIGN} or {TWICE}"), *wrong(3, TWICE, start=2)]

    assert [cause.what for cause in causes(given)] == [f"looks like: {TWICE}"]


def test_of_mistakes_that_fit_equally_one_about_their_option_is_named() -> None:
    """In questions without the option the other would show, too."""
    about = "the gradient leaves logit_scale out"
    mine = wrong(4, f"{SIGN} or {about}", options={"logit_scale": 0.25})

    assert [it.what for it in causes([*mine, *rows(2, start=4)])] == [f"looks like: {about}"]
    assert [it.what for it in causes(mine)] == [f"looks like: {SIGN}"]


def test_writing_to_an_argument_comes_before_a_mistake_of_small_numbers() -> None:
    given = [*wrong(2, TWICE), *rows(3, verdict="mutates:logits", start=2)]

    assert [it.what for it in causes(given)] == ["mutates:logits", f"looks like: {TWICE}"]


def test_of_mistakes_that_fit_equally_the_simpler_one_is_named() -> None:
    assert [it.what for it in causes(wrong(4, f"{SIGN} or {TWICE}"))] == [f"looks like: {SIGN}"]


def test_a_mistake_that_fits_one_finding_of_many_is_no_cause() -> None:
    given = [*wrong(40, TWICE), *wrong(1, SIGN, start=40)]

    assert [cause.what for cause in causes(given)] == [f"looks like: {TWICE}", "a wrong number"]


def test_one_answer_that_is_no_loss_is_enough_for_a_cause() -> None:
    given = [*wrong(40, TWICE), *wrong(1, SIGN, start=40, target_kind="")]

    assert [cause.what for cause in causes(given)][1] == f"looks like: {SIGN}"


def test_a_factor_on_top_of_a_mistake_holds_for_zeros_as_well() -> None:
    given = [*wrong(4, "weight is not applied, 10 times too large"),
             *wrong(3, "weight is not applied", start=4)]  # fmt: skip

    assert [(it.what, it.count) for it in causes(given)] == [
        ("looks like: weight is not applied, 10 times too large", 7)
    ]


def test_two_mistakes_at_once_are_not_the_cause_of_one_of_them() -> None:
    both = f"{SIGN}, and the incoming gradient is ignored"

    assert [it.what for it in causes([*wrong(4, both), *wrong(3, SIGN, start=4)])] == [
        f"looks like: {both}", f"looks like: {SIGN}",
    ]  # fmt: skip


def test_what_lost_half_a_number_in_16_bits_is_shown_by_it() -> None:
    little = rows(3, verdict="narrow", dtype="bfloat16", exact="1.0", got="1.01")
    half = rows(1, verdict="narrow", dtype="bfloat16", exact="1.0", got="0.5", start=9)

    assert causes([*little, *half])[0].plainest == half[0]
    assert causes(little)[0].plainest == little[0]


def test_factors_that_differ_are_one_cause_with_the_most_frequent_first() -> None:
    given = [*wrong(4, "6.4 times too large"), *wrong(9, "4.8 times too large", start=4),
             *wrong(1, "3.2 times too large", start=13)]  # fmt: skip

    assert [(it.what, it.count) for it in causes(given)] == [
        ("looks like: too large by a factor that depends on the question: 4.8, 6.4, 3.2", 14)
    ]


def test_a_factor_that_is_the_number_of_rows_is_one_cause() -> None:
    given = [
        *wrong(4, "N times too small (N = 4)"),
        *wrong(5, "N times too small (N = 33)", start=4),
    ]

    assert [it.what for it in causes(given)] == ["looks like: N times too small"]


def test_factors_of_different_options_are_different_causes() -> None:
    given = [*wrong(4, "2 times too large", options={"weight": "positive"}),
             *wrong(4, "3 times too large", start=4, options={"label_smoothing": 0.1}),
             *wrong(4, "2 times too small", start=8)]  # fmt: skip

    assert sorted(it.what for it in causes(given)) == [
        "looks like: 2 times too large", "looks like: 2 times too small",
        "looks like: 3 times too large",
    ]  # fmt: skip


def test_errors_are_one_cause_whatever_numbers_they_quote() -> None:
    given = [
        replace(row, exact="", got="", note=f"IndexError: index {n} is out of bounds")
        for n, row in enumerate(rows(5, verdict="raised"))
    ]

    assert [it.what for it in causes(given)] == ["raises IndexError: index … is out of bounds"]


def test_what_all_questions_of_a_cause_share_is_said() -> None:
    note = "RuntimeError: not implemented for 'Half'"
    given = [*rows(9), *rows(4, verdict="raised", note=note, dtype="float16", exact="", start=9)]

    text = said(given)

    assert "raises RuntimeError: not implemented for 'Half', with float16 (4 findings)" in text


def test_an_option_that_all_questions_of_a_cause_have_is_said() -> None:
    given = [*rows(9), *wrong(3, options={"weight": "positive"}, start=9)]

    assert "a wrong number, with weight (3 findings)" in said(given)


def test_a_wrong_backward_pass_is_seen_to_be_one() -> None:
    given = [*rows(3), *wrong(3, quantity="gradient_logits", where="[0, 1]")]

    text = said(given)

    assert "a wrong number in gradient_logits" in text
    assert "gradient_logits only" in text
    assert "gradient_logits [0, 1]: right 1.0, given 2.0" in text


def test_a_gradient_whose_value_is_wrong_too_is_no_cause_of_its_own() -> None:
    given = [*wrong(3), *wrong(3, quantity="gradient_logits")]

    assert [(it.what, it.count) for it in causes(given)] == [("a wrong number", 6)]


def test_a_cause_is_shown_by_its_plainest_finding() -> None:
    plain = replace(wrong(1)[0], verdict="inaccurate")
    given = [
        replace(plain, family="finfo_max", case=plain.case.replace("normal", "finfo_max")),
        replace(plain, dtype="float16", case=plain.case.replace("float32", "float16")),
        replace(plain, options={"axis": 0}, case=plain.case.replace("/-/", "/axis=0/")),
        plain,
        replace(plain, shape="8x1000", case=plain.case.replace("4x10", "8x1000")),
    ]  # fmt: skip

    assert causes(given)[0].plainest == plain


def test_a_cause_is_shown_by_a_right_answer_that_is_a_number() -> None:
    number = wrong(1)[0]
    error = replace(number, case=number.case.replace("softmax", "exp"), exact="an error")

    assert causes([error, number])[0].plainest == number


def test_the_worst_cause_comes_first_and_settled_ones_after_all_findings() -> None:
    given = [
        *rows(5, verdict="raised", note="ValueError: no", exact=""),
        *wrong(2, start=5),
        *rows(1, verdict="crashed", shared="numpy.f", start=7),
        *rows(3, verdict="convention:mean_over_rows", start=8),
    ]

    assert [it.kind for it in causes(given)] == ["finding", "finding", "settled", "convention"]
    assert causes(given)[0].what == "a wrong number"


def test_a_shared_finding_is_said_to_be_the_frameworks_own_and_counted_apart() -> None:
    given = [*rows(4), *wrong(2, shared="numpy.f", start=4)]

    text = said(given)

    assert "6 questions, no finding, 2 known or shared with the framework" in text
    assert "so does numpy.f" in text


def test_what_a_named_mistake_breaks_on_the_same_question_is_of_its_cause() -> None:
    hvp = {"quantity": "hvp_logits"}
    given = [*wrong(3, TWICE), *rows(1, verdict="relation:shift"), *wrong(1, **hvp, start=1),
             *wrong(1, **hvp, start=7)]  # fmt: skip

    assert [(it.what, it.count) for it in causes(given)] == [
        (f"looks like: {TWICE}", 5), ("a wrong number in the second derivative", 1)
    ]  # fmt: skip


def test_a_wrong_gradient_of_a_label_out_of_range_is_of_the_cause_of_other_gradients() -> None:
    wraps = rows(2, verdict="convention:bad_index_wraps", start=5)
    given = [*wrong(3, SIGN, quantity="gradient_logits"), *wraps,
             *rows(2, verdict="accepted", quantity="gradient_logits", start=5)]  # fmt: skip

    assert [(it.kind, it.count) for it in causes(given)] == [("finding", 5), ("convention", 2)]


def test_nan_for_a_label_out_of_range_is_of_the_cause_that_makes_nan_of_other_labels() -> None:
    unshifted = rows(3, verdict="nonfinite", got="nan", looks_like="no maximum is taken off")
    of_label = [
        *rows(2, verdict="accepted", got="nan", start=5),
        *rows(2, verdict="accepted", got="nan, -inf", quantity="gradient_logits", start=5),
    ]
    a_number = rows(1, verdict="accepted", got="0.5, nan", start=7)

    assert [(it.what, it.count) for it in causes([*of_label, *a_number, *unshifted])] == [
        ("looks like: no maximum is taken off", 7), ("no error, where one is due", 1)
    ]  # fmt: skip
    (first, *_) = causes([*of_label, *unshifted])
    assert first.plainest.verdict == "nonfinite"


def test_the_numbers_of_a_wrong_dtype_are_no_causes_of_their_own() -> None:
    note = "dtype float64, where float32 is due; its numbers: {}"
    given = [
        *rows(2, verdict="mismatched", note=note.format("exact")),
        *rows(1, verdict="mismatched", note=note.format("faithful"), start=2),
    ]

    assert [it.what for it in causes(given)] == [f"mismatched: {note.partition(';')[0]}"]


def test_lost_digits_that_are_explained_are_one_line_and_no_finding() -> None:
    text = said([*rows(3), *rows(2, verdict="formula", start=3)])

    assert "passes: 5 questions, no finding" in text
    assert "formula: digits are lost to cancellation, as in logsumexp − x (2 answers)" in text


def test_what_is_wrong_with_a_number_of_axes_alone_may_be_declared() -> None:
    flat = rows(5)
    cube = [replace(row, shape="2x3x5") for row in wrong(2, start=5)]
    hint = "if it is made for no such arrays, ranks= says so"

    assert hint in said([*flat, *cube])
    assert hint not in said([*flat, *wrong(2, start=5)])
    assert hint in said([*flat, *(replace(row, looks_like=TWICE) for row in cube)])


def test_a_mistake_whose_error_lost_digits_would_explain_is_named_with_both() -> None:
    mistake = "smoothing is divided by C − 1, not by C"
    lost = rows(2, verdict="formula", looks_like=mistake, start=5)

    text = said([*wrong(4, mistake), *lost])

    assert f"looks like: {mistake} (4 findings)" in text
    assert f"looks like: {mistake}; no larger than cancellation explains (2 answers)" in text
    assert "formula: digits are lost" not in text


def test_the_first_line_says_how_many_functions_fail_and_the_worst_comes_first() -> None:
    given = [
        *rows(3, implementation="mine.sound"),
        *rows(1, implementation="mine.few", verdict="accepted"),
        *wrong(1, implementation="mine.worst"),
    ]

    lines = lines_of(causes(given))

    assert lines[0] == "2 of 3 functions fail (5 questions)"
    starts = [it.split()[0] for it in lines if it.startswith("mine.")]
    assert starts == ["mine.worst", "mine.few", "mine.sound"]
    assert lines_of(causes([*rows(1), *rows(1, implementation="f")]))[0].startswith("all 2 ")


def test_a_convention_is_said_in_words_and_is_no_finding() -> None:
    text = said(rows(3, verdict="convention:mean_over_rows"))

    assert "3 questions, no finding" in text
    assert "convention mean_over_rows: the mean divides by the number of" in text


@pytest.mark.parametrize(
    ("quantities", "said_of_it"),
    [
        (("gradient_logits", "gradient_target"), "(4 answers, gradient only)"),
        (("hvp_logits",), "(2 answers, second derivative only)"),
        (("value", "gradient_logits"), "(4 answers)"),
    ],
)
def test_a_convention_of_the_gradient_alone_is_said_to_be_one(
    quantities: tuple[str, ...], said_of_it: str
) -> None:
    given = [
        row
        for quantity in quantities
        for row in rows(2, verdict="convention:nothing_counts_as_zero", quantity=quantity)
    ]

    assert said_of_it in said(given)


def test_what_is_said_not_to_be_implemented_is_one_line_and_no_finding() -> None:
    note = "NotImplementedError: 3 axes"
    given = [*rows(3), *rows(2, verdict="unsupported", note=note, exact="", start=3),
             *rows(4, verdict="unsupported", note="has no axis", exact="", start=5)]  # fmt: skip

    text = said(given)

    assert "3 questions, no finding, 6 not claimed" in text
    assert "says that it is not implemented: … axes (2 answers)" in text


def test_an_option_that_no_number_was_judged_with_is_named() -> None:
    smoothed = {"label_smoothing": 0.1}
    given = [
        *rows(3, options={"reduction": "sum"}),
        *rows(2, options=smoothed, verdict="raised", note="ValueError: no 7", exact="", start=3),
    ]

    found = causes(given, {"mine.loss": {"reduction", "label_smoothing", "weight"}})

    (tally,) = found.tallies.values()
    assert tally.unjudged == {
        "label_smoothing": "ValueError: no …", "weight": "no question was asked with it",
    }  # fmt: skip
    assert any("weight: not judged, because no question" in line for line in lines_of(found))


def test_functions_that_are_not_the_users_have_no_causes() -> None:
    given = wrong(3, kind="native")

    assert (list(causes(given)), causes(given).tallies) == ([], {})


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_its_columns(width: int) -> None:
    message = "ValueError: " + "a long message " * 20
    given = [*wrong(2, TWICE), *rows(2, verdict="raised", note=message, exact="", start=2)]

    assert max(map(len, lines_of(causes(given), width=width))) <= width


def test_a_shell_joins_the_line_that_repeats_a_finding() -> None:
    lines = lines_of(causes(wrong(2)), width=40)
    command = "\n".join(lines[next(n for n, it in enumerate(lines) if "lossdiff repro" in it) :])

    assert shlex.split(command.replace("\\\n", "")) == [
        "lossdiff", "repro", "RUN.sqlite", ROW.case, "--impl", "mine.loss", "--quantity", "value",
    ]  # fmt: skip


def test_the_line_that_repeats_a_finding_can_be_left_out_and_names_the_run() -> None:
    given = wrong(2)

    assert "lossdiff repro" not in " ".join(lines_of(causes(given), run=""))
    text = " ".join(lines_of(causes(given), run="my.sqlite"))
    assert "lossdiff repro my.sqlite" in text
    assert "--impl mine.loss" in text


def test_many_verdicts_are_grouped_quickly() -> None:
    given = [*rows(20_000), *wrong(20_000, f"{SIGN} or {TWICE}", start=20_000)]
    begin = time.process_time()

    assert causes(given)[0].count == 20_000
    assert time.process_time() - begin < 2


def test_two_conventions_at_once_are_both_said_in_words() -> None:
    text = said(rows(2, verdict="convention:mean_over_rows+clip_1e-7"))

    assert "number of all rows, as Keras does" in text
    assert "; probabilities are clipped to [1e-7, 1 - 1e-7] first" in text
