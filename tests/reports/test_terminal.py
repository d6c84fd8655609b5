from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from lossdiff.harness.runfile.file import RunFile
from lossdiff.reports.terminal import summary
from rich.console import Console, RenderableType

from . import sample


def printed(what: RenderableType) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(what)
    return console.export_text()


def test_summary_counts_and_names_what_is_new(run: RunFile) -> None:
    text = printed(summary(run))
    assert "18 new findings, 357 known" in text
    assert "torch.compile.broken_softmax" in text
    assert "torch on gpu was not asked" in text


def test_summary_names_eight_causes_and_counts_the_rest(tmp_path: Path) -> None:
    row = next(sample.verdicts())
    rows = [
        replace(row, verdict="raised", looks_like=f"mistake {n}", case=f"{row.case[:-1]}{n}")
        for n in range(25)
    ]
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add(rows)
        text = printed(summary(run))
    assert "25 new findings" in text
    assert text.count("new: ") == 8
    assert "and 17 more" in text


def test_what_is_not_claimed_is_no_verdict(tmp_path: Path) -> None:
    row = next(sample.verdicts())
    words = ("exact", "exact", "unsupported")
    rows = [replace(row, verdict=word, implementation=f"torch.f{n}")
            for n, word in enumerate(words)]  # fmt: skip
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add(rows)
        text = printed(summary(run))
    assert "1 case, 2 verdicts, 1 not claimed: no new findings" in text


def test_summary_of_an_empty_run_says_so(tmp_path: Path) -> None:
    with RunFile.open(sample.empty(tmp_path / "empty.sqlite")) as run:
        assert "No verdicts" in printed(summary(run))


def test_summary_of_searches_alone_is_a_table_by_dtype(tmp_path: Path) -> None:
    rows = list(sample.domains())
    never = sum(row.breaks_at is None for row in rows)
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add(rows)
        text = printed(summary(run))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "No verdicts" not in text
    assert "torch.textbook.softmax_unshifted softmax spread compile, eager – – 88.7 N" in lines
    assert "torch.softmax_over_axis_0 softmax spread eager 1 N – 1 N" in lines
    assert lines[1].endswith("softmax classes eager 65,520 N – –")  # what people call stands first
    assert f"{never} of {len(rows)} searches never break; 4 are wrong from the start" in lines[-1]
    assert "after those: jax.textbook.cross_entropy_unshifted at 40.6" in lines[-1]


def test_summary_names_forty_searches_and_says_where_the_rest_is(tmp_path: Path) -> None:
    row = next(row for row in sample.domains() if row.breaks_at)
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([replace(row, implementation=f"torch.f{n}") for n in range(45)])
        text = printed(summary(run))
    assert "5 more, see the report: lossdiff report" in text
    assert "0 of 45 searches never break; the first to break: torch.f0 at 88.7" in text


def test_beside_verdicts_the_domain_is_one_line(run: RunFile) -> None:
    last = printed(summary(run)).strip().splitlines()[-1]
    assert last.startswith("domain of validity: ")
