"""What functions give in edge cases, in words and numbers, with their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.everyday import EDGES
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.conventions import convention_lines
from lossdiff.reports.edges import YOURS, EdgeLine, edge_table
from lossdiff.reports.html import render
from lossdiff.reports.survey import survey

IGNORED, EMPTY, LABEL = tuple(EDGES)[:3]


def row(name: str, case_id: str, verdict: str, got: str = "", **changes: Any) -> VerdictRow:
    case = Case.parse(case_id)
    made = VerdictRow(
        case_id, case.operation, case.target_kind, case.family, "4x10", case.dtype, {}, name,
        name.partition(".")[0], "native", "eager", "cpu", "value", verdict, got=got,
    )  # fmt: skip
    return replace(made, **changes)


def only_line(path: Path, rows: Iterable[VerdictRow]) -> EdgeLine:
    with RunFile.create(path / "made.sqlite") as run:
        run.add(list(rows))
        (line,) = edge_table([run]).lines
        return line


@pytest.mark.parametrize("name", ["quick", "full"])
def test_every_suite_asks_them_on_ordinary_logits(name: str) -> None:
    asked = {case.id for case in suite(name).cases}
    assert set(EDGES) <= asked


@pytest.mark.parametrize(
    ("verdict", "got", "exact", "said"),
    [
        ("exact", "2.0625", "2.0625", "2.06, right"),
        ("refused", "", "", "an error"),
        ("convention:undefined_nan", "nan", "no agreed answer", "NaN"),
        ("convention:undefined_error", "", "", "an error"),
        ("nonfinite", "nan", "2.0625", "NaN, where 2.06 is right"),
        ("inaccurate", "[1, 2]", "[2, 1]", "not the right numbers"),
        ("accepted", "3.5", "", "3.5, where an error is due"),
        ("accepted", "3.5", "an error", "3.5, where an error is due"),
        ("accepted", "1.0, 2.0", "an error", "numbers, where an error is due"),
        ("convention:bad_index_wraps", "2.5", "2.5", "2.5: negative labels count from the end"),
    ],
)
def test_an_answer_is_said_in_words_and_numbers(
    tmp_path: Path, verdict: str, got: str, exact: str, said: str
) -> None:
    line = only_line(tmp_path, [row("a.f", LABEL, verdict, got, exact=exact)])
    (answer,) = line.answers["a"]
    assert (answer.value, answer.names) == (said, ("a.f",))


def test_functions_that_give_the_same_are_named_together(tmp_path: Path) -> None:
    rows = [row(name, LABEL, "refused") for name in ("a.f", "a.g", "b.f")]
    rows += [row("a.h", LABEL, "accepted", "1.5", known=True)]
    line = only_line(tmp_path, rows)
    assert line.contract == "an error"
    assert [answer.names for answer in line.answers["a"]] == [("a.f", "a.g"), ("a.h",)]
    assert [answer.known for answer in line.answers["a"]] == [False, True]


def test_a_gradient_is_said_beside_its_value(tmp_path: Path) -> None:
    value = row("a.f", IGNORED, "convention:undefined_nan", "nan", exact="no agreed answer")
    gradient = replace(
        value, quantity="gradient_logits", verdict="convention:nothing_counts_as_zero",
        exact="0.0", got="0.0",
    )  # fmt: skip
    line = only_line(tmp_path, [value, gradient])
    assert line.contract == "no agreed answer"
    assert line.answers["a"][0].gradient == "0: the mean is 0 where its divisor is 0"


def test_a_mode_is_named_only_where_it_answers_otherwise(tmp_path: Path) -> None:
    rows = [row("a.f", LABEL, "refused"), row("a.f", LABEL, "refused", mode="jit")]
    rows += [row("a.g", LABEL, "refused"), row("a.g", LABEL, "accepted", "1.5", mode="jit")]
    line = only_line(tmp_path, rows)
    assert [answer.names for answer in line.answers["a"]] == [("a.f", "a.g"), ("a.g (jit)",)]


def test_a_recipe_stands_for_what_its_framework_does_not_ship(tmp_path: Path) -> None:
    rows = [row("a.f", LABEL, "refused"), row("a.recipe", LABEL, "accepted", kind="recipe")]
    rows += [row("b.recipe", LABEL, "refused", kind="recipe")]
    line = only_line(tmp_path, rows)
    assert [answer.names for answer in line.answers["a"]] == [("a.f",)]
    assert [answer.names for answer in line.answers["b"]] == [("b.recipe",)]


def test_the_page_says_what_was_not_asked(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "made.sqlite") as run:
        run.add([row("a.f", EMPTY, "refused")])
        page = render([run])
    assert "Not asked in this run: every row is ignored; a label −1; " in page
    assert "an empty batch" in page


def test_a_function_of_a_user_has_a_place_of_its_own(tmp_path: Path) -> None:
    rows = [row("a.f", LABEL, "refused"), row("mine.loss", LABEL, "accepted", "1.5", kind="user")]
    line = only_line(tmp_path, rows)
    assert line.answers.keys() == {"a", YOURS}
    assert line.answers[YOURS][0].names == ("mine.loss",)


def test_a_known_finding_among_conventions_is_not_shown_as_new(tmp_path: Path) -> None:
    rows = [row("a.f", LABEL, "accepted", "1.5", known=True)]
    rows += [row("b.f", LABEL, "convention:bad_index_wraps", "2.5", exact="2.5")]
    with RunFile.create(tmp_path / "made.sqlite") as run:
        run.add(rows)
        (line,) = convention_lines(survey([run]))
    assert [answer.known for answer in line.answers["a"]] == [True]


def test_an_answer_that_is_right_is_not_shown_at_another_element_than_the_contract(
    tmp_path: Path,
) -> None:
    clipped, exact = {"where": "[3, 4]", "exact": "0.25"}, {"where": "[3, 7]", "exact": "0.5"}
    rows = [
        row("torch.f", LABEL, "convention:bad_index_wraps", "0.125", **clipped),
        row("jax.f", LABEL, "exact", "0.5", **exact),
        row("numpy.f", LABEL, "faithful", "0.25", **clipped),
    ]
    with RunFile.create(tmp_path / "made.sqlite") as run:
        run.add(rows)
        (line,) = convention_lines(survey([run]))

    assert line.contract == "0.25 at [3, 4]"
    given = {name: answers[0].given for name, answers in line.answers.items()}
    assert given == {"torch": "0.125 at [3, 4]", "jax": "right", "numpy": "0.25 at [3, 4]"}
    assert line.answers["torch"][0].meaning == "negative labels count from the end"
