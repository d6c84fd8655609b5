"""Runs with very many answers and benchmarks: what is shown of them, and what that costs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.harness.comparing import statistics
from lossdiff.harness.comparing.compare import compare
from lossdiff.harness.comparing.leading import LIMIT, Leading
from lossdiff.harness.comparing.statistics import Estimates, combine
from lossdiff.harness.runfile import answers
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.comparison_markdown import markdown
from lossdiff.reports.junit import write_junit

from lossdiff._cli import main as cli
from lossdiff._cli.status import Status

NAME = "scipy.special.softmax"


def answer(number: int, **values: Any) -> VerdictRow:
    row = VerdictRow(
        f"softmax/float32/4x10/normal/-/{number}", "softmax", None, "normal", "4x10", "float32",
        {}, NAME, "numpy", "native", "eager", "cpu", "value", "exact", ulp=0.5, fingerprint="ab",
    )  # fmt: skip
    return replace(row, **values)


def written(path: Path, rows: Iterable[VerdictRow]) -> Path:
    with RunFile.create(path) as run:
        run.add(list(rows))
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A run with more answers than a comparison shows."""
    return written(tmp_path / "base.sqlite", map(answer, range(LIMIT + 50)))


@pytest.fixture
def worse(tmp_path: Path) -> Path:
    """The same answers in another order, all of them wrong."""
    rows = (answer(n, verdict="inaccurate") for n in reversed(range(LIMIT + 50)))
    return written(tmp_path / "worse.sqlite", rows)


def test_of_many_regressions_the_first_are_kept_and_all_are_counted(
    base: Path, worse: Path
) -> None:
    found = compare(base, worse)

    cases = [change.answer.case for change in found.accuracy.changes]
    assert cases == [answer(n).case for n in range(LIMIT)]
    assert (len(found.regressions), found.regression_count) == (LIMIT, LIMIT + 50)


def test_every_report_says_how_many_regressions_it_leaves_out(
    base: Path, worse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compare(base, worse)
    write_junit(found, tmp_path / "junit.xml")
    cli.run(["compare", str(base), str(worse)])

    assert f"## lossdiff: {LIMIT + 50} regressions" in markdown(found)
    assert f"and {LIMIT + 20} more" in markdown(found)
    assert "and 50 more" in (tmp_path / "junit.xml").read_text()
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if line.startswith("regression: ")]
    assert (len(told), lines[-1]) == (LIMIT + 1, "regression: and 50 more")


def test_more_verdicts_on_one_case_than_any_run_has_are_not_held_in_memory(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(answers, "_MOST", 20)
    made = [answer(7, implementation=f"mine.softmax_{n}") for n in range(20)]
    few = written(tmp_path / "few.sqlite", made)
    many = written(tmp_path / "many.sqlite", [*made, answer(7)])

    assert compare(few, few).answers == 20
    for runs in ((base, many), (many, base)):
        assert cli.run(["compare", *map(str, runs)]) == Status.USAGE
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith(f"is damaged: it has more than 20 verdicts on {answer(7).case!r}")


def test_an_implementation_with_many_regressions_hides_no_other(base: Path, tmp_path: Path) -> None:
    rows = [answer(n, verdict="inaccurate") for n in range(LIMIT + 50)]
    with RunFile.reopen(base) as run:
        run.add([answer(0, implementation="late")])
    late = answer(0, implementation="late", verdict="raised")

    found = compare(base, written(tmp_path / "new.sqlite", [*rows, late]))

    assert found.regressions[-1].startswith("late eager: worse")


def test_runs_without_a_common_answer_lose_nothing_line_by_line(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = written(tmp_path / "other.sqlite", [answer(0, implementation="another")])

    cli.run(["compare", str(base), str(other)])

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lossdiff: nothing could be compared")


@pytest.mark.parametrize("word", ["exact", "inaccurate"])
def test_three_times_as_many_answers_need_no_more_memory(tmp_path: Path, word: str) -> None:
    peaks = []
    for number in (400, 1200):
        one, other = (
            written(
                tmp_path / f"{number}_{verdict}.sqlite",
                (answer(n, verdict=verdict, fingerprint=f"{n}") for n in range(number)),
            )
            for verdict in ("exact", word)
        )
        compare(one, other)
        tracemalloc.start()
        compare(one, other)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        one.unlink()

    assert peaks[1] - peaks[0] < 50 * (2000 - 400)  # a kept answer has hundreds of bytes


# --- benchmarks ------------------------------------------------------------------------------


def drawn(kernels: int) -> tuple[Estimates, Any, Any]:
    """Draw the estimates of hot and cold inputs of some kernels, in groups of 1 to 4 kernels."""
    draws = np.random.default_rng(kernels)
    cases = np.repeat([f"case {n}" for n in draws.permutation(kernels)], 2)
    groups = np.unique(np.repeat(draws.integers(0, kernels // 3, kernels), 2), return_inverse=True)
    size = 2 * kernels
    each = Estimates(
        draws.normal(0, 0.02, size), draws.uniform(0.01, 0.02, size),
        draws.integers(8, 10, size).astype(float),
    )  # fmt: skip
    return each, groups[1], cases


def test_groups_are_combined_together_as_they_would_be_one_by_one() -> None:
    each, groups, cases = drawn(60)

    found, p = combine(each, groups, cases)

    for number in range(groups.max() + 1):
        mine = groups == number
        some = Estimates(each.change[mine], each.error[mine], each.passes[mine])
        alone, p_alone = combine(some, np.zeros(mine.sum(), int), cases[mine])
        assert (found.change[number], found.error[number], found.passes[number], p[number]) == (
            pytest.approx((alone.change[0], alone.error[0], alone.passes[0], p_alone[0]), rel=1e-12)
        )


def test_ten_times_as_many_benchmarks_take_hardly_more_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []
    joined = statistics.stats.combine_pvalues
    monkeypatch.setattr(
        statistics.stats, "combine_pvalues",
        lambda p, **options: calls.append(p.size) or joined(p, **options),
    )  # fmt: skip
    numbers = []
    for kernels in (100, 1000):
        calls.clear()
        combine(*drawn(kernels))
        numbers.append(len(calls))
        assert sum(calls) == kernels  # each of them once

    assert numbers[1] <= 2 * numbers[0]


def test_what_is_kept_does_not_depend_on_the_order_of_adding() -> None:
    kept = [Leading[int](), Leading[int]()]
    for leading, order in zip(kept, (range(300), reversed(range(300))), strict=True):
        for place in order:
            leading.add(place % 2, (0, place), place)

    assert kept[0].items() == kept[1].items() == tuple(range(2 * LIMIT))
