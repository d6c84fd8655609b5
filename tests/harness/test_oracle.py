"""The oracle, against enclosures of a second one that shares nothing with it."""

from __future__ import annotations

import math
import time
from decimal import localcontext
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from flint import arb as flint_arb
from flint import ctx
from lossdiff.cases import model
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.lists import EVERYDAY_TARGETS, EVERYDAY_VALUES
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import DTYPES, OPERATIONS, Options
from lossdiff.cases.stored import worked_examples
from lossdiff.cases.suites import suite
from lossdiff.cases.weights import WEIGHTS
from lossdiff.harness import oracle_fallback
from lossdiff.harness.conventions import conventions_for
from lossdiff.harness.oracle import solve
from lossdiff.harness.oracle_losses import targets
from lossdiff.harness.solution import Rules

from . import arb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lossdiff.harness.solution import Solution

GOOD_ENOUGH = 2.0**-20  # ulp of float64
LARGEST = 650  # elements of a case


@cache
def suites() -> tuple[Case, ...]:
    """Return the quick suite, draws from all that `full` knows, and every family of weights."""
    drawn = suite("fuzz", seed=11, count=700).cases
    every = (*suite("quick").cases, *drawn, *weighted())
    return tuple(case for case in every if np.prod(case.shape) <= LARGEST)


def weighted() -> Iterator[Case]:
    """Yield every loss with every family of weights, by every kind of target."""
    for operation in OPERATIONS.values():
        family = EVERYDAY_VALUES[operation.domain]
        for option in {"weight", "pos_weight"} & set(operation.options):
            asked = product(WEIGHTS, operation.targets, ("mean", "sum", "none"), DTYPES)
            for number, (weights, kind, reduction, dtype) in enumerate(asked):
                given: dict[str, Any] = {option: weights, "reduction": reduction}
                if "label_smoothing" in operation.options and number % 2:
                    given["label_smoothing"] = 0.1
                options, target = Options(**given), EVERYDAY_TARGETS[kind]
                shape = (4, 10) if number % 3 else (2, 3, 5)
                yield Case(operation.name, family, shape, dtype, kind, target, options, number)


def asked(
    operation: str,
    values: Any,
    target: Any = None,
    *,
    kind: str | None = None,
    dtype: str = "float64",
    weight: Sequence[float] | None = None,
    pos_weight: Sequence[float] | None = None,
    **options: Any,
) -> Case:
    """Return a case with given arrays."""
    given = Inputs(
        np.asarray(values, dtype),
        None if target is None else np.asarray(target, "int64" if kind == "index" else dtype),
        None if weight is None else np.asarray(weight, dtype),
        None if pos_weight is None else np.asarray(pos_weight, dtype),
    )
    shape = given.values.shape
    return Case(
        operation, "file:made", shape, dtype, kind, "given" if kind else "",  # type: ignore[arg-type]
        Options(**options), given=given,
    )  # fmt: skip


def worst_of(case: Case) -> tuple[int, float]:
    """Return how many values a case has, and the worst distance in ulp of float64."""
    solution, right = solve(case, case.inputs()), arb.answers(case, case.inputs())
    assert bool(solution.refusal) == (right is None), f"{case.id}: {solution.refusal!r}"
    if right is None:
        return 0, 0.0
    assert right.keys() == solution.quantities.keys()
    apart = {name: arb.ulps_apart(solution.quantities[name], right[name]) for name in right}
    for name, ulps in apart.items():
        worst = np.unravel_index(int(ulps.argmax()), ulps.shape) if ulps.size else ()
        assert np.all(ulps <= GOOD_ENOUGH), (
            f"{name} of {case.id} is {ulps.max()} ulp off at {worst}: got "
            f"{solution.quantities[name].to_float()[worst]}, wanted {right[name].balls[worst]}"
        )
    return sum(ulps.size for ulps in apart.values()), max(
        (float(ulps.max(initial=0.0)) for ulps in apart.values()), default=0.0
    )


