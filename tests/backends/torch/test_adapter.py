"""The adapter of PyTorch, and what its implementations claim."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import implementations_of
from lossdiff.cases.layouts import laid_out
from lossdiff.cases.model import Case

from lossdiff.errors import DeviceAbsentError

from ..asking import (
    BY_HAND,
    DTYPES,
    Answer,
    Answers,
    arrays_of,
    ask,
    call_of,
    own,
    second_of,
    shapes_of_gradients,
    simple_answers,
)

if TYPE_CHECKING:
    from lossdiff.backends.base import Backend

pytestmark = pytest.mark.framework("torch")

EXP = Case.parse("exp/float32/4x10/normal/-/0")
INDEX = Case.parse("cross_entropy/index.random/float32/4x10/normal/-/0")
CROSS_ENTROPY = "torch.nn.functional.cross_entropy"
WRONG_BY_DESIGN = {"torch.textbook.softmax_over_axis_0"}  # the classes are on the last axis


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load_backend("torch")


@pytest.fixture(scope="module")
def answers(backend: Backend) -> Answers:
    """Ask every implementation each kind of target that it claims, once."""
    return simple_answers(backend)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 3), (6,), (1, 2, 3)])
def test_an_array_comes_back_bit_for_bit(
    backend: Backend, dtype: str, shape: tuple[int, ...]
) -> None:
    array = np.array([0.0, -1.5, 3.0, 7.0, 100.0, -2.0]).astype(DTYPES[dtype]).reshape(shape)

    back = backend.to_numpy(backend.to_array(array))

    assert (array.dtype, array.shape, array.tobytes()) == (back.dtype, back.shape, back.tobytes())


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_without_axes_comes_back_without_axes(backend: Backend, dtype: str) -> None:
    back = backend.to_numpy(backend.to_array(np.ones((), DTYPES[dtype])))

    assert isinstance(back, np.ndarray)
    assert (back.dtype, back.shape) == (DTYPES[dtype], ())


def test_what_no_arithmetic_keeps_comes_back_bit_for_bit(backend: Backend) -> None:
    array = np.array([5e-324, -0.0, np.inf, -np.inf, np.nan, 2**-1022])

    assert array.tobytes() == backend.to_numpy(backend.to_array(array)).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_arrays_and_answers_in_another_order_keep_their_values(
    backend: Backend, dtype: str
) -> None:
    array = np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1).astype(DTYPES[dtype])

    tensor = backend.to_array(array)

    np.testing.assert_array_equal(array, backend.to_numpy(tensor))
    np.testing.assert_array_equal(array.T, backend.to_numpy(tensor.permute(2, 1, 0)))


def test_an_array_keeps_its_strides(backend: Backend) -> None:
    array = laid_out(np.arange(8, dtype=np.float32).reshape(2, 4), "stepped")

    assert backend.to_array(array).stride() == (8, 2)


@pytest.mark.parametrize("value", [1.0, np.ones(2), (1, 2), None])
def test_what_is_not_a_tensor_is_refused(backend: Backend, value: object) -> None:
    with pytest.raises(TypeError, match=f"returned {type(value).__name__}, not torch.Tensor"):
        backend.to_numpy(value)


def test_every_answer_has_the_dtype_and_shape_of_the_contract(
    answers: Answers, backend: Backend
) -> None:
    wrong = []
    for (name, case_id), (value, _) in answers.items():
        call = call_of(backend.implementations[name], Case.parse(case_id))
        if (value.dtype, value.shape) != (np.float32, call.shape):
            wrong.append((name, case_id, value.dtype, value.shape))

    assert wrong == []


def test_implementations_of_one_question_agree(
    answers: Answers,
) -> None:
    first: dict[str, tuple[str, Answer]] = {}
    for (name, case_id), answer in answers.items():
        if name in WRONG_BY_DESIGN:
            continue
        one, expected = first.setdefault(case_id, (name, answer))
        one_by_one = zip([expected[0], *expected[1]], [answer[0], *answer[1]], strict=True)
        for quantity, other in one_by_one:
            if quantity is None or other is None:
                continue
            np.testing.assert_allclose(
                other, quantity, rtol=1e-4, atol=1e-6, err_msg=f"{name} against {one}: {case_id}"
            )


def test_every_gradient_has_the_dtype_and_shape_of_its_argument(
    answers: Answers, backend: Backend
) -> None:
    wrong = [
        question
        for question, (_, gradients) in answers.items()
        for gradient, shape in zip(gradients, shapes_of_gradients(backend, *question), strict=True)
        if gradient is not None and (gradient.dtype, gradient.shape) != (np.float32, shape)
    ]

    assert wrong == []


def test_every_gradient_that_the_contract_asks_for_flows(
    answers: Answers,
) -> None:
    without = {
        name
        for (name, _), (_, gradients) in answers.items()
        if any(gradient is None for gradient in gradients)
    }

    assert without == set()


def test_forward_and_forward_backward_give_the_same_value(backend: Backend) -> None:
    call = call_of(backend.implementations[CROSS_ENTROPY], INDEX)

    alone = backend.forward(call, "eager")(*arrays_of(backend, call, INDEX))
    value, _ = ask(backend, backend.implementations[CROSS_ENTROPY], INDEX)

    backend.synchronize(alone)
    np.testing.assert_array_equal(backend.to_numpy(alone), value)


@pytest.mark.parametrize("name", [CROSS_ENTROPY, "torch.recipes.cross_entropy_by_gather"])
def test_logits_of_three_axes_that_lie_in_another_order_have_their_gradient(
    backend: Backend, name: str
) -> None:
    """As a user gets them: classes last, moved to axis 1 by a view."""
    case = Case.parse("cross_entropy/index.random/float32/2x3x5/normal/reduction=none/0")
    call = call_of(backend.implementations[name], case)
    run = backend.forward_backward(call, "eager")
    cotangent, values, target = arrays_of(backend, call, case, cotangent=True)
    moved = backend.to_array(np.ascontiguousarray(case.inputs().values.transpose(0, 2, 1)))
    view = moved.permute(0, 2, 1)
    assert not view.is_contiguous()

    expected, (gradient,) = run(cotangent, values, target)
    value, (other,) = run(cotangent, view, target)

    np.testing.assert_array_equal(backend.to_numpy(expected), backend.to_numpy(value))
    np.testing.assert_allclose(
        backend.to_numpy(other), backend.to_numpy(gradient), rtol=1e-6, atol=1e-7
    )
    assert backend.to_numpy(other).shape == (2, 3, 5)


def test_numpy_arrays_that_lie_in_another_order_are_taken_as_they_are(backend: Backend) -> None:
    case = Case.parse("softmax/float32/2x3x5/normal/axis=1/0")
    call = call_of(backend.implementations["torch.softmax"], case)
    values = case.inputs().values.copy()
    moved = np.ascontiguousarray(values.transpose(1, 2, 0)).transpose(2, 0, 1)
    assert not moved.flags.c_contiguous
    cotangent = backend.to_array(np.ones(values.shape, np.float32))
    run = backend.forward_backward(call, "eager")

    one, (gradient,) = run(cotangent, backend.to_array(values))
    other, (same,) = run(cotangent, backend.to_array(moved))

    np.testing.assert_array_equal(backend.to_numpy(one), backend.to_numpy(other))
    np.testing.assert_array_equal(backend.to_numpy(gradient), backend.to_numpy(same))


def test_asking_twice_gives_the_same_gradient_and_leaves_no_trace(backend: Backend) -> None:
    call = call_of(backend.implementations[CROSS_ENTROPY], INDEX)
    arrays = arrays_of(backend, call, INDEX, cotangent=True)
    run = backend.forward_backward(call, "eager")

    first, second = (run(*arrays)[1][0] for _ in range(2))

    np.testing.assert_array_equal(backend.to_numpy(first), backend.to_numpy(second))
    assert not any(array.requires_grad for array in arrays)


def test_an_answer_of_the_wrong_dtype_reaches_the_judge(backend: Backend) -> None:
    value = backend.forward(call_of(own(backend, "exp", lambda x: x.double()), EXP), "eager")(
        *arrays_of(backend, call_of(own(backend, "exp", lambda x: x), EXP), EXP)
    )

    assert backend.to_numpy(value).dtype == np.float64


def test_a_value_that_is_cut_from_its_inputs_has_no_gradient(backend: Backend) -> None:
    with pytest.raises(RuntimeError, match="does not require grad"):
        ask(backend, own(backend, "exp", lambda x: x.detach() * 1), EXP)


def test_an_argument_that_does_not_take_part_has_no_gradient(backend: Backend) -> None:
    soft = INDEX.with_target("soft", "soft")
    module = ModuleType("mine")
    vars(module).update(cross_entropy=lambda x, _: x.sum(), targets={"cross_entropy": {"soft"}})

    _, (by_logits, by_target) = ask(backend, next(implementations_of(module, "torch")), soft)

    assert by_logits is not None
    assert by_target is None


# --- the second derivative -------------------------------------------------------------------


@pytest.mark.parametrize("operation", BY_HAND)
def test_a_second_derivative_is_what_comes_out_by_hand(backend: Backend, operation: str) -> None:
    x, v, t, expected = BY_HAND[operation]

    got = second_of(backend, backend.implementations[f"torch.{operation}"], x, v, t, mode="eager")

    np.testing.assert_allclose(backend.to_numpy(got), expected, rtol=1e-14, atol=1e-16)


def test_the_gradient_of_a_line_has_no_derivative(backend: Backend) -> None:
    line = own(backend, "exp", lambda x: x * 2)

    assert second_of(backend, line, [1.0], [1.0], [1.0], mode="eager") is None


def test_a_second_derivative_leaves_no_trace_in_its_arguments(backend: Backend) -> None:
    case = Case.parse("sigmoid/float64/4x10/normal/-/0")
    call = call_of(backend.implementations["torch.sigmoid"], case)
    arrays = [backend.to_array(case.inputs().values.copy()) for _ in range(3)]

    backend.second(call, "eager")(*arrays)

    assert not any(array.requires_grad for array in arrays)


def test_compiled_functions_are_not_differentiated_twice(backend: Backend) -> None:
    call = call_of(backend.implementations[CROSS_ENTROPY], INDEX)

    with pytest.raises(NotImplementedError, match="does not differentiate twice"):
        backend.second(call, "compile")


# --- claims ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("torch.softmax", {"axis"}),
        ("torch.nn.functional.logsigmoid", set()),
        (CROSS_ENTROPY, {"weight", "ignore_index", "label_smoothing", "reduction"}),
        ("torch.nn.NLLLoss", {"weight", "ignore_index", "reduction"}),
        ("torch.nn.functional.multilabel_soft_margin_loss", set()),
        ("torch.recipes.cross_entropy_by_gather", {"reduction"}),
    ],
)
def test_only_the_options_that_a_function_has_are_claimed(
    backend: Backend, name: str, options: set[str]
) -> None:
    assert backend.implementations[name].options == options


def test_an_option_that_a_recipe_lacks_is_missing_and_says_so(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.random/float32/4x10/normal/weight=positive/0")
    recipe = backend.implementations["torch.recipes.cross_entropy_by_gather"]

    assert recipe.unsupported(case) == "has no weight"
    assert backend.implementations[CROSS_ENTROPY].unsupported(case) == ""


def test_bad_labels_raise_before_anything_is_computed(backend: Backend) -> None:
    case = INDEX.with_target("index", "too_large")

    with pytest.raises(IndexError, match="out of bounds"):
        ask(backend, backend.implementations[CROSS_ENTROPY], case)


def test_a_gpu_that_torch_does_not_see_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    with pytest.raises(DeviceAbsentError, match="torch sees no GPU"):
        load_backend("torch", "gpu")


def test_the_environment_names_what_decides_a_result(backend: Backend) -> None:
    environment = backend.environment()

    assert {"torch"} <= environment["versions"].keys() <= {"torch", "triton", "liger-kernel"}
    assert environment["gpu"] is None
    assert environment.keys() >= {"threads", "cpu_capability", "deterministic"}


def test_classes_that_are_moved_to_the_end_lie_there_in_memory(backend: Backend) -> None:
    moved = backend.moveaxis(backend.to_array(np.zeros((2, 3, 5))), 1, -1)

    assert moved.view(-1, 3).shape == (10, 3)
