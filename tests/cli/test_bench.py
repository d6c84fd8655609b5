"""`lossdiff bench`; what is timed, and how, is tested with `harness.timing`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
from lossdiff.harness.engine.scheduler import Engine
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.timing_rows import TimingRow
from lossdiff.harness.timing import bench, benchmarks

from lossdiff._cli.status import Status

from .command import as_process, never, write

TIMED = ("--backend", "numpy", "--operation", "softmax")


def test_a_place_that_cannot_be_written_is_found_before_the_work(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "execute", never)
    file = write("file", "")

    ended = lossdiff("bench", *TIMED, "-o", f"{file}/run.sqlite")

    assert ended.status == Status.USAGE
    assert "cannot write file/run.sqlite" in ended.error


def test_without_pytest_benchmark_nothing_is_judged_first(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "execute", never)
    monkeypatch.setattr(bench, "find_spec", lambda _: None)

    ended = lossdiff("bench", "--backend", "numpy", "--operation", "softmax", "-o", "run.sqlite")

    assert ended.status == Status.USAGE
    assert ended.error.endswith("pip install 'lossdiff[bench]'")
    assert not Path("run.sqlite").exists()


@pytest.mark.parametrize("python", ["nopython", "./file", "."])
def test_what_is_no_interpreter_is_refused_before_the_work(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(Engine, "execute", never)
    write("file", "")

    ended = lossdiff("bench", *TIMED, "--against", python, "-o", "run.sqlite")

    assert ended.status == Status.USAGE
    assert ended.error.endswith(f"such as .venv-base/bin/python; {python} is none")


def test_an_environment_without_lossdiff_is_told_what_to_install(lossdiff: Any) -> None:
    python = Path("python")
    python.write_text("#!/bin/sh\necho '[\"\", true]'\n", encoding="utf-8")
    python.chmod(0o755)

    ended = lossdiff("bench", *TIMED, "--against", python.absolute(), "-o", "run.sqlite")

    assert ended.status == Status.USAGE
    assert "has no lossdiff, and both sides are asked by the same" in ended.error
    assert f"python -m pip install 'lossdiff[bench]=={version('lossdiff')}'" in ended.error


def test_another_environment_is_judged_and_timed_in_turn_and_compared(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks, "_SIZES", {"softmax": ((4, 10),)})
    monkeypatch.setattr(bench, "_MAX_TIME", 0.01)

    ended = lossdiff(
        "bench", "--backend", "numpy", "--operation", "softmax", "--passes", "2",
        "--against", sys.executable, "-o", "run.sqlite",
    )  # fmt: skip

    assert ended.status == Status.OK
    timed = [line.split()[1] for line in ended.err.splitlines() if line.startswith("timing ")]
    assert sorted(timed[:2]) == sorted(timed[2:]) == ["base", "new"]
    assert "no regressions in 2 answers" in ended.out
    assert "were timed in turn" in ended.out
    assert "drift" not in ended.out
    assert "all as they were, bit for bit" in ended.out
    for name, label in (("run-base.sqlite", "base"), ("run.sqlite", "new")):
        with RunFile.open(Path(name)) as run:
            assert run.meta["label"] == label
            assert run.count(TimingRow)


SOFTMAX = """
import os, subprocess, sys, time
from scipy.special import softmax as right

def softmax(logits):
    if "pytest" in sys.modules:
        {what}
    return right(logits, -1)
"""


def test_what_cannot_be_timed_is_named_and_is_a_finding(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks, "_SIZES", {"softmax": ((4, 10),)})
    monkeypatch.setattr(bench, "_MAX_TIME", 0.01)
    file = write("mine.py", SOFTMAX.format(what="os._exit(0)"))

    ended = lossdiff(
        "bench", "--backend", "numpy", "--operation", "softmax", "--passes", "1",
        "--impl", f"numpy={file}", "-o", "run.sqlite",
    )  # fmt: skip

    assert ended.status == Status.FINDINGS
    assert (
        "mine.softmax eager forward is not timed: its process ended with status 0 "
        "(softmax/float32/4x10/normal/-/0)" in ended.err.splitlines()
    )
    with RunFile.open(Path("run.sqlite")) as run:
        assert [row.implementation for row in run.rows(TimingRow)] == ["scipy.special.softmax"]
        assert run.meta["timed"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals are those of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_nothing_outlives_a_bench_that_a_signal_ends_and_the_next_one_begins(
    name: str,
    lossdiff: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    what = "subprocess.Popen(['sleep', '3600.5']); time.sleep(3600)"
    file = write("mine.py", SOFTMAX.format(what=what))
    arguments = ["bench", "--backend", "numpy", "--operation", "softmax", "--shape", "64x10",
                 "--passes", "1", "-o", "run.sqlite"]  # fmt: skip
    command = [sys.executable, "-m", "lossdiff", *arguments, "--impl", f"numpy={file}"]
    temporary = tmp_path_factory.mktemp("temporary")
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        _until(_sleepers)
        running.send_signal(getattr(signal, name))
        _, said = running.communicate()

    _until(lambda: not _sleepers() and not any(temporary.glob("lossdiff-*")))
    if name == "SIGKILL":
        monkeypatch.setattr(bench, "_MAX_TIME", 0.01)
        assert lossdiff(*arguments).status == Status.OK
    else:
        assert running.returncode == 128 + getattr(signal, name)
        assert said.endswith("what came so far is kept in run.sqlite\n")
        kept = {it.name for it in Path().iterdir()} - {
            "__pycache__"
        }  # which Python's import leaves
        assert kept == {"mine.py", "run.sqlite"}


def _sleepers() -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [it for it in found if "3600.5" in (it.info["cmdline"] or [])]


def _until(holds: Any) -> None:
    end = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_module_of_the_current_folder_does_not_take_the_place_of_pythons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("random", "statistics", "tempfile"):
        write(f"{name}.py", "raise SystemExit('taken')")

    done = as_process("list", "operations")

    assert (done.returncode, done.stderr) == (Status.OK, "")
