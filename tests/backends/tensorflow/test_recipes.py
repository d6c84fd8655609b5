"""What functions of TensorFlow and Keras claim, and what recipes make of weights and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.cases.model import Case

from ..asking import ask, assert_nan_in_ignored_rows_spoils_nothing, given

if TYPE_CHECKING:
    from lossdiff.backends.base import Backend

pytestmark = pytest.mark.framework("tensorflow")

SPARSE = "tf.nn.sparse_softmax_cross_entropy_with_logits"


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load_backend("tensorflow")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tf.nn.softmax", {"axis"}),
        ("tf.math.log_sigmoid", set()),
        (SPARSE, {"reduction"}),
        ("tf.nn.weighted_cross_entropy_with_logits", {"pos_weight", "reduction"}),
        ("keras.losses.CategoricalCrossentropy", {"label_smoothing", "reduction"}),
        ("keras.losses.SparseCategoricalCrossentropy(ignore_class)", {"ignore_index", "reduction"}),
        ("keras.losses.BinaryCrossentropy", {"label_smoothing"}),
        ("tf.recipes.cross_entropy_soft", {"weight", "label_smoothing", "reduction"}),
    ],
)
def test_only_the_options_that_a_function_has_are_claimed(
    backend: Backend, name: str, options: set[str]
) -> None:
    assert options == backend.implementations[name].options


def test_an_option_that_tensorflow_lacks_is_unsupported_and_says_so(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.random/float32/4x10/normal/weight=positive/0")

    assert backend.implementations[SPARSE].unsupported(case) == "has no weight"
    assert backend.implementations["tf.recipes.cross_entropy"].unsupported(case) == ""


@pytest.mark.parametrize("name", ["tf.recipes.cross_entropy", "keras.recipes.cross_entropy"])
def test_the_mean_of_a_recipe_divides_by_the_weights_of_the_rows(
    backend: Backend, name: str
) -> None:
    logits, target = np.zeros((3, 2)), np.array([0, 1, 1])
    weight = np.array([5.0, 1.0])

    recipe = backend.implementations[name].function
    value = recipe(*map(backend.to_array, (logits, target)), weight=backend.to_array(weight))

    # Every row loses log 2, so any weighted mean that divides rightly is log 2.
    np.testing.assert_allclose(backend.to_numpy(value), np.log(2), rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "sparse", "weight", "losses"),
    [
        # Every row loses log 2; the rows weigh 4, 1, 1 or 2, 0, 0.
        ("keras.losses.SparseCategoricalCrossentropy", True, [4.0, 1.0], 2),
        ("keras.losses.SparseCategoricalCrossentropy(mean_with_sample_weight)", True,
         [4.0, 1.0], 1),
        ("keras.losses.CategoricalCrossentropy(sample_weight)", False, [4.0, 1.0], 2),
        ("keras.losses.CategoricalCrossentropy(sample_weight)", False, [2.0, 0.0], 2 / 3),
        ("tf.compat.v1.losses.sparse_softmax_cross_entropy", True, [4.0, 1.0], 2),
        ("tf.compat.v1.losses.sparse_softmax_cross_entropy", True, [2.0, 0.0], 2),
        ("tf.compat.v1.losses.softmax_cross_entropy(weights)", False, [4.0, 1.0], 2),
        ("tf.compat.v1.losses.softmax_cross_entropy(weights)", False, [2.0, 0.0], 2),
    ],
)  # fmt: skip
def test_class_weights_become_weights_of_the_rows_and_each_has_its_mean(
    backend: Backend, name: str, sparse: bool, weight: list[float], losses: float
) -> None:
    labels = np.array([0, 1, 1])
    target = labels if sparse else np.eye(2, dtype=np.float32)[labels]
    arrays = (np.zeros((3, 2), np.float32), target)
    by_class = backend.to_array(np.array(weight, np.float32))

    value = backend.implementations[name].function(*map(backend.to_array, arrays), weight=by_class)

    np.testing.assert_allclose(backend.to_numpy(value), losses * np.log(2), rtol=1e-6)


@pytest.mark.parametrize(("weight", "losses"), [([3.0, 1.0], 2), ([2.0, 0.0], 2)])
def test_weights_of_the_binary_losses_are_of_the_classes_and_zeros_do_not_count(
    backend: Backend, weight: list[float], losses: float
) -> None:
    by_class = backend.to_array(np.array(weight, np.float32))
    target = backend.to_array(np.ones((3, 2), np.float32))

    for name, value in (("sigmoid_cross_entropy", 0.0), ("log_loss", 0.5)):
        values = backend.to_array(np.full((3, 2), value, np.float32))
        loss = backend.implementations[f"tf.compat.v1.losses.{name}"].function
        got = backend.to_numpy(loss(values, target, weight=by_class))
        np.testing.assert_allclose(got, losses * np.log(2), rtol=1e-6)


def test_weights_are_spread_along_axis_1(backend: Backend) -> None:
    weight = backend.to_array(np.array([2.0, 0.0, 1.0], np.float32))
    values, target = (
        backend.to_array(np.full((2, 3, 5), value, np.float32)) for value in (0.0, 1.0)
    )
    loss = backend.implementations["tf.compat.v1.losses.sigmoid_cross_entropy"].function

    got = backend.to_numpy(loss(values, target, weight=weight, reduction="none"))

    expected = np.log(2) * np.array([2, 0, 1])[:, None] * np.ones((2, 3, 5))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_the_mean_counts_only_the_rows_that_are_not_ignored(backend: Backend) -> None:
    log_probs = np.array([[-1.0, -8.0], [-2.0, -4.0], [-16.0, -32.0]])
    target, weight = np.array([0, 1, -100]), np.array([3.0, 1.0])

    recipe = backend.implementations["tf.recipes.nll_loss"].function
    value = recipe(*map(backend.to_array, (log_probs, target)), weight=backend.to_array(weight))

    assert backend.to_numpy(value) == (3 * 1 + 1 * 4) / (3 + 1)


def test_an_ignored_row_has_no_gradient(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.some_ignored/float32/4x10/normal/-/0")
    target = case.inputs().target
    assert target is not None
    ignored = target == -100
    assert ignored.any()

    for name in (
        "tf.recipes.cross_entropy",
        "keras.losses.SparseCategoricalCrossentropy(ignore_class)",
        "keras.losses.sparse_categorical_crossentropy(ignore_class)",
    ):
        _, (gradient,) = ask(backend, backend.implementations[name], case)
        assert gradient is not None
        assert not gradient[ignored].any()
        assert gradient[~ignored].any(axis=1).all()


@pytest.mark.parametrize("options", ["-", "label_smoothing=0.1", "weight=positive,reduction=sum"])
def test_nan_in_an_ignored_row_spoils_neither_the_loss_nor_its_gradient(
    backend: Backend, options: str
) -> None:
    assert_nan_in_ignored_rows_spoils_nothing(backend, "tf.recipes.cross_entropy", options)


def test_an_ignored_row_has_no_share_of_the_smoothing(backend: Backend) -> None:
    case = Case.parse(
        "cross_entropy/index.some_ignored/float32/4x10/normal/label_smoothing=0.1,reduction=none/0"
    )
    target = case.inputs().target

    value, _ = ask(backend, backend.implementations["tf.recipes.cross_entropy"], case)

    np.testing.assert_array_equal(value == 0, target == -100)


def test_a_masked_class_that_is_no_target_costs_nothing(backend: Backend) -> None:
    case = Case.parse("cross_entropy/one_hot.top/float32/4x10/neg_inf/-/0")
    recipe = backend.implementations["tf.recipes.cross_entropy_soft"]

    assert all(np.isfinite(array).all() for array in given(ask(backend, recipe, case)))


def test_a_recipe_is_finite_where_a_probability_and_its_target_are_0(backend: Backend) -> None:
    probs, target = np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])

    for name in ("tf.recipes.binary_cross_entropy", "tf.recipes.cross_entropy_probs_soft"):
        recipe = backend.implementations[name].function
        value = recipe(*map(backend.to_array, (probs, target)))
        assert backend.to_numpy(value) == 0


def test_a_recipe_has_its_gradient_by_a_target_of_0(backend: Backend) -> None:
    """With tf.math.xlogy it would be 0."""
    case = Case.parse("binary_cross_entropy/multi_label.binary/float32/4x10/probs/reduction=sum/0")
    probs = case.inputs().values.astype(np.float32)

    _, (_, gradient) = ask(
        backend, backend.implementations["tf.recipes.binary_cross_entropy"], case
    )

    assert gradient is not None
    due = case.cotangent(()) * (np.log1p(-probs) - np.log(probs))
    np.testing.assert_allclose(gradient, due, rtol=1e-4, atol=1e-5)
