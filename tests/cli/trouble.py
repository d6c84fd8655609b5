"""Sub-commands with small inputs, and kinds of trouble in which they run as processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

CASE = "softmax/float64/6x3/worked:note-6x3-softmax/-/0"
SOFTMAX = ("--backend", "numpy", "--operation", "softmax")
CHECK = ("check", *SOFTMAX, "--suite", "worked", "-o", "new.sqlite")
_MARK = "LOSSDIFF_TEST_MARK"  # in the environment of all processes that a command starts
_PATIENCE = 120.0  # seconds, before a test gives up; none is expected to wait for long


@dataclass(frozen=True)
class Command:
    """A sub-command with its arguments.

    Attributes:
        arguments: the arguments; they name `run.sqlite`, `1.sqlite` and `2.sqlite`, and `new`.
        status: the status with which it ends where there is no trouble.
        result: the file that it writes; empty if it prints only.
    """

    arguments: tuple[str, ...]
    status: int = 0
    result: str = ""


COMMANDS = {
    "help": Command(("--help",)),
    "wrong": Command(("chek",), 2),
    "list": Command(("list", "operations")),
    "implementations": Command(("list", "implementations", *SOFTMAX)),
    "show": Command(("show", "run.sqlite")),
    "compare": Command(("compare", *["run.sqlite"] * 2, "--markdown", "new.md"), 0, "new.md"),
    "markdown": Command(("compare", *["run.sqlite"] * 2, "--markdown", "/dev/stdout")),
    "merge": Command(("merge", "1.sqlite", "2.sqlite", "-o", "new.sqlite"), 0, "new.sqlite"),
    "report": Command(("report", "run.sqlite", "-o", "new.html"), 0, "new.html"),
    "repro": Command(("repro", "run.sqlite", CASE, "--no-shrink", "-o", "new.py"), 0, "new.py"),
    "check": Command(CHECK, 0, "new.sqlite"),
    "bench": Command(("bench", *SOFTMAX, "--shape", "64x10", "--passes", "1", "-o",
                      "new.sqlite"), 0, "new.sqlite"),
}  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the process or its machine.

    Attributes:
        shell: what a shell does before it becomes the command, or with its streams.
        python: options of the interpreter.
        environment: variables; None removes one.
    """

    shell: str = 'exec "$@"'
    python: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        status: its exit status; that of a shell, if a signal has killed it.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
        left: the command lines of the processes that outlive it.
        files: the files in its folder that were not there before.
        temporary: the files in its folder of temporary files.
    """

    status: int
    out: str
    err: str
    left: list[str]
    files: set[str]
    temporary: list[str]

    @property
    def lines(self) -> list[str]:
        """The lines that say how it ended."""
        return [line for line in self.err.splitlines() if line.startswith("lossdiff: ")]


class Process:
    """A command that runs in an empty folder with copies of the runs."""

    def __init__(self, runs: Path, folder: Path, command: Command, trouble: Trouble) -> None:
        """Start it.

        Args:
            runs: a folder of the runs that are named in the arguments.
            folder: an empty folder.
            command: what is run.
            trouble: in what trouble.
        """
        self._work, self._temporary = folder / "work", folder / "tmp"
        self._work.mkdir()
        self._temporary.mkdir()
        for run in runs.iterdir():
            if run.name in command.arguments:
                shutil.copy(run, self._work)
        self._before = set(self._names())
        self._mark = uuid.uuid4().hex
        python = (sys.executable, *trouble.python, "-m", "lossdiff", *command.arguments)
        given = {**os.environ, "TMPDIR": str(self._temporary), _MARK: self._mark,
                 **trouble.environment}  # fmt: skip
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", trouble.shell, "sh", *python],
            cwd=self._work,
            env={name: value for name, value in given.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _names(self) -> list[str]:
        # A folder that the trouble has removed has no files.
        return [path.name for path in self._work.iterdir()] if self._work.exists() else []

    def send(self, numbers: Sequence[signal.Signals]) -> None:
        """Send signals one at once after the other."""
        for number in numbers:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)

    def wait_until_it_hears(self) -> None:
        """Wait until the interpreter has come to code of ours, which handles signals."""
        while self.process.poll() is None and not self._hears():
            time.sleep(0.005)

    def _hears(self) -> bool:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
        return bool(int(caught, 16) >> (signal.SIGHUP - 1) & 1)

    def ended(self) -> Ended:
        """Wait until the process has ended."""
        out, err = self.process.communicate(timeout=_PATIENCE)
        status = self.process.returncode
        end = time.monotonic() + 5
        while (left := self._left()) and time.monotonic() < end:
            time.sleep(0.05)
        return Ended(
            status if status >= 0 else 128 - status,
            out.decode("utf-8", errors="backslashreplace"),
            err.decode("utf-8", errors="backslashreplace"),
            left,
            set(self._names()) - self._before,
            [path.name for path in self._temporary.iterdir()] if self._temporary.exists() else [],
        )

    def _left(self) -> list[str]:
        left = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(_MARK) == self._mark:
                    left.append(" ".join(process.cmdline()))
        return left
