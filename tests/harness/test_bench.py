"""Benchmarks: what is timed was judged on the same inputs, and the verdict stands beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.backends.base import Claim
from lossdiff.cases.model import Case
from lossdiff.cases.operations import DTYPES
from lossdiff.harness import bench
from lossdiff.harness.bench import (
    DIRECTIONS,
    BenchError,
    Benchmark,
    bench_suite,
    benchmarks_of,
    is_timed,
    time_framework,
)
from lossdiff.harness.runfile import RunFile, TimingRow, VerdictRow

from lossdiff import cli

SOFTMAX = "softmax/float32/4x10/normal/-/0"
SIZES = {"softmax": ((4, 10),), "cross_entropy": ((4, 10),)}
ROW = VerdictRow(
    SOFTMAX, "softmax", None, "normal", "4x10", "float32", {}, "scipy.special.softmax", "numpy",
    "native", "eager", "cpu", "value", "within bound",
)  # fmt: skip
SLOW = """
import numpy as np

def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) + np.float32(0.01)

calls = 0

def softmax_breaks_down(logits):
    global calls
    calls += 1
    if calls > 3:
        raise RuntimeError("enough")
    return softmax(logits)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "run.sqlite") as created:
        yield created


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Time NumPy and a user's own function, by the command line."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "mine.py").write_text(SLOW)
    arguments = ["bench", "--backend", "numpy", "-o", str(folder / "run.sqlite")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "_SIZES", SIZES)
        patch.setattr(bench, "_MAX_TIME", 0.01)
        status = cli.run([*arguments, "--impl", f"numpy={folder / 'mine.py'}"])
    assert status == cli.FINDINGS  # what is wrong is timed, too, and marked
    return folder / "run.sqlite"


def rows_of(path: Path) -> list[TimingRow]:
    """Return the timings of a run."""
    with RunFile.open(path) as run:
        return list(run.rows(TimingRow))


# --- which benchmarks there are --------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_everyday_logits_of_several_sizes_are_timed(dtype: str) -> None:
    cases = bench_suite(dtype=dtype).cases

    assert {case.dtype for case in cases} == {dtype}
    assert {case.family for case in cases} == {"normal"}
    assert {case.shape for case in cases} == {(64, 10), (50000, 10), (256, 50257)}
    assert all(Case.parse(case.id) == case for case in cases)


def test_operations_can_be_chosen() -> None:
    suite = bench_suite(["softmax"])

    assert {case.operation for case in suite.cases} == {"softmax"}
    assert suite.compiled


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("torch.nn.functional.cross_entropy", "native", True),
        ("scipy.special.softmax", "native", True),
        ("numpy.recipes.cross_entropy", "recipe", True),
        ("torch.softmax", "native", False),
        ("numpy.textbook.softmax_unshifted", "textbook", False),
        ("mine.softmax", "user", True),
    ],
)
def test_each_kernel_is_timed_by_one_name_and_a_users_own_always(
    name: str, kind: Any, expected: bool
) -> None:
    claim = Claim(name, "numpy", "softmax", kind, frozenset(), frozenset())

    assert is_timed(claim) is expected


def test_the_id_of_a_benchmark_says_what_is_timed() -> None:
    item = Benchmark("numpy", "scipy.special.softmax", "eager", "cpu", "forward", SOFTMAX)

    assert item.id == "scipy.special.softmax-eager-cpu-float32-4x10-forward"


@pytest.mark.parametrize("verdict", ["exact", "within bound", "inaccurate", "convention:x"])
def test_what_gave_an_answer_is_timed_even_a_wrong_one(run: RunFile, verdict: str) -> None:
    run.add([replace(ROW, verdict=verdict)])

    assert [item.direction for item in benchmarks_of(run, "numpy")] == ["forward"]


@pytest.mark.parametrize("verdict", ["unsupported", "raised", "crashed", "timed out", "mismatched"])
def test_what_gave_no_answer_is_not_timed(run: RunFile, verdict: str) -> None:
    run.add([replace(ROW, verdict=verdict)])

    assert benchmarks_of(run, "numpy") == []


def test_the_gradient_is_timed_where_there_is_one(run: RunFile) -> None:
    run.add([ROW, replace(ROW, quantity="gradient_logits")])
    run.add([replace(ROW, mode="jit"), replace(ROW, mode="jit", quantity="gradient_logits",
                                               verdict="unsupported")])  # fmt: skip

    assert [(item.mode, item.direction) for item in benchmarks_of(run, "numpy")] == [
        ("eager", "forward"), ("eager", "forward+backward"), ("jit", "forward")
    ]  # fmt: skip


