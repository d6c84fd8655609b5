"""Arguments of the Python API that nobody means: each is taken, or refused in one short line.

Arrays are the usual ones: NumPy and the frameworks refuse to say whether an array of several
numbers is true, or equal to a name.
"""

from __future__ import annotations

import inspect
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.harness.formula import forget

import lossdiff
from lossdiff import formula as f
from lossdiff._api import checking
from lossdiff.errors import DeclarationError, NoAnswerError

_MOST = 700  # characters of a message


class LikeTensor:
    """An array of a framework: neither true nor false, and compared element by element."""

    def __bool__(self) -> bool:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = object.__hash__

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Any:
        return iter([LikeTensor(), LikeTensor()])


class Unprintable:
    """An object whose `repr` raises."""

    def __repr__(self) -> str:
        raise ValueError("no repr")


class Talkative:
    """An object whose `repr` is long, and has several lines."""

    def __repr__(self) -> str:
        return "Talkative\n" + "z" * 3_000


VALUES = (
    np.ones((2, 2)), np.array([1, 2]), np.array(["float32"]), np.array(1.0), LikeTensor(),
    None, 3, -1, 2**70, 10**400, 1.5, float("nan"), np.float32(2), 1j, True,
    "", "x" * 100_000, "a\0b", "\ud800", b"float32", (), [], {}, {"a": 1}, {1},
    {"label_smoothing": np.ones(3)}, [np.ones(2), np.ones(2)], (LikeTensor(),), [[1], [2]],
    range(3), (n for n in range(2)), Unprintable(), Talkative(), lambda x: x, int,
    pathlib.Path("/"), np.dtype("float32"),
)  # fmt: skip
LOGITS, LABELS = np.ones((2, 3)), np.array([0, 1])
DECLARED = [
    *(name for name in inspect.signature(lossdiff.implements).parameters if name != "fixed"),
    "label_smoothing", "reduction", "ignore_index", "weight", "axis", "nonsense",
]  # fmt: skip
ASKED = ("operation", "logits", "target", "label_smoothing", "weight", "ignore_index", "reduction")


def softmax(logits: Any, axis: int = -1) -> Any:
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.fixture
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken is learnt, and asked nothing: to judge takes seconds."""
    monkeypatch.setattr(checking, "questions_for", lambda *_, **__: ())


def check_that_it_is_taken_or_refused(call: Callable[[Any], Any]) -> None:
    for value in VALUES:
        said = refusal(call, value)
        assert len(said) < _MOST, said[:_MOST]
        assert "\n" not in said, said


def refusal(call: Callable[[Any], Any], value: object) -> str:
    """Return the message with which a value is refused; empty if it is taken."""
    try:
        call(value)
    except NoAnswerError as error:  # what a user's function raises stands below, as it came
        return str(error).partition("\n")[0]
    except lossdiff.LossdiffError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", DECLARED)
def test_what_is_said_of_a_function(name: str) -> None:
    def call(value: Any) -> None:
        lossdiff.implements(**{"operation": "cross_entropy", name: value})

    check_that_it_is_taken_or_refused(call)


@pytest.mark.parametrize(
    "name",
    ["function", "operation", "framework", "suite", "modes", "strict", "isolate", "seed",
     "expected", "conventions", "targets", "dtypes", "ranks", "rename", "clip"],
)  # fmt: skip
@pytest.mark.usefixtures("nothing_asked")
def test_arguments_of_a_check(name: str) -> None:
    def call(value: Any) -> None:
        if name == "isolate" and value is True:
            return  # it means what it says, and starts a process
        given = {"function": softmax, "operation": "softmax", "framework": "numpy", name: value}
        lossdiff.check_implementation(**given)

    check_that_it_is_taken_or_refused(call)


@pytest.mark.parametrize("name", ["name", "targets", "domain", "options", "parameters", "forms",
                                  "cancelling", "mistakes", "formula"])  # fmt: skip
def test_arguments_of_a_definition(name: str) -> None:
    given = {"name": "squares_of_hostiles", "formula": lambda x: f.mean(x * x), "targets": ()}
    try:
        check_that_it_is_taken_or_refused(lambda value: lossdiff.define(**{**given, name: value}))
    finally:
        forget("squares_of_hostiles")


@pytest.mark.parametrize("name", [*ASKED, "digits", "nonsense"])
def test_arguments_of_an_exact_answer(name: str) -> None:
    given = {"operation": "cross_entropy", "logits": LOGITS, "target": LABELS}

    check_that_it_is_taken_or_refused(lambda value: lossdiff.exact(**{**given, name: value}))


@pytest.mark.parametrize("name", [*ASKED, "quantity", "dtype"])
def test_arguments_of_a_tolerance(name: str) -> None:
    given = {"operation": "cross_entropy", "logits": LOGITS, "target": LABELS}

    check_that_it_is_taken_or_refused(lambda value: lossdiff.tolerance(**{**given, name: value}))


@pytest.mark.parametrize("name", ["id", "framework", "declared", "conventions"])
def test_arguments_of_a_question(name: str) -> None:
    given = {"id": "softmax/float32/1x3/zeros/-/0", "framework": "numpy"}

    check_that_it_is_taken_or_refused(
        lambda value: lossdiff.Question(**{**given, name: value}).check(softmax)
    )


def test_what_is_no_run_file() -> None:
    check_that_it_is_taken_or_refused(lossdiff.open_run)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"targets": np.array(["index"])}, "targets is array(['index']"),
        ({"targets": "indx"}, "it must be a set, such as {'indx'}"),
        ({"targets": {"indx"}}, "did you mean index?"),
        ({"dtypes": [np.ones(2)]}, "dtypes has array([1., 1.]); each must be a text, as in"),
        ({"ranks": range(10**9)}, "ranks has 1,000,000,000 members; it must be a set"),
        ({"hard_labels": 1}, "hard_labels is 1; it must be True or False"),
        ({"max_classes": -1}, "max_classes is -1; it must be a whole number, 0 for any"),
        ({"clip": 2}, "clip is 2; it must be an ε from 0 to 1"),
        ({"rename": {"label_smoothing": 3}}, "rename has 3 for 'label_smoothing'; it must be the"),
    ],
)
def test_a_refusal_says_what_is_taken(said: dict[str, Any], line: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        lossdiff.implements("cross_entropy", **said)

    assert line in str(caught.value)
