"""The adapter of TensorFlow, and what its implementations and those of Keras claim."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import call_for
from lossdiff.cases.model import Case, Inputs

from lossdiff.errors import DeviceAbsentError

from ..asking import (
    BY_HAND,
    DTYPES,
    Answers,
    arrays_of,
    ask,
    call_of,
    given,
    own,
    second_of,
    shapes_of_gradients,
    simple_answers,
    simple_questions,
)

if TYPE_CHECKING:
    from lossdiff.backends.base import Backend
    from numpy.typing import NDArray

pytestmark = pytest.mark.framework("tensorflow")

EXP_CASE = "exp/float32/4x10/normal/-/0"
SPARSE = "tf.nn.sparse_softmax_cross_entropy_with_logits"
NO_GRADIENT_BY_TARGET = {"tf.compat.v1.losses.softmax_cross_entropy"}  # it stops there on purpose


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load_backend("tensorflow")


@pytest.fixture(scope="module")
def answers(backend: Backend) -> Answers:
    """Ask every implementation each kind of target that it claims, once."""
    return simple_answers(backend)


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
    answers: Answers, backend: Backend
) -> None:
    wrong = []
    for (name, case_id), (value, _) in answers.items():
        call = call_of(backend.implementations[name], Case.parse(case_id))
        if value.dtype != np.float32 or value.shape != call.shape:
            wrong.append((name, case_id, value.dtype, value.shape))

    assert wrong == []


def test_every_answer_to_everyday_inputs_is_finite(
    answers: Answers,
) -> None:
    nonfinite = [
        question
        for question, answer in answers.items()
        if not all(np.isfinite(array).all() for array in given(answer))
    ]

    assert nonfinite == []


def test_implementations_of_one_question_agree_in_value(
    answers: Answers,
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


def test_every_gradient_has_the_shape_of_its_argument(answers: Answers, backend: Backend) -> None:
    wrong = [
        question
        for question, (_, gradients) in answers.items()
        for gradient, shape in list(
            zip(gradients, shapes_of_gradients(backend, *question), strict=True)
        )[: 1 if question[0] in NO_GRADIENT_BY_TARGET else None]
        if gradient is None or gradient.dtype != np.float32 or gradient.shape != shape
    ]

    assert wrong == []


def test_function_and_eager_agree_in_dtype_shape_and_nearly_in_value(
    answers: Answers, backend: Backend
) -> None:
    for (name, case_id), eager in answers.items():
        traced = ask(backend, backend.implementations[name], Case.parse(case_id), "function")
        for one, other in zip(given(eager), given(traced), strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape), (name, case_id)
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", [SPARSE, "tf.recipes.cross_entropy"])
def test_xla_agrees_too(answers: Answers, backend: Backend, name: str) -> None:
    case = Case.parse("cross_entropy/index.random/float32/4x10/normal/-/0")

    compiled = ask(backend, backend.implementations[name], case, "xla")

    for one, other in zip(given(answers[name, case.id]), given(compiled), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("kind", ["native", "recipe"])
def test_the_dtype_of_the_logits_is_that_of_the_answer(
    backend: Backend, dtype: str, kind: str
) -> None:
    wrong = []
    for implementation, case in simple_questions(backend, dtype):
        if implementation.kind != kind or implementation.name == "tf.compat.v1.losses.log_loss":
            continue  # log_loss returns float32, whatever it is given
        value, gradients = ask(backend, implementation, case)
        if {array.dtype for array in given((value, gradients))} != {np.dtype(DTYPES[dtype])}:
            wrong.append((implementation.name, value.dtype))

    assert wrong == []


def test_classes_on_axis_1_are_found_there(backend: Backend) -> None:
    """A batch of (N, C, d) loses what its transpose of (N·d, C) loses."""
    for implementation, flat in simple_questions(backend):
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
    call = call_of(backend.implementations["tf.math.exp"], case)

    value = backend.forward(call, mode)(*arrays_of(backend, call, case))

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
    call = call_of(own(backend, "exp", exp), case)
    run = backend.forward_backward(call, mode)
    for _ in range(3):
        run(*arrays_of(backend, call, case, cotangent=True))

    assert traces == len(calls)


def test_xla_compiles_and_function_does_not(backend: Backend) -> None:
    import tensorflow as tf

    case = Case.parse(EXP_CASE)
    beyond_xla = own(backend, "exp", lambda x: tf.numpy_function(np.exp, [x], tf.float32))
    call = call_of(beyond_xla, case)

    backend.forward(call, "function")(*arrays_of(backend, call, case))
    with pytest.raises(tf.errors.InvalidArgumentError, match="unsupported operations"):
        backend.forward(call, "xla")(*arrays_of(backend, call, case))


@pytest.mark.parametrize("mode", ["eager", "function", "xla"])
def test_a_gradient_that_is_missing_is_none(backend: Backend, mode: str) -> None:
    import tensorflow as tf

    case = Case.parse(EXP_CASE)

    _, gradients = ask(backend, own(backend, "exp", tf.ones_like), case, mode)

    assert gradients == [None]


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_a_gradient_of_slices_is_made_whole(backend: Backend, mode: str) -> None:
    import tensorflow as tf

    case = Case.parse("logsumexp/float32/4x10/normal/-/0")
    first_row_four_times = own(
        backend, "logsumexp", lambda logits: tf.reduce_sum(tf.gather(logits, [0, 0, 0, 0]), axis=1)
    )

    _, (gradient,) = ask(backend, first_row_four_times, case, mode)

    assert gradient is not None
    assert gradient.shape == (4, 10)
    assert not gradient[1:].any()


def test_an_answer_of_the_wrong_dtype_reaches_the_judge(backend: Backend) -> None:
    import tensorflow as tf

    case = Case.parse(EXP_CASE)

    value, _ = ask(backend, own(backend, "exp", lambda x: tf.cast(x, tf.float16) * 2), case)

    assert value.dtype == np.float16


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_an_answer_that_is_not_one_tensor_is_refused(backend: Backend, mode: str) -> None:
    case = Case.parse(EXP_CASE)

    with pytest.raises(TypeError, match="returned tuple"):
        ask(backend, own(backend, "exp", lambda x: (x, x)), case, mode)


# --- the second derivative -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["eager", "function", "xla"])
@pytest.mark.parametrize(("operation", "name"), [("sigmoid", "tf.math.sigmoid"),
                                                 ("softmax", "tf.nn.softmax")])  # fmt: skip
def test_a_second_derivative_is_what_comes_out_by_hand(
    backend: Backend, operation: str, name: str, mode: str
) -> None:
    x, v, t, expected = BY_HAND[operation]

    got = second_of(backend, backend.implementations[name], x, v, t, mode=mode)

    np.testing.assert_allclose(backend.to_numpy(got), expected, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_the_gradient_of_a_line_has_no_derivative(backend: Backend, mode: str) -> None:
    line = own(backend, "exp", lambda x: x * 2)

    assert second_of(backend, line, [1.0], [1.0], [1.0], mode=mode) is None


def test_a_value_that_is_cut_from_its_inputs_has_no_second_derivative(backend: Backend) -> None:
    import tensorflow as tf

    cut = own(backend, "exp", lambda x: tf.exp(tf.stop_gradient(x)))

    assert second_of(backend, cut, [1.0], [1.0], [1.0], mode="eager") is None


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_an_operation_whose_gradient_has_none_is_said_to_have_no_second_derivative(
    backend: Backend, mode: str
) -> None:
    import tensorflow as tf

    def normalised(x: Any) -> Any:
        return tf.nn.local_response_normalization(x[None, None, None, :])[0, 0, 0]

    values = np.ones(3, np.float32)
    case = Case("exp", "file:made", (3,), "float32")
    call = call_for(own(backend, "exp", normalised), case, Inputs(values))

    with pytest.raises(NotImplementedError, match="LRNGrad"):
        backend.second(call, mode)(*[backend.to_array(values)] * 3)


def test_the_sparse_loss_has_the_second_derivative_of_the_dense_one(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.random/float32/4x10/grid/-/0")
    dense = case.with_target("one_hot", "random")
    found = []
    for name, asked in ((SPARSE, case), ("tf.nn.softmax_cross_entropy_with_logits", dense)):
        call = call_of(backend.implementations[name], asked)
        cotangent, *arrays = arrays_of(backend, call, asked, cotangent=True)
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
