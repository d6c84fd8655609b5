"""The exact numbers of a formula, compared with enclosures of Arb."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx
from lossdiff.cases.model import Case
from lossdiff.harness.formula import Answers, evaluation
from lossdiff.harness.formula import functions as f
from lossdiff.harness.formula.answers import quantities_of
from lossdiff.harness.formula.graph import given

from .balls import balls, on_balls
from .formulas import FORMULAS, defined, ids_of

_BITS = 600


def _ball_of(exact: Any, index: tuple[int, ...]) -> arb:
    high, low = (arb(float(part[index])) for part in (exact.hi, exact.lo))
    return (high + low) * arb(2) ** int(exact.exponent[index])


def _given(case: Case) -> dict[str, Any]:
    inputs = case.inputs()
    found = {"values": balls(inputs.values)}
    if case.target_kind and case.target_kind != "index":
        found["target"] = balls(inputs.target)
    return found


@contextmanager
def _many_bits() -> Iterator[None]:
    before, ctx.prec = ctx.prec, _BITS
    try:
        yield
    finally:
        ctx.prec = before


def _relative_error(ours: Any, right: Any) -> float:
    """Return the base-2 logarithm of the largest relative error of finite numbers."""
    worst = -1000.0
    with _many_bits():
        for index in np.ndindex(right.shape):
            if not np.isfinite(ours.hi[index]) or not right[index].is_finite():
                continue
            off = abs(_ball_of(ours, index) - right[index])
            size = abs(right[index]) + arb(2) ** -1140
            worst = max(worst, float((off / size).upper().log() / arb(2).log())) if off else worst
    return worst


@pytest.mark.parametrize("family", ["normal_100", "ties", "one_large"])
@pytest.mark.parametrize("name", FORMULAS)
def test_every_quantity_is_good_to_2_to_the_minus_73(name: str, family: str) -> None:
    with defined(name) as definition:
        for text in ids_of(name, family, "float64"):
            case = Case.parse(text)
            outputs = quantities_of(definition.formula, case, case.inputs())
            right = on_balls(list(outputs.values()), _given(case), _BITS)
            ours = Answers(case, case.inputs()).solution.quantities
            for quantity, enclosure in zip(outputs, right, strict=True):
                assert _relative_error(ours[quantity], enclosure) < -72.9


@pytest.mark.parametrize("name", FORMULAS)
def test_the_gradient_is_the_limit_of_differences(name: str) -> None:
    """The derivative by machine agrees with a difference of values 2^-120 apart, in 600 bits."""
    with defined(name) as definition:
        case = Case.parse(ids_of(name, "normal", "float64", "3x5")[0])
        outputs = quantities_of(definition.formula, case, case.inputs())
        value, gradient = outputs["value"], outputs["gradient_logits"]
        given = _given(case)
        cotangent = balls(case.cotangent(value.shape))
        exact, before = on_balls([gradient, value], given, _BITS)
        for index in ((0, 0), (1, 3), (2, 4)):
            after = on_balls([value], _moved(given, index), _BITS)[0]
            with _many_bits():
                rises = np.ravel((np.asarray(after) - np.asarray(before)) * cotangent)
                rise = sum(rises.tolist(), arb(0)) * arb(2) ** 120
                assert abs(float(rise - exact[index])) < 1e-30


def _moved(given: dict[str, Any], index: tuple[int, int]) -> dict[str, Any]:
    """Return the arguments with one number of the first increased by 2^-120."""
    moved = given["values"].copy()
    with _many_bits():
        moved[index] = moved[index] + arb(2) ** -120
    return {**given, "values": moved}


def test_digits_are_raised_until_a_difference_is_known() -> None:
    with defined("my_cross_entropy"):
        case = Case.parse("my_cross_entropy/index.top/float64/2x3/one_large/-/0")
        value = Answers(case, case.inputs()).solution.quantities["value"]

    assert np.all(value.to_float() >= 0)


def test_a_gradient_that_is_zero_is_zero() -> None:
    with defined("my_cross_entropy"):
        case = Case.parse("my_cross_entropy/index.random/float64/2x1/normal/-/0")
        gradient = Answers(case, case.inputs()).solution.quantities["gradient_logits"]

    assert gradient.to_float().tolist() == [[0.0], [0.0]]


def test_too_many_numbers_for_decimals_are_those_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_MOST_DIGITS", 0)
    x = given("values", (1, 3))
    total = f.sum(f.softmax(x), axis=1) - 1.0  # no digits are enough for this 0
    found = evaluation.evaluated([total], {"values": np.array([[0.1, 0.2, 0.3]])})

    assert found.digits == 0
    assert found.results[total].to_float() == 0
