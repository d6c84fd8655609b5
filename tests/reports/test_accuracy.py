"""How accurate functions are, and who agrees with whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.accuracy import AccuracyPart, AccuracyTable, common_cases, place_of
from lossdiff.reports.agreement import Pair
from lossdiff.reports.compared import Compared, compared
from lossdiff.reports.html import render
from lossdiff.reports.members import Member, Point

CASES = ("normal", "normal_100", "ties", "far_tail")


def row(name: str, family: str = "normal", **changes: Any) -> VerdictRow:
    case = Case("softmax", family, (4, 10), "float32")
    made = VerdictRow(
        case.id, "softmax", None, family, "4x10", "float32", {}, name, name.partition(".")[0],
        "native", "eager", "cpu", "value", "exact",
        ulp=0.25, ratio=0.1, exact="0.5", got="0.5", fingerprint=f"{name} {family}",
    )  # fmt: skip
    return replace(made, **changes)


def comparison(path: Path, rows: Iterable[VerdictRow]) -> Compared:
    with RunFile.create(path / "made.sqlite") as run:
        run.add(list(rows))
        return compared([run])


def only_part(tables: Iterable[AccuracyTable]) -> AccuracyPart:
    (table,) = tables
    (part,) = table.parts
    return part


def test_all_functions_of_a_table_are_measured_on_the_same_cases(tmp_path: Path) -> None:
    rows = [row("a.f", family) for family in CASES]
    rows += [row("b.f", family, ratio=3.0, ulp=9.0) for family in CASES[1:]]
    part = only_part(comparison(tmp_path, rows).accuracy)
    assert part.cases == 3
    assert [line.names for line in part.lines] == [("a.f",), ("b.f",)]
    assert [line.about for line in part.lines] == [
        "3 within the bound, 0 beyond it",
        "0 within the bound, 3 beyond it",
    ]


def test_median_and_worst_and_the_input_of_the_worst(tmp_path: Path) -> None:
    errors = dict(zip(CASES, (0.5, 4.0, 2.0, 0.25), strict=True))
    rows = [row("a.f", it, ulp=10 * ratio, ratio=ratio) for it, ratio in errors.items()]
    (line,) = only_part(comparison(tmp_path, rows).accuracy).lines
    assert (line.ulp, line.ratio) == ((5.0, 40.0), (0.5, 4.0))
    assert line.worst.case == "softmax/float32/4x10/normal_100/-/0"
    assert line.command("a.sqlite") == f"lossdiff show a.sqlite --case {line.worst.case} --impl a.f"


def test_a_case_without_a_number_counts_as_worse_than_any_error(tmp_path: Path) -> None:
    rows = [row("a.f", family) for family in CASES[:2]]
    rows += [row("a.f", CASES[2], verdict="nonfinite", ulp=None, ratio=None, got="nan")]
    (line,) = only_part(comparison(tmp_path, rows).accuracy).lines
    assert (line.without, line.ratio) == (1, (0.1, 0.1))
    assert line.worst.got == "nan"
    assert line.about == "2 within the bound, 0 beyond it, 1 without a number"
    assert line.command("a.sqlite").startswith("lossdiff repro a.sqlite softmax/")


@pytest.mark.parametrize(
    ("family", "verdict"), [("nan", "exact"), ("normal", "convention:undefined_nan")]
)
def test_questions_without_an_agreed_number_do_not_count(
    tmp_path: Path, family: str, verdict: str
) -> None:
    found = comparison(tmp_path, [row("a.f", family, verdict=verdict), row("b.f", family)])
    assert found.accuracy == ()


def test_functions_with_the_same_bits_share_a_line(tmp_path: Path) -> None:
    rows = [row("a.f"), replace(row("a.f"), implementation="a.g"), row("a.h")]
    part = only_part(comparison(tmp_path, rows).accuracy)
    assert [line.names for line in part.lines] == [("a.f", "a.g"), ("a.h",)]


def test_a_recipe_stands_for_a_function_that_its_framework_lacks(tmp_path: Path) -> None:
    rows = [row("a.f"), row("a.recipe", kind="recipe"), row("b.recipe", kind="recipe")]
    part = only_part(comparison(tmp_path, rows).accuracy)
    assert [line.names for line in part.lines] == [("a.f",), ("b.recipe",)]


def test_a_function_that_takes_few_cases_is_left_out() -> None:
    members = [Member("f", name, "native", "eager") for name in "abc"]
    asked = dict(zip(members, ({"1", "2", "3", "4"}, {"1", "2", "3"}, {"4"}), strict=True))
    assert common_cases(asked) == ({"1", "2", "3"}, [members[2]])


def test_a_function_that_takes_enough_cases_stays() -> None:
    members = [Member("f", name, "native", "eager") for name in "ab"]
    many, some = set(map(str, range(40))), set(map(str, range(8)))

    assert common_cases(dict(zip(members, (many, some), strict=True))) == (some, [])


def test_the_place_of_an_error_grows_with_it_within_the_plot() -> None:
    places = [place_of(ratio) for ratio in (0.0, 1e-3, 0.1, 1.0, 10.0, 1e6, float("inf"))]
    assert places == sorted(places)
    assert places[0] == places[1]
    assert places[-1] == places[-2]


def test_pairs_count_the_same_bits_then_two_right_answers_then_the_rest(tmp_path: Path) -> None:
    rows = [row("a.f", family, fingerprint=family) for family in CASES]
    rows += [row("b.f", CASES[0], fingerprint=CASES[0]), *(row("b.f", it) for it in CASES[1:3])]
    rows += [row("b.f", CASES[3], verdict="formula")]
    (table,) = comparison(tmp_path, rows).agreement
    assert table.lines[1].pairs == (Pair(same=1, right=2, differ=1),)
    assert table.lines[1].pairs[0].look == "apart"
    assert table.lines[1].pairs[0].dtypes == (("float32", 1),)
    assert table.lines[1].pairs[0].example == Point(row("b.f", CASES[3]).case, "value")


def test_a_compiled_function_is_compared_with_itself(tmp_path: Path) -> None:
    rows = [row("a.f"), row("a.f", mode="jit"), row("a.g"), row("a.g", mode="jit")]
    (table,) = comparison(tmp_path, rows).agreement
    assert table.ways == (("jit", ("a.f", "a.g"), Pair(1, 0, 0)),)


def test_the_page_shows_both(sample_path: Path) -> None:
    with RunFile.open(sample_path) as run:
        page = render([run])
    assert '<svg class="strip"' in page
    assert 'id="agreement"' in page
