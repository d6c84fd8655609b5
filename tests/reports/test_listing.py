"""Verdicts as lines of text: what is printed of each, in how many columns, and in what order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.listing import Line, count_lines, entry
from lossdiff.reports.tables import Shares
from rich.cells import cell_len

ROW = VerdictRow(
    "softmax/float32/4x10/normal/-/0", "softmax", None, "normal", "4x10", "float32", {},
    "torch.softmax", "torch", "native", "eager", "cpu", "value", "inaccurate", ulp=12.0,
    ratio=68080.0, where="[0, 1]", exact="0.25", got="0.26",
)  # fmt: skip


def text(lines: Iterable[Line]) -> str:
    return "\n".join(line.text for line in lines)


def test_an_entry_says_what_was_judged_and_by_how_much_it_is_wrong() -> None:
    assert text(entry(ROW, 80)).splitlines() == [
        "I inaccurate       value           eager    torch.softmax",
        "  softmax/float32/4x10/normal/-/0",
        "  right 0.25, given 0.26; 68,080 times the bound, 12 ulp",
    ]


def test_an_error_stands_where_there_is_no_number() -> None:
    row = replace(ROW, verdict="raised", got="", note="ValueError: no", ratio=None, ulp=None)

    assert text(entry(row, 80)).endswith("\n  right 0.25, given ValueError: no")


def test_a_question_that_is_not_claimed_has_its_reason() -> None:
    row = replace(ROW, verdict="unsupported", exact="", got="", note="takes no index target",
                  ratio=None, ulp=None)  # fmt: skip

    assert text(entry(row, 80)).endswith("\n  takes no index target")


def test_a_call_that_gives_other_bits_says_how_far_apart(run: RunFile) -> None:
    (row,) = islice(run.rows(VerdictRow, "verdict = 'nondeterministic'"), 1)

    assert "d nondeterministic" in text(entry(row, 80))
    assert "2.40×10⁻⁷ apart with one thread" in text(entry(row, 80))


def test_a_relation_that_fails_has_its_letter(run: RunFile) -> None:
    (row,) = islice(run.rows(VerdictRow, "verdict LIKE 'relation:%'"), 1)

    assert text(entry(row, 80)).startswith("L relation:shift")


@pytest.mark.parametrize("name", ["long." * 40, "x" * 300, "関数" * 100, "a b " * 50])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    row = replace(ROW, implementation=name, case=f"softmax/{name}", got="", note=name)

    lines = list(entry(row, width))

    assert max(cell_len(line.text) for line in lines) <= width


def test_a_case_that_fits_is_in_one_piece() -> None:
    case = "c" * 78
    assert f"  {case}" in text(entry(replace(ROW, case=case), 80)).splitlines()


def test_no_text_of_a_run_moves_the_cursor_or_is_markup() -> None:
    row = replace(ROW, implementation="[red]x[/red]", note="\x1b[31mred\u202e", got="")

    shown = text(entry(row, 80))

    assert "[red]x[/red]" in shown
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (Shares(), "no verdicts"),
        (Shares(agree=1200, known=1), "1,201 verdicts: 1 known finding, 1,200 agree"),
        (Shares(new=2, explained=3, neutral=1),
         "5 verdicts: 2 new findings, 3 explained; 1 question not claimed"),
        (Shares(neutral=2), "0 verdicts; 2 questions not claimed"),
    ],
)  # fmt: skip
def test_what_is_not_listed_is_counted(shares: Any, said: str) -> None:
    assert text(count_lines(shares, 80)) == said
