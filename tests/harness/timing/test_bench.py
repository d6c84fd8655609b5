"""Benchmarks: what is timed was judged on the same inputs, and the verdict stands beside it."""

from __future__ import annotations

import importlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.cases.operations import DTYPES
from lossdiff.harness.answers import fingerprint
from lossdiff.harness.comparing.snapshot import read_snapshot
from lossdiff.harness.formula import define, forget
from lossdiff.harness.formula import functions as f
from lossdiff.harness.runfile import written_operations
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.runfile.timing_rows import PassRow, ProcessRow, TimingRow
from lossdiff.harness.timing import bench, benchmarks, machine
from lossdiff.harness.timing.bench import time_passes
from lossdiff.harness.timing.benchmarks import (
    DIRECTIONS,
    Benchmark,
    bench_suite,
    benchmarks_of,
    caches_of,
    copies_of,
    is_timed,
    work_of,
)
from lossdiff.harness.timing.plan import PLAN_VARIABLE, ProcessPlan, TimedProcess
from lossdiff.harness.timing.results import ProcessResult
from lossdiff.harness.timing.schedule import Timing, schedule

from lossdiff._cli import main as cli
from lossdiff._cli.status import Status
from lossdiff.errors import BenchError

SOFTMAX = "softmax/float32/4x10/normal/-/0"
SIZES = {"softmax": ((4, 10),), "cross_entropy": ((4, 10),)}
ROW = VerdictRow(
    SOFTMAX, "softmax", None, "normal", "4x10", "float32", {}, "scipy.special.softmax", "numpy",
    "native", "eager", "cpu", "value", "within bound",
)  # fmt: skip
PROCESS = ProcessRow(1, 1, "numpy", "cpu", "one", 1, None, [], [], None, "", {}, "")
PLAN = ProcessPlan(
    TimedProcess(1, 1, "numpy", "one", 0, (
        Benchmark("numpy", "scipy.special.softmax", "eager", "cpu", "forward", SOFTMAX, "one"),
        Benchmark("numpy", "scipy.special.softmax", "eager", "cpu", "forward", SOFTMAX, "one",
                  "cold"),
    )),
    device="cpu", extra=("mine.py",), known=frozenset({"ab", "cd"}), scratch=Path("scratch"),
    seed=7, analyses=True, compiled="", max_time=0.02,
)  # fmt: skip
LET_GO, TURNS = 0.002, 3
SLOW = f"""
import time

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

class Held(np.ndarray):
    def __del__(self):
        time.sleep({LET_GO})

def softmax_slow_to_let_go(logits):
    return softmax(logits).view(Held)
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
    arguments = ["bench", "--backend", "numpy", "--passes", "2", "--threads", "one",
                 "--threads", "all", "-o", str(folder / "run.sqlite")]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmarks, "_SIZES", SIZES)
        patch.setattr(bench, "_MAX_TIME", 0.01)
        status = cli.run([*arguments, "--impl", f"numpy={folder / 'mine.py'}"])
    assert status == Status.FINDINGS  # what is wrong is timed, too, and marked
    return folder / "run.sqlite"


def rows_of(path: Path, row: Any = TimingRow) -> list[Any]:
    """Return the timings of a run, or other rows."""
    with RunFile.open(path) as run:
        return list(run.rows(row))


def nothing(line: str) -> None:
    """Say nothing."""


# --- which benchmarks there are --------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_everyday_logits_of_several_sizes_are_timed(dtype: str) -> None:
    cases = bench_suite(dtype=dtype).cases

    assert {case.dtype for case in cases} == {dtype}
    assert {case.family for case in cases} == {"normal"}
    assert {case.shape for case in cases} == {(64, 10), (50000, 10)}
    assert all(Case.parse(case.id) == case for case in cases)


def test_an_operation_that_is_not_timed_is_refused_with_those_that_are() -> None:
    with pytest.raises(BenchError, match=r"bench times softmax, .*, and not sigmoid"):
        bench_suite(["softmax", "sigmoid"])


def test_operations_can_be_chosen() -> None:
    suite = bench_suite(["softmax"])

    assert {case.operation for case in suite.cases} == {"softmax"}
    assert suite.compiled


def test_an_operation_of_a_users_own_is_timed_where_its_formula_can_be_judged() -> None:
    define("own_rows", lambda x, target: -f.take(f.log_softmax(x), target))
    define("own_pairs", lambda x: f.mean(x @ x.T), targets=())
    sizes = {
        name: {case.shape for case in bench_suite([name]).cases}
        for name in ("own_rows", "own_pairs")
    }
    with pytest.raises(BenchError, match="8192x64: own_pairs is judged by its formula"):
        bench_suite(["own_pairs"], shapes=[(8192, 64)])
    forget("own_rows")
    forget("own_pairs")

    assert sizes == {"own_rows": {(64, 10), (50000, 10)}, "own_pairs": {(64, 10)}}


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
    framework = "torch" if name.startswith("torch") else "numpy"
    claim = Claim(name, framework, "softmax", kind, frozenset(), frozenset())

    assert is_timed(claim) is expected


def test_the_id_of_a_benchmark_says_what_is_timed() -> None:
    item = Benchmark("numpy", "scipy.special.softmax", "eager", "cpu", "forward", SOFTMAX)

    assert item.id == "scipy.special.softmax-eager-cpu-float32-4x10-forward-all-hot"


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
    time_passes(run, ["torch"], Timing(), nothing)
    assert list(run.rows(ProcessRow)) == []


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
    sources = {row.number: row.source for row in rows_of(timed, ProcessRow)}
    later = {row.number for row in rows_of(timed, ProcessRow) if row.pass_number > 1}
    passes = rows_of(timed, PassRow)

    assert set(sources.values()) == {
        f"run-numpy-cpu-{threads}-pass{number}-benchmark.json"
        for threads in ("one", "all")
        for number in (1, 2)
    }
    assert passes
    for row in passes:
        document = json.loads(timed.with_name(sources[row.process]).read_text())
        assert document.keys() >= {"machine_info", "benchmarks", "datetime", "version"}
        name = Benchmark(row.framework, row.implementation, row.mode, row.device,
                         row.direction, row.case, row.threads, row.cache).id  # fmt: skip
        kept = [item["stats"]["data"] for item in document["benchmarks"] if name in item["name"]]
        assert row.times == [time for turn in kept for time in turn]
        assert len(row.times) >= 3 * TURNS
        assert min(row.times) > 0
        assert (row.first_call is None) == (row.process in later)


def test_a_result_is_let_go_under_the_clock(timed: Path) -> None:
    (slow, *others) = [
        row
        for row in rows_of(timed, PassRow)
        if row.implementation == "mine.softmax_slow_to_let_go"
    ]

    assert all(min(row.times) >= LET_GO for row in (slow, *others))


def test_a_benchmark_keeps_its_pace_over_all_turns(timed: Path) -> None:
    for row in rows_of(timed, PassRow):
        assert len(row.iterations) == TURNS
        assert len(set(row.iterations)) == 1
        assert len(row.times) % TURNS == 0


def test_a_timing_is_made_of_the_rounds_of_its_passes(timed: Path) -> None:
    passes = rows_of(timed, PassRow)

    for row in rows_of(timed):
        mine = [it.times for it in passes if all(
            getattr(it, name) == getattr(row, name)
            for name in ("case", "implementation", "mode", "direction", "threads", "cache")
        )]  # fmt: skip
        medians = [median(times) for times in mine]
        assert row.passes == len(mine) == 2
        assert (row.low, row.high) == (min(medians), max(medians))
        assert row.median == median(medians)
        assert row.minimum == min(map(min, mine))
        assert row.rounds == sum(map(len, mine))


def test_every_process_measures_its_yardstick_with_its_own_threads(timed: Path) -> None:
    processes = rows_of(timed, ProcessRow)

    assert {row.thread_count for row in processes if row.threads == "one"} == {1}
    assert {row.thread_count for row in processes if row.threads == "all"} == {machine.cores()}
    for row in processes:
        assert row.bandwidth == pytest.approx(2 * machine.copied_bytes() / median(row.copies))
        assert len(row.compute) == 25
        assert row.environment["versions"].keys() >= {"numpy", "scipy"}


def test_each_pass_has_fresh_processes_in_another_order(run: RunFile) -> None:
    run.add([replace(ROW, framework=name) for name in ("numpy", "torch", "jax", "tensorflow")])
    timing = Timing(passes=6, threads=("one", "all"))

    found = schedule(run, ["numpy", "torch", "jax", "tensorflow"], timing)

    orders = [
        [(it.framework, it.threads) for it in found if it.pass_number == number]
        for number in range(1, 7)
    ]
    assert all(len(order) == len(set(order)) == 8 for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert found == schedule(run, ["numpy", "torch", "jax", "tensorflow"], timing)


def test_a_plan_reaches_the_process_as_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(PLAN.to_json())
    monkeypatch.setenv(PLAN_VARIABLE, str(file))

    assert ProcessPlan.from_environment() == PLAN


def test_a_process_knows_the_operations_that_users_have_defined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    define("own_rows", f.logsumexp, targets=())
    file = tmp_path / "plan.json"
    file.write_text(replace(PLAN, operations=written_operations()).to_json())
    forget("own_rows")
    monkeypatch.setenv(PLAN_VARIABLE, str(file))
    ProcessPlan.from_environment()
    case = Case.parse("own_rows/float32/4x10/normal/-/0")
    forget("own_rows")

    assert case.operation == "own_rows"


def test_every_benchmark_has_its_place_in_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite is imported without a plan here: only the process that it runs in has one."""
    monkeypatch.delenv(PLAN_VARIABLE, raising=False)
    suite = importlib.import_module("lossdiff.harness.timing.pytest_suite")

    turns = suite.turns_of(PLAN)

    assert [turn for turn, _ in turns] == sorted([*range(TURNS)] * 2)
    for turn in range(TURNS):
        assert {it for number, it in turns if number == turn} == set(PLAN.process.benchmarks)
    assert turns == suite.turns_of(PLAN)


