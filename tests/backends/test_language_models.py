"""Recipes of the options that language models are trained with are right in every framework."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import call_for
from lossdiff.cases.language_models import of_language_models
from lossdiff.cases.model import Case
from lossdiff.harness.judging import SolvedCase, judge

RECIPES = {
    "numpy": "numpy.recipes.cross_entropy",
    "torch": "torch.recipes.cross_entropy_of_language_models",
    "jax": "jax.recipes.cross_entropy",
    "tensorflow": "tf.recipes.cross_entropy",
}


@pytest.mark.parametrize(
    "framework", [pytest.param(it, marks=pytest.mark.framework(it)) for it in RECIPES]
)
def test_values_and_gradients_of_the_recipe_are_within_the_bound(framework: str) -> None:
    backend = load_backend(framework)
    recipe = backend.implementations[RECIPES[framework]]
    for case in of_language_models("quick"):
        inputs = case.inputs()
        call, solved = call_for(recipe, case, inputs), SolvedCase(case, inputs)
        arrays = [np.array(getattr(inputs, name)) for name in call.arguments]
        cotangent = np.asarray(case.cotangent(call.shape)).astype(inputs.values.dtype)

        value, (gradient,) = backend.forward_backward(call, "eager")(
            *(backend.to_array(array) for array in (cotangent, *arrays))
        )

        for quantity, got in (("value", value), ("gradient_logits", gradient)):
            word = judge(solved, quantity, backend.to_numpy(got)).word
            assert word in ("exact", "faithful", "within bound"), (case.id, quantity)


@pytest.mark.framework("torch")
def test_labels_of_another_shape_do_not_broadcast() -> None:
    backend = load_backend("torch")
    case = Case.parse("cross_entropy/index.one_hot_for_index/float32/4x10/normal/-/0")
    call = call_for(backend.implementations[RECIPES["torch"]], case, case.inputs())
    arrays = [backend.to_array(np.array(getattr(case.inputs(), it))) for it in call.arguments]

    with pytest.raises(ValueError, match=r"labels of shape \(4, 10\)"):
        backend.forward(call, "eager")(*arrays)
