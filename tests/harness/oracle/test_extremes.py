"""The oracle at the ends of float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from .oracle_questions import (
    ELEMENTS,
    ROWS,
    TINY,
    asked,
    worst_of,
)

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("operation", ["softmax", "log_softmax", "logsumexp"])
def test_extreme_rows_of_array_operations(operation: str, rows: list[list[float]]) -> None:
    worst_of(asked(operation, rows))


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_extreme_rows_of_losses(rows: list[list[float]], smoothing: float, reduction: str) -> None:
    classes = len(rows[0])
    weight = np.linspace(0.5 if reduction == "mean" else 0, 2, classes)
    options: dict[str, Any] = {"label_smoothing": smoothing, "reduction": reduction}
    for label in {0, classes // 2, classes - 1}:
        labels = [label] * len(rows)
        hot = np.eye(classes)[labels]
        soft = np.full((len(rows), classes), 1 / classes)
        worst_of(asked("cross_entropy", rows, labels, kind="index", **options))
        worst_of(asked("cross_entropy", rows, labels, kind="index", weight=weight, **options))
        worst_of(asked("cross_entropy", rows, hot, kind="one_hot", **options))
        worst_of(asked("cross_entropy", rows, soft, kind="soft", weight=weight, **options))


@pytest.mark.parametrize("operation", ["sigmoid", "log_sigmoid", "exp"])
def test_extreme_elements(operation: str) -> None:
    worst_of(asked(operation, [ELEMENTS]))


@pytest.mark.parametrize("z", [0.0, 1.0, 0.5, 2.0**-30, 1 - 2.0**-53])
@pytest.mark.parametrize("pos_weight", [1.0, 0.125, 0.0, 7.0])
@pytest.mark.parametrize("weight", [1.0, 0.0, 1.5])
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_extreme_elements_of_binary_losses(
    z: float, pos_weight: float, weight: float, reduction: str
) -> None:
    count = len(ELEMENTS)
    worst_of(
        asked(
            "binary_cross_entropy_with_logits", [ELEMENTS], np.full((1, count), z),
            kind="multi_label", weight=[weight] * count, pos_weight=[pos_weight] * count,
            reduction=reduction,
        )
    )  # fmt: skip


@pytest.mark.parametrize("z", [0.0, 1.0, 0.25])
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_extreme_probabilities(z: float, weight: float) -> None:
    probs = [0.0, TINY, 2.0**-1022, 1e-7, 0.5, 1 - 2.0**-30, 1 - 2.0**-53, 1.0]
    target = np.full((1, len(probs)), z)
    weights = [weight] * len(probs)
    options: dict[str, Any] = {"weight": weights, "reduction": "none"}
    worst_of(asked("binary_cross_entropy", [probs], target, kind="multi_label", **options))
    worst_of(asked("cross_entropy_probs", [probs], target, kind="soft", **options))
