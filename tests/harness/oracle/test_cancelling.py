"""The oracle where terms cancel, by design or by coincidence."""

from __future__ import annotations

import math
from decimal import localcontext
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import numpy as np
import pytest
from flint import arb as flint_arb
from flint import ctx
from lossdiff.cases.model import SCALAR_COTANGENT, Case
from lossdiff.harness.judging.conventions import conventions_for
from lossdiff.harness.oracle import decimal_fallback as oracle_fallback
from lossdiff.harness.oracle.losses import targets
from lossdiff.harness.oracle.solution import Convention
from lossdiff.harness.oracle.solve import solve

from . import arb
from .oracle_questions import (
    TINY,
    asked,
    suites,
    value,
    worst_of,
)

if TYPE_CHECKING:
    pass


def lost_bits(case: Case, quantity: str) -> float:
    """Return how many bits of its terms the worst value loses; all values have to be right."""
    right = arb.answers(case, case.inputs())
    assert right is not None
    worst_of(case)
    return float(right[quantity].lost_bits().max())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, [0.5, 1.5] * 5])
def test_a_soft_target_next_to_the_softmax_loses_nothing(
    smoothing: float, weight: list[float] | None
) -> None:
    """The gradient p ΣW − W of a target rounded from the softmax itself is some 2^-55."""
    case = Case("softmax", "normal", (40, 10), "float64")
    logits = case.inputs().values
    p = solve(case, case.inputs()).quantities["value"].to_float()
    target = np.clip((p - smoothing / 10) / (1 - smoothing), 0, 1)
    near = asked(
        "cross_entropy", logits, target, kind="soft", reduction="sum", weight=weight,
        label_smoothing=smoothing,
    )  # fmt: skip

    assert lost_bits(near, "gradient_logits") > (50 if weight is None else 0)


@pytest.mark.parametrize("gap", [1e-3, 1e-15, 1e-40, 1e-160, TINY])
def test_logits_that_are_almost_equal_keep_the_digits_of_their_difference(gap: float) -> None:
    logits = [[gap, 0.0], [2 * gap, -gap], [gap, gap]]
    worst_of(asked("cross_entropy", logits, np.full((3, 2), 0.5), kind="soft", reduction="sum"))
    worst_of(asked("softmax", np.tile(logits, (20, 1))))
    worst_of(asked("softmax", [[gap, 0.0, 0.0], [0.0, gap, -gap]] * 30))


@pytest.mark.parametrize(
    ("share", "classes"), [(0.1, 10), (0.25, 4), (0.3, 4), (1 / 3, 3), (1 / 7, 7), (1e-300, 5)]
)
def test_a_uniform_target_of_uniform_logits_has_a_gradient_of_exactly_zero(
    share: float, classes: int
) -> None:
    target = np.full((3, classes), share)
    for logits in (np.zeros((3, classes)), np.full((3, classes), 1e3)):
        for smoothing in (0.0, 0.1):
            case = asked(
                "cross_entropy", logits, target, kind="soft", label_smoothing=smoothing
            )  # fmt: skip
            worst_of(case)
            gradient = solve(case, case.inputs()).quantities["gradient_logits"]
            assert not gradient.hi.any()


