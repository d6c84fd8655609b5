"""What a timing process leaves is checked: a user's function can write to every file of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.timing.benchmarks import Benchmark
from lossdiff.harness.timing.child import run_child
from lossdiff.harness.timing.peak_memory import peak_in
from lossdiff.harness.timing.plan import PEAK, ProcessPlan, TimedProcess
from lossdiff.harness.timing.progress import (
    FINISHING,
    STARTING,
    TimingProgress,
    failures_in,
    note_failure,
)
from lossdiff.harness.timing.results import ProcessResult
from lossdiff.harness.workers.watchdog import Limits

from lossdiff.errors import SchemaError

SOFTMAX = "softmax/float32/4x10/normal/-/0"
ITEM = Benchmark("numpy", "scipy.special.softmax", "eager", "cpu", "forward", SOFTMAX, "one")
PLAN = ProcessPlan(
    TimedProcess(1, 1, "numpy", "one", 0, (ITEM,)), device="cpu", extra=(), known=frozenset(),
    scratch=Path("scratch"), seed=7, analyses=True, compiled="", max_time=0.02,
)  # fmt: skip
COPY = {"kind": "copy", "moved": 8, "threads": 1, "environment": {"versions": {}}}
TURN = {
    **vars(ITEM), "kind": "time", "copies": 1, "device_times": [], "first_call": 0.1,
    "memory": None, "memory_of": "", "copied": None, "fingerprints": {"value": "ab"},
}  # fmt: skip
UNREAD = (OSError, ValueError, LookupError, SchemaError)  # what `bench` expects of them


def _huge(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(2**40)  # takes no room: none of it is written


LEFT: dict[str, Callable[[Path], object]] = {
    "nothing": str,
    "an empty file": Path.touch,
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link": lambda file: file.symlink_to("/dev/zero"),
    "a loop": lambda file: file.symlink_to(file.name),
    "a huge file": _huge,
    "no text": lambda file: file.write_bytes(b"\xff\xfe\x00[1, 2]\n"),
    "text of 16 bits": lambda file: file.write_bytes('{"benchmarks": []}'.encode("utf-16")),
    "no JSON": lambda file: file.write_text("[1, }\n"),
    "deep JSON": lambda file: file.write_text("[" * 100_000),
    **{
        text: lambda file, text=text: file.write_text(text)
        for text in ("null", "7", "-7", "NaN", "[]", "{}", '"x"', "[[], {}]", '[{"a": 1}, "x"]',
                     '["0", "x"]', "[0, 1]", '{"bytes": -1}', '{"bytes": 1e300}',
                     '{"benchmarks": 1}', '{"benchmarks": [{"extra_info": {}}]}')
    },
}  # fmt: skip


@pytest.fixture(params=LEFT)
def left(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    """Put something in the place of a file."""
    return LEFT[request.param]


def test_whatever_is_left_of_failures_is_none_or_is_read(
    left: Callable[[Path], object], tmp_path: Path
) -> None:
    left(tmp_path / "failures")

    assert failures_in(tmp_path) == {}


def test_failures_beside_what_is_no_failure_are_read(tmp_path: Path) -> None:
    (tmp_path / "failures").write_bytes(b'\xff\n[0, 1]\n[[], "x"]\n[1]\nnull\n')
    note_failure(tmp_path, 3, ValueError("enough"))
    with (tmp_path / "failures").open("a") as file:
        file.write('[4, "\\u001b[2Jone\\ntwo"]\n')

    assert failures_in(tmp_path) == {3: "ValueError: enough", 4: r"\x1b[2Jone"}


def test_where_the_progress_has_gone_what_was_reached_is_unknown(
    left: Callable[[Path], object], tmp_path: Path
) -> None:
    within = TimingProgress(tmp_path)
    within.start()
    within.reach(2, 60)
    watched = TimingProgress(tmp_path, is_watched=True)
    assert watched.benchmark == 2
    (tmp_path / "progress").unlink()
    left(tmp_path / "progress")

    assert watched.benchmark == FINISHING
    assert watched.process == os.getpid()
    assert not watched.finished


def test_whatever_is_left_of_the_memory_is_a_number_or_is_refused(
    left: Callable[[Path], object], tmp_path: Path
) -> None:
    left(tmp_path / PEAK)

    with pytest.raises(UNREAD):
        peak_in(tmp_path)


def test_whatever_is_left_of_the_output_a_process_has_an_end(
    left: Callable[[Path], object], tmp_path: Path
) -> None:
    """The process replaces the file that its output goes to."""
    home = tmp_path / "process"
    home.mkdir()
    left(tmp_path / "made")
    moves = f"import os; os.unlink('output'); os.path.lexists({str(tmp_path / 'made')!r}) and "
    moves += f"os.rename({str(tmp_path / 'made')!r}, 'output')"

    end = run_child(["-c", moves], home, os.environ, Limits(60, 0))

    assert (end.finished, end.benchmark, end.failures) == (False, STARTING, {})
    assert end.reason


# --- the times -------------------------------------------------------------------------------


def an_item(about: dict[str, Any], data: Any = (0.25,)) -> dict[str, Any]:
    """Return one benchmark in pytest-benchmark's JSON."""
    return {"extra_info": about, "stats": {"data": data, "iterations": 1}}


