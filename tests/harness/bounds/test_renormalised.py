"""Bounds of a convention: probabilities that are divided by their sum first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.bounds.algorithms import SOUND
from lossdiff.harness.bounds.bound import bound
from lossdiff.harness.oracle.solution import Convention
from lossdiff.harness.oracle.solve import solve


@pytest.mark.parametrize("weight", ["-", "weight=positive"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 3, 70])
def test_the_gradient_by_the_target_may_lose_what_the_sum_does(
    classes: int, dtype: type, weight: str
) -> None:
    """−w log(p/Σp) is near 0 where p is near the sum: its error is absolute."""
    case = Case.parse(
        f"cross_entropy_probs/soft.soft/{np.dtype(dtype)}/300x{classes}/probs/{weight}/0"
    )
    drawn = case.inputs()
    small = drawn.values / dtype(1000)
    small[:, 0] = 1 - small[:, 1:].sum(axis=1)
    inputs = replace(drawn, values=small)
    case = replace(case, given=inputs)
    solution = solve(case, inputs, Convention(renormalise="before"))
    w = np.ones(classes, dtype) if inputs.weight is None else inputs.weight
    v = dtype(case.cotangent(()) / 300)
    got = -w * np.log(small / small.sum(axis=1, keepdims=True)) * v

    exact = solution.quantities["gradient_target"].to_float()
    limit = bound(case, solution, "gradient_target", SOUND)
    assert got.dtype == dtype
    assert (np.abs(got - exact) <= limit).all()
    assert (np.abs(got * 1.1 - exact) > limit)[:, 1:].all()