def test_another_framework_has_its_own_benchmarks(run: RunFile) -> None:
    run.add([ROW])

    assert benchmarks_of(run, "torch") == []
    assert time_framework(run, "torch") == []


# --- timing ----------------------------------------------------------------------------------


def test_every_timing_has_its_verdict_beside_it(timed: Path) -> None:
    rows = {(row.implementation, row.operation, row.direction): row for row in rows_of(timed)}

    with RunFile.open(timed) as run:
        verdicts = {
            (row.implementation, row.case, row.quantity): row.verdict
            for row in run.rows(VerdictRow)
        }
    for row in rows.values():
        assert row.verdict in {
            verdicts.get((row.implementation, row.case, quantity))
            for quantity in ("value", "gradient_logits")
        }
    native = rows["scipy.special.softmax", "softmax", "forward"]
    wrong = rows["mine.softmax", "softmax", "forward"]
    assert (native.agrees, wrong.agrees, wrong.verdict) == (True, False, "inaccurate")
    assert (native.kind, wrong.kind) == ("native", "user")


def test_both_directions_are_timed_where_both_were_judged(timed: Path) -> None:
    directions = {
        row.implementation: {other.direction for other in rows_of(timed)
                             if other.implementation == row.implementation}
        for row in rows_of(timed)
    }  # fmt: skip

    assert directions["numpy.recipes.cross_entropy"] == set(DIRECTIONS)
    assert directions["scipy.special.softmax"] == {"forward"}


def test_times_are_those_of_the_standard_file_that_is_kept(timed: Path) -> None:
    rows = rows_of(timed)
    (source,) = {row.source for row in rows}
    document = json.loads(timed.with_name(source).read_text())

    stats = {item["name"]: item["stats"] for item in document["benchmarks"]}

    assert source == "run-numpy-cpu-benchmark.json"
    assert document.keys() >= {"machine_info", "benchmarks", "datetime", "version"}
    for row in rows:
        name = Benchmark(row.framework, row.implementation, row.mode, row.device,
                         row.direction, row.case).id  # fmt: skip
        measured = stats[f"test_time[{name}]"]
        assert (row.median, row.iqr, row.minimum, row.rounds) == (
            measured["median"], measured["iqr"], measured["min"], measured["rounds"]
        )  # fmt: skip
        assert 0 < row.minimum <= row.median
        assert row.rounds >= 5
        assert row.first_call > 0


def test_the_standard_file_is_read_by_pytest_benchmark_itself(timed: Path) -> None:
    file = timed.with_name(rows_of(timed)[0].source)

    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(file)],
        capture_output=True, text=True, check=False, cwd=timed.parent,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "scipy.special.softmax-eager-cpu-float32-4x10-forward" in done.stdout + done.stderr


def test_what_raises_under_the_clock_has_no_timing_and_does_not_stop_the_others(
    timed: Path,
) -> None:
    names = {row.implementation for row in rows_of(timed)}

    assert "mine.softmax" in names
    assert "mine.softmax_breaks_down" not in names


def test_without_pytest_benchmark_it_says_what_to_install(
    run: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "find_spec", lambda _: None)

    with pytest.raises(BenchError, match=r"pip install 'lossdiff\[bench\]'"):
        time_framework(run, "numpy")


def test_a_process_that_fails_is_an_error_in_one_line(run: RunFile) -> None:
    run.add([replace(ROW, implementation="scipy.special.no_such")])

    with pytest.raises(BenchError, match="timing numpy failed: ") as error:
        time_framework(run, "numpy")

    assert "\n" not in str(error.value)


def test_an_older_file_is_never_taken_for_a_new_one(run: RunFile, timed: Path) -> None:
    """A figure that no run measured must not appear."""
    old = timed.with_name(rows_of(timed)[0].source)
    run.path.with_name("run-numpy-cpu-benchmark.json").write_text(old.read_text())
    run.add([replace(ROW, implementation="scipy.special.no_such")])

    with pytest.raises(BenchError, match="timing numpy failed: "):
        time_framework(run, "numpy")


def test_a_mark_of_the_worst_quantity_is_the_mark_of_the_timing(run: RunFile) -> None:
    run.add([ROW, replace(ROW, quantity="gradient_logits", verdict="nonfinite", known=True)])
    about = {"case": SOFTMAX, "implementation": ROW.implementation, "mode": "eager"}

    forward = bench._verdict(run, {**about, "direction": "forward"})
    both = bench._verdict(run, {**about, "direction": "forward+backward"})

    assert forward == ("within bound", True, "native")
    assert both == ("nonfinite", False, "native")  # known or not, it is wrong
