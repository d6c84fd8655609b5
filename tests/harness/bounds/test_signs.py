"""Weights of either sign: errors add up by magnitude, whatever cancels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.backends.numpy import recipes
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import Options
from lossdiff.harness.judging import SolvedCase, judge

SIGNED = np.array([1.0, -0.875, 0.5, -0.5, 0.25, -0.25, 2.0, -1.9375], np.float32)


def asked(reduction: Any, seed: int) -> SolvedCase:
    """Return logits of eight classes with weights that nearly cancel."""
    rng = np.random.Generator(np.random.PCG64(seed))
    values = (rng.normal(size=(16, 8)) * 5).astype(np.float32)
    inputs = Inputs(values, np.arange(16) % 8, SIGNED)
    case = Case(
        "cross_entropy", "file:made", (16, 8), "float32", "index", "given",
        Options(reduction=reduction), given=inputs,
    )  # fmt: skip
    return SolvedCase(case, inputs)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("seed", range(5))
def test_a_sound_loss_and_its_gradient_agree(reduction: Any, seed: int) -> None:
    question = asked(reduction, seed)
    given = question.inputs
    options = {"weight": given.weight, "reduction": reduction}
    value = recipes.cross_entropy(given.values, given.target, **options)
    cotangent = question.case.cotangent(value.shape).astype(np.float32)
    (gradient,) = recipes.cross_entropy_vjp(cotangent, given.values, given.target, **options)
    agreed = ("exact", "faithful", "within bound")

    assert judge(question, "value", np.asarray(value)).word in agreed
    assert judge(question, "gradient_logits", np.asarray(gradient)).word in agreed


def test_a_weight_without_its_sign_is_inaccurate() -> None:
    question = asked("none", 0)
    given = question.inputs
    value = recipes.cross_entropy(
        given.values, given.target, weight=np.abs(SIGNED), reduction="none"
    )

    assert judge(question, "value", value).word == "inaccurate"
