"""What the suites would miss in a function that claims little is found by its own questions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from .asked import findings, taken

Array = NDArray[Any]


def log_softmax_of(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def loss(x: Array, target: Array, *, smoothing: float = 0.0, reduction: str = "mean") -> Any:
    """Return a cross-entropy of shape (N, C) with index targets, in float64 inside."""
    logs = log_softmax_of(x.astype(np.float64))
    if ((target < 0) | (target >= x.shape[1])).any():
        raise IndexError("a label is no class")
    rows = -(1 - smoothing) * logs[np.arange(len(x)), target] - smoothing * logs.mean(axis=1)
    reduced = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](rows)
    return x.dtype.type(reduced) if reduction != "none" else reduced.astype(x.dtype)


def only_two_axes(function: Any, **given: Any) -> Any:
    """Return a loss as it is taken if it knows index targets and two axes."""
    limits = {"dtypes": frozenset({"float32", "float64"}), "ranks": frozenset({2})}
    return taken(
        "numpy", "cross_entropy", function, ("index",), finite_logits_only=True, **given, **limits
    )


def test_a_smoothing_that_is_wrong_is_found_where_no_other_option_is_claimed() -> None:
    def smoothed_by_too_little(
        x: Array, target: Array, *, label_smoothing: float = 0.0, reduction: str = "mean"
    ) -> Any:
        return loss(x, target, smoothing=label_smoothing / 1000, reduction=reduction)

    found = findings(
        only_two_axes(smoothed_by_too_little, options=("label_smoothing", "reduction"))
    )

    wrong = [row for row in found if (row.quantity, row.verdict) == ("value", "inaccurate")]
    assert {row.options.get("label_smoothing") for row in wrong} == {0.1}
    assert {row.options.get("reduction", "mean") for row in wrong} == {"mean", "none", "sum"}


def without_last_block(x: Array, axis: int, block: int) -> Array:
    """Return a softmax whose sums leave out what follows the last whole block."""
    moved = np.moveaxis(x, axis, -1)
    whole = max(moved.shape[-1] // block, 1) * block
    with np.errstate(all="ignore"):
        shifted = np.exp(moved - moved.max(axis=-1, keepdims=True))
        result = shifted / shifted[..., :whole].sum(axis=-1, keepdims=True)
    return np.moveaxis(result, -1, axis)


@pytest.mark.parametrize("block", [32, 128])
def test_a_loop_that_stops_at_the_last_whole_block_is_found(block: int) -> None:
    def softmax(x: Array, *, axis: int = -1) -> Array:
        return without_last_block(x, axis, block)

    found = findings(
        taken("numpy", "softmax", softmax, (), ("axis",), dtypes=frozenset({"float32"}))
    )

    sizes = {int(row.shape.split("x")[-1]) for row in found if row.verdict == "inaccurate"}
    beside = (33, 127, 129, 255, 257, 1000, 1025)
    assert sizes == {size for size in beside if size % block and size > block}


@pytest.mark.parametrize("options", [(), ("reduction",)])
def test_rows_beyond_the_limit_of_a_grid_are_found_to_be_left_out(options: tuple[str, ...]) -> None:
    def loss_of_at_most_65535_rows(x: Array, target: Array, *, reduction: str = "mean") -> Any:
        rows = loss(x, target, reduction="none")
        rows[65535:] = 0.0
        return loss(x[:65535], target[:65535], reduction="mean") if reduction == "mean" else rows

    def is_sound(x: Array, target: Array, *, reduction: str = "mean") -> Any:
        return loss(x, target, reduction=reduction)

    def shapes_of(function: Any) -> set[str]:
        return {row.shape for row in findings(only_two_axes(function, options=options))}

    assert "65600x2" in shapes_of(loss_of_at_most_65535_rows) - shapes_of(is_sound)