def test_the_allocator_keeps_what_is_let_go_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "5")

    found = bench.environment_of(PLAN, Path("plan"))

    assert found["MALLOC_MMAP_THRESHOLD_"] == str(2**25)
    assert found["MALLOC_TRIM_THRESHOLD_"] == "5"


@pytest.mark.framework("jax")
def test_what_is_compiled_in_a_later_pass_is_kept_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks, "_SIZES", {"softmax": ((4, 10),)})
    monkeypatch.setattr(bench, "_MAX_TIME", 0.01)
    plans = []

    def watched(plan: ProcessPlan, file: Path) -> dict[str, str]:
        kept = Path(plan.compiled) / "jax"
        plans.append((plan.compiled, plan.compiled != "" and any(kept.glob("*"))))
        return environment(plan, file)

    environment = bench.environment_of
    monkeypatch.setattr(bench, "environment_of", watched)
    path = str(tmp_path / "run.sqlite")

    assert cli.run(["bench", "--backend", "jax", "--passes", "3", "-o", path]) == 0

    (first, *_), (second, before), (third, after) = plans
    assert (first, before, after) == ("", False, True)
    assert second == third


def test_what_came_out_under_the_clock_is_what_was_judged(timed: Path) -> None:
    verdicts = rows_of(timed, VerdictRow)

    for row in rows_of(timed, PassRow):
        assert row.fingerprints
        for quantity, digest in row.fingerprints.items():
            (judged,) = {
                it.verdict for it in verdicts
                if (it.case, it.implementation, it.quantity, it.fingerprint)
                == (row.case, row.implementation, quantity, digest)
            }  # fmt: skip
            assert judged


