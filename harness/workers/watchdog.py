"""Watch over workers: end the process of a question that takes too long, or too much memory.

The watchdog runs in a thread of its own, since the engine may be busy judging.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ..answers import FailureKind
from .messages import START_TIMEOUT

_EVERY = 0.1  # seconds between two polls
_GRACE = 1.0  # seconds in which pebble may still report a death itself
_SHARE = 0.8  # fraction of the machine's memory, for all workers together
_CGROUP = Path("/sys/fs/cgroup/memory.max")  # the memory limit of a container
_UNSEEN = -2  # differs from all positions, also from that before the first question
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


@dataclass(eq=False)
class InFlightBatch:
    """A batch that was sent and has not been resolved.

    Attributes:
        batch: the questions.
        future: pebble's future of the answers.
        ended: why the watchdog ended its process; None if it did not.
        told: whether its loss has been reported.
    """

    batch: list[Any]
    future: Any
    ended: Ended | None = None
    told: bool = False
    _at: int = _UNSEEN
    _since: float = 0.0  # when the process reached that question, or died
    _process: psutil.Process | None = field(default=None, repr=False)

    def is_lost(self, taker: int, at: int, limits: Limits) -> bool:
        """Check the process that works on the batch, and end it if it exceeds a limit.

        Args:
            taker: id of the process; 0 if none has taken the batch yet.
            at: index of the question that it has reached; negative before the first.
            limits: the limits of the question and of the process.

        Returns:
            Whether the process is gone and pebble has not reported it.
        """
        # A death counts as another position, so that `_since` is its time too.
        alive = not taker or self._lives(taker)
        now, at = time.monotonic(), at if alive else len(self.batch)
        if at != self._at:
            self._at, self._since = at, now
        waited = now - self._since
        if not alive:
            return waited > _GRACE
        if not taker:
            return waited > START_TIMEOUT
        if at >= 0 and waited > limits.seconds:
            self._end(Ended("timed out", f"no answer within {limits.seconds:g} s"))
        elif limits.memory and self._memory() > limits.memory:
            taken = f"{limits.memory / GIB:.3g} GiB"
            self._end(Ended("crashed", f"the process took more than {taken} of memory"))
        return False

    def _lives(self, taker: int) -> bool:
        try:
            if self._process is None or self._process.pid != taker:
                self._process = psutil.Process(taker)
            return self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def _memory(self) -> int:
        assert self._process is not None  # noqa: S101 -- `_lives` has set it
        with suppress(psutil.Error):
            return int(self._process.memory_info().rss)
        return 0

    def _end(self, ended: Ended) -> None:
        self.ended = self.ended or ended
        assert self._process is not None  # noqa: S101 -- `_lives` has set it
        with suppress(psutil.Error):
            self._process.kill()


def share_of_memory(workers: int) -> int:
    """Return the memory limit of each worker by default, in bytes.

    Args:
        workers: number of workers that share the machine.
    """
    total = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no container, or its limit is "max"
        total = min(total, int(_CGROUP.read_text()))
    return int(total * _SHARE / workers)


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
