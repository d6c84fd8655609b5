"""The adapter of JAX, and what its implementations claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.cases.model import Case

from lossdiff.errors import DeviceAbsentError

from ..asking import (
    BY_HAND,
    DTYPES,
    Answer,
    Answers,
    arrays_of,
    ask,
    assert_nan_in_ignored_rows_spoils_nothing,
    call_of,
    given,
    own,
    second_of,
    shapes_of_gradients,
    simple_answers,
)

if TYPE_CHECKING:
    from lossdiff.backends.base import Backend

pytestmark = pytest.mark.framework("jax")

INDEX_CASE = "cross_entropy/index.random/float32/4x10/normal/-/0"
NATIVE_CROSS_ENTROPY = "optax.losses.softmax_cross_entropy_with_integer_labels"


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load_backend("jax")


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


def test_what_no_arithmetic_keeps_comes_back_bit_for_bit(backend: Backend) -> None:
    array = np.array([5e-324, -0.0, np.inf, -np.inf, np.nan, 2**-1022])

    assert array.tobytes() == backend.to_numpy(backend.to_array(array)).tobytes()


def test_an_array_without_axes_comes_back_without_axes(backend: Backend) -> None:
    assert backend.to_numpy(backend.to_array(np.ones(()))).shape == ()


def test_an_array_in_another_order_comes_back_with_its_values(backend: Backend) -> None:
    array = np.arange(6.0).reshape(2, 3).T

    np.testing.assert_array_equal(array, backend.to_numpy(backend.to_array(array)))


@pytest.mark.parametrize("value", [1.0, np.ones(2), (1, 2), None])
def test_what_is_not_an_array_of_jax_is_refused(backend: Backend, value: object) -> None:
    with pytest.raises(TypeError, match=f"returned {type(value).__name__}, not jax.Array"):
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
        for question, (value, gradients) in answers.items()
        if not all(np.isfinite(array).all() for array in (value, *gradients))
    ]

    assert nonfinite == []


def test_implementations_of_one_question_agree(answers: Answers, backend: Backend) -> None:
    first: dict[str, tuple[str, Answer]] = {}
    for (name, case_id), answer in answers.items():
        if name == "jax.textbook.softmax_over_axis_0":
            continue  # it is wrong by design: the classes are on the last axis
        one, expected = first.setdefault(case_id, (name, answer))
        for quantity, other in zip(given(expected), given(answer), strict=True):
            np.testing.assert_allclose(
                other, quantity, rtol=1e-4, atol=1e-6, err_msg=f"{name} against {one}: {case_id}"
            )


def test_every_gradient_has_the_shape_of_its_argument(answers: Answers, backend: Backend) -> None:
    wrong = [
        question
        for question, (_, gradients) in answers.items()
        if any(gradient.dtype != np.float32 for gradient in gradients)
        or [gradient.shape for gradient in gradients] != shapes_of_gradients(backend, *question)
    ]

    assert wrong == []


def test_jit_and_eager_agree_in_dtype_shape_and_nearly_in_value(
    answers: Answers, backend: Backend
) -> None:
    for (name, case_id), eager in answers.items():
        implementation = backend.implementations[name]
        if implementation.kind != "native":
            continue
        jitted = ask(backend, implementation, Case.parse(case_id), mode="jit")
        for one, other in zip(given(eager), given(jitted), strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape), (name, case_id)
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6, err_msg=name)


def test_forward_gives_the_value_alone(backend: Backend) -> None:
    case = Case.parse(INDEX_CASE)
    call = call_of(backend.implementations[NATIVE_CROSS_ENTROPY], case)
    arrays = arrays_of(backend, call, case)

    eager, jitted = (backend.forward(call, mode)(*arrays) for mode in ("eager", "jit"))

    backend.synchronize((eager, jitted))
    np.testing.assert_allclose(backend.to_numpy(jitted), backend.to_numpy(eager), rtol=1e-6)


@pytest.mark.parametrize("tree", [lambda x: x, lambda x: (x, (x + 1,))], ids=["array", "tuple"])
def test_a_result_has_been_waited_for(backend: Backend, tree: Any) -> None:
    import jax

    x = jax.numpy.ones((2000, 2000))
    result = tree(x @ x)  # which goes on for longer than the next line takes

    wait = backend.wait_for(result)

    assert wait is not None
    wait(result)
    assert all(leaf.is_ready() for leaf in jax.tree.leaves(result))


@pytest.mark.parametrize(("mode", "traces"), [("eager", 3), ("jit", 1)])
def test_jit_traces_once_and_eager_each_time(backend: Backend, mode: str, traces: int) -> None:
    calls = []

    def exp(logits: Any) -> Any:
        calls.append(logits)
        return logits * 2

    case = Case.parse("exp/float32/4x10/normal/-/0")
    call = call_of(own(backend, "exp", exp), case)
    run = backend.forward_backward(call, mode)
    for _ in range(3):
        run(*arrays_of(backend, call, case, cotangent=True))

    assert traces == len(calls)


def test_an_answer_of_the_wrong_dtype_reaches_the_judge(backend: Backend) -> None:
    case = Case.parse("exp/float32/4x10/normal/-/0")

    value, _ = ask(backend, own(backend, "exp", lambda x: x.astype("float16")), case)

    assert value.dtype == np.float16


def test_an_answer_that_is_not_an_array_is_refused(backend: Backend) -> None:
    case = Case.parse("exp/float32/4x10/normal/-/0")

    with pytest.raises(TypeError, match="returned tuple"):
        ask(backend, own(backend, "exp", lambda x: (x, x)), case)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("jax.nn.softmax", {"axis"}),
        ("jax.nn.log_sigmoid", set()),
        ("optax.losses.softmax_cross_entropy", {"reduction"}),
        (NATIVE_CROSS_ENTROPY, {"reduction"}),
        ("jax.recipes.cross_entropy_soft", {"weight", "label_smoothing", "reduction"}),
    ],
)
def test_only_the_options_that_a_function_has_are_claimed(
    backend: Backend, name: str, options: set[str]
) -> None:
    assert options == backend.implementations[name].options


def test_an_option_that_optax_lacks_is_unsupported_and_says_so(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.random/float32/4x10/normal/weight=positive/0")

    assert backend.implementations[NATIVE_CROSS_ENTROPY].unsupported(case) == "has no weight"
    assert backend.implementations["jax.recipes.cross_entropy"].unsupported(case) == ""


def test_the_mean_of_a_recipe_divides_by_the_weights_of_the_rows_that_count(
    backend: Backend,
) -> None:
    recipe = backend.implementations["jax.recipes.nll_loss"].function
    log_probs = np.array([[-1.0, -8.0], [-2.0, -4.0], [-16.0, -32.0]])
    target, weight = np.array([0, 1, -100]), np.array([3.0, 1.0])

    value = recipe(*map(backend.to_array, (log_probs, target)), weight=backend.to_array(weight))

    assert backend.to_numpy(value) == (3 * 1 + 1 * 4) / (3 + 1)


def test_an_ignored_row_has_no_gradient(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.some_ignored/float32/4x10/normal/-/0")
    target = case.inputs().target
    assert target is not None
    ignored = target == -100
    assert ignored.any()

    for name in ("jax.recipes.cross_entropy", "jax.recipes.cross_entropy_by_nll"):
        _, (gradient,) = ask(backend, backend.implementations[name], case)
        assert not gradient[ignored].any()
        assert gradient[~ignored].any(axis=1).all()


@pytest.mark.parametrize("options", ["-", "label_smoothing=0.1", "weight=positive,reduction=sum"])
def test_nan_in_an_ignored_row_spoils_neither_the_loss_nor_its_gradient(
    backend: Backend, options: str
) -> None:
    assert_nan_in_ignored_rows_spoils_nothing(backend, "jax.recipes.cross_entropy", options)


def test_a_masked_class_that_is_no_target_costs_nothing(backend: Backend) -> None:
    case = Case.parse("cross_entropy/one_hot.top/float32/4x10/neg_inf/-/0")

    value, (gradient,) = ask(
        backend, backend.implementations["jax.recipes.cross_entropy_soft"], case
    )

    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


# --- the second derivative -------------------------------------------------------------------


@pytest.mark.parametrize("operation", BY_HAND)
def test_a_second_derivative_is_what_comes_out_by_hand(backend: Backend, operation: str) -> None:
    x, v, t, expected = BY_HAND[operation]

    got = second_of(backend, backend.implementations[f"jax.nn.{operation}"], x, v, t, mode="jit")

    np.testing.assert_allclose(backend.to_numpy(got), expected, rtol=1e-14, atol=1e-16)


def test_the_gradient_of_a_line_has_the_derivative_0(backend: Backend) -> None:
    line = own(backend, "exp", lambda x: x * 2)

    got = second_of(backend, line, [1.0], [1.0], [1.0], mode="jit")

    assert backend.to_numpy(got).tolist() == [0.0]


def test_operator_by_operator_no_second_derivative_is_asked(backend: Backend) -> None:
    sigmoid = backend.implementations["jax.nn.sigmoid"]

    with pytest.raises(NotImplementedError, match="asked in the mode jit only"):
        second_of(backend, sigmoid, [1.0], [1.0], [1.0], mode="eager")


# --- where it runs ---------------------------------------------------------------------------


def test_a_gpu_that_jax_does_not_see_is_absent(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `backend` this process has the CPU alone, on every machine."""
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

    with pytest.raises(DeviceAbsentError, match="jax sees no GPU"):
        load_backend("jax", "gpu")


