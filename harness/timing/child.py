"""Run one timing process under limits, and leave nothing of it behind.

The process is watched from here, ten times a second: nothing runs beside its clock. It is started
by `guard`, in a session of its own and without the current folder on its path, and its output goes
to a file, so that a process that it leaves behind cannot hold `bench` up.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ...errors import BenchError
from .. import guard
from ..workers import GIB, START_TIMEOUT, Limits
from . import machine
from .progress import TimingProgress, content_of, failures_in

_EVERY = 0.1  # seconds between two looks at the process
_SIGNALLED = 128  # a status above it is that of a process which a signal has ended


@dataclass(frozen=True)
class ChildEnd:
    """How a timing process ended.

    Attributes:
        finished: whether it came to its end with its result written.
        benchmark: index of the benchmark that it had reached, or `STARTING` or `FINISHING`.
        reason: why it did not come to its end, in words.
        failures: why benchmarks failed without ending the process, by their index.
    """

    finished: bool
    benchmark: int
    reason: str
    failures: dict[int, str]


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a folder that only this user can enter; it is removed whatever happens.

    Raises:
        BenchError: there is no room for temporary files.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="lossdiff-", ignore_cleanup_errors=True)
    except OSError as error:
        raise BenchError(f"no temporary folder can be made: {error.strerror or error}") from error
    with folder as name:
        yield Path(name).resolve()


def run_child(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    limits: Limits,
    python: str = "",
) -> ChildEnd:
    """Run a timing process, and end it if it exceeds a limit.

    Args:
        command: the arguments of Python.
        folder: the folder of the process, inside the private folder.
        environment: its environment variables.
        limits: seconds for the calls of a benchmark, and bytes for the process.
        python: the interpreter of another environment that runs it; empty for this one.
    """
    home, progress = str(folder.parent), TimingProgress(folder, is_watched=True)
    interpreter = [python or sys.executable, "-P"]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*interpreter, guard.__file__, home, *interpreter, *command],
            env=dict(environment),
            cwd=folder,  # the current one may have been deleted, or hold a `conftest.py`
            stdin=subprocess.PIPE,  # is closed when this process dies, which `guard` waits for
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            exceeded = _watch(process, progress, limits)
        finally:
            guard.end_all(home, progress.process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            process.kill()
            process.communicate()
    failures = failures_in(folder)
    reached = progress.benchmark
    reason = failures.get(reached) or exceeded or _death(process.returncode)
    if reached < 0 and not progress.step:
        reason = _said(folder) or reason
    return ChildEnd(progress.finished, reached, reason, failures)


def _watch(process: subprocess.Popen[bytes], progress: TimingProgress, limits: Limits) -> str:
    """Wait until the process ends; return the limit that it exceeds, in words, or nothing."""
    step, since = 0, time.monotonic()
    # The harness itself copies memory, and holds inputs that are larger than the cache.
    most = limits.memory + 2 * machine.copied_bytes()
    while process.poll() is None:
        time.sleep(_EVERY)
        now = time.monotonic()
        if progress.step != step:
            step, since = progress.step, now
        if now - since > (progress.limit if step else START_TIMEOUT):
            seconds = limits.seconds if progress.benchmark >= 0 else now - since
            return f"no result within {seconds:.6g} s"
        if limits.memory and _memory(progress.process) > most:
            return f"the process took more than {limits.memory / GIB:.3g} GiB of memory"
    return ""


def _memory(pid: int) -> int:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    return 0


def _death(status: int) -> str:
    number = -status if status < 0 else status - _SIGNALLED
    with suppress(ValueError):
        return f"its process was ended by {signal.Signals(number).name}"
    return f"its process ended with status {status}"


def _said(folder: Path) -> str:
    """Return what the process printed last, before it began to work."""
    lines: list[str] = []
    with suppress(OSError):
        lines = content_of(folder / "output").decode(errors="replace").strip().splitlines()
    # pytest starts the lines of an error with an E; without one, the last line is shown.
    reasons = [line[1:].strip() for line in lines if line.startswith("E ")] or lines[-1:]
    return " ".join(reasons[-1:])
