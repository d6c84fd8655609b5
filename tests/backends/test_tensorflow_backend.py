"""The adapter of TensorFlow, and what its implementations and those of Keras claim."""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import DeviceAbsentError, call_for, implementations_of
from lossdiff.cases.model import Case, Inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lossdiff.backends.base import Backend, Call, Implementation
    from numpy.typing import NDArray

pytestmark = pytest.mark.framework("tensorflow")

VALUES = {"logits": "normal", "log_probs": "log_probs", "probs": "probs"}
TARGETS = {"index": "random", "one_hot": "random", "soft": "soft", "multi_label": "binary"}
DTYPES = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "float64": np.float64,
    "int64": np.int64,
}
EXP_CASE = "exp/float32/4x10/normal/-/0"
SPARSE = "tf.nn.sparse_softmax_cross_entropy_with_logits"
NO_GRADIENT_BY_TARGET = {"tf.compat.v1.losses.softmax_cross_entropy"}  # it stops there on purpose

Answer = tuple["NDArray[Any]", "list[NDArray[Any] | None]"]


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load_backend("tensorflow")


@pytest.fixture(scope="module")
def answers(backend: Backend) -> dict[tuple[str, str], Answer]:
    """Ask every implementation each kind of target that it claims, once."""
    return {
        (implementation.name, case.id): _ask(backend, implementation, case)
        for implementation, case in _simple_questions(backend)
    }


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_comes_back_bit_for_bit(backend: Backend, dtype: str) -> None:
    array = np.array([[0.0, -1.5, 3.0], [7.0, 100.0, -2.0]]).astype(DTYPES[dtype])

    back = backend.to_numpy(backend.to_array(array))

    assert (array.dtype, array.shape) == (back.dtype, back.shape)
    assert array.tobytes() == back.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_scalar_comes_back_as_an_array_without_axes(backend: Backend, dtype: str) -> None:
    scalar = np.ones((), DTYPES[dtype])

    back = backend.to_numpy(backend.to_array(scalar))

    assert isinstance(back, np.ndarray)
    assert (scalar.dtype, ()) == (back.dtype, back.shape)


def test_what_no_arithmetic_keeps_comes_back_bit_for_bit(backend: Backend) -> None:
    array = np.array([5e-324, -0.0, np.inf, -np.inf, np.nan, 2**-1022])

    assert array.tobytes() == backend.to_numpy(backend.to_array(array)).tobytes()


def test_an_array_in_another_order_comes_back_with_its_values(backend: Backend) -> None:
    array = np.arange(6.0).reshape(2, 3).T

    np.testing.assert_array_equal(array, backend.to_numpy(backend.to_array(array)))


def test_the_framework_owns_its_copy(backend: Backend) -> None:
    array = np.zeros(64)
    held = backend.to_array(array)

    array[:] = 1

    assert not backend.to_numpy(held).any()


@pytest.mark.parametrize("value", [1.0, np.ones(2), (1, 2), None])
def test_what_is_not_a_tensor_is_refused(backend: Backend, value: object) -> None:
    with pytest.raises(TypeError, match=f"returned {type(value).__name__}, not tf.Tensor"):
        backend.to_numpy(value)


def test_every_answer_has_the_dtype_and_shape_of_the_contract(
    answers: dict[tuple[str, str], Answer], backend: Backend
) -> None:
    wrong = []
    for (name, case_id), (value, _) in answers.items():
        call = _call(backend.implementations[name], Case.parse(case_id))
        if value.dtype != np.float32 or value.shape != call.shape:
            wrong.append((name, case_id, value.dtype, value.shape))

    assert wrong == []


def test_every_answer_to_everyday_inputs_is_finite(
    answers: dict[tuple[str, str], Answer],
) -> None:
    nonfinite = [
        question
        for question, answer in answers.items()
        if not all(np.isfinite(array).all() for array in _given(answer))
    ]

    assert nonfinite == []


