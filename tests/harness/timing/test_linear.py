"""Timings of linear losses: what is timed, and what is said in the terminal and in the report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.runfile import MemoryRow, PassRow, RunFile, TimingRow
from lossdiff.harness.timing.benchmarks import bench_suite, timed_gradients, work_of

from lossdiff._cli import main as cli
from lossdiff.errors import BenchError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "linear_cross_entropy"
SHAPE = (16, 8, 20)


def sizes_of(*arguments: object, **named: object) -> list[tuple[int, ...]]:
    cases = bench_suite(*arguments, **named).cases  # type: ignore[arg-type]
    return [case.sizes for case in cases if case.operation == NAME]


def test_they_are_timed_where_they_are_named_and_in_full() -> None:
    assert sizes_of([NAME]) == [(64, 64, 1000)]
    assert sizes_of(name="full") == [(64, 64, 1000), (512, 512, 4096)]
    assert sizes_of([NAME], shapes=[SHAPE]) == [SHAPE]
    assert not sizes_of()
    assert not sizes_of(shapes=[SHAPE])
    assert not sizes_of(["softmax"], name="full")


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((64, 10), "--shape 64x10: linear_cross_entropy takes NxHxC"),
        ((2, 3, 4, 5), "--shape 2x3x4x5: linear_cross_entropy takes NxHxC"),
        ((4096, 512, 32000), "131072000 logits, all of which .* at most 4194304 are judged"),
        ((1, 10**12, 4), "--shape 1x1000000000000x4 needs about"),
    ],
)
def test_a_shape_that_cannot_be_judged_is_refused_in_one_line(
    shape: tuple[int, ...], told: str
) -> None:
    with pytest.raises(BenchError, match=told):
        bench_suite([NAME], shapes=[shape])


def test_the_least_that_must_be_moved_has_no_logits() -> None:
    (case,) = bench_suite([NAME], shapes=[SHAPE]).cases
    factors, labels = (16 + 20) * 8 * 4, 16 * 8
    forward, both = work_of(case, "forward"), work_of(case, "forward+backward")

    assert forward.moved == factors + labels + 4
    assert both.moved == factors + labels + 4 + 4 + factors
    assert both.computes == "value and gradients by hidden states and linear weights"
    assert list(timed_gradients(case).values()) == ["gradient_hidden", "gradient_linear_weight"]
    assert timed_gradients(Case.parse("softmax/float32/4x10/normal/-/0")) == {
        "values": "gradient_logits"
    }


def test_they_are_judged_and_told_with_tokens_and_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "run.sqlite", tmp_path / "page.html"
    text = "x".join(map(str, SHAPE))
    status = cli.run(["bench", "--backend", "numpy", "--operation", NAME, "--shape", text,
                      "--passes", "1", "--peak-memory", "-o", str(file)])  # fmt: skip
    said = capsys.readouterr().err
    cli.run(["report", str(file), "-o", str(page)])

    assert status == 0
    with RunFile.open(file) as run:
        timings, passes = list(run.rows(TimingRow)), list(run.rows(PassRow))
        measured = [row.memory for row in run.rows(MemoryRow)]
    assert {(row.shape, row.direction, row.agrees) for row in timings} == {
        (text, "forward", True),
        (text, "forward+backward", True),
    }
    assert {frozenset(row.fingerprints) for row in passes} == {
        frozenset({"value"}),
        frozenset({"value", "gradient_hidden", "gradient_linear_weight"}),
    }
    for row in timings:
        assert row.logits == 16 * 20 * 4
        assert row.tokens_a_second == 16 / row.median
        told = rf"forward(\+backward)? {text} one hot: {row.tokens_a_second:,.0f} tokens a second"
        assert re.search(told, said)
    assert said.count("the logits alone take 1.28 kB") == len(timings)
    assert said.count("its memory peaks at") == len(measured)
    html = page.read_text(encoding="utf-8")
    assert html.count(" tokens/s<") == len(timings)
    assert html.count("the logits alone take 1.28 kB") == len(timings)
    assert html.count(" × the logits<") == len(measured)
