"""Asking one question: whatever an implementation does becomes an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend, Call, Implementation, call_for
from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.answers import Failure, Observation
from lossdiff.harness.workers.evaluate import (
    CompiledCalls,
    asked_without_fault,
    evaluate,
    second_derivative,
)
from lossdiff.harness.workers.messages import Setup
from lossdiff.harness.workers.process import load

HOSTILE = Path(__file__).parents[2] / "hostile"
SOFTMAX = Case.parse("softmax/float32/4x10/normal/-/0")
SOFT = Case.parse("cross_entropy/soft.soft/float32/4x10/normal/-/0")


@cache
def hostile() -> Backend:
    """Return NumPy with the functions of a hostile file."""
    return load(Setup("numpy", extra=(str(HOSTILE / "answers.py"),)))


def asked(name: str, case: Case = SOFTMAX) -> Observation:
    """Ask one implementation one case."""
    return evaluate(hostile(), name, "eager", case)


def backend_with(
    framework: str, function: Callable[..., Any], vjp: Callable[..., Any] | None = None
) -> Backend:
    """Return a framework with one softmax more."""
    backend = load_backend(framework)
    claim = Claim("mine.softmax", framework, "softmax", "user", frozenset(), frozenset())
    backend.extra.append(Implementation(claim, function, vjp))
    return backend


def asked_of(backend: Backend, case: Case = SOFTMAX) -> Observation:
    """Ask the one softmax more."""
    return evaluate(backend, "mine.softmax", "eager", case)


@pytest.mark.parametrize(
    ("family", "function", "without"),
    [
        ("normal", lambda x: x * np.nan, ""),  # there is no fault to take out
        ("nan", lambda x: x, "number"),
        ("nan", lambda x: x * np.nan, "nan"),
        ("nan", lambda _: 1 / 0, "error"),
    ],
)
def test_an_error_or_a_nan_is_asked_again_without_the_fault(
    family: str, function: Callable[[Any], Any], without: str
) -> None:
    backend = backend_with("numpy", function)
    case = Case.parse(f"softmax/float32/4x10/{family}/-/0")

    observation = asked_without_fault(backend, case, asked_of(backend, case))

    assert observation.without_fault == without


# --- answers ---------------------------------------------------------------------------------


def test_a_right_answer_has_a_value_and_a_gradient() -> None:
    observation = asked("answers.softmax")

    assert (SOFTMAX.id, "answers.softmax", "eager") == (
        observation.case, observation.implementation, observation.mode
    )  # fmt: skip
    assert observation.answers.keys() == {"value", "gradient_logits"}
    np.testing.assert_allclose(observation.answers["value"].sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(observation.answers["gradient_logits"].sum(1), 0, atol=1e-6)
    assert {array.dtype for array in observation.answers.values()} == {np.dtype(np.float32)}
    assert observation.seconds > 0
    assert observation.warnings == ""


def test_a_soft_target_has_a_gradient_too() -> None:
    answers = asked("numpy.recipes.cross_entropy", SOFT).answers

    assert list(answers) == ["value", "gradient_logits", "gradient_target"]
    assert [answer.shape for answer in answers.values()] == [(), (4, 10), (4, 10)]


def test_the_tutorials_are_asked_for_values_alone() -> None:
    worked = next(case for case in suite("worked").cases if case.operation == "softmax")

    assert asked("numpy.recipes.softmax", worked).answers.keys() == {"value"}


def test_an_option_reaches_the_function() -> None:
    case = Case.parse("softmax/float32/4x10/normal/axis=0/0")

    np.testing.assert_allclose(asked("answers.softmax", case).answers["value"].sum(0), 1, 1e-6)


def test_an_error_where_an_error_is_right_is_an_answer() -> None:
    case = Case.parse("cross_entropy/index.too_large/float32/4x10/normal/-/0")

    value = asked("numpy.recipes.cross_entropy", case).answers["value"]

    assert isinstance(value, Failure)
    assert value.kind == "raised"


def test_of_huge_arrays_only_the_judged_rows_come_back() -> None:
    case = Case.parse("softmax/float32/300x5000/normal/-/0")
    assert case.judged_rows < 300

    assert asked("answers.softmax", case).answers["value"].shape == (case.judged_rows, 5000)


WRONG = {
    "returns_none": "mismatched",
    "returns_none_with_gradient": "mismatched",
    "returns_a_list": "mismatched",
    "returns_a_text": "mismatched",
    "returns_objects": "mismatched",
    "returns_texts": "mismatched",
    "returns_complex_numbers": "mismatched",
    "returns_records": "mismatched",
    "raises": "raised",
    "leaves": "raised",
    "interrupts": "raised",
    "raises_a_base_exception": "raised",
    "ends_a_generator": "raised",
    "raises_the_unprintable": "raised",
}


def test_a_number_of_python_is_an_answer_without_axes() -> None:
    value = asked("answers.softmax_returns_a_number").answers["value"]

    assert not isinstance(value, Failure)
    assert value.shape == ()


def test_of_a_tuple_the_first_array_is_the_answer() -> None:
    value = asked("answers.softmax_returns_two").answers["value"]

    np.testing.assert_allclose(value.sum(-1), 1, 1e-6)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_array_and_what_is_raised_is_a_failure(name: str) -> None:
    value = asked(f"answers.softmax_{name}").answers["value"]

    assert isinstance(value, Failure)
    assert value.kind == WRONG[name]
    assert value.message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", "ValueError: first line"),
        ("raises_without_a_word", "ValueError: no message"),
        ("raises_the_unprintable", "UnprintableError: its message cannot be read"),
        ("leaves", "SystemExit: 0"),
        ("returns_none", "TypeError: returned NoneType, not a NumPy array"),
        ("returns_objects", "dtype object, which holds no real numbers"),
        ("returns_complex_numbers", "dtype complex128, which holds no real numbers"),
    ],
)
def test_a_failure_says_in_one_line_what_happened(name: str, message: str) -> None:
    assert asked(f"answers.softmax_{name}").answers["value"].message == message


def test_a_long_message_is_cut() -> None:
    assert len(asked("answers.softmax_raises_at_length").answers["value"].message) == 300


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [("in_double", "float64", (4, 10)), ("of_the_first_row", "float32", (10,))],
)
def test_another_dtype_and_another_shape_reach_the_judge(
    name: str, dtype: str, shape: tuple[int, ...]
) -> None:
    value = asked(f"answers.softmax_{name}").answers["value"]

    assert (dtype, shape) == (value.dtype, value.shape)


def test_an_input_that_is_changed_in_place_is_changed_for_that_function_alone() -> None:
    before = SOFTMAX.inputs().values.copy()

    changed, unchanged = (
        asked(f"answers.softmax{name}").answers["value"] for name in ("_changes_its_input", "")
    )

    np.testing.assert_array_equal(before, SOFTMAX.inputs().values)
    np.testing.assert_allclose(changed, unchanged, rtol=1e-6)


def test_warnings_are_kept_once_each_in_one_line() -> None:
    assert asked("answers.softmax_warns").warnings == "be careful"


# --- gradients -------------------------------------------------------------------------------


def test_without_a_gradient_by_hand_the_gradient_is_unsupported() -> None:
    answers = asked("answers.softmax_without_a_gradient_by_hand").answers

    assert answers["value"].shape == (4, 10)
    assert answers["gradient_logits"].kind == "unsupported"
    assert "no gradient is written" in answers["gradient_logits"].message


def test_a_gradient_that_is_not_written_is_no_finding_where_the_value_is_one() -> None:
    assert asked("answers.softmax_raises").answers["gradient_logits"].kind == "unsupported"


def test_a_gradient_by_hand_is_asked() -> None:
    answers = asked("answers.softmax_with_a_wrong_gradient").answers

    np.testing.assert_array_equal(SOFTMAX.cotangent((4, 10)), answers["gradient_logits"])


def test_a_gradient_that_fails_leaves_the_value() -> None:
    answers = asked("answers.softmax_with_a_failing_gradient").answers

    assert answers["value"].shape == (4, 10)
    assert answers["gradient_logits"] == Failure("raised", "ArithmeticError: the gradient is lost")


@pytest.mark.framework("torch")
def test_a_value_that_is_cut_from_its_inputs_raises_for_the_gradient_alone() -> None:
    answers = asked_of(backend_with("torch", lambda logits: logits.detach() * 1)).answers

    assert isinstance(answers["value"], np.ndarray)
    assert answers["gradient_logits"].kind == "raised"


@pytest.mark.framework("torch")
def test_none_as_a_value_is_a_mismatch_in_a_framework_with_gradients_too() -> None:
    value = asked_of(backend_with("torch", lambda _: None)).answers["value"]

    assert isinstance(value, Failure)
    assert (value.kind, value.message) == (
        "mismatched", "TypeError: returned NoneType, not torch.Tensor"
    )  # fmt: skip


# --- the second derivative -------------------------------------------------------------------


@dataclass(eq=False)
class Twice:
    """Stands for a backend that differentiates twice; `result` is what comes of it."""

    result: Callable[..., Any]
    numpy: Backend = field(default_factory=lambda: load_backend("numpy"))

    def second(self, *_: Any) -> Callable[..., Any]:
        return self.result

    def to_array(self, array: Any) -> Any:
        return self.numpy.to_array(array)

    def to_numpy(self, value: Any) -> Any:
        return self.numpy.to_numpy(value)


def second_of(result: Callable[..., Any], case: Case = SOFTMAX) -> Any:
    """Return the second derivative from a backend whose `second` is given."""
    backend: Any = Twice(result)
    softmax = backend.numpy.implementations["numpy.recipes.softmax"]
    call = call_for(softmax, case, case.inputs())
    return second_derivative(backend, "eager", call, case, case.inputs())


def test_the_second_derivative_is_asked_along_the_direction_of_the_case() -> None:
    case = Case.parse("softmax/bfloat16/4x10/grid/-/0")
    given: list[Any] = []

    second_of(lambda *arrays: given.extend(arrays) or arrays[0], case)

    dtype = case.inputs().values.dtype
    assert [array.dtype for array in given] == [dtype] * 3
    np.testing.assert_array_equal(given[0], case.cotangent((4, 10)).astype(dtype))
    np.testing.assert_array_equal(given[1], case.direction().astype(dtype))
    np.testing.assert_array_equal(given[2], case.inputs().values)


def test_a_second_derivative_comes_back_as_it_is() -> None:
    hvp = np.ones((4, 10), np.float64)

    np.testing.assert_array_equal(second_of(lambda *_: hvp), hvp)


def _raises(error: BaseException) -> Callable[..., Any]:
    def result(*_: Any) -> Any:
        raise error

    return result


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        (lambda *_: None, Failure("unsupported", "no gradient flows")),
        (_raises(NotImplementedError("not twice")),
         Failure("unsupported", "NotImplementedError: not twice", "NotImplementedError")),
        (_raises(ValueError("no")), Failure("raised", "ValueError: no", "ValueError")),
        (_raises(KeyboardInterrupt()),
         Failure("raised", "KeyboardInterrupt: no message", "KeyboardInterrupt")),
        (lambda *_: [1.0],
         Failure("mismatched", "TypeError: returned list, not a NumPy array", "TypeError")),
    ],
)  # fmt: skip
def test_without_a_second_derivative_it_is_said_why(
    result: Callable[..., Any], failure: Failure
) -> None:
    assert second_of(result) == failure


# --- what is kept between two questions ------------------------------------------------------


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> tuple[Backend, list[str]]:
    """Return NumPy, and a list of what it makes and forgets."""
    backend, steps = load_backend("numpy"), []
    kind, make = type(backend), type(backend).forward_backward

    def noted(self: Backend, call: Call, mode: str) -> Any:
        steps.append(f"make {mode}")
        return make(self, call, mode)

    monkeypatch.setattr(kind, "forward_backward", noted)
    monkeypatch.setattr(kind, "forget", lambda _: steps.append("forget"))
    return backend, steps


def test_what_is_compiled_serves_all_cases_of_one_signature(
    made: tuple[Backend, list[str]],
) -> None:
    backend, steps = made

    for family in ("normal", "ties", "zeros"):
        case = Case.parse(f"softmax/float32/4x10/{family}/-/0")
        evaluate(backend, "numpy.recipes.softmax", "eager", case)

    assert steps == ["forget", "make eager"]


def test_another_mode_is_compiled_anew_and_another_dtype_or_shape_drops_what_was_there(
    made: tuple[Backend, list[str]],
) -> None:
    backend, steps = made

    for mode, text in (
        ("eager", "softmax/float32/4x10/normal/-/0"),
        ("other", "softmax/float32/4x10/normal/-/0"),
        ("eager", "softmax/float64/4x10/normal/-/0"),
        ("eager", "softmax/float64/2x3/normal/-/0"),
    ):
        evaluate(backend, "numpy.recipes.softmax", mode, Case.parse(text))

    assert steps == [
        "forget", "make eager", "make other", "forget", "make eager", "forget", "make eager"
    ]  # fmt: skip


def test_what_is_compiled_in_a_hurry_is_not_taken_for_what_the_mode_compiles() -> None:
    backend = backend_with("numpy", lambda x: x)
    call = call_for(backend.implementations["mine.softmax"], SOFTMAX, SOFTMAX.inputs())
    compiled = CompiledCalls()

    plain = compiled.forward(backend, call, "eager")
    with backend.hurried():
        hurried = compiled.forward(backend, call, "eager")

    assert hurried is not plain
    assert compiled.forward(backend, call, "eager") is plain
