"""A Dask cluster on this machine: scheduler and workers are processes, one is killed on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.verdicts import kind_of

from .harness.engine.interruption import content
from .test_killed import asked, until

pytestmark = pytest.mark.cluster
HOSTILE = Path(__file__).parent / "hostile"
CHECK = ("check", "--backend", "numpy", "--operation", "softmax")


class Dask:
    """A scheduler and workers; each worker declares what it has."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._processes = folder, list[subprocess.Popen[bytes]]()
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file",
                    str(folder / "scheduler.json"))  # fmt: skip

    @property
    def scheduler_file(self) -> Path:
        return self._folder / "scheduler.json"

    @property
    def address(self) -> str:
        # The file is there before its text is.
        while True:
            with suppress(FileNotFoundError, json.JSONDecodeError):
                return str(json.loads(self.scheduler_file.read_text())["address"])
            assert self._processes[0].poll() is None
            time.sleep(0.05)

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny", *options)

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        module = f"distributed.cli.dask_{what}"
        command = [sys.executable, "-m", module, *options, "--no-dashboard"]
        process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._processes.append(process)
        return process

    def until_workers(self, number: int) -> None:
        from distributed import Client  # an extra

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(number, timeout=120)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    made = Dask(tmp_path)
    yield made
    made.close()


def checked(path: Path, *options: str) -> subprocess.Popen[str]:
    """Start a check."""
    command = [sys.executable, "-m", "lossdiff", *CHECK, "-o", str(path), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_cluster_that_loses_a_worker_comes_to_the_verdicts_of_one_machine(
    dask: Dask, tmp_path: Path
) -> None:
    here, there = tmp_path / "here.sqlite", tmp_path / "there.sqlite"
    checked(here).communicate()
    first, second = dask.worker(), dask.worker()
    dask.until_workers(2)

    run = checked(there, "--scheduler", dask.address)
    until(lambda: asked(there) > 0, run)
    children = psutil.Process(second.pid).children(recursive=True)
    second.kill()
    _, err = run.communicate()

    assert (run.returncode, "Traceback" in err) == (0, False)
    assert first.poll() is None
    assert content(there) == content(here)
    _, alive = psutil.wait_procs(children, 60)
    assert alive == []  # what the lost worker had started has ended, too


def test_what_crashes_on_a_cluster_is_a_verdict_and_takes_no_worker_along(
    dask: Dask, tmp_path: Path
) -> None:
    worker = dask.worker("--resources", "numpy=1")
    dask.until_workers(1)

    run = checked(
        tmp_path / "run.sqlite", "--scheduler", dask.address, "--suite", "worked",
        "--impl", f"numpy={HOSTILE / 'deadly.py'}",
    )  # fmt: skip
    run.communicate()

    assert run.returncode == 1
    assert worker.poll() is None
    with RunFile.open(tmp_path / "run.sqlite") as found:
        words = {
            row.implementation: row.verdict
            for row in found.rows(VerdictRow, "kind = 'user' AND verdict != 'unsupported'")
        }
    assert words.pop("deadly.softmax_exits") == words.pop("deadly.softmax_reads_address_0")
    assert kind_of(words["deadly.softmax"]).category == "agrees"


def test_a_framework_that_no_worker_declares_is_not_asked_and_it_is_said_what_there_is(
    dask: Dask, tmp_path: Path
) -> None:
    dask.worker("--resources", "torch=1,fast=2")
    dask.until_workers(1)

    run = checked(tmp_path / "run.sqlite", "--scheduler", dask.address)
    _, err = run.communicate()

    assert run.returncode == 3
    assert err.splitlines()[-1] == (
        "lossdiff: nothing could be asked; numpy: no Dask worker declares numpy; "
        "they declare fast, torch"
    )


def test_a_cluster_without_workers_is_refused(dask: Dask, tmp_path: Path) -> None:
    run = checked(tmp_path / "run.sqlite", "--scheduler", dask.address)
    out, err = run.communicate()

    assert (run.returncode, out) == (2, "")
    assert err == f"lossdiff: the scheduler at {dask.address} has no workers\n"
    assert not (tmp_path / "run.sqlite").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_a_scheduler_that_does_not_answer_is_refused(tmp_path: Path, address: str) -> None:
    run = checked(tmp_path / "run.sqlite", "--scheduler", address)
    out, err = run.communicate()

    assert (run.returncode, out) == (2, "")
    assert err == f"lossdiff: no Dask scheduler answers at {address}\n"
