"""The watch over workers: a question that takes too long, or too much memory, ends its process.

It runs in a thread of its own, since the engine may be busy judging.
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
_GRACE = 1.0  # seconds in which the news of a death may still come by itself
_SHARE = 0.8  # of the machine's memory, for all workers together
_CGROUP = Path("/sys/fs/cgroup/memory.max")
_UNSEEN = -2
GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """What a worker may take.

    Attributes:
        seconds: for one question.
        memory: bytes, resident; 0 for no limit.
    """

    seconds: float
    memory: int = 0


@dataclass(frozen=True)
class Ended:
    """How a worker ended that should not have.

    Attributes:
        kind: the verdict on the question that it was at.
        message: how it ended, in one line.
        status: its exit status, where that is known.
    """

    kind: FailureKind
    message: str
    status: int | None = None


@dataclass(eq=False)
class InFlightBatch:
    """A batch on its way.

    Attributes:
        ended: why the watch ended its process, if it did.
        told: whether its loss has been reported.
    """

    batch: list[Any]
    future: Any
    ended: Ended | None = None
    told: bool = False
    _at: int = _UNSEEN
    _since: float = 0.0  # when it came to that question, or died
    _process: psutil.Process | None = field(default=None, repr=False)

    def is_lost(self, taker: int, at: int, limits: Limits) -> bool:
        """Look at the process that took the batch; end it if it is beyond a limit.

        Args:
            taker: id of the process; 0 if none took it yet.
            at: the question that it has reached; negative before the first.
            limits: of the question and of the process.

        Returns:
            Whether the process has gone without a word.
        """
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
        assert self._process is not None  # noqa: S101 -- it lives
        with suppress(psutil.Error):
            return int(self._process.memory_info().rss)
        return 0

    def _end(self, ended: Ended) -> None:
        self.ended = self.ended or ended
        assert self._process is not None  # noqa: S101 -- it lives
        with suppress(psutil.Error):
            self._process.kill()


def share_of_memory(workers: int) -> int:
    """Return the bytes that each of some workers may take, by default."""
    total = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no such limit
        total = min(total, int(_CGROUP.read_text()))
    return int(total * _SHARE / workers)


class Watchdog:
    """Calls a function now and then, from a thread of its own; use it in a `with` statement."""

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
