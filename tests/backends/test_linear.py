"""Recipes of losses of hidden states are right in every framework, and PyTorch's own as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import call_for
from lossdiff.cases.linear import of_linear_losses
from lossdiff.cases.model import Case
from lossdiff.harness.judging import SolvedCase, judge
from lossdiff.harness.workers import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPES = {
    "numpy": "numpy.recipes.linear_cross_entropy",
    "torch": "torch.recipes.linear_cross_entropy",
    "jax": "jax.recipes.linear_cross_entropy",
    "tensorflow": "tf.recipes.linear_cross_entropy",
}
AGREES = ("exact", "faithful", "within bound", "flushed")


def words(framework: str, name: str, case: Case) -> Iterator[tuple[str, str]]:
    """Yield each quantity with its verdict."""
    backend = load_backend(framework)
    found = evaluate(backend, name, "eager", case)
    solved = SolvedCase(case, case.inputs())
    for quantity, answer in found.answers.items():
        yield quantity, judge(solved, quantity, answer).word


@pytest.mark.parametrize(
    "framework", [pytest.param(it, marks=pytest.mark.framework(it)) for it in RECIPES]
)
def test_values_and_gradients_of_the_recipe_are_within_the_bound(framework: str) -> None:
    for case in of_linear_losses("quick"):
        found = dict(words(framework, RECIPES[framework], case))
        assert {"value", "gradient_hidden", "gradient_linear_weight"} <= found.keys()
        assert ("gradient_linear_bias" in found) == (case.options.linear_bias is not None)
        assert all(word in AGREES for word in found.values()), (case.id, found)


@pytest.mark.framework("torch")
@pytest.mark.parametrize(
    "name",
    [
        "torch.nn.LinearCrossEntropyLoss",
        "torch.nn.functional.linear_cross_entropy",
        "torch.nn.functional.linear_cross_entropy:auto",
        "torch.nn.functional.linear_cross_entropy:chunks_of_3",
    ],
)
def test_what_pytorch_ships_is_right_where_no_row_is_nan(name: str) -> None:
    implementation = load_backend("torch").implementations[name]
    cases = [it for it in of_linear_losses("quick") if it.dtype == "float32"]
    for case in cases:
        if not implementation.unsupported(case) and not case.family.startswith("nan"):
            found = dict(words("torch", name, case))
            assert all(word in AGREES for word in found.values()), (case.id, found)


def test_arrays_are_passed_in_the_order_of_the_contract() -> None:
    case = Case.parse(
        "linear_cross_entropy/index.random/float32/4x8x10/normal/linear_bias=normal/0"
    )
    implementation = load_backend("numpy").implementations[RECIPES["numpy"]]
    call = call_for(implementation, case, case.inputs())

    assert call.arguments == ("values", "linear_weight", "target", "linear_bias")
    assert call.wrt == ("values", "linear_weight", "linear_bias")
    assert call.shape == ()
    assert np.ndim(call(*(getattr(case.inputs(), it) for it in call.arguments))) == 0
