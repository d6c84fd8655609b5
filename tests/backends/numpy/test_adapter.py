"""The adapter of NumPy, and what its implementations and SciPy's claim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend, Call, Implementation, call_for
from lossdiff.cases.layouts import laid_out
from lossdiff.cases.model import Case
from lossdiff.cases.operations import LANGUAGE_MODELS
from numpy.typing import NDArray

from lossdiff.errors import DeviceAbsentError

from ..asking import DTYPES, simple_questions

WRONG_BY_DESIGN = {"numpy.textbook.softmax_over_axis_0"}  # the classes are on the last axis


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load_backend("numpy")


@pytest.fixture(scope="module")
def values(backend: Backend) -> dict[tuple[str, str], NDArray[Any]]:
    """Ask every implementation each kind of target that it claims, once."""
    return {
        (implementation.name, case.id): _value(backend, implementation, case)
        for implementation, case in simple_questions(backend)
    }


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_comes_back_bit_for_bit(backend: Backend, dtype: str) -> None:
    array = np.array([[0.0, -1.5, 3.0], [7.0, 100.0, -2.0]]).astype(DTYPES[dtype])

    back = backend.to_numpy(backend.to_array(array))

    assert (array.dtype, array.shape, array.tobytes()) == (back.dtype, back.shape, back.tobytes())


def test_what_no_arithmetic_keeps_comes_back_bit_for_bit(backend: Backend) -> None:
    array = np.array([5e-324, -0.0, np.inf, -np.inf, np.nan, 2**-1022])

    assert array.tobytes() == backend.to_numpy(backend.to_array(array)).tobytes()


def test_an_array_keeps_its_strides(backend: Backend) -> None:
    array = laid_out(np.arange(8, dtype=np.float32).reshape(2, 4), "stepped")

    assert backend.to_array(array).strides == (32, 8)


def test_a_scalar_comes_back_as_an_array_without_axes(backend: Backend) -> None:
    back = backend.to_numpy(np.float32(2))

    assert isinstance(back, np.ndarray)
    assert (back.dtype, back.shape) == (np.float32, ())


@pytest.mark.parametrize("value", [True, [1.0], (1, 2), None, "1"])
def test_what_is_not_an_array_of_numpy_is_refused(backend: Backend, value: object) -> None:
    with pytest.raises(TypeError, match=f"returned {type(value).__name__}, not a NumPy array"):
        backend.to_numpy(value)


def test_every_answer_has_the_dtype_and_shape_of_the_contract(
    values: dict[tuple[str, str], NDArray[Any]], backend: Backend
) -> None:
    wrong = [
        (name, case_id, value.dtype, value.shape)
        for (name, case_id), value in values.items()
        if (value.dtype, value.shape) != (np.float32, _call(backend, name, case_id).shape)
    ]

    assert wrong == []


def test_implementations_of_one_question_agree(
    values: dict[tuple[str, str], NDArray[Any]],
) -> None:
    first: dict[str, tuple[str, NDArray[Any]]] = {}
    for (name, case_id), value in values.items():
        if name not in WRONG_BY_DESIGN:
            one, expected = first.setdefault(case_id, (name, value))
            np.testing.assert_allclose(
                value, expected, rtol=1e-4, atol=1e-6, err_msg=f"{name} against {one}: {case_id}"
            )


def test_every_recipe_but_the_composed_one_has_a_gradient_by_hand(backend: Backend) -> None:
    without = {
        name
        for name, implementation in backend.implementations.items()
        if implementation.vjp is None and implementation.kind == "recipe"
    }

    assert without == {"numpy.recipes.cross_entropy_by_nll"}


def test_gradients_by_hand_are_those_of_differences(backend: Backend) -> None:
    """In float64, against central differences of the function itself."""
    for implementation, case in simple_questions(backend, dtype="float64"):
        if implementation.vjp is None:
            continue
        call = _call(backend, implementation.name, case.id)
        arrays = [getattr(case.inputs(), name) for name in call.arguments]
        cotangent = np.asarray(case.cotangent(call.shape))
        _, gradients = backend.forward_backward(call, "eager")(cotangent, *arrays)
        assert len(gradients) == len(call.wrt)
        for position, gradient in zip(call.positions, gradients, strict=True):
            expected = _differences(call, cotangent, arrays, position)
            np.testing.assert_allclose(
                gradient,
                expected,
                rtol=1e-4,
                atol=1e-7,
                err_msg=f"{implementation.name}: {case.id}",
            )


def test_a_gradient_has_the_shape_of_three_axes_too(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.random/float32/2x3x5/normal/reduction=none/0")
    call = _call(backend, "numpy.recipes.cross_entropy", case.id)
    arrays = [getattr(case.inputs(), name) for name in call.arguments]
    cotangent = case.cotangent(call.shape).astype(np.float32)

    value, (gradient,) = backend.forward_backward(call, "eager")(cotangent, *arrays)

    assert (value.shape, gradient.shape) == ((2, 5), (2, 3, 5))
    assert gradient.dtype == np.float32


@pytest.mark.parametrize("operation", ["cross_entropy", "binary_cross_entropy_with_logits"])
def test_gradients_have_the_dtype_of_what_they_are_by(backend: Backend, operation: str) -> None:
    kind = {"cross_entropy": "soft.soft"}.get(operation, "multi_label.fractional")
    case = Case.parse(f"{operation}/{kind}:float64/float32/4x10/normal/weight=positive:float64/0")
    call = _call(backend, f"numpy.recipes.{operation}", case.id)
    arrays = [getattr(case.inputs(), name) for name in call.arguments]

    _, gradients = backend.forward_backward(call, "eager")(np.float32(1), *arrays)

    assert [gradient.dtype for gradient in gradients] == [np.float32, np.float64]


def test_there_is_no_second_derivative(backend: Backend) -> None:
    call = _call(backend, "numpy.recipes.softmax", "softmax/float32/4x10/grid/-/0")

    with pytest.raises(NotImplementedError, match="numpy has no second derivative"):
        backend.second(call, "eager")


def test_scipy_has_no_gradients(backend: Backend) -> None:
    case = Case.parse("softmax/float32/4x10/normal/-/0")
    call = _call(backend, "scipy.special.softmax", case.id)

    with pytest.raises(NotImplementedError, match="no gradient is written"):
        backend.forward_backward(call, "eager")(np.ones((4, 10)), case.inputs().values)


def test_overflow_is_an_answer_and_no_warning(backend: Backend) -> None:
    case = Case.parse("softmax/float32/4x10/exp_overflow/-/0")

    value = _value(backend, backend.implementations["numpy.textbook.softmax_unshifted"], case)

    assert np.isnan(value).any()


@pytest.mark.parametrize(
    ("name", "options", "targets"),
    [
        ("scipy.special.softmax", {"axis"}, set()),
        ("scipy.special.expit", set(), set()),
        ("scipy.special.log_expit", set(), set()),
        ("numpy.exp", set(), set()),
        (
            "numpy.recipes.cross_entropy",
            {"weight", "ignore_index", "label_smoothing", "reduction", *LANGUAGE_MODELS},
            {"index", "one_hot", "soft"},
        ),
        ("numpy.textbook.cross_entropy_shifted", {"reduction"}, {"index"}),
        ("numpy.textbook.cross_entropy_probs", {"reduction"}, {"one_hot", "soft"}),
    ],
)
def test_functions_claim_what_they_take_and_no_more(
    backend: Backend, name: str, options: set[str], targets: set[str]
) -> None:
    implementation = backend.implementations[name]

    assert (implementation.options, implementation.targets) == (options, targets)


def test_an_option_that_is_not_claimed_is_missing(backend: Backend) -> None:
    case = Case.parse("cross_entropy/index.random/float32/4x10/normal/weight=positive/0")

    textbook = backend.implementations["numpy.textbook.cross_entropy_shifted"]
    recipe = backend.implementations["numpy.recipes.cross_entropy"]

    assert (textbook.unsupported(case), recipe.unsupported(case)) == ("has no weight", "")


def test_every_operation_is_answered(backend: Backend) -> None:
    answered = {implementation.operation for implementation in backend.implementations.values()}

    assert answered == {case.operation for _, case in simple_questions(backend)}
    assert {"softmax", "nll_loss", "binary_cross_entropy_with_logits"} <= answered


def test_there_is_no_gpu() -> None:
    with pytest.raises(DeviceAbsentError, match="NumPy has no GPU"):
        load_backend("numpy", "gpu")


def test_the_environment_names_what_decides_a_result(backend: Backend) -> None:
    environment = backend.environment()

    assert environment["versions"].keys() == {"numpy", "scipy", "ml_dtypes"}
    assert environment["device"] == "cpu"
    assert "threads" in environment


def _call(backend: Backend, name: str, case_id: str) -> Call:
    case = Case.parse(case_id)
    return call_for(backend.implementations[name], case, case.inputs())


def _value(backend: Backend, implementation: Implementation, case: Case) -> NDArray[Any]:
    call = call_for(implementation, case, case.inputs())
    arrays = [backend.to_array(getattr(case.inputs(), name)) for name in call.arguments]
    return backend.to_numpy(backend.forward(call, "eager")(*arrays))


def _differences(
    call: Call, cotangent: NDArray[Any], arrays: list[NDArray[Any]], position: int
) -> NDArray[Any]:
    """Return the gradient by one of the arrays, by central differences."""
    gradient = np.empty(arrays[position].shape)
    for index in np.ndindex(gradient.shape):
        step = 1e-6 * max(0.1, abs(arrays[position][index]))
        ends = []
        for sign in (1, -1):
            moved = arrays[position].copy()
            moved[index] += sign * step
            ends.append(call(*arrays[:position], moved, *arrays[position + 1 :]))
        gradient[index] = (cotangent * (ends[0] - ends[1])).sum() / (2 * step)
    return gradient