def value(solution: Solution, quantity: str = "value") -> list[Any]:
    """Return a quantity as a list of floats."""
    return solution.quantities[quantity].to_float().tolist()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_within_a_millionth_of_an_ulp(operation: str) -> None:
    count, worst = 0, 0.0
    for case in suites():
        if case.operation == operation:
            values, apart = worst_of(case)
            count, worst = count + values, max(worst, apart)

    print(f"\n{operation}: {count} values, worst 2^{math.log2(worst):.1f} ulp of float64")  # noqa: T201
    assert count > 1000


def test_every_option_and_target_is_among_the_cases() -> None:
    for operation in OPERATIONS.values():
        cases = [case for case in suites() if case.operation == operation.name]
        for option in operation.options:
            assert any(option in case.options.given() for case in cases), option
        assert {case.target_kind for case in cases} == set(operation.targets or [None])


@pytest.mark.parametrize("name", worked_examples())
def test_worked_examples_agree_with_what_their_documents_print(name: str) -> None:
    example = worked_examples()[name]
    kind = example.target_kind
    case = Case(
        example.operation, f"worked:{name}", example.values.shape, "float64", kind,
        "given" if kind else "", example.options,
    )  # fmt: skip
    exact = solve(case, case.inputs()).quantities["value"].to_float()

    assert np.all(abs(exact - example.expected) <= example.atol)
    worst_of(case)


# --- extremes --------------------------------------------------------------------------------

TINY, HUGE = 5e-324, 1.7976931348623157e308
ROWS = {
    "one class": [[3.0]],
    "subnormals": [[TINY, -TINY, 0.0, 3 * TINY]],
    "opposite ends": [[HUGE, -HUGE, 0.0]],
    "all at the top": [[HUGE, HUGE, HUGE]],
    "all at the bottom": [[-HUGE, -HUGE, np.nextafter(-HUGE, 0)]],
    "neighbours": [[1e16, 1e16 + 2, 1e16 - 2]],
    "a gap of 2^-52": [[1.0, 1 + 2.0**-52, 1.0]],
    "a loss of 1e-307": [[0.0, -706.0, -706.5]],
    "a subnormal loss": [[0.0, -744.0, -740.0]],
    "a loss below all numbers": [[0.0, -1e5, -1e300]],
    "masked": [[-np.inf, 1.0, -np.inf, 2.0]],
    "all masked but one": [[-np.inf, 1.0, -np.inf]],
    "negative zero": [[-0.0, 0.0, -0.0]],
    "many ties": [[5.0] * 40],
    "probability next to one": [[40.0, 0.0, 0.0], [80.0, 0.0, -1.0]],
}


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


ELEMENTS = [
    0.0, -0.0, TINY, -TINY, 1e-300, 1e-17, 0.5, -1.0, 36.7, 37.5, -37.5, 88.7, -104.0, 709.9,
    -745.1, -745.2, 1e5, -1e5, 1e300, HUGE, -HUGE, np.inf, -np.inf, np.nan,
]  # fmt: skip


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


# --- where terms cancel ----------------------------------------------------------------------


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
    rules = Rules(renormalise=renormalise, clip=clip)
    got = solve(case, case.inputs(), rules).quantities["gradient_logits"]

    with ctx.workprec(400):
        for row, column in np.ndindex(probs.shape):
            x, w = ([flint_arb(number) for number in array[row]] for array in (probs, target))
            right = (sum(w) - w[column] * sum(x) / x[column]) / sum(x)
            assert abs(arb.ball_of(got, (row, column)) - right) <= abs(right) * 2.0**-73


def test_a_probability_next_to_one_keeps_its_loss_when_divided_by_the_sum() -> None:
    case = asked("cross_entropy_probs", [[1.0, 1e-30]], [0], kind="index", reduction="sum")
    got = solve(case, case.inputs(), Rules(renormalise="before")).quantities["value"]

    assert got.to_float() == 1e-30


