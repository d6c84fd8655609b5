"""Watch over workers: end the process of a question that takes too long, or too much memory.

The watchdog runs in a thread of its own, since the engine may be busy judging.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..answers import FailureKind
from .child import Child
from .messages import START_TIMEOUT

_EVERY = 0.1  # seconds between two polls
_GRACE = 1.0  # seconds in which a death is reported by the closed pipe
_SHARE = 0.8  # fraction of the machine's memory, for all workers together
_NEEDED = 1.5 * 2**30  # bytes that a worker should have room for
_CGROUP = Path("/sys/fs/cgroup/memory.max")  # the memory limit of a container
_DEAD = (-1, -1)  # stands for the position of a dead process
GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """The limits of a worker.

    Attributes:
        seconds: time of one question.
        memory: resident bytes of the process; 0 for no limit.
    """

    seconds: float
    memory: int = 0


@dataclass(frozen=True)
class Ended:
    """How a worker ended unexpectedly.

    Attributes:
        kind: the kind of failure of the question that it had reached.
        message: how it ended, in one line.
        status: its exit status; None if unknown.
    """

    kind: FailureKind
    message: str
    status: int | None = None

    @classmethod
    def of_status(cls, status: int) -> Ended:
        """Return how a process ended that nothing has ended from outside."""
        if status == 0:
            return cls("crashed", "the process ended without an answer")
        return cls("crashed", f"the process died with status {status}", status)


class Watch:
    """The observation of one process, from one poll to the next.

    Attributes:
        ended: why the watch has ended the process; None if it has not.
    """

    def __init__(self, child: Child, limits: Limits) -> None:
        self.ended: Ended | None = None
        self._child, self._limits = child, limits
        self._at = (0, 0)
        self._since = time.monotonic()  # when the process reached that position, or died

    def poll(self, request: int) -> None:
        """End the process if it exceeds a limit.

        Args:
            request: the number of the oldest request that it has not answered. The limit of a
                question applies from its first question on; before, a framework may be imported.
        """
        alive, now = self._child.is_alive, time.monotonic()
        at = self._child.progress.reached if alive else _DEAD
        if at != self._at:
            self._at, self._since = at, now
        waited = now - self._since
        if not alive:
            self._child.end()  # its children may keep the pipe open
            if waited > _GRACE:
                self._child.abandon()
            return
        # One that has gone on has answered, and the answer must come.
        has_begun = at > (request, 0)
        limit = self._limits.seconds if has_begun else START_TIMEOUT
        if waited > limit:
            self._end(Ended("timed out", f"no answer within {limit:g} s"))
        elif self._limits.memory and self._child.memory > self._limits.memory:
            taken = f"{self._limits.memory / GIB:.3g} GiB"
            self._end(Ended("crashed", f"the process took more than {taken} of memory"))

    def _end(self, ended: Ended) -> None:
        self.ended = self.ended or ended
        self._child.end()


def share_of_memory(workers: int) -> int:
    """Return the memory limit of each worker by default, in bytes.

    Args:
        workers: number of workers that share the machine.
    """
    return int(usable_memory() * _SHARE / workers)


def jobs_by_default() -> int:
    """Return how many workers may run at once: one for each core, as far as memory goes."""
    rooms = int(usable_memory() * _SHARE / _NEEDED)
    return max(1, min(max(2, os.cpu_count() or 1), rooms))


def usable_memory() -> int:
    """Return the memory of the machine, or of the container, in bytes."""
    total = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no container, or its limit is "max"
        total = min(total, int(_CGROUP.read_text(encoding="utf-8")))
    return int(total)


class Watchdog:
    """A thread that calls a function ten times a second; use it in a `with` statement."""

    def __init__(self, poll: Callable[[], None]) -> None:
        self._poll = poll
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            self._poll()
