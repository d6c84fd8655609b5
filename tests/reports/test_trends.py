"""Benchmarks over some runs, on the page: a small chart each, and where they stepped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import WorkerRow
from lossdiff.harness.runfile.timing_rows import PassRow
from lossdiff.harness.timing.results import summaries
from lossdiff.reports.html import render, write_report
from lossdiff.reports.trends import Trends, trends_of

from ..harness.comparing.test_compare import NAMES, SLOW, add, timed, verdicts
from .browser import browser

Made = Callable[..., Path]
HOSTILE = "a<b>&\"'</svg><script>"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Write a run that was timed."""

    def written(number: int, *, slower: float = 0.0, label: str = "", only: str = "") -> Path:
        path = tmp_path / f"run{number}.sqlite"
        with RunFile.create(path) as run:
            run.set_meta(suite="bench", label=label)
            for name in NAMES:
                facts = {"cpu": "a cpu", "cores": 2, "versions": {name: "1"}}
                run.add([WorkerRow(name, "cpu", facts)])
            run.add(list(verdicts()))
            rows: Iterator[Any] = timed(number, slower, 9)
            add(run, (it for it in rows if only in ("", it.framework)))
            run.add(summaries(run))
        return path

    return written


def trends(*paths: Path) -> Trends | None:
    with ExitStack() as stack:
        return trends_of([stack.enter_context(RunFile.open(path)) for path in paths])


def page(*paths: Path) -> str:
    with ExitStack() as stack:
        return render([stack.enter_context(RunFile.open(path)) for path in paths])


def test_the_step_is_marked_at_the_run_that_it_came_with(made: Made) -> None:
    found = trends(*(made(n, slower=0.3 * (n > 1), label=f"commit{n}") for n in range(4)))

    assert found is not None
    assert len(found.stepped) == 4
    assert len(found.steady) == 28
    for line in found.stepped:
        assert (line.trend.key.implementation, line.at) == (SLOW, "commit2")
        assert [dot.is_step for dot in line.dots] == [False, False, True, False]
        assert line.by == f"{line.trend.changes[2] or 0:+.1%}"


def test_every_time_of_a_course_is_made_of_the_rounds_of_its_run(made: Made) -> None:
    paths = [made(n, label=f"commit{n}") for n in range(3)]
    found = trends(*paths)

    assert found is not None
    for line in found.steady:
        for number, path in enumerate(paths):
            with RunFile.open(path) as run:
                rounds = [
                    median(row.times) for row in run.rows(PassRow)
                    if all(getattr(row, name) == it
                           for name, it in line.trend.key._asdict().items())
                ]  # fmt: skip
            assert len(rounds) == 9
            assert line.trend.medians[number] == pytest.approx(median(rounds), rel=1e-12)


def test_dots_lie_within_the_chart_and_noise_does_not_fill_it(made: Made) -> None:
    found = trends(made(1), made(2), made(3, slower=5.0))

    assert found is not None
    heights = []
    for line in (*found.stepped, *found.steady):
        assert all(0 < dot.x < found.width and 0 < dot.y < found.height for dot in line.dots)
        heights.append(max(dot.y for dot in line.dots) - min(dot.y for dot in line.dots))
    assert max(heights) <= found.height - 12
    assert min(heights) < found.height / 2


def test_runs_with_nothing_in_common_have_no_course(made: Made, tmp_path: Path) -> None:
    assert trends(made(1)) is None
    assert trends(made(1, only="torch"), made(2, only="jax")) is None
    RunFile.create(tmp_path / "check.sqlite").close()
    assert trends(tmp_path / "check.sqlite", made(3)) is None
    assert 'id="trends"' not in page(made(4))


def test_the_page_says_where_each_benchmark_stepped(made: Made) -> None:
    shown = page(*(made(n, slower=0.3 * (n > 1), label=f"{HOSTILE}{n}") for n in range(4)))

    part = shown.partition('id="trends"')[2].partition("</section>")[0]
    assert len(re.findall("<svg", part)) == 32
    assert part.count('class="step"') == part.count("<b>slower +") == 4
    assert "28 benchmarks without a step" in part
    assert "<script>" not in part
    assert "</svg>&" not in part


def test_a_run_that_lacks_a_benchmark_has_no_dot(made: Made) -> None:
    found = trends(made(1), made(2, only="torch"), made(3))

    assert found is not None
    counts = {line.trend.key.framework: len(line.dots) for line in (*found.steady, *found.stepped)}
    assert counts == {"torch": 3, "numpy": 2, "jax": 2, "tensorflow": 2}


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1600])
def test_it_fits_with_everything_open(made: Made, tmp_path: Path, width: int) -> None:
    runs = [made(n, slower=0.3 * (n > 1), label="a-long-label-" * 4 + str(n)) for n in range(4)]
    write_report(runs, tmp_path / "page.html")
    with browser(tmp_path) as tab:
        tab.open(tmp_path / "page.html", width)
        tab.eval("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert tab.eval("document.documentElement.scrollWidth") <= width
        assert tab.eval("({...document.documentElement.dataset})")["ready"] == "true"
