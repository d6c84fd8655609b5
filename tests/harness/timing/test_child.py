"""One timing process: its limits, and what is left of it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from lossdiff.harness import guard
from lossdiff.harness.timing import child
from lossdiff.harness.timing.child import ChildEnd, private_folder, run_child
from lossdiff.harness.timing.progress import STARTING, TimingProgress
from lossdiff.harness.workers.watchdog import Limits

from lossdiff.errors import BenchError

REACHES = """
from pathlib import Path
from lossdiff.harness.timing.progress import TimingProgress
progress = TimingProgress(Path({folder!r}))
progress.start()
progress.reach(3, 0.5)
"""
SLEEPER = "import subprocess; subprocess.Popen(['sleep', '{}'], start_new_session=True)"


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder of a process in a private folder."""
    with private_folder() as home:
        made = home / "process"
        made.mkdir()
        yield made


def run(code: str, folder: Path, seconds: float = 60, memory: int = 0) -> ChildEnd:
    """Run some code as a timing process."""
    text = code.replace("{folder!r}", repr(str(folder)))
    return run_child(["-c", text], folder, os.environ, Limits(seconds, memory))


def sleepers(seconds: str) -> list[psutil.Process]:
    """Return the processes that sleep for so long."""
    return [it for it in psutil.process_iter(["cmdline"]) if seconds in (it.info["cmdline"] or [])]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os._exit(0)", "its process ended with status 0"),
        ("raise SystemExit(7)", "its process ended with status 7"),
        ("import os; os.abort()", "its process was ended by SIGABRT"),
        ("import os; os.kill(os.getppid(), 9)", "its process was ended by SIGKILL"),
        ("import os; os.killpg(0, 9)", "its process was ended by SIGKILL"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_process_that_ends_without_a_result_has_not_finished(
    code: str, reason: str, folder: Path
) -> None:
    end = run(code, folder)

    assert (end.finished, end.benchmark, end.reason) == (False, STARTING, reason)


def test_a_process_that_has_written_its_result_waits_for_no_thread(folder: Path) -> None:
    begin = time.monotonic()
    sleeps = "import threading, time\nthreading.Thread(target=time.sleep, args=[600]).start()\n"

    end = run(f"{REACHES}{sleeps}progress.finish()", folder)

    assert end.finished
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize("hang", ["while True: pass", "import os; os.kill(os.getpid(), 19)"])
def test_a_step_that_takes_too_long_is_ended(hang: str, folder: Path) -> None:
    end = run(REACHES + hang, folder, seconds=0.5)

    assert (end.finished, end.benchmark) == (False, 3)
    assert end.reason == "no result within 0.5 s"


def test_a_process_that_takes_too_much_memory_is_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child.machine, "copied_bytes", lambda: 0)
    swells = "progress.reach(3, 60)\nkept = [bytearray(2**20) for _ in range(2**11)]\n"

    end = run(f"{REACHES}{swells}import time; time.sleep(60)", folder, memory=2**29)

    assert end.reason == "the process took more than 0.5 GiB of memory"


def test_what_a_process_leaves_behind_is_ended_and_holds_nothing_up(folder: Path) -> None:
    begin = time.monotonic()

    run(SLEEPER.format("3600.375"), folder)

    assert time.monotonic() - begin < 60
    assert sleepers("3600.375") == []


def test_an_interrupt_ends_the_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        if sleepers("3600.625"):
            raise KeyboardInterrupt

    monkeypatch.setattr(child.time, "sleep", interrupted)
    hangs = SLEEPER.format("3600.625") + "\nwhile True: pass"

    with pytest.raises(KeyboardInterrupt):
        run(hangs, folder)

    monkeypatch.undo()
    assert sleepers("3600.625") == []


def test_nothing_outlives_a_bench_that_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "private"
    home.mkdir()
    stops = f"{SLEEPER.format('3600.875')}\nimport os; os.kill(os.getpid(), 19)"
    command = [sys.executable, "-P", guard.__file__, str(home), sys.executable, "-c", stops]
    parent = (
        f"import subprocess, time; p = subprocess.Popen({command!r}, stdin=-1); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", parent]) as bench:
        while not sleepers("3600.875"):
            time.sleep(0.05)
        bench.kill()

    end = time.monotonic() + 30
    while time.monotonic() < end and (sleepers("3600.875") or home.exists()):
        time.sleep(0.05)
    assert sleepers("3600.875") == []
    assert not home.exists()


def test_a_process_starts_without_the_current_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("statistics", "random", "os", "psutil"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')")
    code = f"import statistics, random, os, psutil\n{REACHES}progress.finish()"

    assert run(code, folder).finished


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_a_private_folder_can_be_entered_by_nobody_else_and_is_removed() -> None:
    with private_folder() as home:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        (home / "file").write_text("")

    assert not home.exists()


def test_no_room_for_temporary_files_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(child.tempfile, "TemporaryDirectory", full)

    with (
        pytest.raises(BenchError, match="no temporary folder can be made: No space"),
        private_folder(),
    ):
        pytest.fail("there is a folder")


def test_a_forked_copy_of_the_process_ends_at_its_next_step(folder: Path) -> None:
    code = "import os\nif os.fork():\n    os.wait()\nprogress.reach(4, 9)\nprogress.finish()"

    end = run(REACHES + code, folder)

    assert end.finished
    assert TimingProgress(folder).copied


def test_signals_are_named() -> None:
    assert child._death(128 + signal.SIGSEGV) == "its process was ended by SIGSEGV"
