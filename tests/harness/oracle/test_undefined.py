"""The oracle where no answer is agreed on, where nothing counts, and where an error is due."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case
from lossdiff.cases.operations import DTYPES
from lossdiff.harness.oracle.solve import solve

from . import arb
from .oracle_questions import (
    LOGITS,
    asked,
    value,
    worst_of,
)

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize("operation", ["softmax", "log_softmax"])
def test_rows_with_nan_or_inf_or_nothing_else_than_minus_inf_have_no_agreed_answer(
    operation: str,
) -> None:
    solution = solve(case := asked(operation, LOGITS), case.inputs())

    for quantity in solution.quantities:
        assert np.isnan(value(solution, quantity)).all(axis=1).tolist() == [False, True, True, True]
    worst_of(case)


def test_an_ignored_row_gives_zero_whatever_its_logits() -> None:
    case = asked("cross_entropy", LOGITS, [0, -100, -100, -100], kind="index", reduction="none")
    solution = solve(case, case.inputs())

    assert value(solution)[1:] == [0.0, 0.0, 0.0]
    assert value(solution, "gradient_logits")[1:] == [[0.0] * 3] * 3
    worst_of(case)


def test_one_row_without_an_answer_spoils_the_mean_but_not_the_other_gradients() -> None:
    case = asked("cross_entropy", LOGITS[:2], [0, 0], kind="index")
    solution = solve(case, case.inputs())

    assert math.isnan(value(solution))  # type: ignore[arg-type]
    assert np.isnan(value(solution, "gradient_logits")).all(axis=1).tolist() == [False, True]
    worst_of(case)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nothing_counts_and_the_mean_has_no_agreed_answer(smoothing: float) -> None:
    case = asked("cross_entropy", LOGITS[:1], [-100], kind="index", label_smoothing=smoothing)
    solution = solve(case, case.inputs())

    assert math.isnan(value(solution))  # type: ignore[arg-type]
    assert np.isnan(value(solution, "gradient_logits")).all()
    worst_of(case)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [[0.0, 1.0, 1.0], [0.75, -0.75, 1.0], [0.1, -0.1, 2.0]])
def test_weights_that_sum_to_zero_leave_no_agreed_answer(
    smoothing: float, weight: list[float]
) -> None:
    logits, labels = [LOGITS[0], [0.5, -1.0, 2.0], [3.0, 0.0, 1.0]], [0, 1, -100]
    if not weight[0]:
        labels[1] = 0
    given: dict[str, Any] = {"kind": "index", "weight": weight, "label_smoothing": smoothing}
    case = asked("cross_entropy", logits, labels, **given)
    solution = solve(case, case.inputs())

    assert np.isnan(value(solution))
    assert np.isnan(value(solution, "gradient_logits")).all()
    worst_of(case)
    summed = asked("cross_entropy", logits, labels, reduction="sum", **given)
    assert np.isfinite(value(solve(summed, summed.inputs())))
    worst_of(summed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sum_of_weights_that_rounding_may_turn_leaves_no_agreed_answer(dtype: str) -> None:
    u = 2.0**-53 if dtype == "float64" else 2.0**-24
    for excess, is_agreed in ((4 * u, False), (64 * u, True)):
        # beyond float16's digits a weight of its own has to stand for the excess
        weight = [1.0, -1.0, max(excess, FORMATS[dtype].smallest)]
        case = asked(
            "cross_entropy", np.eye(3), [0, 1, 2], kind="index", dtype=dtype, weight=weight
        )
        solution = solve(case, case.inputs())

        assert np.isnan(value(solution)) != is_agreed
        assert np.isnan(value(solution, "gradient_logits")).any() != is_agreed
        worst_of(case)


def test_rows_that_are_not_ignored_alone_make_the_divisor() -> None:
    case = asked(
        "cross_entropy", np.eye(3), [0, 1, -100], kind="index", weight=[1.0, 0.5, -1.5],
        label_smoothing=1.0,
    )  # fmt: skip

    assert np.isfinite(value(solve(case, case.inputs())))
    worst_of(case)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weight", [None, [0.0, 1.0, 2.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_row_whose_target_holds_nan_has_no_agreed_answer(
    reduction: str, weight: list[float] | None, smoothing: float
) -> None:
    logits = np.eye(3)
    target = [[0.5, 0.25, 0.25], [np.nan, 0.5, 0.5], [1.0, 0.0, 0.0]]
    for operation in ("cross_entropy", "cross_entropy_probs"):
        options: dict[str, Any] = {"kind": "soft", "reduction": reduction, "weight": weight}
        if operation == "cross_entropy":
            options["label_smoothing"] = smoothing
        case = asked(operation, (logits + 1) / 2, target, **options)
        solution = solve(case, case.inputs())

        for quantity in ("gradient_logits", "gradient_target"):
            undefined = np.isnan(value(solution, quantity))
            assert undefined.tolist() == [[False] * 3, [True] * 3, [False] * 3]
        expected = [False, True, False] if reduction == "none" else True
        assert np.isnan(value(solution)).tolist() == expected
        worst_of(case)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("weight", [None, [0.0, 1.0]])
def test_an_element_whose_label_is_nan_has_no_agreed_answer(
    name: str, weight: list[float] | None
) -> None:
    target = [[np.nan, 0.5], [1.0, 0.0]]
    options: dict[str, Any] = {"kind": "multi_label", "reduction": "none", "weight": weight}
    case = asked(name, [[0.25, 0.5], [0.5, 0.75]], target, **options)
    solution = solve(case, case.inputs())

    for quantity in solution.quantities:
        assert np.isnan(value(solution, quantity)).tolist() == [[True, False], [False, False]]
    worst_of(case)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_in_the_rows_that_are_ignored_changes_nothing(dtype: str) -> None:
    name = "cross_entropy/index.some_ignored/{}/4x10/{}/weight=positive/0"
    case = Case.parse(name.format(dtype, "nan_where_ignored"))
    solution = solve(case, case.inputs())

    assert np.isfinite(value(solution))
    gradient = np.array(value(solution, "gradient_logits"))
    assert np.isfinite(gradient).all()
    assert not gradient[::3].any()
    worst_of(case)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_an_empty_batch_has_no_mean_but_a_sum_of_zero(reduction: str) -> None:
    for kind, target in (("index", np.zeros(0)), ("soft", np.zeros((0, 5)))):
        logits = np.zeros((0, 5))
        case = asked("cross_entropy", logits, target, kind=kind, reduction=reduction)
        got = solve(case, case.inputs()).quantities["value"].to_float()

        assert got.shape == ((0,) if reduction == "none" else ())
        if reduction != "none":
            assert np.array_equal(got, {"mean": np.nan, "sum": 0.0}[reduction], equal_nan=True)
        worst_of(case)


def test_a_masked_class_has_an_infinite_loss_and_a_finite_gradient() -> None:
    case = asked("cross_entropy", [[0.0, -np.inf, 0.0]], [1], kind="index", reduction="sum")
    solution = solve(case, case.inputs())

    assert value(solution) == np.inf
    assert value(solution, "gradient_logits") == [[0.3125, -0.625, 0.3125]]


def test_a_masked_class_that_the_target_leaves_out_costs_nothing() -> None:
    case = asked("cross_entropy", [[0.0, -np.inf]], [[1.0, 0.0]], kind="soft", reduction="sum")
    solution = solve(case, case.inputs())

    assert value(solution) == 0.0
    assert value(solution, "gradient_target") == [[0.0, np.inf]]


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_a_weight_of_zero_removes_even_an_infinite_loss(weight: float) -> None:
    logits, labels = [[0.0, -np.inf]], [1]
    row = asked("cross_entropy", logits, labels, kind="index", weight=[1, weight], reduction="sum")
    element = asked(
        "binary_cross_entropy_with_logits", logits, [[1.0, 1.0]], kind="multi_label",
        weight=[0.0, weight], reduction="sum",
    )  # fmt: skip

    expected = np.inf if weight else 0.0
    assert value(solve(row, row.inputs())) == expected
    assert value(solve(element, element.inputs())) == expected


BAD: dict[str, tuple[str, Any, Any, str]] = {
    "a label too large": ("cross_entropy", [[0.0, 1.0]], [2], "index"),
    "a negative label": ("nll_loss", [[0.0, -1.0]], [-1], "index"),
    "a target below 0": ("cross_entropy", [[0.0, 1.0]], [[-0.25, 1.25]], "soft"),
    "a target above 1": (
        "binary_cross_entropy_with_logits", [[0.0, 1.0]], [[2.0, 0.0]], "multi_label",
    ),
    "a probability above 1": ("binary_cross_entropy", [[1.25, 0.5]], [[1.0, 0.0]], "multi_label"),
    "a negative probability": ("cross_entropy_probs", [[-0.5, 0.5]], [0], "index"),
}  # fmt: skip


@pytest.mark.parametrize(("operation", "values", "target", "kind"), BAD.values(), ids=BAD)
def test_the_right_answer_is_an_error(operation: str, values: Any, target: Any, kind: str) -> None:
    case = asked(operation, values, target, kind=kind)

    assert solve(case, case.inputs()).refusal
    assert arb.is_refused(case, case.inputs())


@pytest.mark.parametrize("ignored", [-100, -1, 0, 1, 255])
def test_any_label_may_be_the_one_to_ignore(ignored: int) -> None:
    case = asked("cross_entropy", LOGITS[:1] * 2, [ignored, 2], kind="index", ignore_index=ignored)

    assert not solve(case, case.inputs()).refusal
    worst_of(case)
