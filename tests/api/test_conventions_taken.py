"""A function warns of its conventions where nothing is said of them, and fails where it is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import lossdiff
from lossdiff.errors import ArgumentTypeError, ArgumentValueError

NARROW: dict[str, Any] = {"dtypes": {"float64"}, "ranks": {2}, "targets": {"index"}}
MEAN, WRAPS = "mean_over_rows", "cross_entropy/index.some_ignored/float64/4x10/normal/-/0"


def over_all_rows(logits: Any, target: Any, *, ignore_index: int = -100) -> Any:
    """Return the mean over all rows, of which the ignored ones have the loss 0."""
    losses = torch.nn.functional.cross_entropy(
        logits, target, ignore_index=ignore_index, reduction="none"
    )
    return losses.mean()


def wrapped(logits: Any, target: Any, *, ignore_index: int = -100) -> Any:
    return torch.nn.functional.cross_entropy(logits, target, ignore_index=ignore_index)


def check(function: Any, **options: Any) -> lossdiff.Result:
    return lossdiff.check_implementation(function, "cross_entropy", **NARROW, **options)


@pytest.fixture(scope="module")
def strict() -> lossdiff.Result:
    return check(over_all_rows, framework="torch", conventions=())


def unwanted(result: lossdiff.Result) -> set[str]:
    rows = (row.verdict for row in result.findings)
    return {word.partition(":")[2] for word in rows if word.startswith("unwanted:")}


def test_a_convention_that_is_not_taken_is_a_finding(strict: lossdiff.Result) -> None:
    assert not strict.ok
    assert MEAN in unwanted(strict)
    assert "value: given" in str(strict)
    assert "conventions=()" in str(strict)  # in the line that repeats it


def test_a_convention_that_is_taken_is_none() -> None:
    result = check(over_all_rows, framework="torch", conventions={MEAN})

    assert MEAN not in unwanted(result)
    assert MEAN in result.follows


def test_a_wrapper_follows_what_its_framework_follows_and_has_no_finding() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lossdiff.assert_agrees(wrapped, "cross_entropy", framework="torch", **NARROW)

    result = check(wrapped, framework="torch", conventions=())
    assert result.ok
    assert result.follows == {}


def test_a_function_that_passes_warns_once_of_each_convention() -> None:
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        lossdiff.assert_agrees(over_all_rows, "cross_entropy", framework="torch", **NARROW)

    assert {it.category for it in issued} == {lossdiff.ConventionWarning}
    assert {it.filename for it in issued} == {__file__}
    said = [str(it.message) for it in issued]
    assert len([text for text in said if f"the convention {MEAN}: the mean divides" in text]) == 1


def test_one_question_warns_or_fails_alike() -> None:
    question = lossdiff.Question(WRAPS, "torch")
    with pytest.warns(lossdiff.ConventionWarning, match=MEAN):
        question.check(over_all_rows)
    lossdiff.Question(WRAPS, "torch", conventions=(MEAN,)).check(over_all_rows)
    with pytest.raises(AssertionError, match=MEAN):
        lossdiff.Question(WRAPS, "torch", conventions=()).check(over_all_rows)


def test_a_decorated_test_passes_them_to_each_question() -> None:
    mark = lossdiff.parametrize(
        "cross_entropy", framework="torch", conventions={MEAN}, dtypes={"float64"}
    )

    assert {question.conventions for question in mark.args[1]} == {(MEAN,)}


@pytest.mark.parametrize(
    ("given", "error", "line"),
    [
        (MEAN, ArgumentTypeError, "it must be a set, such as {'mean_over_rows'}"),
        ({"mean_over_row"}, ArgumentValueError, f"did you mean {MEAN}"),
        ({3}, ArgumentTypeError, "conventions has 3; each must be a text"),
    ],
)
def test_what_is_no_convention_is_one_line(given: Any, error: type[Exception], line: str) -> None:
    def softmax(x: Any) -> Any:
        return np.exp(x) / np.exp(x).sum()

    with pytest.raises(error, match=line):
        lossdiff.check_implementation(softmax, "softmax", framework="numpy", conventions=given)
