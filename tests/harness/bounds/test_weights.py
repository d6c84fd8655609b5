"""Weights that are negative, cancel, are tiny or huge: correct computations are not flagged."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lossdiff.backends.base import Backend
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import COVERED, DTYPES, OPERATIONS, Options
from lossdiff.harness.bounds.algorithms import SOUND as SOUNDLY
from lossdiff.harness.judging import SolvedCase, judge, solved_case
from lossdiff.harness.workers.evaluate import evaluate
from lossdiff.harness.workers.messages import Setup
from lossdiff.harness.workers.process import load

from ...planted import sound, sound_variants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lossdiff.harness.judging import Verdict
    from numpy.typing import NDArray

    Array = NDArray[Any]

LOSSES = [operation.name for operation in COVERED if operation.is_loss]
SOUND = (sound, sound_variants)
PREFIXES = ("sound.", "sound_variants.", "numpy.recipes.")


# --- questions -------------------------------------------------------------------------------


def mixed(rng: np.random.Generator, classes: int, form: Any) -> Array:
    """Both signs, all digits."""
    return rng.normal(size=classes)


def cancelling(rng: np.random.Generator, classes: int, form: Any) -> Array:
    """Pairs that leave little of each other: 2^-1 to 2^-20 of them."""
    weight = rng.normal(size=classes)
    rest = 2.0 ** -rng.integers(1, 21, classes // 2)
    weight[1::2] = -weight[: 2 * (classes // 2) : 2] * (1 + rest)
    return weight


def few_bits(rng: np.random.Generator, classes: int, form: Any) -> Array:
    """Whole numbers of either sign, whose sums are exact, and often 0."""
    return rng.integers(-3, 4, classes).astype(np.float64)


def far_apart(rng: np.random.Generator, classes: int, form: Any) -> Array:
    """From 2^-12 to 2^12: what is small may be lost in the sum."""
    return rng.normal(size=classes) * 2.0 ** rng.integers(-12, 13, classes)


def tiny(rng: np.random.Generator, classes: int, form: Any) -> Array:
    """Next to the smallest normal number, on both sides."""
    return rng.integers(1, 64, classes) * form.tiny / 4


def smallest(rng: np.random.Generator, classes: int, form: Any) -> Array:
    """Few of the smallest subnormal numbers."""
    return rng.integers(1, 9, classes) * form.smallest


def huge(rng: np.random.Generator, classes: int, form: Any) -> Array:
    """Next to the largest number, of either sign."""
    return rng.uniform(-1, 1, classes) * form.max


SIGNED = (mixed, cancelling, few_bits, far_apart)
EXTREME = (tiny, smallest, huge)


@st.composite
def questions(draw: st.DrawFn, operation: str, families: tuple[Any, ...]) -> SolvedCase:
    """Draw a question about a loss with weights of some families."""
    contract = OPERATIONS[operation]
    kind = draw(st.sampled_from(contract.targets))
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.sampled_from([(4, 10), (2, 3, 5), (1, 2), (7, 3), (40, 4)]))
    rng = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32))))
    form, classes = FORMATS[dtype], shape[1]
    values = rng.normal(size=shape) * draw(st.sampled_from([1.0, 10.0]))
    if contract.domain == "probs":
        values = np.clip(rng.random(shape), form.tiny, 1 - 4 * form.unit_roundoff)
    elif contract.domain == "log_probs":
        values = -np.abs(values)
    rest = shape[:1] + shape[2:]
    labels = rng.integers(0, classes, rest)
    if kind == "index":
        target: Array = labels
        if "ignore_index" in contract.options:
            target = np.where(rng.random(rest) < 0.2, -100, labels)
    elif kind == "one_hot":
        target = np.moveaxis(np.eye(classes)[labels], -1, 1)
    else:
        target = rng.random(shape)
        if draw(st.booleans()):
            target = np.rint(target)
        if kind == "soft":
            target = target / np.maximum(target.sum(axis=1, keepdims=True), 1)
    arrays = {
        name: form.round(draw(st.sampled_from(families))(rng, classes, form))
        for name in ("weight", "pos_weight")
        if name in contract.options and (name == "weight" or draw(st.booleans()))
    }
    options: dict[str, Any] = dict.fromkeys(arrays, "given")
    options["reduction"] = draw(st.sampled_from(["mean", "sum", "none"]))
    if "label_smoothing" in contract.options:
        options["label_smoothing"] = draw(st.sampled_from([0.0, 0.1, 1.0]))
    inputs = Inputs(form.round(values), target if kind == "index" else form.round(target), **arrays)
    case = Case(
        operation, "file:made", shape, dtype, kind, "given", Options(**options), given=inputs
    )  # fmt: skip
    return SolvedCase(case, inputs)


# --- answers ---------------------------------------------------------------------------------


@cache
def backend() -> Backend:
    """Return NumPy, its recipes, and the sound implementations as a user's own."""
    return load(Setup("numpy", extra=tuple(module.__name__ for module in SOUND)))


def said(question: SolvedCase) -> Iterator[tuple[str, str, Verdict]]:
    """Yield name, quantity and verdict of every sound implementation."""
    case = question.case
    with np.errstate(all="ignore"):
        for name, implementation in backend().implementations.items():
            if not name.startswith(PREFIXES) or implementation.operation != case.operation:
                continue
            if implementation.unsupported(case):
                continue
            for quantity, answer in evaluate(backend(), name, "eager", case).answers.items():
                yield name, quantity, judge(question, quantity, answer)