def rows_of(run: RunFile, file: Path) -> list[Any]:
    """Return the rows that are made of what pytest-benchmark has written."""
    result = ProcessResult.read(file, replace(PLAN, scratch=file.parent), None, "")
    return [result.process, *result.passes(run)]


def test_whatever_is_left_of_the_times_is_refused(
    left: Callable[[Path], object], tmp_path: Path
) -> None:
    left(tmp_path / "result.json")

    with RunFile.in_memory() as run, pytest.raises(UNREAD):
        rows_of(run, tmp_path / "result.json")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder with an answer that has not been judged."""
    logits = Case.parse(SOFTMAX).inputs().values.astype(np.float64)
    e = np.exp(logits)
    np.save(tmp_path / "ab.npy", (e / e.sum(1, keepdims=True)).astype(np.float32))
    return tmp_path


def written(folder: Path, about: dict[str, Any], data: Any = (0.25,)) -> Path:
    """Write what pytest-benchmark writes of one benchmark."""
    file = folder / "result.json"
    file.write_text(json.dumps({"benchmarks": [an_item(COPY), an_item(about, data)]}))
    return file


def test_times_that_fit_make_rows(scratch: Path) -> None:
    with RunFile.in_memory() as run:
        process, timed = rows_of(run, written(scratch, TURN))

    assert (process.copies, process.bandwidth, process.thread_count) == ([0.25], 32.0, 1)
    assert (timed.times, timed.verdict) == ([0.25], "exact")


@pytest.mark.parametrize("value", [None, "x", -1, 0.5, [], [1], {}, {"a": 1}, float("nan"), 10**30])
@pytest.mark.parametrize("name", [*sorted(TURN), "data"])
def test_what_is_said_of_a_benchmark_is_refused_or_makes_rows_that_can_be_read(
    name: str, value: Any, scratch: Path
) -> None:
    changed = {"data": value} if name == "data" else {"about": {**TURN, name: value}}
    file = written(scratch, **{"about": TURN, **changed})
    with RunFile.create(scratch / "run.sqlite") as run:
        try:
            rows = rows_of(run, file)
        except UNREAD:
            return
        run.add(rows)
        for row in rows:
            assert list(run.rows(type(row))) == [row]


@pytest.mark.parametrize("put", LEFT)
def test_an_answer_that_is_no_array_is_refused(put: str, scratch: Path) -> None:
    (scratch / "ab.npy").unlink()
    LEFT[put](scratch / "ab.npy")

    with RunFile.in_memory() as run, pytest.raises(UNREAD):
        rows_of(run, written(scratch, TURN))