def test_the_environment_names_what_decides_a_result(backend: Backend) -> None:
    environment = backend.environment()

    assert environment["versions"].keys() == {"jax", "jaxlib", "optax", "ml_dtypes"}
    assert environment["enable_x64"] is True
    assert environment["gpu"] is None
    assert environment.keys() >= {"devices", "default_matmul_precision", "xla_flags"}


def test_a_program_that_is_compiled_soon_gives_the_numbers_of_one_that_is_compiled_well(
    backend: Backend,
) -> None:
    case, native = Case.parse(INDEX_CASE), backend.implementations[NATIVE_CROSS_ENTROPY]

    well = given(ask(backend, native, case, "jit"))
    with backend.hurried():
        soon = given(ask(backend, native, case, "jit"))

    for expected, actual in zip(well, soon, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_a_compiler_without_these_options_compiles_as_always(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lossdiff.backends.jax import adapter

    monkeypatch.setattr(adapter, "_HURRIED", {"xla_no_such_option": True})
    adapter._may_hurry.cache_clear()
    case, native = Case.parse(INDEX_CASE), backend.implementations[NATIVE_CROSS_ENTROPY]

    with backend.hurried():
        value, _ = ask(backend, native, case, "jit")

    adapter._may_hurry.cache_clear()
    assert np.isfinite(value)
