"""The mode `interpret` of PyTorch; the page on kernels runs kernels of Triton in it."""

from __future__ import annotations

import pytest
from lossdiff.backends import EAGER, FRAMEWORKS, INTERPRET
from lossdiff.backends.claim import Claim
from lossdiff.backends.torch import interpreter
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.engine.batches import Questions, pools_of
from lossdiff.harness.engine.plan import Plan, why_absent


def raised_in(file: str) -> BaseException:
    """Return the error of a kernel whose cause was raised in a file, as the interpreter has it."""
    try:
        try:
            exec(compile("1 / 0", file, "exec"))  # noqa: S102
        except ZeroDivisionError as error:
            raise RuntimeError("InterpreterError") from error
    except RuntimeError as error:
        return error


def test_it_is_asked_only_if_it_is_named_and_in_a_process_of_its_own() -> None:
    plan = Plan(suite("quick"), ("torch",))
    assert INTERPRET not in plan.modes_of("torch")
    both = Plan(suite("quick"), ("torch",), (EAGER, INTERPRET))
    assert [pool.modes for pool in pools_of(both)][:2] == [(EAGER,), (INTERPRET,)]
    assert FRAMEWORKS["torch"].mode(INTERPRET).variables == {"TRITON_INTERPRET": "1"}


@pytest.mark.parametrize(
    ("case", "is_asked"),
    [("float32/4x10", True), ("bfloat16/4x10", False), ("float32/65600x2", False)],
)
def test_a_dtype_that_it_rounds_wrongly_and_a_large_case_are_not_asked(
    case: str, is_asked: bool
) -> None:
    plan = Plan(suite("worked"), ("torch",), (INTERPRET,))
    (pool, *_) = pools_of(plan)
    claim = Claim("a", "torch", "softmax", "native", frozenset(), frozenset())
    questions = Questions(plan, pool, [claim], lambda *_: False)
    assert questions._is_asked(INTERPRET, Case.parse(f"softmax/{case}/normal/-/0")) is is_asked


def test_without_kernels_there_is_nothing_to_interpret() -> None:
    reason = why_absent(FRAMEWORKS["jax"], Plan(suite("quick"), ("jax",), (INTERPRET,)))
    assert "--impl" in reason or "not installed" in reason


def test_an_error_inside_of_the_interpreter_is_not_the_kernels() -> None:
    assert interpreter.why_not_theirs(raised_in("/x/triton/runtime/interpreter.py"))
    assert not interpreter.why_not_theirs(raised_in("/x/my_kernel.py"))


def test_the_mode_is_named_where_triton_finds_no_gpu() -> None:
    error = RuntimeError("0 active drivers ([]). There should only be one.")
    assert "--mode interpret" in interpreter.hint(error)
    assert not interpreter.hint(RuntimeError("another"))
