"""What a finding looks like: each usual mistake is named, and a sound answer looks like none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.judging import OR, SolvedCase, judge, looks_like, solved_case
from lossdiff.harness.judging.mistakes import MISTAKES
from lossdiff.harness.judging.problem import problem_of
from lossdiff.harness.judging.steps import RIGHT, Formula
from lossdiff.harness.judging.telltales import (
    AT_KINK,
    GRADIENT_NEXT_TO_1,
    NAN_OF_IGNORED,
    NEXT_TO_1,
)

from . import (
    planted_forms,
    planted_language_models,
    planted_linear_losses,
    planted_public,
    planted_shifts,
    planted_transforms,
)
from .planted_mistakes import PLANTED, Planted

assert planted_forms  # they add to the table
assert planted_language_models
assert planted_linear_losses
assert planted_public
assert planted_shifts
assert planted_transforms


def answer_of(fault: Planted, solved: SolvedCase) -> Any:
    """Return what a planted function gives, in the dtype that is due."""
    found = fault.answer(solved.inputs, solved.case)
    return np.asarray(found).astype(solved.inputs.values.dtype)


@pytest.mark.parametrize("fault", PLANTED, ids=lambda it: f"{it.name}-{it.case.partition('/')[0]}")
def test_a_planted_mistake_is_named(fault: Planted) -> None:
    solved = solved_case(Case.parse(fault.case))
    answer = answer_of(fault, solved)

    assert judge(solved, fault.quantity, answer).word not in ("exact", "faithful", "within bound")
    assert fault.name in looks_like(solved, fault.quantity, answer).split(OR)


def test_every_mistake_is_planted() -> None:
    """Of those that differ in one number, one."""
    kinds = {re.sub(r"\d[\d.e−-]*", "#", it.name) for it in MISTAKES}

    assert kinds <= {re.sub(r"\d[\d.e−-]*", "#", it.name) for it in PLANTED}


def sound_answers(*dtypes: str) -> Any:
    """Yield right answers of small cases, rounded to their dtype."""
    for case in suite("quick").cases[::7]:
        if np.prod(case.shape) <= 40 and case.dtype in dtypes:
            solved = solved_case(case)
            for quantity, exact in solved.solution.quantities.items():
                yield solved, quantity, FORMATS[case.dtype].round(exact.to_float())


def test_a_right_answer_looks_like_no_mistake() -> None:
    named = [
        (solved.case.id, quantity, looks)
        for solved, quantity, answer in sound_answers("float16", "float32")
        if (looks := looks_like(solved, quantity, answer))
    ]

    assert named == []


def test_the_right_steps_give_the_right_answer() -> None:
    for solved, quantity, answer in sound_answers("float32", "float64"):
        if quantity == "hvp_logits":
            continue
        found = Formula(
            problem_of(solved.case, solved.inputs, FORMATS[solved.case.dtype]), RIGHT
        ).answer(quantity)
        assert found is not None
        wide = answer.astype(np.float64)
        form = FORMATS[solved.case.dtype]
        limit = 4 * (form.unit_roundoff * (np.abs(wide) + found.error) + form.smallest)
        defined = np.isfinite(wide) & np.isfinite(found.value)
        near = np.abs(found.value[defined] - wide[defined]) <= limit[defined]
        assert near.all(), (solved.case.id, quantity)


@pytest.mark.parametrize(
    "options",
    ["label_smoothing=0.1", "logit_scale=0.25,logit_softcap=2.5,z_loss=0.5,denominator=7.0"],
)
def test_the_gradient_of_a_mistake_is_the_derivative_of_its_value(options: str) -> None:
    case = Case.parse(f"cross_entropy/index.random/float64/4x10/normal/{options}/0")
    inputs, step = case.inputs(), 1e-6
    for mistake in MISTAKES:
        if "value" not in mistake.quantities or not mistake.applies(case):
            continue
        steps = mistake.make()
        if steps.incoming is not RIGHT.incoming:
            continue
        problem = problem_of(case, inputs, FORMATS["float64"])
        gradient = Formula(problem, steps).answer("gradient_logits")
        assert gradient is not None
        moved = np.zeros_like(problem.x)
        moved[1, 2] = step
        ends = [
            Formula(type(problem)(**{**vars(problem), "x": problem.x + sign * moved}), steps)
            .answer("value")
            for sign in (1, -1)
        ]  # fmt: skip
        if not np.isfinite(ends[0].value):  # the logarithm of a negative logit
            continue
        slope = float(ends[0].value - ends[1].value) / (2 * step)
        cotangent = float(case.cotangent(()))
        assert float(gradient.value[1, 2]) == pytest.approx(slope * cotangent, abs=1e-8), mistake


def test_a_cause_is_found_among_those_that_were_found_before() -> None:
    solved = solved_case(Case.parse("softmax/float32/4x10/normal/-/0"))
    twice = next(it for it in PLANTED if it.name == "softmax applied twice")
    answer = answer_of(twice, solved)

    assert looks_like(solved, "value", answer, ["the sign is wrong"], is_all=True) == ""
    assert looks_like(solved, "value", answer, ["softmax applied twice"], is_all=True)
    assert looks_like(solved, "value", answer, ["the sign is wrong"]) == "softmax applied twice"


def test_a_derivative_that_is_wrong_at_0_alone_is_that_of_a_kink() -> None:
    name = "binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/grid/-/0"
    solved = solved_case(Case.parse(name))
    right = solved.solution.quantities["gradient_logits"].to_float()
    answer = np.where(solved.inputs.values == 0, right * 2 - 1, right).astype(np.float32)

    assert looks_like(solved, "gradient_logits", answer) == AT_KINK
    assert looks_like(solved, "gradient_logits", answer * 2) != AT_KINK


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_digits_that_are_lost_next_to_1_are_no_other_format(dtype: str) -> None:
    solved = solved_case(Case.parse(f"sigmoid/{dtype}/6x2/two_units/-/0"))
    one, half = np.ones((), dtype), np.full((), 0.5, dtype)

    answer = half * (one + np.tanh(half * solved.inputs.values))

    assert looks_like(solved, "value", answer) == NEXT_TO_1


def test_a_nan_that_comes_from_an_ignored_row_is_told_from_an_overflow() -> None:
    case = "cross_entropy/index.some_ignored/float32/4x10/nan_where_ignored/-/0"
    solved = solved_case(Case.parse(case))
    right = solved.solution.quantities["gradient_logits"].to_float().astype(np.float32)
    ignored = np.isnan(solved.inputs.values)
    assert ignored.any()

    answer = np.where(ignored, np.nan, right).astype(np.float32)
    everywhere = np.full_like(right, np.nan)

    assert looks_like(solved, "gradient_logits", answer) == NAN_OF_IGNORED
    assert looks_like(solved, "value", np.array(np.nan, np.float32)) == NAN_OF_IGNORED
    assert looks_like(solved, "gradient_logits", everywhere) == ""


def test_a_computation_in_16_bits_is_told_though_its_result_is_not_rounded() -> None:
    solved = solved_case(
        Case.parse("cross_entropy/index.random/float32/33x33/normal/reduction=none/0")
    )
    x = solved.inputs.values
    lse = np.log(np.exp(x).sum(1)).astype(np.float16).astype(np.float32)

    answer = lse - x[np.arange(33), solved.inputs.target]

    assert looks_like(solved, "value", answer) == "computed in float16 inside"


def test_a_ratio_next_to_1_is_no_wrong_sign() -> None:
    solved = solved_case(Case.parse("softmax/float64/4x10/normal/-/0"))
    right = solved.solution.quantities["value"].to_float()

    assert looks_like(solved, "value", right * (1 + 1e-13)) == ""


def test_known_mistakes_are_looked_for_in_large_arrays_and_where_numbers_are_not_finite() -> None:
    large = solved_case(Case.parse("softmax/float32/65600x2/normal/-/0"))
    x = large.inputs.values
    e = np.exp(x - x.max())
    assert looks_like(large, "value", e / e.sum()) == ""
    known = ["softmax runs over the whole array"]
    # Of large arrays only the first rows are judged.
    judged = e[: len(large.solution.quantities["value"].to_float())] / e.sum()
    assert looks_like(large, "value", judged, known) == known[0]


def test_an_answer_of_another_kind_looks_like_nothing() -> None:
    solved = solved_case(Case.parse("softmax/float32/4x10/normal/-/0"))
    refused = solved_case(Case.parse("cross_entropy/index.too_large/float32/4x10/normal/-/0"))

    assert looks_like(solved, "value", np.zeros((4, 10), np.int64)) == ""
    assert looks_like(solved, "value", np.zeros((0,), np.float32)) == ""
    assert looks_like(refused, "value", np.zeros((), np.float32)) == ""


def test_gradients_that_are_made_of_a_number_next_to_1_are_told() -> None:
    """Like the derivative of `(1 − z)·x + log(1 + e^−x)`, which is `1 − z − σ(−x)`."""
    case = "binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/far_tail/-/0"
    solved = solved_case(Case.parse(case))
    x, z = solved.inputs.values, solved.inputs.target
    assert z is not None
    cotangent = np.float32(solved.case.cotangent(()) / x.size)

    answer = cotangent * (1 - z - 1 / (1 + np.exp(x)))

    assert looks_like(solved, "gradient_logits", answer) == GRADIENT_NEXT_TO_1
