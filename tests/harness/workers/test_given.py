"""What a function has written to is known bit for bit, by the names of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import call_for
from lossdiff.cases.model import Case
from lossdiff.harness.workers.given import Given

CASE = Case.parse("cross_entropy_probs/soft.soft/float32/4x10/probs/weight=positive/0")


def given() -> Given:
    """Return the arrays of a call of NumPy's recipe."""
    backend, inputs = load_backend("numpy"), CASE.inputs()
    call = call_for(backend.implementations["numpy.recipes.cross_entropy_probs"], CASE, inputs)
    return Given.of(backend, call, inputs, (CASE.cotangent(()),))


def test_arrays_have_the_names_of_the_contract_and_are_copies() -> None:
    made = given()

    assert made.names == ("cotangent", "probs", "target", "weight")
    assert made.mutated() == ()
    assert not any(
        np.shares_memory(array, original)
        for array, original in zip(made.arrays, made.originals, strict=True)
    )


@pytest.mark.parametrize(
    "write",
    [
        lambda array: array.__imul__(2),
        lambda array: array.__setitem__((0, 0), np.nan),
        lambda array: setattr(array, "dtype", np.uint32),
        lambda array: setattr(array, "shape", (40,)),
    ],
)
def test_any_other_bit_dtype_or_shape_is_noticed(write: Callable[[Any], None]) -> None:
    made = given()

    write(made.arrays[1])

    assert made.mutated() == ("probs",)


def test_the_other_zero_is_noticed_and_a_nan_that_stays_is_not() -> None:
    case = Case.parse("softmax/float32/4x10/nan/-/0")
    backend, inputs = load_backend("numpy"), case.inputs()
    call = call_for(backend.implementations["scipy.special.softmax"], case, inputs)
    made = Given.of(backend, call, inputs)
    assert made.mutated() == ()

    zeros = Case.parse("softmax/float32/4x10/zeros/-/0").inputs()
    made = Given.of(backend, call, zeros)
    made.arrays[0][0, 0] = -0.0

    assert made.mutated() == ("logits",)


@pytest.mark.framework("jax")
def test_arrays_that_nobody_can_write_to_are_not_compared() -> None:
    backend = load_backend("jax")

    assert backend.is_immutable
    assert not load_backend("numpy").is_immutable
