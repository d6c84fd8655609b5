"""A question can be put to a function outside of pytest, too."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.factors import LAYOUTS

import lossdiff
from lossdiff.errors import ArgumentTypeError, ArgumentValueError, DeclarationError

from .test_checking import softmax, softmax_unshifted

EVERYDAY = "softmax/float32/4x10/normal/-/0"
CASE = "softmax/float32/4x10/exp_overflow/-/0"


def test_a_question_is_the_line_of_a_finding_again() -> None:
    question = lossdiff.Question(CASE, "numpy")

    question.check(softmax)
    with pytest.raises(AssertionError) as caught:
        question.check(softmax_unshifted)
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert lines[-4:] == [
        "lossdiff.Question(",
        f"{CASE!r},",
        "'numpy',",
        ").check(softmax_unshifted)",
    ]


def test_a_question_has_its_arrays() -> None:
    assert lossdiff.Question(CASE, "numpy").case.inputs().values.shape == (4, 10)


@pytest.mark.parametrize("layout", ["", *LAYOUTS])
def test_a_function_changes_no_arrays_of_the_next_one(layout: str) -> None:
    """It writes to its argument, to what that is a view of, and to those of the question itself."""
    text = f"softmax/float32/4x10~{layout}/normal/-/0" if layout else EVERYDAY

    def zero(array: Any) -> None:
        with contextlib.suppress(ValueError):
            array.flags.writeable = True
            array[...] = 0
        if isinstance(array.base, np.ndarray):
            zero(array.base)

    def softmax_zeroes_all(x: Any) -> Any:
        right = softmax(x)
        zero(x)
        zero(lossdiff.Question(text, "numpy").case.inputs().values)
        return right

    before = lossdiff.Question(text, "numpy").case.inputs().values.copy()
    with pytest.raises(AssertionError, match=r"mutates:logits"):
        lossdiff.Question(text, "numpy").check(softmax_zeroes_all)

    assert np.array_equal(before, lossdiff.Question(text, "numpy").case.inputs().values)
    lossdiff.Question(text, "numpy").check(softmax)


def test_what_is_declared_chooses_the_questions() -> None:
    mark = lossdiff.parametrize(
        "cross_entropy", framework="numpy", targets={"soft"}, reduction="none"
    )

    name, questions = mark.args
    cases = [question.case for question in questions]
    assert name == "question"
    assert mark.kwargs["ids"] == [case.id for case in cases]
    assert {case.target_kind for case in cases} == {"soft"}
    assert {case.options.reduction for case in cases} == {"none"}


@pytest.mark.parametrize(
    ("arguments", "kind", "line"),
    [
        ({"operation": "softmx", "framework": "numpy"}, ArgumentValueError, "no operation"),
        ({"operation": "softmax", "framework": "nump"}, ArgumentValueError, "no framework"),
        (
            {"operation": "softmax", "framework": "numpy", "suite": "worked"},
            ArgumentValueError, "'worked' is no suite",
        ),
        (
            {"operation": "softmax", "framework": "numpy", "ranks": "2"},
            DeclarationError, "ranks is '2'",
        ),
        (
            {"operation": "softmax", "framework": "numpy", "seed": 0.5},
            ArgumentTypeError, "seed is 0.5; it must be a whole number",
        ),
        (
            {"operation": "softmax", "framework": "numpy", "seed": -1},
            ArgumentValueError, "seed is -1; allowed: 0 to",
        ),
        (
            {"operation": "softmax", "framework": "numpy", "rename": "eps"},
            DeclarationError, "rename is 'eps'; it must be a dictionary",
        ),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused_with_one_line(
    arguments: dict[str, Any], kind: type[Exception], line: str
) -> None:
    with pytest.raises(kind, match=line):
        lossdiff.parametrize(**arguments)


def test_what_is_no_case_is_refused_with_one_line() -> None:
    with pytest.raises(ArgumentValueError, match="is not the id of a case"):
        lossdiff.Question("softmax", "numpy").check(softmax)


def test_an_id_that_is_no_text_is_refused_with_one_line() -> None:
    with pytest.raises(ArgumentTypeError, match="id is 3; it must be the id of a case, a text"):
        lossdiff.Question(3, "numpy").check(softmax)  # type: ignore[arg-type]


def test_a_number_is_no_list_of_modes_or_frameworks() -> None:
    with pytest.raises(ArgumentTypeError, match="modes is 3; it must be a tuple, such as"):
        lossdiff.check_implementation(softmax, "softmax", framework="numpy", modes=3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="frameworks is 3; it must be a tuple, such as"):
        lossdiff.ask("softmax", [0.0, 1.0], frameworks=3)  # type: ignore[arg-type]