def test_bits_that_nobody_judged_are_judged(run: RunFile, tmp_path: Path) -> None:
    right = Case.parse(SOFTMAX).inputs().values
    e = np.exp(right.astype(np.float64))
    good = (e / e.sum(1, keepdims=True)).astype(np.float32)

    for array, expected in ((good, "exact"), (good + np.float32(0.01), "inaccurate")):
        digest = fingerprint(array)
        np.save(tmp_path / f"{digest}.npy", array)
        (item, *_) = PLAN.process.benchmarks
        turn = {"data": [1.0], "iterations": 1, "device_times": [], "first_call": None,
                "memory": None, "memory_of": "", "copied": None,
                "fingerprints": {"value": digest}}  # fmt: skip
        (row,) = ProcessResult(PROCESS, {item: [turn]}, tmp_path, "").passes(run)
        assert row.verdict == expected


def test_the_least_that_must_be_moved_is_inputs_and_results() -> None:
    softmax = Case.parse("softmax/float32/4x10/normal/-/0")
    loss = Case.parse("cross_entropy/index.random/float16/4x10/normal/-/0")

    assert work_of(softmax, "forward").moved == 2 * 160
    assert work_of(softmax, "forward+backward").moved == 4 * 160
    assert work_of(loss, "forward").moved == 80 + 4 * 8 + 2
    assert work_of(loss, "forward+backward").moved == 2 * 80 + 4 * 8 + 2 * 2
    assert work_of(loss, "forward+backward").computes == "value and gradient by logits"


