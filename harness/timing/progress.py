"""Tell `bench` what a timing process has reached, and what has failed in it.

Both are files in the private folder of the process. What it has reached is shared memory: single
integers without a lock, so that a process may die at any moment and nothing runs beside its clock.
"""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
import stat
from contextlib import suppress
from pathlib import Path

from ...cases.checked import decoded
from ...errors import LossdiffError, SchemaError
from ..answers import one_line

STARTING, FINISHING = -1, -2  # stand for a benchmark before the first and after the last one
_PROCESS, _STEP, _BENCHMARK, _LIMIT, _COPIED, _FINISHED = range(6)
_BYTES = 8 * 6
_END = 60.0  # seconds in which a finished process must be gone
_LARGEST = 2**26  # bytes of a file that a timing process leaves
# A pipe is not waited for, and a link is not followed; Windows has neither flag.
_AS_IT_IS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def content_of(file: Path) -> bytes:
    """Return the content of a file that a timing process has left.

    Raises:
        OSError: a user's function has removed it, made it very large, or put something else there.
    """
    descriptor = os.open(file, _AS_IT_IS | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(errno.EFBIG, "it is too large")
    return content


class _ReadCells:
    """The integers of the file; where a function has cut it off, the benchmark is unknown.

    They are read and not mapped: a process dies if it reads mapped memory that has been cut off.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._last = file, [0] * (_BYTES // 8)

    def __getitem__(self, place: int) -> int:
        found = b""
        with suppress(OSError):
            found = content_of(self._file)
        if len(found) == _BYTES:
            self._last = memoryview(found).cast("q").tolist()
        elif self._last[_BENCHMARK] != FINISHING:
            self._last[_STEP] += 1
            self._last[_BENCHMARK], self._last[_LIMIT] = FINISHING, math.ceil(_END * 1000)
        return self._last[place]


class TimingProgress:
    """What a timing process has reached; the process maps the file, and `bench` reads it."""

    def __init__(self, folder: Path, *, is_watched: bool = False) -> None:
        """Open the file, which is created if it is missing.

        Args:
            folder: the private folder of the process.
            is_watched: whether this is `bench`, which only reads.
        """
        with (folder / "progress").open("a+b") as file:
            if not file.tell():  # written, and not only truncated: a full disk shows here
                file.write(bytes(_BYTES))
                file.flush()
            self._map = mmap.mmap(file.fileno(), _BYTES)
        self._cells = memoryview(self._map).cast("q")
        self._found = _ReadCells(folder / "progress") if is_watched else self._cells

    @property
    def process(self) -> int:
        """The id of the process; 0 before it has started."""
        return self._found[_PROCESS]

    @property
    def step(self) -> int:
        """How many steps the process has begun: each has a time limit."""
        return self._found[_STEP]

    @property
    def benchmark(self) -> int:
        """The index of the benchmark that was reached, or `STARTING` or `FINISHING`."""
        return self._found[_BENCHMARK] if self.step else STARTING

    @property
    def limit(self) -> float:
        """The seconds that the step may take; 0 before the first step."""
        return self._found[_LIMIT] / 1000

    @property
    def finished(self) -> bool:
        """Whether the process has come to its end with its result written."""
        return bool(self._found[_FINISHED])

    @property
    def copied(self) -> bool:
        """Whether a copy of the process, which a function has forked, has gone on by itself."""
        return bool(self._found[_COPIED])

    def start(self) -> None:
        """Record that this process is the timing process."""
        self._cells[_PROCESS] = os.getpid()

    def reach(self, benchmark: int, seconds: float) -> None:
        """Record what is reached; a copy of the process ends here.

        Args:
            benchmark: index of the benchmark, or `STARTING` or `FINISHING`.
            seconds: the time limit of what follows.
        """
        if self.process not in (0, os.getpid()):
            self._cells[_COPIED] = 1
            os._exit(0)
        # The step comes first: the new limit must not be applied to the time of the step before.
        self._cells[_STEP] += 1
        self._cells[_LIMIT] = math.ceil(min(seconds, 1e9) * 1000)
        self._cells[_BENCHMARK] = benchmark

    def finish(self) -> None:
        """Record that the result is written, and end this process without waiting for threads."""
        self.reach(FINISHING, _END)
        self._cells[_FINISHED] = 1
        os._exit(0)


def note_failure(folder: Path, benchmark: int, error: BaseException) -> None:
    """Note an exception, for `failures_in`.

    Args:
        folder: the private folder of the process.
        benchmark: index of the benchmark, or `STARTING` or `FINISHING`.
        error: the exception.
    """
    reason = str(error) if isinstance(error, LossdiffError) else one_line(error)
    with (folder / "failures").open("a", encoding="utf-8") as file:
        file.write(json.dumps([benchmark, reason]) + "\n")


def failures_in(folder: Path) -> dict[int, str]:
    """Return the first failure of each benchmark in a process, by its index."""
    found: dict[int, str] = {}
    with suppress(OSError):
        for line in content_of(folder / "failures").splitlines():
            with suppress(SchemaError):
                benchmark, reason = decoded(line, tuple[int, str])
                found.setdefault(benchmark, one_line(reason))
    return found


def silence() -> None:
    """Send the output of this process nowhere; a function may print without end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
