"""A framework's finding excuses a user's only if it is the same mistake."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Failure
from lossdiff.harness.judging import DtypeMismatch, ShapeMismatch, Verdict
from lossdiff.harness.own import alike, askable

RIGHT = np.array([1.0, 2.0, 4.0])
WRONG = Verdict("inaccurate")
LOST = Verdict("nonfinite")


def _alike(mine: list[float], theirs: list[float], verdict: Verdict = WRONG) -> bool:
    return alike(verdict, verdict, (np.array(mine), np.array(theirs)), RIGHT)


def test_numbers_that_are_nearer_to_each_other_than_to_the_right_ones_are_alike() -> None:
    assert _alike([1.0, 2.0, 5.0], [1.0, 2.0, 4.9])


def test_numbers_that_are_wrong_on_the_other_side_are_not_alike() -> None:
    assert not _alike([1.0, 2.0, 5.0], [1.0, 2.0, 3.0])


def test_another_element_that_is_wrong_is_another_finding() -> None:
    assert not _alike([1.0, 2.0, 5.0], [3.0, 2.0, 4.0])


def test_small_errors_beside_a_large_one_do_not_matter() -> None:
    assert _alike([1.0, 2.001, 8.0], [1.0, 1.999, 8.0])


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_the_same_elements_that_are_not_finite_are_alike(lost: float) -> None:
    assert _alike([1.0, lost, 4.0], [1.0, lost, 4.0], LOST)
    assert not _alike([1.0, lost, 4.0], [lost, 2.0, 4.0], LOST)


def test_what_is_finite_beside_the_same_nan_may_follow_another_convention() -> None:
    assert _alike([0.5, np.nan, 2.0], [1.0, np.nan, 4.0], LOST)


def test_a_nan_is_not_an_infinity() -> None:
    assert not _alike([1.0, np.nan, 4.0], [1.0, np.inf, 4.0], LOST)


def test_other_words_are_other_findings() -> None:
    assert not alike(WRONG, LOST)


def test_an_answer_that_is_right_shares_nothing() -> None:
    assert not alike(WRONG, Verdict("exact"))


def test_equal_bits_are_alike_whatever_they_hold() -> None:
    assert alike(Verdict("inaccurate", fingerprint="a"), Verdict("inaccurate", fingerprint="a"))


@pytest.mark.parametrize("word", ["raised", "accepted", "relation:shift"])
def test_what_has_no_number_is_compared_by_its_word(word: str) -> None:
    mine = Verdict(word, detail=Failure("raised", "ValueError: mine"))

    assert alike(mine, Verdict(word, detail=Failure("raised", "TypeError: theirs")))
    assert not alike(Verdict("relation:shift"), Verdict("relation:sums"))


def test_a_wrong_shape_is_shared_with_the_same_shape_only() -> None:
    mine = Verdict("mismatched", detail=ShapeMismatch((3,), ()))

    assert alike(mine, mine)
    assert not alike(mine, Verdict("mismatched", detail=ShapeMismatch((1,), ())))


def test_a_wrong_dtype_whose_numbers_are_right_does_not_excuse_wrong_numbers() -> None:
    def mismatch(numbers: str) -> Verdict:
        return Verdict("mismatched", detail=DtypeMismatch("float64", "float32", (), numbers))

    assert alike(mismatch("exact"), mismatch("exact"))
    assert not alike(mismatch("inaccurate"), mismatch("exact"))


def test_without_arrays_the_worst_elements_are_compared() -> None:
    mine = Verdict("nonfinite", where="[1]", exact="2.0", got="nan")

    assert alike(mine, Verdict("nonfinite", where="[1]", exact="2.0", got="nan"))
    assert not alike(mine, Verdict("nonfinite", where="[0]", exact="1.0", got="nan"))


def test_a_mean_over_a_given_number_is_asked_of_the_framework_as_a_sum() -> None:
    options = frozenset({"reduction", "ignore_index"})
    claim = Claim("their.loss", "numpy", "cross_entropy", "native", frozenset({"index"}), options)
    name = "cross_entropy/index.random/float32/4x10/normal/{}/0"
    divided, weighted, plain = (
        Case.parse(name.format(it)) for it in ("denominator=7.0", "weight=positive", "-")
    )

    found = askable(claim, divided)

    assert found is not None
    assert found.id == name.format("reduction=sum")
    assert askable(claim, weighted) is None
    assert askable(claim, plain) is plain


def test_smoothed_targets_of_a_binary_loss_are_asked_of_the_framework_as_targets() -> None:
    operation = "binary_cross_entropy_with_logits"
    claim = Claim(
        "their.loss", "numpy", operation, "native", frozenset({"multi_label"}), frozenset()
    )
    case = Case.parse(f"{operation}/multi_label.binary/float32/4x10/normal/label_smoothing=0.5/0")

    found = askable(claim, case)

    assert found is not None
    assert not found.options.given()
    assert set(np.unique(found.inputs().target)) == {0.25, 0.75}
