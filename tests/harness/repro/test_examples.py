"""Each cause by its smallest input: what is written into a run, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.repro import Yours, missing_examples, write_examples
from lossdiff.harness.repro.array_lines import array_line
from lossdiff.harness.repro.examples import signatures_of
from lossdiff.harness.runfile import (
    ExampleAnswerRow,
    ExampleRow,
    RunFile,
    VerdictRow,
    WorkerRow,
)

CASE = "softmax/float32/4x10/normal/-/0"
AXIS = VerdictRow(
    CASE, "softmax", None, "normal", "4x10", "float32", {},
    "numpy.textbook.softmax_over_axis_0", "numpy", "textbook", "eager", "cpu", "value",
    "inaccurate", known=True, ledger="textbook-softmax-over-axis-0",
)  # fmt: skip
NUMPY = WorkerRow("numpy", "cpu", {"versions": {}})
# Both mistakes give NaN: smoothing over C − 1 classes where there is one, and 0 · ∞.
TWO_MISTAKES = """
import numpy as np


def cross_entropy(logits, target, label_smoothing=0.0):
    logits = logits - logits.max(1, keepdims=True)
    logp = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    picked = np.take_along_axis(logp, target[:, None], 1)[:, 0]
    smooth = logp.sum(1) / np.float32(logits.shape[1] - 1)
    return -((1 - label_smoothing) * picked + label_smoothing * smooth).mean()
"""


class Named(NamedTuple):
    """A cause in a user's function."""

    id: str
    plainest: VerdictRow
    looks_like: str = ""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "run.sqlite") as made:
        yield made


def shown(run: RunFile, *rows: Any) -> tuple[list[ExampleRow], list[ExampleAnswerRow]]:
    """Return the examples of a run of some rows, and the answers to them."""
    run.add(list(rows))
    write_examples(run, missing_examples(run))
    return list(run.rows(ExampleRow)), list(run.rows(ExampleAnswerRow))


def test_a_cause_is_shown_by_a_small_input_with_what_each_function_gives(run: RunFile) -> None:
    (example,), answers = shown(run, AXIS, NUMPY)

    case = Case.parse(example.case)
    assert (example.cause, example.found) == (AXIS.ledger, CASE)
    assert np.prod(case.shape) < 40
    assert set(example.inputs) == {"logits"}
    given = {answer.implementation: answer.verdict for answer in answers}
    assert given == {AXIS.implementation: "inaccurate", "scipy.special.softmax": "exact"}
    right = next(answer for answer in answers if answer.verdict == "exact")
    assert (right.library, right.given) == ("NumPy", example.right)