def test_implementations_of_one_question_agree_in_value(
    answers: dict[tuple[str, str], Answer],
) -> None:
    """Not in the gradient: from probabilities Keras divides by their sum, and by that too."""
    first: dict[str, tuple[str, NDArray[Any]]] = {}
    for (name, case_id), (value, _) in answers.items():
        if name == "tf.textbook.softmax_over_axis_0":
            continue  # it is wrong by design: the classes are on the last axis
        one, expected = first.setdefault(case_id, (name, value))
        np.testing.assert_allclose(
            value, expected, rtol=1e-5, atol=1e-6, err_msg=f"{name} against {one}: {case_id}"
        )


def test_every_gradient_has_the_shape_of_the_logits(
    answers: dict[tuple[str, str], Answer],
) -> None:
    wrong = [
        question
        for question, (_, gradients) in answers.items()
        for gradient in gradients[: 1 if question[0] in NO_GRADIENT_BY_TARGET else None]
        if gradient is None or gradient.dtype != np.float32 or gradient.shape != (4, 10)
    ]

    assert wrong == []


def test_function_and_eager_agree_in_dtype_shape_and_nearly_in_value(
    answers: dict[tuple[str, str], Answer], backend: Backend
) -> None:
    for (name, case_id), eager in answers.items():
        traced = _ask(backend, backend.implementations[name], Case.parse(case_id), "function")
        for one, other in zip(_given(eager), _given(traced), strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape), (name, case_id)
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", [SPARSE, "tf.recipes.cross_entropy"])
def test_xla_agrees_too(
    answers: dict[tuple[str, str], Answer], backend: Backend, name: str
) -> None:
    case = Case.parse("cross_entropy/index.random/float32/4x10/normal/-/0")

    compiled = _ask(backend, backend.implementations[name], case, "xla")

    for one, other in zip(_given(answers[name, case.id]), _given(compiled), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("kind", ["native", "recipe"])
def test_the_dtype_of_the_logits_is_that_of_the_answer(
    backend: Backend, dtype: str, kind: str
) -> None:
    wrong = []
    for implementation, case in _simple_questions(backend, dtype):
        if implementation.kind != kind or implementation.name == "tf.compat.v1.losses.log_loss":
            continue  # log_loss returns float32, whatever it is given
        value, gradients = _ask(backend, implementation, case)
        if {array.dtype for array in _given((value, gradients))} != {np.dtype(DTYPES[dtype])}:
            wrong.append((implementation.name, value.dtype))

    assert wrong == []


def test_classes_on_axis_1_are_found_there(backend: Backend) -> None:
    """A batch of (N, C, d) loses what its transpose of (N·d, C) loses."""
    for implementation, flat in _simple_questions(backend):
        if flat.operation != "cross_entropy" or implementation.kind == "textbook":
            continue
        case = Case.parse(flat.id.replace("/4x10/", "/4x5x3/"))
        logits, target = case.inputs().values, case.inputs().target
        assert target is not None
        rows = np.moveaxis(logits, 1, -1).reshape(-1, 5)
        labels = np.moveaxis(target, 1, -1).reshape(-1, 5) if target.ndim == 3 else target.ravel()

        of_batch = implementation.function(*map(backend.to_array, (logits, target)))
        of_rows = implementation.function(*map(backend.to_array, (rows, labels)))

        np.testing.assert_allclose(
            backend.to_numpy(of_batch),
            backend.to_numpy(of_rows),
            rtol=1e-5,
            err_msg=implementation.name,
        )


@pytest.mark.parametrize("mode", ["eager", "function", "xla"])
def test_forward_gives_the_value_alone(backend: Backend, mode: str) -> None:
    case = Case.parse(EXP_CASE)
    call = _call(backend.implementations["tf.math.exp"], case)

    value = backend.forward(call, mode)(*_arrays(backend, call, case))

    backend.synchronize(value)
    np.testing.assert_allclose(backend.to_numpy(value), np.exp(case.inputs().values), rtol=1e-6)


@pytest.mark.parametrize(("mode", "traces"), [("eager", 3), ("function", 1), ("xla", 1)])
def test_a_function_is_traced_once_and_called_each_time(
    backend: Backend, mode: str, traces: int
) -> None:
    calls = []

    def exp(logits: Any) -> Any:
        calls.append(logits)
        return logits * 2

    case = Case.parse(EXP_CASE)
    call = _call(_implementation("exp", exp), case)
    run = backend.forward_backward(call, mode)
    for _ in range(3):
        run(*_arrays(backend, call, case, cotangent=True))

    assert traces == len(calls)


def test_xla_compiles_and_function_does_not(backend: Backend) -> None:
    import tensorflow as tf

    case = Case.parse(EXP_CASE)
    beyond_xla = _implementation("exp", lambda x: tf.numpy_function(np.exp, [x], tf.float32))
    call = _call(beyond_xla, case)

    backend.forward(call, "function")(*_arrays(backend, call, case))
    with pytest.raises(tf.errors.InvalidArgumentError, match="unsupported operations"):
        backend.forward(call, "xla")(*_arrays(backend, call, case))


@pytest.mark.parametrize("mode", ["eager", "function", "xla"])
def test_a_gradient_that_is_missing_is_none(backend: Backend, mode: str) -> None:
    import tensorflow as tf

    case = Case.parse(EXP_CASE)

    _, gradients = _ask(backend, _implementation("exp", tf.ones_like), case, mode)

    assert gradients == [None]


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_a_gradient_of_slices_is_made_whole(backend: Backend, mode: str) -> None:
    import tensorflow as tf

    case = Case.parse("logsumexp/float32/4x10/normal/-/0")
    first_row_four_times = _implementation(
        "logsumexp", lambda logits: tf.reduce_sum(tf.gather(logits, [0, 0, 0, 0]), axis=1)
    )

    _, (gradient,) = _ask(backend, first_row_four_times, case, mode)

    assert gradient is not None
    assert gradient.shape == (4, 10)
    assert not gradient[1:].any()


def test_an_answer_of_the_wrong_dtype_reaches_the_judge(backend: Backend) -> None:
    import tensorflow as tf

    case = Case.parse(EXP_CASE)

    value, _ = _ask(backend, _implementation("exp", lambda x: tf.cast(x, tf.float16) * 2), case)

    assert value.dtype == np.float16


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_an_answer_that_is_not_one_tensor_is_refused(backend: Backend, mode: str) -> None:
    case = Case.parse(EXP_CASE)

    with pytest.raises(TypeError, match="returned tuple"):
        _ask(backend, _implementation("exp", lambda x: (x, x)), case, mode)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tf.nn.softmax", {"axis"}),
        ("tf.math.log_sigmoid", set()),
        (SPARSE, {"reduction"}),
        ("tf.nn.weighted_cross_entropy_with_logits", {"pos_weight", "reduction"}),
        ("keras.losses.CategoricalCrossentropy", {"label_smoothing", "reduction"}),
        ("keras.losses.SparseCategoricalCrossentropy(ignore_class)", {"ignore_index", "reduction"}),
        ("keras.losses.BinaryCrossentropy", set()),
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
        _, (gradient,) = _ask(backend, backend.implementations[name], case)
        assert gradient is not None
        assert not gradient[ignored].any()
        assert gradient[~ignored].any(axis=1).all()


@pytest.mark.parametrize("options", ["-", "label_smoothing=0.1", "weight=positive,reduction=sum"])
def test_nan_in_an_ignored_row_spoils_neither_the_loss_nor_its_gradient(
    backend: Backend, options: str
) -> None:
    case = Case.parse(
        f"cross_entropy/index.some_ignored/float32/4x10/nan_where_ignored/{options}/0"
    )
    plain = case.inputs()
    assert plain.target is not None

    value, (gradient,) = _ask(backend, backend.implementations["tf.recipes.cross_entropy"], case)

    assert gradient is not None
    assert np.isfinite(value)
    np.testing.assert_array_equal(gradient.any(axis=1), plain.target != -100)
    assert np.isfinite(gradient).all()


def test_an_ignored_row_has_no_share_of_the_smoothing(backend: Backend) -> None:
    case = Case.parse(
        "cross_entropy/index.some_ignored/float32/4x10/normal/label_smoothing=0.1,reduction=none/0"
    )
    target = case.inputs().target

    value, _ = _ask(backend, backend.implementations["tf.recipes.cross_entropy"], case)

    np.testing.assert_array_equal(value == 0, target == -100)


def test_a_masked_class_that_is_no_target_costs_nothing(backend: Backend) -> None:
    case = Case.parse("cross_entropy/one_hot.top/float32/4x10/neg_inf/-/0")
    recipe = backend.implementations["tf.recipes.cross_entropy_soft"]

    assert all(np.isfinite(array).all() for array in _given(_ask(backend, recipe, case)))


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

    _, (_, gradient) = _ask(
        backend, backend.implementations["tf.recipes.binary_cross_entropy"], case
    )

    assert gradient is not None
    np.testing.assert_allclose(gradient, np.log1p(-probs) - np.log(probs), rtol=1e-4, atol=1e-5)


# --- the second derivative -------------------------------------------------------------------

# x, cotangent v, direction t, and the derivative of v·f′ along t. σ(log 3) = 3/4, where σ″ is
# −3/32; softmax([0, log 3]) = [1/4, 3/4], where it is p (c − Σ p c), c = (t − Σ p t)(v − Σ p v).
BY_HAND = {
    "sigmoid": ([[0.0, np.log(3)]], [[1.0, 0.5]], [[1.0, 4.0]], [[0.0, -3 / 16]]),
    "softmax": ([[0.0, np.log(3)]], [[1.0, 0.0]], [[0.0, 1.0]], [[-3 / 32, 3 / 32]]),
}


def _second(
    backend: Backend, implementation: Implementation, values: Any, *seeds: Any, mode: str = "eager"
) -> Any:
    case = Case(implementation.operation, "file:made", np.shape(values), "float64")
    call = call_for(implementation, case, Inputs(np.array(values)))
    arrays = [backend.to_array(np.array(array)) for array in (*seeds, values)]
    return backend.second(call, mode)(*arrays)


@pytest.mark.parametrize("mode", ["eager", "function", "xla"])
@pytest.mark.parametrize(("operation", "name"), [("sigmoid", "tf.math.sigmoid"),
                                                 ("softmax", "tf.nn.softmax")])  # fmt: skip
def test_a_second_derivative_is_what_comes_out_by_hand(
    backend: Backend, operation: str, name: str, mode: str
) -> None:
    x, v, t, expected = BY_HAND[operation]

    got = _second(backend, backend.implementations[name], x, v, t, mode=mode)

    np.testing.assert_allclose(backend.to_numpy(got), expected, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_the_gradient_of_a_line_has_no_derivative(backend: Backend, mode: str) -> None:
    line = _implementation("exp", lambda x: x * 2)

    assert _second(backend, line, [1.0], [1.0], [1.0], mode=mode) is None


def test_a_value_that_is_cut_from_its_inputs_has_no_second_derivative(backend: Backend) -> None:
    import tensorflow as tf

    cut = _implementation("exp", lambda x: tf.exp(tf.stop_gradient(x)))

    assert _second(backend, cut, [1.0], [1.0], [1.0]) is None


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_an_operation_whose_gradient_has_none_is_said_to_have_no_second_derivative(
    backend: Backend, mode: str
) -> None:
    import tensorflow as tf

    def normalised(x: Any) -> Any:
        return tf.nn.local_response_normalization(x[None, None, None, :])[0, 0, 0]

    values = np.ones(3, np.float32)
    case = Case("exp", "file:made", (3,), "float32")
    call = call_for(_implementation("exp", normalised), case, Inputs(values))

    with pytest.raises(NotImplementedError, match="LRNGrad"):
        backend.second(call, mode)(*[backend.to_array(values)] * 3)


def test_the_sparse_loss_has_the_second_derivative_of_the_dense_one(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.random/float32/4x10/grid/-/0")
    dense = case.with_target("one_hot", "random")
    found = []
    for name, asked in ((SPARSE, case), ("tf.nn.softmax_cross_entropy_with_logits", dense)):
        call = _call(backend.implementations[name], asked)
        cotangent, *arrays = _arrays(backend, call, asked, cotangent=True)
        direction = backend.to_array(case.direction().astype(np.float32))
        found.append(backend.to_numpy(backend.second(call, "eager")(cotangent, direction, *arrays)))

    assert found[0].any()
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-7)


# --- where it runs ---------------------------------------------------------------------------


def test_a_gpu_that_tensorflow_does_not_see_is_absent(backend: Backend) -> None:
    """After `backend` this process has the CPU alone, on every machine."""
    with pytest.raises(DeviceAbsentError, match="tensorflow sees no GPU"):
        load_backend("tensorflow", "gpu")


def test_keras_runs_on_tensorflow(backend: Backend) -> None:
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert backend.facts()["keras_backend"] == "tensorflow"


def test_the_environment_names_what_decides_a_result(backend: Backend) -> None:
    environment = backend.environment()

    assert environment["versions"].keys() == {"tensorflow", "keras", "ml_dtypes"}
    assert environment["gpu"] is None
    assert environment["deterministic"] is False
    assert environment["onednn"] in {True, False}
    assert environment.keys() >= {"XLA_FLAGS", "intra_op_threads", "floatx", "epsilon"}


def _simple_questions(
    backend: Backend, dtype: str = "float32"
) -> Iterator[tuple[Implementation, Case]]:
    for implementation in backend.implementations.values():
        for kind in sorted(implementation.targets) or [""]:
            target = f"/{kind}.{TARGETS[kind]}" if kind else ""
            bare = f"{implementation.operation}{target}/{dtype}/4x10"
            family = VALUES[Case.parse(f"{bare}/normal/-/0").contract.domain]
            yield implementation, Case.parse(f"{bare}/{family}/-/0")


def _implementation(operation: str, function: Callable[..., Any]) -> Implementation:
    module = ModuleType("mine")
    setattr(module, operation, function)
    return next(implementations_of(module, "tensorflow"))


def _call(implementation: Implementation, case: Case) -> Call:
    return call_for(implementation, case, case.inputs())


def _arrays(backend: Backend, call: Call, case: Case, *, cotangent: bool = False) -> list[Any]:
    given = [getattr(case.inputs(), name) for name in call.arguments]
    if cotangent:
        given.insert(0, case.cotangent(call.shape).astype(case.inputs().values.dtype))
    return [backend.to_array(array) for array in given]


def _ask(
    backend: Backend, implementation: Implementation, case: Case, mode: str = "eager"
) -> Answer:
    call = _call(implementation, case)
    try:
        run = backend.forward_backward(call, mode)
        value, gradients = run(*_arrays(backend, call, case, cotangent=True))
    except Exception as error:
        error.add_note(f"{implementation.name} was asked {case.id} in mode {mode}")
        raise
    found = [None if gradient is None else backend.to_numpy(gradient) for gradient in gradients]
    return backend.to_numpy(value), found


def _given(answer: Answer) -> list[NDArray[Any]]:
    """Return the value, and the gradients that there are."""
    return [array for array in (answer[0], *answer[1]) if array is not None]