def test_conventions_tell_the_fallback_what_their_weights_are_made_of() -> None:
    count = 0
    for case in suites():
        if not case.contract.is_loss or not case.contract.reads_classes:
            continue
        inputs = case.inputs()
        classes = case.shape[case.class_axis]
        shape = inputs.values.size // classes, classes
        for _, rules in (("", Rules()), *conventions_for(case)):
            target = targets(case, inputs, rules, shape)
            row = int(np.argmax(target.counts))
            if not target.counts[row]:
                continue
            with localcontext(prec=60):
                exact = [float(number / classes) for number in target.exact.row(row)]
            count += 1
            assert np.allclose(exact, target.w.to_float()[row], rtol=1e-15, atol=0), rules
    assert count > 1000


def test_a_long_row_is_answered_within_seconds() -> None:
    classes = 20000
    logits = np.random.Generator(np.random.PCG64(5)).normal(size=(1, classes))
    case = asked("softmax", logits)
    target = solve(case, case.inputs()).quantities["value"].to_float()
    near = asked("cross_entropy", logits, target, kind="soft", reduction="sum")
    started = time.monotonic()
    gradient = solve(near, near.inputs()).quantities["gradient_logits"].to_float()

    assert time.monotonic() - started < 30
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


# --- no agreed answer, and errors ------------------------------------------------------------

LOGITS = [[1.0, 2.0, 3.0], [0.0, np.nan, 1.0], [0.5, np.inf, 1.0], [-np.inf] * 3]


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


def test_a_masked_class_has_an_infinite_loss_and_a_gradient_of_minus_one() -> None:
    case = asked("cross_entropy", [[0.0, -np.inf, 0.0]], [1], kind="index", reduction="sum")
    solution = solve(case, case.inputs())

    assert value(solution) == np.inf
    assert value(solution, "gradient_logits") == [[0.5, -1.0, 0.5]]


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


# --- more rows than are judged ---------------------------------------------------------------

LARGE = [
    "cross_entropy/index.random/float32/64x3/normal/-/0",
    "cross_entropy/index.top/float32/64x3/far_tail/reduction=sum/0",
    "cross_entropy/index.top/bfloat16/64x3/dominant/-/0",
    "cross_entropy/index.bottom/float16/64x3/far_end/-/0",
    "cross_entropy/index.some_ignored/bfloat16/64x3/neg_inf/ignore_index=-1/0",
    "cross_entropy/index.random/float64/64x3/normal_100/weight=positive,label_smoothing=0.1/0",
    "cross_entropy/soft.soft/float32/64x3/normal_10/weight=with_zeros,reduction=sum/0",
    "cross_entropy/index.random/float32/64x3/normal/reduction=none/0",
    "nll_loss/index.random/float32/64x3/log_probs/weight=positive/0",
    "softmax/float32/64x3/normal/-/0",
    "logsumexp/float16/64x3/normal_100/-/0",
]


@pytest.mark.parametrize("name", LARGE)
def test_a_large_case_is_solved_in_its_first_rows_and_its_loss_in_all(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case.parse(name)
    right = arb.answers(case, case.inputs())
    assert right is not None
    monkeypatch.setattr(model, "_MOST_JUDGED", 30)
    solution = solve(case, case.inputs())

    rows = case.judged_rows
    assert rows == 10
    for quantity, exact in solution.quantities.items():
        whole = right[quantity]
        head = whole
        if whole.balls.ndim:
            head = arb.Enclosure(whole.balls[:rows], whole.terms[:rows])
        ulps = arb.ulps_apart(exact, head)
        # beyond the first part float64 stands for the exact sum of a narrower dtype
        finer = {"float64": 0, "float32": 29, "float16": 42, "bfloat16": 45}[case.dtype]
        assert np.all(ulps <= GOOD_ENOUGH * 2.0**finer), quantity