def test_a_users_function_is_shown_beside_that_of_the_library(run: RunFile, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def softmax(x, axis=-1):\n    return x\n", encoding="utf-8")
    mine = replace(AXIS, implementation="mine.softmax", kind="user", known=False, ledger="")
    run.add([mine, NUMPY])

    write_examples(run, [Named("own:mine", mine)], Yours({"numpy": (str(file),)}))

    (example,) = run.rows(ExampleRow)
    given = {answer.library: answer.verdict for answer in run.rows(ExampleAnswerRow)}
    assert (example.cause, example.implementation) == ("own:mine", "mine.softmax")
    assert np.prod(Case.parse(example.case).shape) < 40
    assert given == {"yours": "inaccurate", "NumPy": "exact"}


def test_a_small_input_shows_the_mistake_of_its_cause_and_not_another(
    run: RunFile, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(TWO_MISTAKES, encoding="utf-8")
    row = VerdictRow(
        "cross_entropy/index.random/float32/4x10/neg_inf/-/0", "cross_entropy", "index", "neg_inf",
        "4x10", "float32", {}, "mine.cross_entropy", "numpy", "user", "eager", "cpu", "value",
        "nonfinite", looks_like="a target of 0 times an infinite logarithm is NaN",
    )  # fmt: skip
    run.add([row, NUMPY])

    write_examples(run, [Named("own:mine", row, row.looks_like)], Yours({"numpy": (str(file),)}))

    (example,) = run.rows(ExampleRow)
    assert np.prod(Case.parse(example.case).shape) == 2
    assert "-inf" in example.inputs["logits"]


def test_users_functions_come_before_those_of_frameworks(run: RunFile) -> None:
    own = Named("own:mine", replace(AXIS, kind="user"))
    run.add([AXIS, NUMPY])

    assert [cause.id for cause in missing_examples(run, [own])] == ["own:mine", AXIS.ledger]


def test_what_does_not_return_is_not_asked_again(run: RunFile) -> None:
    own = Named("own:mine", replace(AXIS, kind="user", verdict="timed out"))
    run.add([NUMPY])

    assert missing_examples(run, [own]) == []


def test_it_is_the_same_each_time(run: RunFile, tmp_path: Path) -> None:
    first = shown(run, AXIS, NUMPY)
    with RunFile.create(tmp_path / "other.sqlite") as other:
        again = shown(other, AXIS, NUMPY)

    assert again == first


def test_what_answered_without_being_a_framework_is_asked_nothing(run: RunFile) -> None:
    evaluator = WorkerRow("onnx", "cpu", {"versions": {}})
    theirs = replace(AXIS, framework="onnx", implementation="onnx.reference", ledger="other")

    (example,), _ = shown(run, AXIS, theirs, NUMPY, evaluator)

    assert example.cause == AXIS.ledger


@pytest.mark.parametrize(
    ("framework", "mode", "number"),
    [("numpy", "eager", 100), ("jax", "eager", 12), ("torch", "compile", 0)],
)
def test_fewer_shapes_are_tried_where_each_is_compiled(
    framework: str, mode: str, number: int
) -> None:
    assert signatures_of(framework, mode) == number


def test_a_cause_that_has_an_example_keeps_it(run: RunFile) -> None:
    shown(run, AXIS, NUMPY)

    assert missing_examples(run) == []


def test_where_an_error_is_due_it_is_said(run: RunFile) -> None:
    case = "cross_entropy_probs/soft.soft_negative/float64/4x10/probs/-/0"
    row = replace(
        AXIS, case=case, operation="cross_entropy_probs", target_kind="soft", family="probs",
        dtype="float64", implementation="numpy.textbook.cross_entropy_probs", verdict="accepted",
        ledger="textbook-checks-nothing",
    )  # fmt: skip

    (example,), _ = shown(run, row, NUMPY)

    assert example.right == "an error"
    assert set(example.inputs) == {"probs", "target"}


@pytest.mark.parametrize(
    "rows",
    [
        (replace(AXIS, implementation="scipy.special.softmax"), NUMPY),
        (replace(AXIS, implementation="numpy.gone"), NUMPY),
        (replace(AXIS, verdict="relation:shift"), NUMPY),
        (AXIS, replace(NUMPY, absent="not installed")),
        (replace(AXIS, framework="elsewhere"), replace(NUMPY, framework="elsewhere")),
        (replace(AXIS, kind="user"), NUMPY),
    ],
    ids=["is right now", "is not there", "is no one answer", "absent", "unknown", "users"],
)
def test_what_cannot_be_shown_is_left_out(run: RunFile, rows: tuple[Any, ...]) -> None:
    assert shown(run, *rows) == ([], [])


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.float32(0.1), "0.1"),
        (np.array([-np.inf, np.nan, -0.0], np.float64), "[-inf, nan, -0]"),
        (np.array([3e38, 1e-7], np.float32), "[3e38, 1e-7]"),
        (np.array([[0, 3], [5, 1]]), "[[0, 3], [5, 1]]"),
        (np.full(65520, 11.0), "[11 (65,520 times)]"),
        (np.zeros((0, 3)), "[]"),
    ],
)
def test_an_array_is_one_short_line(array: Any, line: str) -> None:
    assert array_line(np.asarray(array)) == line


def test_a_long_array_ends_with_dots() -> None:
    line = array_line(np.arange(1e6))

    assert line.startswith("[0, 1, 2, ")
    assert line.endswith(", …]")
    assert len(line) < 500
