"""Functions that are right while they are judged, and misbehave under the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from lossdiff.harness import guard
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.resume_rows import IncidentRow
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.runfile.timing_rows import MemoryRow, ProcessRow, TimingRow
from lossdiff.harness.timing import bench
from lossdiff.harness.timing.bench import time_passes
from lossdiff.harness.timing.child import private_folder
from lossdiff.harness.timing.schedule import Timing

from lossdiff.errors import OutputError

HOSTILE = Path(__file__).parents[2] / "hostile" / "under_clock.py"
SOFTMAX = "softmax/float32/4x10/normal/-/0"
NATIVE = VerdictRow(
    SOFTMAX, "softmax", None, "normal", "4x10", "float32", {}, "scipy.special.softmax", "numpy",
    "native", "eager", "cpu", "value", "within bound",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_MAX_TIME", 0.01)


def timed(
    folder: Path, *names: str, passes: int = 1, memory: bool = False, most: int = 0
) -> tuple[dict[str, int], dict[str, str]]:
    """Time functions of the hostile file.

    Returns:
        The number of passes of those that have times, and why the others have none.
    """
    with RunFile.create(folder / "run.sqlite") as run:
        for name in names:
            own = replace(NATIVE, implementation=f"under_clock.{name}", kind="user")
            run.add([NATIVE if name == "native" else own])
        timing = Timing(
            passes, extra={"numpy": (str(HOSTILE),)}, timeout=3, memory=memory, most_memory=most
        )
        count = time_passes(run, ["numpy"], timing, lambda _: None)
        passes_of = {it.implementation: it.passes for it in run.rows(TimingRow)}
        passes_of = {name.removeprefix("under_clock."): it for name, it in passes_of.items()}
        reasons = {it.implementation.split(".")[-1]: it.what for it in run.rows(IncidentRow)}
    assert count == len(reasons)
    return passes_of, reasons


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("softmax_hangs", "no result within 3 s"),
        ("softmax_stops_itself", "no result within 3 s"),
        ("softmax_exits_with_0", "its process ended with status 0"),
        ("softmax_calls_sys_exit", "SystemExit: 0"),
        ("softmax_interrupts", "KeyboardInterrupt: no message"),
        ("softmax_raises", "ValueError: [/enough]"),
        ("softmax_reads_address_0", "its process was ended by SIGSEGV"),
        ("softmax_truncates_every_file", "its process was ended by SIGBUS"),
        ("softmax_kills_its_parent", "its process was ended by SIGKILL"),
        ("softmax_kills_the_group_of_its_parent", "its process was ended by SIGKILL"),
        ("softmax_forks", "RuntimeError: it forks, and the copy of the process goes on as well"),
    ],
)
def test_what_cannot_be_timed_is_left_out_with_its_reason(
    name: str, reason: str, tmp_path: Path
) -> None:
    assert timed(tmp_path, name) == ({}, {name: reason})


def test_what_takes_too_much_memory_is_left_out(tmp_path: Path) -> None:
    _, reasons = timed(tmp_path, "softmax_swells", most=2**29)

    assert reasons == {"softmax_swells": "the process took more than 0.5 GiB of memory"}


@pytest.mark.parametrize(
    "name",
    [
        "softmax_leaves_a_sleeper",
        "softmax_leaves_a_copy_that_sleeps",
        "softmax_leaves_a_thread",
        "softmax_closes_every_file",
        "softmax_prints",
        "softmax_clears_the_environment",
    ],
)
def test_what_gives_its_result_is_timed_and_leaves_nothing_behind(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes: list[str] = []

    @contextmanager
    def seen() -> Iterator[Path]:
        with private_folder() as home:
            homes.append(str(home))
            yield home

    monkeypatch.setattr(bench, "private_folder", seen)

    assert timed(tmp_path, name) == ({name: 1}, {})

    (home,) = homes
    assert [it for it in psutil.process_iter() if guard._is_marked(it, home)] == []


def test_the_neighbours_of_what_dies_are_timed_in_every_pass(tmp_path: Path) -> None:
    times, reasons = timed(tmp_path, "native", "softmax_exits_with_0", "softmax", passes=2)

    assert times == {"scipy.special.softmax": 2, "softmax": 2}
    assert reasons.keys() == {"softmax_exits_with_0"}


def test_the_victim_of_a_timer_is_not_blamed(tmp_path: Path) -> None:
    times, reasons = timed(tmp_path, "softmax", "softmax_leaves_a_timer_that_exits", passes=2)

    assert times["softmax"] == 2
    assert "softmax" not in reasons


def test_what_a_neighbour_has_spoiled_is_timed_apart(tmp_path: Path) -> None:
    names = ("softmax_is_spoiled", "softmax_spoils_its_neighbours")

    assert timed(tmp_path, *names) == (dict.fromkeys(names, 1), {})

    with RunFile.open(tmp_path / "run.sqlite") as run:
        assert {row.verdict for row in run.rows(TimingRow)} <= {"exact", "within bound"}


def test_what_cannot_be_measured_for_its_memory_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import os, sys\nimport numpy as np\n"
        "def softmax(logits):\n"
        "    if 'pytest' not in sys.modules:\n        os._exit(0)\n"
        "    e = np.exp(logits - logits.max(-1, keepdims=True))\n"
        "    return e / e.sum(-1, keepdims=True)\n"
    )
    lines: list[str] = []
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([NATIVE, replace(NATIVE, implementation="mine.softmax", kind="user")])
        timing = Timing(1, extra={"numpy": (str(file),)}, memory=True)
        assert time_passes(run, ["numpy"], timing, lines.append) == 1
        measured = [row.implementation for row in run.rows(MemoryRow)]

    assert measured == ["scipy.special.softmax"]
    assert (
        "mine.softmax eager forward is not measured for its memory: "
        f"its process ended with status 0 ({SOFTMAX})"
    ) in lines


def test_nothing_is_taken_from_the_current_folder_and_no_link_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, taken = tmp_path / "here", tmp_path / "taken"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in ("statistics", "random", "conftest", "pytest", "numpy", "benchmarks"):
        (here / f"{name}.py").write_text(f"open({str(taken)!r}, 'a').write({name!r})")
    for name in ("pytest.ini", "tox.ini"):
        (here / name).write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text(f"open({str(taken)!r}, 'a').write('conftest')")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    precious = tmp_path / "precious"
    precious.write_text("kept")
    for ending in ("json", "plan"):
        (here / f"run-numpy-cpu-one-pass1-benchmark.{ending}").symlink_to(precious)

    assert timed(here, "softmax") == ({"softmax": 1}, {})

    assert not taken.exists()
    assert precious.read_text() == "kept"
    assert not (here / "run-numpy-cpu-one-pass1-benchmark.json").is_symlink()
    assert [it for it in tmp_path.iterdir() if it.name.startswith("lossdiff-")] == []


def test_a_function_may_delete_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    file = tmp_path / "mine.py"
    file.write_text(
        "import shutil\nfrom scipy.special import softmax as right\n"
        "def softmax(logits):\n"
        f"    shutil.rmtree({str(gone)!r}, ignore_errors=True)\n"
        "    return right(logits, -1)\n"
    )
    monkeypatch.chdir(gone)
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([NATIVE, replace(NATIVE, implementation="mine.softmax", kind="user")])
        timing = Timing(2, extra={"numpy": (str(file),)})
        assert time_passes(run, ["numpy"], timing, lambda _: None) == 0
        assert [row.passes for row in run.rows(TimingRow)] == [2, 2]
        assert run.count(ProcessRow) == 2
    monkeypatch.chdir(tmp_path)


def test_a_file_of_another_kind_is_refused_before_anything_is_timed(tmp_path: Path) -> None:
    place = tmp_path / "run-numpy-cpu-one-pass2-benchmark.json"
    place.write_text("precious")

    with pytest.raises(OutputError, match=r"pass2-benchmark\.json is a file that lossdiff has not"):
        timed(tmp_path, "softmax", passes=2)

    assert place.read_text() == "precious"


# --- inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax_keeps_by_identity", "softmax_keeps_by_address"])
def test_a_function_that_keeps_results_is_not_timed(name: str, tmp_path: Path) -> None:
    reason = "RuntimeError: it keeps results: it returns an old one after its inputs have changed"

    assert timed(tmp_path, name, "softmax") == ({"softmax": 1}, {name: reason})


def test_a_function_that_fills_the_same_buffer_again_is_timed(tmp_path: Path) -> None:
    assert timed(tmp_path, "softmax_uses_one_buffer") == ({"softmax_uses_one_buffer": 1}, {})


@pytest.mark.parametrize("seed", range(3))
def test_only_the_one_that_overwrites_its_inputs_is_blamed(seed: int, tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([NATIVE, replace(NATIVE, implementation="under_clock.softmax_overwrites")])
        time_passes(run, ["numpy"], Timing(1, extra={"numpy": (str(HOSTILE),)}, seed=seed),
                    lambda _: None)  # fmt: skip
        verdicts = {row.implementation: row.verdict for row in run.rows(TimingRow)}

    assert verdicts == {
        "scipy.special.softmax": "within bound", "under_clock.softmax_overwrites": "inaccurate",
    }  # fmt: skip


def test_a_time_in_which_not_even_its_inputs_are_copied_is_implausible(tmp_path: Path) -> None:
    large = replace(NATIVE, case="softmax/float32/1024x1000/normal/-/0")
    names = ("softmax", "softmax_keeps_by_first_element")
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([replace(large, implementation=f"under_clock.{name}") for name in names])
        timing = Timing(1, extra={"numpy": (str(HOSTILE),)})
        time_passes(run, ["numpy"], timing, lambda _: None)
        found = {row.implementation: row.is_implausible for row in run.rows(TimingRow)}

    assert found == {
        "under_clock.softmax": False, "under_clock.softmax_keeps_by_first_element": True,
    }  # fmt: skip
