"""A table in lines of a width: in columns where they have room, else row under row."""

from __future__ import annotations

from io import StringIO

import pytest
from lossdiff.reports.grid import Cell, Grid
from rich.console import Console

NAME = "numpy.textbook.binary_cross_entropy_with_logits"
CASE = f"binary_cross_entropy_with_logits/multi_label.fractional:float64/4x10/{'a' * 20}/-/0"


def lines(grid: Grid, width: int) -> list[str]:
    return ["".join(it.text for it in spans) for spans in grid.lines(width)]


def grid(columns: list[str], *rows: list[str], right: int = 100) -> Grid:
    return Grid(columns, [list(map(Cell, row)) for row in rows], right)


def test_what_has_room_stands_in_columns() -> None:
    small = grid(["name", "mode", "float32"], ["f", "eager", "1 I"], ["gh", "jit", "–"], right=2)

    assert lines(small, 80) == [
        "name  mode   float32",
        "f     eager      1 I",
        "gh    jit          –",
    ]


def test_a_text_is_continued_in_its_column() -> None:
    versions = "numpy 2.4.6, scipy 1.17.1, ml_dtypes 0.6.0"

    shown = lines(grid(["", "base", "new"], ["numpy", versions, versions]), 80)

    assert [line[:6].strip() for line in shown] == ["", "numpy", ""]
    assert max(map(len, shown)) <= 80
    assert " ".join(" ".join(shown).split()).count("2.4.6,") == 2


@pytest.mark.parametrize("width", [40, 80, 120])
def test_where_a_name_has_no_room_the_rows_are_below_each_other(width: int) -> None:
    wide = grid(["name", "mode", "what", "case"], [NAME, "eager", "30 answers", CASE])

    shown = lines(wide, width)

    assert shown[0] == NAME
    assert "    mode: eager; what: 30 answers" in shown[1]
    assert CASE in " ".join(shown).split()
    assert [line for line in shown if len(line) > width and len(line.split()) > 1] == []


def test_a_remark_stands_before_its_name() -> None:
    remarks = grid(["", "name", "case"], ["worse", NAME, CASE], ["", "f", CASE])

    assert [it for it in lines(remarks, 60) if it[0] != " "] == [f"worse {NAME}", "f"]


def test_a_terminal_breaks_no_name_and_keeps_the_styles() -> None:
    stream = StringIO()
    console = Console(file=stream, width=40, force_terminal=True, color_system="standard")

    console.print(Grid(["", "case"], [[Cell("worse", "bold"), Cell(CASE)]]), crop=False)

    assert f"\x1b[1mworse\x1b[0m {CASE}\n" in stream.getvalue()
