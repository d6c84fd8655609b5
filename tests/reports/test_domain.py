from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from lossdiff.cases.sweeps import SWEEPS
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import DomainRow
from lossdiff.reports import numbers
from lossdiff.reports.domain import Domain, by_way, domain_of, shown
from lossdiff.reports.domain_chart import domain_chart, domain_charts

from . import sample


@pytest.fixture
def domain(run: RunFile) -> Domain:
    return domain_of([run])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (88.73, "88.7"), (42.98, "43.0"), (1.0, "1"), (1347.0, "1,350"), (1e30, "10³⁰"),
        (1.678e7, "1.68×10⁷"), (99.97, "100"), (10000.0, "10⁴"), (None, "–"),
    ],
)  # fmt: skip
def test_magnitudes_have_three_digits(value: float | None, text: str) -> None:
    assert text == numbers.magnitude(value)


def test_counts_of_classes_and_rows_are_whole() -> None:
    assert shown("classes", 65519.0) == "65,519"
    assert shown("rows", 47141.0) == "47,141"
    assert shown("spread", 65519.0) == "65,500"


def test_every_search_stands_on_exactly_one_line(run: RunFile, domain: Domain) -> None:
    lines = [line for part in domain.parts for line in (*part.broken, *part.kept)]
    named = Counter(
        (line.row.implementation, line.row.operation, way, dtype, sweep)
        for line in lines
        for way in line.ways
        for dtype in line.dtypes
        for sweep in line.sweeps
    )
    asked = Counter(
        (row.implementation, row.operation, row.mode, row.dtype, row.sweep)
        for row in run.rows(DomainRow)
    )
    assert asked == named
    assert sum(line.searches for line in lines) == len(domain.rows)


def test_a_line_says_what_each_of_its_searches_found(domain: Domain) -> None:
    found = {
        (row.implementation, row.operation, row.mode, row.dtype, row.sweep): row
        for row in domain.rows
    }
    for part in domain.parts:
        for line in (*part.broken, *part.kept):
            for way in line.ways:
                for dtype, asked_to in zip(line.dtypes, line.asked_to, strict=True):
                    for sweep in line.sweeps:
                        row = found[line.row.implementation, part.operation, way, dtype, sweep]
                        same = (row.breaks_at, row.leaves_bound_at, row.broken_by)
                        assert same == (
                            line.row.breaks_at, line.row.leaves_bound_at, line.row.broken_by,
                        )  # fmt: skip
                        assert asked_to == row.asked_to


def test_softmax_comes_first_and_the_nearest_end_first(domain: Domain) -> None:
    softmax = domain.parts[0]
    assert softmax.operation == "softmax"
    ends = [line.row.breaks_at for line in softmax.broken]
    assert ends == sorted(ends, key=lambda end: end or 0.0)
    assert softmax.broken[0].at_once
    assert softmax.broken[0].asked == "10⁴, 10³⁰"
    assert softmax.reach == "10³⁰ in float32, 131,072 classes"


def test_the_first_to_break_was_right_at_the_start(domain: Domain) -> None:
    assert domain.first is not None
    assert domain.first.broken == "40.6"
    assert domain.at_once == 4
    assert domain_of([]).first is None


def test_lines_are_merged_only_where_the_outcome_is_the_same() -> None:
    row = sample.search("torch.softmax", "torch", "softmax", "eager", "spread")
    other = replace(row, mode="compile")
    assert [line.ways for line in by_way([row, other])] == [("compile", "eager")]
    assert len(by_way([row, sample.broken(other, 5.0)])) == 2


def test_of_a_repeated_search_the_last_run_counts(tmp_path: Path) -> None:
    row = sample.search("torch.softmax", "torch", "softmax", "eager", "spread")
    with (
        RunFile.create(tmp_path / "a.sqlite") as one,
        RunFile.create(tmp_path / "b.sqlite") as two,
    ):
        one.add([row])
        two.add([sample.broken(row, 7.0)])
        assert [found.breaks_at for found in domain_of([one, two]).rows] == [7.0]
        assert [found.breaks_at for found in domain_of([two, one]).rows] == [None]


def test_there_is_a_chart_of_each_operation_sweep_and_dtype(domain: Domain) -> None:
    charts = domain_charts(domain)
    asked = {f"{row.operation}/{row.sweep}/{row.dtype}" for row in domain.rows}
    assert asked == set(charts["charts"])
    assert charts["first"] == "softmax/spread/float32"
    assert charts["meanings"]["spread"] == SWEEPS["spread"].meaning
    assert domain_charts(domain_of([]))["charts"] == {}


def test_a_bar_ends_where_it_breaks_and_pales_where_it_leaves_the_bound() -> None:
    row = sample.search("torch.softmax", "torch", "softmax", "eager", "spread")
    book = replace(row, implementation="<b>", kind="textbook")
    chart = domain_chart(
        by_way(
            [
                row,
                replace(
                    row, implementation="jax.softmax", leaves_bound_at=42.63, left_by="flushed"
                ),
                replace(sample.broken(book, 88.73), leaves_bound_at=20.0, left_by="order"),
            ]
        )
    )
    names, _, books, sound, ends, broken, found = zip(*chart["bars"], strict=True)
    assert names == ("<b>", "jax.softmax", "torch.softmax")
    assert books == (True, False, False)
    assert broken == ("88.7", "", "")
    assert ends[0] < ends[1] == ends[2] == 100.0
    scale = ends[0] / math.log(88.73)  # the axis begins at 1
    assert sound == pytest.approx([scale * math.log(20), scale * math.log(42.63), 100], abs=0.01)
    assert chart["never"] == "never, to 10³⁰"
    assert found[0] == "leaves the bound at 20.0: order; breaks at 88.7: nonfinite, gradient logits"


def test_where_all_hold_the_axis_goes_as_far_as_was_asked() -> None:
    row = sample.search("torch.softmax", "torch", "softmax", "eager", "spread")
    ticks = domain_chart(by_way([row]))["ticks"]
    assert ticks[-1] == [100.0, "10³⁰"]
    assert 3 <= len(ticks) <= 9


def test_a_chart_of_one_that_is_wrong_at_once_can_be_drawn() -> None:
    row = sample.broken(sample.search("f", "torch", "softmax", "eager", "spread"), 1.0)
    assert domain_chart(by_way([row]))["bars"][0][3:6] == [0.0, 0.0, "1"]


def test_a_sweep_that_is_not_known_is_shown_as_it_is() -> None:
    row = sample.broken(sample.search("f", "torch", "softmax", "eager", "width"), 12.0)
    assert by_way([row])[0].broken == "12.0"
    assert domain_chart(by_way([row]))["bars"][0][5] == "12.0"