def test_a_tiny_share_does_not_vanish_beside_the_largest() -> None:
    for logits in ([[800.0, 0.0, 0.0]], [[2000.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]):
        for target in ([[1.0, 1e-300, 0.0]], [[1.0, 1e-30, 1e-60]], [[1e-300, 1.0, 1e-17]]):
            worst_of(asked("cross_entropy", logits, target, kind="soft", reduction="sum"))


def test_logsumexp_next_to_zero_loses_nothing() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    logits = rng.normal(size=(40, 5))
    case = asked("logsumexp", logits)
    logits = logits - solve(case, case.inputs()).quantities["value"].to_float()[:, None]

    assert lost_bits(asked("logsumexp", logits), "value") > 50
    worst_of(asked("logsumexp", [[-TINY, -745.0], [-1e-300, -690.7755278982137], [0.0, -800.0]]))


def test_the_log_softmax_gradient_loses_nothing_where_the_probability_is_a_share() -> None:
    """v_0 = p_0 Σv where p_0/p_1 = v_0/v_1."""
    v = Case("log_softmax", "zeros", (60, 2), "float64").cotangent((60, 2))
    ratio = np.where(v[:, 0] * v[:, 1] > 0, np.abs(v[:, 0] / v[:, 1]), 1.0)
    logits = np.stack([np.log(ratio), np.zeros(60)], axis=1)

    assert lost_bits(asked("log_softmax", logits), "gradient_logits") > 50


@pytest.mark.parametrize("offset", [0.0, 50.0, 700.0])
def test_the_softmax_gradient_loses_nothing_where_a_cotangent_is_the_mean(offset: float) -> None:
    """v_0 = Σ p v where p_1 (v_0 − v_1) = p_2 (v_2 − v_0)."""
    v = Case("softmax", "zeros", (60, 3), "float64").cotangent((60, 3))
    left, right = v[:, 0] - v[:, 1], v[:, 2] - v[:, 0]
    ratio = np.where(left * right > 0, right / np.where(left == 0, 1, left), 1.0)
    logits = np.stack([np.full(60, offset), np.log(ratio), np.zeros(60)], axis=1)

    assert lost_bits(asked("softmax", logits), "gradient_logits") > 50


def test_the_binary_gradient_loses_nothing_where_the_target_is_the_sigmoid() -> None:
    logits = np.random.Generator(np.random.PCG64(2)).normal(size=(40, 3)) * 3
    target = 1 / (1 + np.exp(-logits))
    options: dict[str, Any] = {"kind": "multi_label", "reduction": "sum"}
    name = "binary_cross_entropy_with_logits"

    assert lost_bits(asked(name, logits, target, **options), "gradient_logits") > 50
    weights = [0.5, 1.5, 4.0]
    for factor, column in zip(weights, target.T, strict=True):
        column[:] = column / (factor + column - factor * column)
    case = asked(name, logits, target, pos_weight=weights, **options)
    assert lost_bits(case, "gradient_logits") > 50
    case = asked(name, np.zeros((1, 4)), [[0.5, 0.25, 0.1, 1.0]], **options)
    assert value(solve(case, case.inputs()), "gradient_logits")[0][0] == 0.0
    worst_of(case)


def test_the_gradient_by_a_binary_target_loses_nothing_next_to_zero() -> None:
    """It is p softplus(−x) − softplus(x), and p is rounded."""
    logits = np.linspace(-3, 3, 40)[None, :]
    weights = np.log1p(np.exp(logits[0])) / np.log1p(np.exp(-logits[0]))
    case = asked(
        "binary_cross_entropy_with_logits", logits, np.full((1, 40), 0.5), kind="multi_label",
        pos_weight=weights, reduction="sum",
    )  # fmt: skip

    assert lost_bits(case, "gradient_target") > 50


def test_binary_gradients_of_probabilities_lose_nothing() -> None:
    probs = np.array([[0.1, 0.3, 0.5, 0.7, 1e-9, 0.49999999, 0.5000001, TINY, 0.375, 0.625]])
    for target in (probs, np.nextafter(probs, 0), np.nextafter(probs, 1)):
        worst_of(
            asked("binary_cross_entropy", probs, target, kind="multi_label", reduction="sum")
        )  # fmt: skip
        worst_of(
            asked("binary_cross_entropy", target, probs, kind="multi_label", reduction="none")
        )  # fmt: skip


def test_losses_of_either_sign_add_up_to_what_is_left() -> None:
    labels = [0, 1, 0, 1]
    log_probs = [[1e17, 0.0], [0.0, -1e17], [-0.1, 0.0], [0.0, 0.3]]
    worst_of(asked("nll_loss", log_probs, labels, kind="index", reduction="sum"))
    worst_of(asked("nll_loss", log_probs, labels, kind="index", weight=[0.1, 0.7]))
    rng = np.random.Generator(np.random.PCG64(3))
    logits = rng.normal(size=(6, 4))
    signs = [1.0, -1.0, 1.0, -1.0]
    for kind, target in (("index", [0, 1, 2, 3, 0, 1]), ("soft", rng.random((6, 4)))):
        for reduction in ("sum", "none"):
            options: dict[str, Any] = {"kind": kind, "reduction": reduction, "weight": signs}
            worst_of(asked("cross_entropy", logits, target, label_smoothing=0.1, **options))
            worst_of(asked("cross_entropy_probs", rng.random((6, 4)), target, **options))


def test_negative_weights_cancel_whole_losses() -> None:
    """Two equal rows, two weights of opposite sign: what is left is exactly 0, or next to it."""
    logits = [[0.3, 0.2], [0.2, 0.3], [0.2, 0.3 + 2.0**-54]]
    options: dict[str, Any] = {"weight": [1.0, -1.0], "reduction": "sum"}
    for rows in (logits[:2], logits[::2]):
        worst_of(asked("cross_entropy", rows, [0, 1], kind="index", **options))
        worst_of(asked("cross_entropy_probs", rows, [0, 1], kind="index", **options))
        both = [[row[0], other[1]] for row, other in zip(rows, rows[::-1], strict=True)]
        target = [[1.0, 1.0], [0.0, 0.0]]
        for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
            worst_of(asked(name, both, target, kind="multi_label", **options))
    case = asked(
        "binary_cross_entropy_with_logits", [[1e-17, -0.5]], [[0.5, 0.25]], kind="multi_label",
        pos_weight=[-1.0, -3.0], reduction="none",
    )  # fmt: skip
    worst_of(case)


@pytest.mark.parametrize("renormalise", ["before", "after"])
@pytest.mark.parametrize("clip", [None, 1e-7])
def test_probabilities_that_are_divided_by_their_sum_lose_nothing(
    renormalise: str, clip: float | None
) -> None:
    """The gradient (ΣW − W/p)/Σx is 0 where the target is p."""
    probs = np.random.Generator(np.random.PCG64(4)).random((5, 4))
    target = probs / probs.sum(axis=1, keepdims=True)
    case = asked("cross_entropy_probs", probs, target, kind="soft", reduction="sum")
    convention = Convention(renormalise=renormalise, clip=clip)
    got = solve(case, case.inputs(), convention).quantities["gradient_logits"]

    with ctx.workprec(400):
        for row, column in np.ndindex(probs.shape):
            x, w = ([flint_arb(number) for number in array[row]] for array in (probs, target))
            right = (sum(w) - w[column] * sum(x) / x[column]) / sum(x) * SCALAR_COTANGENT
            assert abs(arb.ball_of(got, (row, column)) - right) <= abs(right) * 2.0**-73


def test_a_probability_next_to_one_keeps_its_loss_when_divided_by_the_sum() -> None:
    case = asked("cross_entropy_probs", [[1.0, 1e-30]], [0], kind="index", reduction="sum")
    got = solve(case, case.inputs(), Convention(renormalise="before")).quantities["value"]

    assert got.to_float() == 1e-30


def test_conventions_tell_the_fallback_what_their_weights_are_made_of() -> None:
    count = 0
    for case in suites():
        if not case.contract.is_loss or not case.contract.reads_classes:
            continue
        inputs = case.inputs()
        classes = case.shape[case.class_axis]
        shape = math.prod(case.shape) // classes, classes
        for _, convention in (("", Convention()), *conventions_for(case)):
            target = targets(case, inputs, convention, shape)
            if not target.counts.any():
                continue
            row = int(np.argmax(target.counts))
            with localcontext(prec=60):
                exact = [float(number / classes) for number in target.exact.row(row)]
            count += 1
            assert np.allclose(exact, target.w.to_float()[row], rtol=1e-15, atol=0), convention
    assert count > 1000


def test_a_long_row_is_worked_out_with_few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them would take minutes."""
    classes = 20000
    logits = np.random.Generator(np.random.PCG64(5)).normal(size=(1, classes))
    case = asked("softmax", logits)
    target = solve(case, case.inputs()).quantities["value"].to_float()
    near = asked("cross_entropy", logits, target, kind="soft", reduction="sum")
    answers = Mock(wraps=oracle_fallback._answers)
    monkeypatch.setattr(oracle_fallback, "_answers", answers)

    gradient = solve(near, near.inputs()).quantities["gradient_logits"].to_float()

    assert {call.args[-1] for call in answers.call_args_list} == {(60, 120, 240)}
    assert np.all(np.abs(gradient) < 1e-15)


def test_beyond_the_limit_the_fast_answer_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.random.Generator(np.random.PCG64(6)).normal(size=(3, 10))
    case = asked("softmax", logits)
    target = solve(case, case.inputs()).quantities["value"].to_float()
    near = asked("cross_entropy", logits, target, kind="soft", reduction="sum")
    right = solve(near, near.inputs()).quantities["gradient_logits"]
    monkeypatch.setattr(oracle_fallback, "_MOST_WORK", 15)
    limited = solve(near, near.inputs()).quantities["gradient_logits"]
    error = abs(limited - right).to_float()

    assert not error[0].any()  # the first row is always answered
    assert np.all((error[1:] > 0) & (error[1:] < 2.0**-90))


@pytest.mark.parametrize("classes", [2, 3, 8, 16, 33])
def test_the_softmax_gradient_of_ties_is_exactly_what_the_cotangents_leave(classes: int) -> None:
    case = asked("softmax", np.full((150, classes), 7.0))
    v = case.cotangent(case.shape)
    gradient = solve(case, case.inputs()).quantities["gradient_logits"].to_float()

    # eighths are summed without rounding
    expected = (v * classes - v.sum(axis=1, keepdims=True)) / classes**2
    assert np.array_equal(expected == 0, gradient == 0)
    assert np.allclose(expected, gradient, rtol=1e-15, atol=0)
