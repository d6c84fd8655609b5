"""How to port a call: which function of a library is shown, with which verdicts and which code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.everyday import with_options
from lossdiff.cases.model import Case
from lossdiff.cases.operations import COVERED, LANGUAGE_MODELS
from lossdiff.cases.suites import suite
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.compared import compared
from lossdiff.reports.html import render
from lossdiff.reports.porting import Porting, PortingLine

PLAIN = "cross_entropy/index.random/float32/4x10/normal/-/0"
WEIGHTED = "cross_entropy/index.random/float32/4x10/normal/weight=positive/0"
SMOOTHED = "cross_entropy/index.random/float32/4x10/normal/label_smoothing=0.1/0"


def row(name: str, case_id: str, verdict: str = "exact", **changes: Any) -> VerdictRow:
    case = Case.parse(case_id)
    kind = "recipe" if "recipe" in name else "native"
    made = VerdictRow(
        case_id, case.operation, case.target_kind, case.family, "4x10", case.dtype,
        case.options.given(), name, name.partition(".")[0], kind, "eager", "cpu", "value", verdict,
    )  # fmt: skip
    return replace(made, **changes)


def found(path: Path, rows: Iterable[VerdictRow]) -> Porting:
    both = [it for each in rows for it in (each, replace(each, quantity="gradient_logits"))]
    with RunFile.create(path / "made.sqlite") as run:
        run.add(both)
        return compared([run]).porting


def line_of(porting: Porting, *options: str) -> PortingLine:
    (table,) = porting.tables
    (line,) = [line for line in table.lines if line.options == options]
    return line


@pytest.mark.parametrize("name", ["quick", "full"])
def test_every_suite_asks_each_option_alone_and_all_together(name: str) -> None:
    asked = {case.id for case in suite(name).cases}
    assert {case.id for case in with_options()} <= asked
    for operation in COVERED:
        if operation.targets:
            alone = {it for case in with_options() if case.operation == operation.name
                     for it in case.needs if len(case.needs) == 1}  # fmt: skip
            some = {*operation.options} - {"reduction", *LANGUAGE_MODELS}
            assert alone == some or len(some) < 2


def test_a_function_is_shown_for_the_options_that_it_takes(tmp_path: Path) -> None:
    porting = found(tmp_path, [row("a.f", PLAIN), row("b.f", PLAIN), row("b.f", WEIGHTED)])
    assert line_of(porting).cells.keys() == {"a", "b"}
    assert line_of(porting, "weight").cells.keys() == {"b"}
    assert dict(porting.libraries) == {"a": "a", "b": "b"}


def test_verdicts_are_those_with_exactly_the_options(tmp_path: Path) -> None:
    rows = [row("a.f", PLAIN, "formula"), row("a.f", WEIGHTED), row("a.f", SMOOTHED, "inaccurate")]
    porting = found(tmp_path, rows)
    assert str(line_of(porting).cells["a"].value) == "0 of 1 right, 1 formula"
    assert str(line_of(porting, "weight").cells["a"].gradient) == "1 of 1 right"
    assert line_of(porting, "label_smoothing").cells["a"].value.worst == "inaccurate"
    (table,) = porting.tables
    assert ("weight", "label_smoothing") not in {line.options for line in table.lines}


@pytest.mark.parametrize(
    ("native", "chosen"),
    [("exact", "a.f"), ("formula", "a.f"), ("inaccurate", "a.recipe"),
     ("convention:mean_over_rows", "a.recipe")],
)  # fmt: skip
def test_a_recipe_is_shown_where_the_shipped_function_gives_something_else(
    tmp_path: Path, native: str, chosen: str
) -> None:
    porting = found(tmp_path, [row("a.f", PLAIN, native), row("a.recipe", PLAIN)])
    assert line_of(porting).cells["a"].member.name == chosen


def test_the_code_stands_once_with_its_uses(tmp_path: Path) -> None:
    name = "numpy.recipes.cross_entropy"
    one_hot = PLAIN.replace("index.", "one_hot.")
    porting = found(tmp_path, [row(name, PLAIN), row(name, one_hot), row("a.f", PLAIN)])
    (code,) = porting.codes
    assert code.uses == ("cross_entropy index", "cross_entropy one_hot")
    assert "def cross_entropy(" in code.text
    assert (porting.place_of(name), porting.place_of("a.f")) == (0, -1)


def test_a_library_without_one_is_sent_to_another_of_its_framework(tmp_path: Path) -> None:
    optax, jax = (
        "optax.losses.softmax_cross_entropy_with_integer_labels",
        "jax.recipes.cross_entropy",
    )
    rows = [row(optax, PLAIN, framework="jax"), row(jax, WEIGHTED, framework="jax")]

    porting = found(tmp_path, [*rows, row("numpy.recipes.cross_entropy", WEIGHTED)])

    line = line_of(porting, "weight")
    assert "Optax" not in line.cells
    assert porting.libraries["Optax"] == "jax"
    other = line.instead("jax")
    assert other is not None
    assert other.member.name == jax
    assert line.instead("tensorflow") is None


def test_the_page_says_where_there_is_none_and_leads_to_the_code(tmp_path: Path) -> None:
    rows = [row("numpy.recipes.cross_entropy", WEIGHTED), row("b.f", PLAIN)]
    with RunFile.create(tmp_path / "made.sqlite") as run:
        run.add(rows)
        page = render([run])
    section = page.partition('id="porting"')[2].partition("</section>")[0]
    assert "there is none" in section
    assert '<a href="#code-numpy.recipes.cross_entropy">' in section
    assert '<pre id="code-numpy.recipes.cross_entropy"' in section
