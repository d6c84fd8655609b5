"""The second derivative along a direction, against enclosures of the second oracle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases import model
from lossdiff.cases.model import Case
from lossdiff.cases.operations import COVERED
from lossdiff.harness.oracle.second_order import solve_second
from lossdiff.harness.oracle.solution import Convention
from lossdiff.harness.oracle.solve import solve

from . import arb
from .oracle_questions import ELEMENTS, GOOD_ENOUGH, LARGE, LOGITS, ROWS, TINY, asked, suites

if TYPE_CHECKING:
    from lossdiff.harness.oracle.double_double import Exact


def second(case: Case, convention: Convention | None = None) -> Exact:
    """Return the second derivative, which has to be there."""
    found = solve_second(case, case.inputs(), convention or Convention())
    assert found is not None
    return found


def worst_of(case: Case) -> tuple[int, float]:
    """Return how many values a case has, and the worst distance in ulp of float64."""
    ours, right = second(case), arb.second(case, case.inputs())
    ulps = arb.ulps_apart(ours, right)
    worst = np.unravel_index(int(ulps.argmax()), ulps.shape) if ulps.size else ()
    assert np.all(ulps <= GOOD_ENOUGH), (
        f"{case.id} is {ulps.max()} ulp off at {worst}: got {ours.to_float()[worst]}, "
        f"wanted {right.balls[worst]}"
    )
    return ulps.size, float(ulps.max(initial=0.0))


@pytest.mark.parametrize("operation", [it.name for it in COVERED])
def test_every_answer_is_within_a_millionth_of_an_ulp(operation: str) -> None:
    count, worst = 0, 2.0**-100
    for case in suites():
        if case.operation == operation and not arb.is_refused(case, case.inputs()):
            values, apart = worst_of(case)
            count, worst = count + values, max(worst, apart)

    print(f"\n{operation}: {count} values, worst 2^{math.log2(worst):.1f} ulp of float64")  # noqa: T201
    assert count > 1000


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_extreme_rows(rows: list[list[float]]) -> None:
    classes = len(rows[0])
    for operation in ("softmax", "log_softmax", "logsumexp"):
        worst_of(asked(operation, rows))
    soft = np.full((len(rows), classes), 1 / classes)
    weight = np.linspace(0, 2, classes)
    for reduction in ("none", "mean", "sum"):
        options: dict[str, Any] = {"label_smoothing": 0.1, "reduction": reduction}
        worst_of(asked("cross_entropy", rows, [0] * len(rows), kind="index", **options))
        worst_of(asked("cross_entropy", rows, soft, kind="soft", weight=weight, **options))


@pytest.mark.parametrize("operation", ["sigmoid", "log_sigmoid", "exp"])
def test_extreme_elements(operation: str) -> None:
    worst_of(asked(operation, [ELEMENTS]))


@pytest.mark.parametrize("z", [0.0, 1.0, 0.5, 1 - 2.0**-53])
@pytest.mark.parametrize("pos_weight", [1.0, 0.0, -7.0])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_extreme_elements_of_binary_losses(z: float, pos_weight: float, reduction: str) -> None:
    count = len(ELEMENTS)
    worst_of(
        asked(
            "binary_cross_entropy_with_logits", [ELEMENTS], np.full((1, count), z),
            kind="multi_label", weight=np.arange(count) / 4, pos_weight=[pos_weight] * count,
            reduction=reduction,
        )
    )  # fmt: skip


@pytest.mark.parametrize("z", [0.0, 1.0, 0.25])
def test_extreme_probabilities(z: float) -> None:
    probs = [0.0, TINY, 2.0**-1022, 1e-7, 0.5, 1 - 2.0**-30, 1 - 2.0**-53, 1.0]
    target = np.full((1, len(probs)), z)
    worst_of(asked("binary_cross_entropy", [probs], target, kind="multi_label", reduction="sum"))
    worst_of(asked("cross_entropy_probs", [probs], target, kind="soft", reduction="none"))


# --- where terms cancel ----------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_nothing_is_lost_where_a_direction_is_the_mean(offset: float) -> None:
    """t_0 = Σ p t where p_1 (t_0 − t_1) = p_2 (t_2 − t_0)."""
    t = Case("softmax", "zeros", (60, 3), "float64").direction()
    left, right = t[:, 0] - t[:, 1], t[:, 2] - t[:, 0]
    ratio = np.where(left * right > 0, right / np.where(left == 0, 1, left), 1.0)
    logits = np.stack([np.full(60, offset), np.log(ratio), np.zeros(60)], axis=1)

    for operation in ("softmax", "log_softmax", "logsumexp"):
        worst_of(asked(operation, logits))
    case = asked("cross_entropy", logits, [0] * 60, kind="index", reduction="sum")
    assert arb.second(case, case.inputs()).lost_bits().max() > 50
    worst_of(case)


def test_nothing_is_lost_where_the_second_softmax_derivative_passes_through_zero() -> None:
    """Two classes have (t_0 − t_1)(v_0 − v_1) p q (q − p), which is 0 at p = q = 1/2."""
    for gap in (0.0, 1e-15, 1e-40, 1e-200, TINY):
        worst_of(asked("softmax", [[gap, 0.0], [0.0, gap]] * 10))
    # three classes: where the first element changes its sign, between two logits
    case = Case("softmax", "zeros", (60, 3), "float64")

    def first(slope: np.ndarray) -> np.ndarray:
        logits = np.stack([slope, np.zeros(60), slope / 2], axis=1)
        return second(asked("softmax", logits)).to_float()[:, 0]

    low, high = np.full(60, -8.0), np.full(60, 8.0)
    changes = first(low) * first(high) < 0
    for _ in range(60):
        middle = (low + high) / 2
        same = first(middle) * first(low) > 0
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    logits = np.stack([low, np.zeros(60), low / 2], axis=1)
    made = asked("softmax", logits)
    lost = arb.second(made, made.inputs()).lost_bits().reshape(case.shape)
    assert lost[changes, 0].max() > 45
    worst_of(made)


def test_ties_leave_exactly_what_the_numbers_say() -> None:
    case = asked("softmax", np.full((80, 4), 7.0))
    t, v = case.direction(), case.cotangent(case.shape)
    c = (t - t.mean(axis=1, keepdims=True)) * (v - v.mean(axis=1, keepdims=True))
    right = (c - c.mean(axis=1, keepdims=True)) / 4  # eighths: without rounding
    got = second(case).to_float()

    assert np.array_equal(got, right)
    assert (got == 0).any()


# --- no agreed answer, and conventions -------------------------------------------------------


@pytest.mark.parametrize("operation", ["softmax", "log_softmax"])
def test_there_is_no_agreed_answer_where_the_gradient_has_none(operation: str) -> None:
    case = asked(operation, LOGITS)
    gradient = solve(case, case.inputs()).quantities["gradient_logits"]

    assert np.array_equal(np.isnan(second(case).hi), np.isnan(gradient.hi))


@pytest.mark.parametrize("kind", ["index", "soft"])
def test_of_a_loss_neither(kind: str) -> None:
    target = [0, 1, -100, -100] if kind == "index" else np.full((4, 3), 0.25)
    for reduction in ("mean", "none"):
        case = asked("cross_entropy", LOGITS, target, kind=kind, reduction=reduction)
        gradient = solve(case, case.inputs()).quantities["gradient_logits"]

        assert np.array_equal(np.isnan(second(case).hi), np.isnan(gradient.hi))
    nothing = asked("cross_entropy", LOGITS[:1], [-100], kind="index")
    assert np.isnan(second(nothing).hi).all()
    assert not second(nothing, Convention(nothing_counts_is_zero=True)).hi.any()


def test_conventions_scale_it_like_the_gradient() -> None:
    logits = [[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]]
    case = asked("cross_entropy", logits, [0, 2], kind="index", weight=[0.5, 1.0, 2.0])
    ratio = (second(case, Convention(mean_over="rows")) / second(case)).to_float()

    assert np.array_equal(ratio, np.full((2, 3), 2.5 / 2))


def test_a_clipped_probability_moves_no_more() -> None:
    probs = [[1e-9, 0.5], [1 - 1e-9, 0.25]]
    for name, kind in (("binary_cross_entropy", "multi_label"), ("cross_entropy_probs", "soft")):
        case = asked(name, probs, [[0.5, 0.5]] * 2, kind=kind, reduction="sum")
        plain, clipped = second(case).to_float(), second(case, Convention(clip=1e-7)).to_float()

        assert clipped[:, 0].tolist() == [0.0, 0.0]
        assert np.array_equal(clipped[:, 1], plain[:, 1])
        assert plain[:, 0].all()


@pytest.mark.parametrize(
    "convention", [Convention(renormalise="before"), Convention(log_floor=-100.0)]
)
def test_conventions_that_nobody_differentiates_twice_have_no_answer(
    convention: Convention,
) -> None:
    case = asked("cross_entropy_probs", [[0.5, 0.25]], [0], kind="index")

    assert solve_second(case, case.inputs(), convention) is None


@pytest.mark.parametrize("name", LARGE)
def test_a_large_case_is_solved_in_its_first_rows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case.parse(name)
    right = arb.second(case, case.inputs())
    monkeypatch.setattr(model, "_MOST_JUDGED", 30)
    found = second(case)

    gradient = solve(case, case.inputs()).quantities["gradient_logits"]
    assert found.shape == gradient.shape
    head = arb.Enclosure(right.balls[:10], right.terms[:10])
    assert np.all(arb.ulps_apart(found, head) <= GOOD_ENOUGH)
