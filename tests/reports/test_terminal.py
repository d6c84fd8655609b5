from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from lossdiff.harness.runfile import RunFile, VerdictRow
from lossdiff.reports.terminal import summary, verdict_table
from rich.console import Console, RenderableType

from . import sample


def printed(what: RenderableType) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(what)
    return console.export_text()


def test_summary_counts_and_names_what_is_new(run: RunFile) -> None:
    text = printed(summary(run))
    assert "17 new findings, 357 known" in text
    assert "torch.compile.broken_softmax" in text
    assert "torch on gpu was not asked" in text


def test_summary_names_twenty_and_says_where_the_rest_is(tmp_path: Path) -> None:
    row = next(sample.verdicts())
    rows = [replace(row, verdict="raised", implementation=f"torch.f{n}") for n in range(25)]
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add(rows)
        text = printed(summary(run))
    assert "25 new findings" in text
    assert "5 more kinds, see: lossdiff show" in text
    assert text.count("R raised") == 20


def test_summary_of_an_empty_run_says_so(tmp_path: Path) -> None:
    with RunFile.open(sample.empty(tmp_path / "empty.sqlite")) as run:
        assert "No verdicts" in printed(summary(run))


def test_verdicts_are_text_and_not_markup(run: RunFile) -> None:
    row = next(run.rows(VerdictRow))
    hostile = replace(row, implementation="[red]x[/red]", note="\x1b[31mred", got="")
    text = printed(verdict_table([hostile]))
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