def is_overflow(verdict: Verdict) -> bool:
    """Whether a step on the way overflowed: inf, NaN, an error of `fsum`, or 0 over an infinity."""
    return verdict.word == "raised" or verdict.got in ("inf", "-inf", "nan", "0.0", "-0.0")


MANY = settings(
    deadline=None, max_examples=100, suppress_health_check=list(HealthCheck), derandomize=True
)


@pytest.mark.parametrize("operation", LOSSES)
def test_a_sound_loss_with_weights_of_either_sign_is_not_flagged(operation: str) -> None:
    @MANY
    @given(questions(operation, SIGNED))
    def holds(question: SolvedCase) -> None:
        for name, quantity, verdict in said(question):
            assert not verdict.is_finding, f"{name} {quantity}: {verdict}"

    holds()


@pytest.mark.parametrize("operation", LOSSES)
def test_a_sound_loss_with_extreme_weights_is_flagged_for_an_overflow_only(operation: str) -> None:
    @MANY
    @given(questions(operation, EXTREME))
    def holds(question: SolvedCase) -> None:
        for name, quantity, verdict in said(question):
            is_right = not verdict.is_finding or is_overflow(verdict)
            assert is_right, f"{name} {quantity}: {verdict}"

    holds()


# --- the divisor -----------------------------------------------------------------------------


def nearly_nothing(left: float, seed: int) -> SolvedCase:
    """Return three rows whose weights sum to some `left` of their magnitudes.

    The row of the negative weight has hardly any loss, so that the losses do not cancel.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    weight = rng.random(3)
    weight[2] = -(weight[0] + weight[1]) * (1 - 2 * left)
    x = rng.normal(size=(3, 3)) + 20 * np.diag([0, 0, 1])
    inputs = Inputs(x.astype(np.float32), np.arange(3), weight.astype(np.float32))
    case = Case(
        "cross_entropy", "file:made", (3, 3), "float32", "index", "given",
        Options(weight="given"), given=inputs,
    )  # fmt: skip
    return SolvedCase(case, inputs)


def plainly(question: SolvedCase) -> np.float32:
    """Return the mean as anyone writes it in NumPy, in float32."""
    x, labels, weight = question.inputs.values, question.inputs.target, question.inputs.weight
    assert labels is not None
    assert weight is not None
    d = x - x.max(axis=1, keepdims=True)
    l = np.log(np.exp(d).sum(axis=1)) - d[np.arange(len(labels)), labels]
    w = weight[labels]
    return np.float32((w * l).sum() / w.sum())


@pytest.mark.parametrize("left", [2.0**-4, 2.0**-8, 2.0**-12, 2.0**-15])
def test_a_divisor_that_cancels_makes_the_mean_as_bad_as_its_bound_says(left: float) -> None:
    ratios, without = [], []
    for seed in range(200):
        question = nearly_nothing(left, seed)
        exact = question.solution.quantities["value"].to_float()
        error = abs(float(plainly(question)) - exact)
        limit = question.bound(question.solution, "value", SOUNDLY)
        perfect = replace(question.solution, condition=1.0)
        ratios.append(error / limit)
        without.append(error / question.bound(perfect, "value", SOUNDLY))

    assert 0.05 < max(ratios) <= 1
    assert left > 2.0**-8 or max(without) > 1


@pytest.mark.parametrize("off", [0.5, 1.5])
def test_a_divisor_that_cancels_excuses_no_wrong_one(off: float) -> None:
    question = nearly_nothing(2.0**-8, 0)
    wrong = np.float32(question.solution.quantities["value"].to_float() * off)

    assert judge(question, "value", np.asarray(wrong)).word == "inaccurate"


def test_the_condition_is_that_of_the_weights_and_not_of_the_smoothed_target() -> None:
    inputs = Inputs(np.eye(3, dtype=np.float32), np.arange(3), np.float32([2.0, -1.0, 0.5]))
    for smoothing in (0.0, 0.5, 1.0):
        options = Options(weight="given", label_smoothing=smoothing)
        case = Case(
            "cross_entropy", "file:made", (3, 3), "float32", "index", "given", options,
            given=inputs,
        )  # fmt: skip

        assert SolvedCase(case, inputs).solution.condition == pytest.approx(3.5 / 1.5)


@pytest.mark.parametrize(
    "text",
    [
        "cross_entropy/soft.unnormalised/float64/4x10/half_max/weight=negative,reduction=none/0",
        "binary_cross_entropy_with_logits/multi_label.binary/float64/4x10/both_inf/weight=positive/0",
        "binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/neg_inf/weight=positive/0",
    ],
)
def test_what_tiny_weights_may_lose_stays_finite_beside_infinite_logits(text: str) -> None:
    """An infinite bound would be taken for none at all."""
    case = Case.parse(text)
    question = solved_case(case)

    for quantity, exact in question.solution.quantities.items():
        right = np.abs(exact.to_float())
        asked = np.isfinite(right) & (right > 0)
        limit = question.bound(question.solution, quantity, SOUNDLY)
        assert (limit[asked] > right[asked] * 2.0**-54).all(), quantity
