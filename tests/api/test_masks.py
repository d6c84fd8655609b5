"""`where=` of losses: what a mask leaves out costs nothing, and the rest is asked as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lossdiff
from lossdiff.errors import ArgumentValueError

LOGITS = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 5.0], [0.0, 0.25, -2.0]])
LABELS = np.array([2, 0, 1])
SOFT = np.array([[0.5, 0.5, 0.0], [0.25, 0.0, 0.75], [0.0, 1.0, 0.0]])
ROWS = np.array([True, False, True])
BINARY = "binary_cross_entropy_with_logits"


@pytest.mark.parametrize("mask", [ROWS, ROWS[:, None]], ids=["one for each row", "a column"])
@pytest.mark.parametrize("target", [LABELS, SOFT], ids=["index", "soft"])
def test_rows_that_a_mask_leaves_out_do_not_count(mask: Any, target: Any) -> None:
    found = lossdiff.exact("cross_entropy", LOGITS, target, where=mask)
    alone = lossdiff.exact("cross_entropy", LOGITS[ROWS], target[ROWS])

    assert found.value == alone.value
    assert (found.gradient_logits[ROWS] == alone.gradient_logits).all()
    assert not found.gradient_logits[1].any()


def test_a_loss_for_each_row_has_its_place() -> None:
    options: dict[str, Any] = {"reduction": "none", "cotangent": [1.0, 2.0, 3.0]}
    found = lossdiff.exact("cross_entropy", LOGITS, LABELS, where=ROWS, **options)
    whole = lossdiff.exact("cross_entropy", LOGITS, LABELS, **options)

    assert found.value.tolist() == [whole.value[0], 0, whole.value[2]]
    assert (found.gradient_logits[2] == whole.gradient_logits[2]).all()


def test_rows_between_classes_are_left_out_as_well() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 4))
    labels, mask = np.array([[0, 1, 2, 0], [2, 2, 1, 0]]), np.arange(8).reshape(2, 4) % 3 > 0
    found = lossdiff.exact("cross_entropy", logits, labels, where=mask).float64
    ignored = lossdiff.exact("cross_entropy", logits, np.where(mask, labels, -100)).float64

    assert found["value"] == ignored["value"]
    np.testing.assert_array_equal(found["gradient_logits"], ignored["gradient_logits"])


def test_classes_that_a_mask_leaves_out_have_no_probability() -> None:
    mask = np.array([[True, False, True]] * 3)
    found = lossdiff.exact("cross_entropy", LOGITS, SOFT, where=mask)
    alone = lossdiff.exact("cross_entropy", LOGITS[:, ::2], SOFT[:, ::2])

    assert found.value == alone.value
    assert (found.gradient_logits[:, ::2] == alone.gradient_logits).all()


@pytest.mark.parametrize("weight", [None, 2.0, [1.0, 2.0, 4.0], np.array([[1.0], [2.0], [3.0]])])
def test_elements_of_binary_losses_are_left_out(weight: Any) -> None:
    mask = LOGITS > 0
    whole = lossdiff.exact(BINARY, LOGITS, SOFT, weight=weight, reduction="none").float64
    found = lossdiff.exact(BINARY, LOGITS, SOFT, weight=weight, where=mask).float64

    np.testing.assert_allclose(found["value"], whole["value"][mask].mean(), rtol=1e-15)
    np.testing.assert_allclose(
        found["gradient_logits"] * mask.sum(), np.where(mask, whole["gradient_logits"], 0)
    )


def test_functions_are_asked_of_what_a_mask_leaves() -> None:
    found = lossdiff.ask("cross_entropy", LOGITS, LABELS, where=ROWS, frameworks=["numpy"])

    answers = {it.quantity: it for it in found.rows if it.implementation.endswith(".cross_entropy")}
    assert answers["gradient_logits"].answer is not None
    assert answers["gradient_logits"].answer.shape == LOGITS.shape
    assert {row.verdict for row in answers.values()} <= {"exact", "faithful", "within bound"}


@pytest.mark.parametrize(
    ("operation", "mask", "said"),
    [
        ("cross_entropy", [True, False], "it must have (3,), one for each row, or (3, 3)"),
        ("cross_entropy", [1, 0, 1], "a mask holds bool"),
        (BINARY, [True, False], "it must broadcast to (3, 3)"),
    ],
)
def test_another_mask_is_refused_in_one_line(operation: str, mask: Any, said: str) -> None:
    target = LABELS if operation == "cross_entropy" else SOFT
    with pytest.raises(ArgumentValueError) as refusal:
        lossdiff.exact(operation, LOGITS, target, where=mask)

    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
