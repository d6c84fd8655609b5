"""Each convention, against its own plain formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import Options
from lossdiff.cases.suites import suite
from lossdiff.harness.judging.conventions import MEANINGS, conventions_for, undefined_answer
from lossdiff.harness.oracle.solution import Convention
from lossdiff.harness.oracle.solve import solve

if TYPE_CHECKING:
    from lossdiff.harness.oracle.solution import Solution

LOGITS = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]])
PROBS = np.array([[0.25, 0.5, 0.125], [1.0, 0.0, 1e-9]])
WEIGHT = np.array([0.5, 2.0, 1.0])


def solved(
    convention: Convention, operation: str, values: Any, target: Any, kind: str, **options: Any
) -> Solution:
    """Return the answer under some rules."""
    weight = WEIGHT if options.pop("weight", False) else None
    given = Inputs(np.asarray(values), np.asarray(target), weight)
    case = Case(
        operation, "file:made", given.values.shape, "float64", kind, "given", Options(**options),  # type: ignore[arg-type]
        given=given,
    )  # fmt: skip
    return solve(case, given, convention)


def value(solution: Solution) -> Any:
    """Return the value as a float or a list."""
    return solution.quantities["value"].to_float().tolist()


def losses(logits: Any, labels: Any) -> Any:
    """Return −log softmax at the labels."""
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(labels)), labels]


def test_the_mean_over_rows_divides_weighted_losses_by_their_number() -> None:
    labels = np.array([1, 2])
    weighted = losses(LOGITS, labels) * WEIGHT[labels]
    convention = Convention(mean_over="rows")

    got = value(solved(convention, "cross_entropy", LOGITS, labels, "index", weight=True))
    assert got == pytest.approx(weighted.mean(), rel=1e-14)
    contract = value(solved(Convention(), "cross_entropy", LOGITS, labels, "index", weight=True))
    assert contract == pytest.approx(weighted.sum() / WEIGHT[labels].sum(), rel=1e-14)


def test_the_mean_of_nothing_may_be_zero() -> None:
    labels = [-100, -100]
    got = solved(Convention(nothing_counts_is_zero=True), "cross_entropy", LOGITS, labels, "index")

    assert value(got) == 0.0
    assert not got.quantities["gradient_logits"].to_float().any()


@pytest.mark.parametrize("bad", [3, -1, 7, -4])
def test_a_bad_label_as_zeros_means_no_class(bad: int) -> None:
    convention = Convention(bad_index="zeros")
    got = solved(convention, "cross_entropy", LOGITS, [1, bad], "index", reduction="none")

    assert value(got) == pytest.approx([losses(LOGITS, [1, 0])[0], 0.0], rel=1e-14)


def test_a_label_that_means_no_class_may_have_the_gradient_p_minus_target() -> None:
    convention = Convention(bad_index="zeros", sums_to_1=True)
    got = solved(
        convention, "cross_entropy", LOGITS, [1, 3], "index", reduction="none", label_smoothing=0.3
    )

    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    target = np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.1]])
    gradient = got.quantities["gradient_logits"].to_float()[1]
    assert got.terms is not None
    assert gradient == pytest.approx(got.terms.v[1] * (p - target)[1], rel=1e-13)


def test_a_negative_label_counts_from_the_end() -> None:
    convention = Convention(bad_index="wrap")
    got = solved(convention, "cross_entropy", LOGITS, [1, -1], "index", reduction="none")

    assert value(got) == pytest.approx(losses(LOGITS, [1, 2]).tolist(), rel=1e-14)


@pytest.mark.parametrize(("bad", "meant"), [(3, 2), (7, 2), (-1, 0), (-4, 0)])
def test_a_clamped_label_means_the_nearest_class(bad: int, meant: int) -> None:
    convention = Convention(bad_index="clamp")
    got, right = (
        solved(chosen, "cross_entropy", LOGITS, [1, label], "index", weight=True)
        for chosen, label in ((convention, bad), (Convention(), meant))
    )

    # its weight counts in the divisor, too
    assert value(got) == value(right)
    gradient = got.quantities["gradient_logits"].to_float()
    assert np.array_equal(gradient, right.quantities["gradient_logits"].to_float())


def test_an_ignored_label_is_not_clamped() -> None:
    convention = Convention(bad_index="clamp")
    got = solved(convention, "cross_entropy", LOGITS, [1, -100], "index")

    assert value(got) == pytest.approx(losses(LOGITS, [1, 0])[0], rel=1e-14)
    assert not got.quantities["gradient_logits"].to_float()[1].any()


def test_a_bad_label_may_give_nan_in_its_row_only() -> None:
    convention = Convention(bad_index="nan")
    got = solved(convention, "cross_entropy", LOGITS, [1, 3], "index", reduction="none")

    assert np.isnan(value(got)).tolist() == [False, True]


def test_probabilities_are_clipped_before_the_logarithm() -> None:
    convention = Convention(clip=1e-7)
    got = solved(convention, "cross_entropy_probs", PROBS, [0, 1], "index", reduction="none")

    assert value(got) == pytest.approx([np.log(4.0), -np.log(1e-7)], rel=1e-14)
    # no gradient where the clip holds
    assert got.quantities["gradient_logits"].to_float()[1, 1] == 0.0


def test_the_clip_is_rounded_to_the_dtype() -> None:
    given = Inputs(np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32))
    case = Case(
        "binary_cross_entropy", "file:made", (1, 2), "float32", "multi_label", "given",
        Options(reduction="none"), given=given,
    )  # fmt: skip
    got = value(solve(case, given, Convention(clip=1e-7)))

    # 1 − 1e-7 rounds to 1 − 2^-23, hence 15.94 and not 16.12
    high, low = float(np.float32(1 - 1e-7)), float(np.float32(1e-7))
    assert got == [pytest.approx([-np.log1p(-high), -np.log(low)], rel=1e-12)]
    assert got[0] == pytest.approx([15.942385, 16.118096], abs=1e-6)


def test_probabilities_are_divided_by_their_sum() -> None:
    convention = Convention(renormalise="before")
    got = solved(convention, "cross_entropy_probs", PROBS[:1], [0], "index", reduction="none")

    assert value(got) == pytest.approx([-np.log(0.25 / 0.875)], rel=1e-14)
    gradient = got.quantities["gradient_logits"].to_float()
    # d/dx log Σx − log x_0
    expected = got_v(got) * np.array([1 / 0.875 - 4, 1 / 0.875, 1 / 0.875])
    assert gradient[0] == pytest.approx(expected, rel=1e-13)


def got_v(solution: Solution) -> float:
    """Return the cotangent of the first row."""
    terms = solution.terms
    assert terms is not None
    return float(terms.v[0])


def test_a_logarithm_is_never_below_its_floor() -> None:
    convention = Convention(log_floor=-100.0)
    got = solved(
        convention, "binary_cross_entropy", [[0.0, 1.0, 0.5]], [[1.0, 0.0, 1.0]], "multi_label",
        reduction="none",
    )  # fmt: skip

    assert value(got) == [pytest.approx([100.0, 100.0, np.log(2.0)], rel=1e-14)]


def test_every_name_that_is_used_has_a_meaning() -> None:
    used = {name for case in suite("quick").cases for name, _ in conventions_for(case)}

    assert used <= set(MEANINGS)
    # They change no number, or are conventions of users' functions alone.
    of_dtypes = {"promoted", "dtype_of_logits", "dtypes_refused"}
    of_dtypes |= {"computed_in_float32", "clip_declared", "unchecked", "overflows_on_the_way"}
    of_dtypes |= {"clip_eps", "wide_types"}
    assert used == {name for name in MEANINGS if not name.startswith("undefined_")} - of_dtypes


def test_conventions_are_tried_only_where_they_could_change_the_answer() -> None:
    soft = Case.parse("cross_entropy/soft.soft/float32/4x10/normal/-/0")
    summed = Case.parse("cross_entropy/index.random/float32/4x10/normal/reduction=sum/0")

    assert list(conventions_for(soft)) == []
    assert list(conventions_for(summed)) == []


@pytest.mark.parametrize(
    ("got", "name"),
    [
        ([np.nan], "undefined_nan"),
        ([0.0, -0.0], "undefined_zero"),
        ([-np.inf], "undefined_inf"),
        ([3.0], "undefined_number"),
        ([np.nan, 0.0, 1.0], "undefined_nan+zero+number"),
    ],
)
def test_what_stands_for_no_agreed_answer_is_named(got: list[float], name: str) -> None:
    assert undefined_answer(np.array(got)) == name
