"""Real processes, really killed: the command line goes on, and says what happened in one line."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from lossdiff.harness.runfile.file import RunFile, draft_of
from lossdiff.harness.runfile.lock import writing
from lossdiff.harness.runfile.resume_rows import CompletedRow, IncidentRow
from lossdiff.harness.runfile.rows import VerdictRow

from lossdiff.errors import RunFileError

from .harness.engine.interruption import content

CHECK = ("check", "--backend", "numpy", "--operation", "softmax")
BENCH = ("bench", "--backend", "numpy", "--shape", "64x10", "--passes", "1")
KILLS = int(os.environ.get("LOSSDIFF_KILLS", "3"))  # of the whole process; each takes seconds
_PATIENCE = 120.0  # seconds, before a test gives up; none is expected to wait for long


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """What runs in the background, as under nohup, has interrupts ignored; so would its child.

    A handler of ours is no one's after exec. Nothing is run between fork and exec: a framework
    that another test has imported may forbid it.
    """
    ignored = [s for s in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(s) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    path = tmp_path_factory.mktemp("run") / "run.sqlite"
    process = started(path)
    process.communicate()
    assert process.returncode == 0
    return path


def started(path: Path, *options: str, command: tuple[str, ...] = CHECK) -> subprocess.Popen[str]:
    """Start the command line."""
    command = (sys.executable, "-m", "lossdiff", *command, "-o", str(path), *options)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(happens: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something to happen while a process is at work."""
    end = time.monotonic() + _PATIENCE
    while not happens():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def asked(path: Path) -> int:
    """Return how many questions have their verdicts; 0 where there is no run yet."""
    try:
        with RunFile.open(path) as run:
            return run.count(CompletedRow)
    except RunFileError:
        return 0


def same_but_for_meta(path: Path, whole: Path) -> bool:
    return content(path) == content(whole)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that answer, and those which wait for them; there are some."""
    children = psutil.Process(process.pid).children(recursive=True)
    found = [it for it in children if "workers.process import main" in " ".join(it.cmdline())]
    assert found
    return found


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_run_that_is_killed_goes_on_and_ends_like_one_that_was_not(
    whole: Path, tmp_path: Path, seed: int
) -> None:
    path, draw = tmp_path / "run.sqlite", random.Random(seed)  # noqa: S311 -- a place to kill at
    process = started(path)
    wanted = draw.randrange(1, 400)
    until(lambda: asked(path) >= wanted, process)
    workers = workers_of(process)

    process.kill()
    process.communicate()

    _, alive = psutil.wait_procs(workers, _PATIENCE)
    assert alive == []  # nobody outlives the run
    before = asked(path)
    again = started(path, "--resume")
    out, err = again.communicate()
    assert (again.returncode, "Traceback" in err) == (0, False)
    assert before >= wanted
    assert "no new findings" in out
    assert same_but_for_meta(path, whole)


def test_a_worker_that_is_killed_from_outside_is_blamed_on_nobody(
    whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run.sqlite"
    process = started(path)
    until(lambda: asked(path) > 0, process)

    for worker in workers_of(process):
        worker.kill()

    _, err = process.communicate()
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert same_but_for_meta(path, whole)
    with RunFile.open(path) as run:
        assert [row.outcome for row in run.rows(IncidentRow)] in (
            [], ["asked again"], ["asked again, alone"]
        )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_asked_to_end_ends_and_can_be_reported_on(
    whole: Path, tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "run.sqlite"
    process = started(path)
    until(lambda: asked(path) > 0, process)

    process.send_signal(number)

    _, err = process.communicate()
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    kept = f"lossdiff: interrupted; what came so far is kept in {path}; --resume goes on with it"
    assert err.splitlines()[-1] == kept
    with RunFile.open(path) as run:
        assert 0 < run.count(VerdictRow) <= len(content(whole)["verdicts"])
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_bench_does_not_promise_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    process = started(path, command=BENCH)
    until(lambda: asked(path) > 0, process)

    process.send_signal(signal.SIGINT)

    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == f"lossdiff: interrupted; what came so far is kept in {path}"


# --- one writer, and nothing replaced too early ----------------------------------------------


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """A run of one's own, which must stay as it is."""
    path = tmp_path / "run.sqlite"
    shutil.copy(whole, path)
    before = path.read_bytes()
    yield path
    assert path.read_bytes() == before
    assert not draft_of(path).exists()


def refused(path: Path, *options: str) -> str:
    """Start a command that is refused; return its one line."""
    process = started(path, *options)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    (line,) = [line for line in err.splitlines() if not line.startswith("[")]
    return line


def test_two_processes_cannot_write_one_run(copy: Path) -> None:
    with writing(copy):
        line = refused(copy, "--resume")

    assert line.startswith(f"lossdiff: {copy} is being written by another process")


def test_the_lock_of_a_process_that_died_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    (tmp_path / ".run.sqlite.lock").write_text("")

    with writing(path):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_run_is_not_lost_to_a_command_that_fails(copy: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("x = 1\n")

    line = refused(copy, "--impl", f"numpy={mine}")

    assert "mine.py holds no function named after an operation" in line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--suite", "worked"], "was begun with --suite quick, not worked"),
        (["--seed", "3"], "was begun with --seed 0, not 3"),
        (["--operation", "sigmoid"], "was begun with --operation softmax, not softmax sigmoid"),
        (["--shard", "1/2"], "was begun with --shard 1/1, not 1/2"),
        (["--mode", "eager"], "was begun with --mode (none), not eager"),
    ],
)
def test_a_run_goes_on_with_the_same_questions_only(
    copy: Path, options: list[str], expected: str
) -> None:
    line = refused(copy, "--resume", *options)

    assert expected in line
    assert "its command was: lossdiff check --backend numpy --operation softmax" in line


@pytest.mark.parametrize("how", ["cut", "overwritten"])
def test_a_damaged_run_does_not_go_on_and_is_left_alone(
    whole: Path, tmp_path: Path, how: str
) -> None:
    path, good = tmp_path / "run.sqlite", whole.read_bytes()
    damaged = good[:30000] if how == "cut" else good[:30000] + b"\xff" * (len(good) - 30000)
    path.write_bytes(damaged)

    line = refused(path, "--resume")

    assert line.startswith(f"lossdiff: {path} is damaged")
    assert path.read_bytes() == damaged
    assert list(tmp_path.iterdir()) == [path]


def test_a_complete_run_has_nothing_left_to_ask(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    shutil.copy(whole, path)

    process = started(path, "--resume")
    out, err = process.communicate()

    assert process.returncode == 0
    assert err == f"{path} is complete: there is nothing left to ask\n"
    assert "no new findings" in out
    assert same_but_for_meta(path, whole)