def test_cold_inputs_are_more_than_the_cache_holds() -> None:
    assert caches_of(2560, 2**25) == ("hot",)
    assert caches_of(2**21, 2**25) == ("hot", "cold")
    assert caches_of(2**26, 2**25) == ("cold",)
    assert copies_of(2**21, 2**25) * 2**21 == 2 * 2**25
    assert copies_of(2**26, 2**25) == 2


def test_the_standard_file_is_read_by_pytest_benchmark_itself(timed: Path) -> None:
    file = timed.with_name(rows_of(timed, ProcessRow)[0].source)

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


def test_a_run_says_whether_it_was_timed_to_its_end(
    timed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = bench._time, itertools.count()

    def interrupted(*given: Any) -> ProcessResult:
        if next(calls):
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(benchmarks, "_SIZES", SIZES)
    monkeypatch.setattr(bench, "_MAX_TIME", 0.01)
    monkeypatch.setattr(bench, "_time", interrupted)
    cut = tmp_path / "cut.sqlite"
    arguments = ["bench", "--backend", "numpy", "--operation", "softmax", "-o", str(cut)]

    assert cli.run(arguments) == 130
    assert (read_snapshot(timed).is_cut_off, read_snapshot(cut).is_cut_off) == (False, True)
    assert read_snapshot(cut).times  # the first pass is kept
    assert rows_of(cut)


def test_without_pytest_benchmark_it_says_what_to_install(
    run: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "find_spec", lambda _: None)

    with pytest.raises(BenchError, match=r"pip install 'lossdiff\[bench\]'"):
        time_passes(run, ["numpy"], Timing(), nothing)


def test_a_process_that_fails_is_an_error_in_one_line(run: RunFile) -> None:
    run.add([ROW])
    missing = {"numpy": ("no_such_module",)}

    with pytest.raises(BenchError, match="timing numpy failed: ") as error:
        time_passes(run, ["numpy"], Timing(1, extra=missing), nothing)

    assert "\n" not in str(error.value)


def test_an_older_file_is_never_taken_for_a_new_one(run: RunFile, timed: Path) -> None:
    """A figure that no run measured must not appear."""
    old = timed.with_name(rows_of(timed, ProcessRow)[0].source)
    run.path.with_name("run-numpy-cpu-one-pass1-benchmark.json").write_text(old.read_text())
    run.add([ROW])
    missing = {"numpy": ("no_such_module",)}

    with pytest.raises(BenchError, match="timing numpy failed: "):
        time_passes(run, ["numpy"], Timing(1, extra=missing), nothing)

    assert list(run.rows(TimingRow)) == []


def test_peak_memory_in_a_fresh_process_holds_at_least_the_result(run: RunFile) -> None:
    case = "softmax/float32/50000x10/normal/-/0"
    run.add([replace(ROW, case=case, shape="50000x10")])

    time_passes(run, ["numpy"], Timing(1, memory=True), nothing)

    rows = list(run.rows(TimingRow))
    assert {row.cache for row in rows} == {"hot", "cold"}
    for row in rows:
        assert row.memory_of == "process"
        assert row.memory is not None
        assert 50000 * 10 * 4 <= row.memory < 50 * 50000 * 10 * 4
