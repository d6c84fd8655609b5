"""Start a worker process, and exchange requests and replies with it through two pipes.

`harness.launch` says how it is started. The worker ends by itself when the judging process does,
because its pipe is closed then.
"""

from __future__ import annotations

import pickle
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO

import psutil

from ...errors import LostError
from .. import guard
from ..launch import launched
from .frames import read_frame, write_frame
from .messages import Request, Setup

_PATIENCE = 1.0  # seconds that a process may take to end once its pipe is closed


@dataclass(frozen=True)
class Received:
    """What a worker process has sent, or that it has ended.

    Attributes:
        child: the process.
        request: the number of the request that is answered; 0 for the end of the process.
        data: the encoded `wire.Reply`; empty for the end of the process.
        status: its exit status, negative for a signal; None for a reply.
    """

    child: Child
    request: int
    data: bytes = b""
    status: int | None = None


class Child:
    """One worker process.

    Attributes:
        progress: the request that it has reached, which can be read after its death.
        last: the number of the last request that it was sent; 0 before the first.
    """

    last = 0

    def __init__(self, setup: Setup, receive: Callable[[Received], None], *, warm: bool) -> None:
        """Start the process.

        Args:
            setup: the settings of the worker.
            receive: called from another thread with each reply, and once with the end of the
                process, after all of its replies.
            warm: whether it imports the framework at once, before its first request.

        Raises:
            LostError: the process cannot be started.
        """
        try:
            self._start(setup)
        except OSError as error:
            reason = f"its process cannot be started: {error.strerror or error}"
            raise LostError(reason) from error
        self._receive = receive
        self._requests: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._told = threading.Lock()  # taken once, by whoever reports the end
        self._is_over = False  # whether the end has been reported
        self._receiving = threading.Lock()
        self._swept = threading.Lock()  # taken once, by whoever ends the process
        self._requests.put((0, pickle.dumps((setup, warm))))
        self._reader = threading.Thread(target=self._read, daemon=True)
        for thread in (self._reader, threading.Thread(target=self._write, daemon=True)):
            thread.start()

    def _start(self, setup: Setup) -> None:
        found = launched(setup.hint)
        self._process, self._mark, self.progress = found.process, found.mark, found.progress

    @property
    def pid(self) -> int:
        """The id of the process; before it has started, that of its parent."""
        return self.progress.process or self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def memory(self) -> int:
        """The resident bytes of the process; 0 if it has ended."""
        with suppress(psutil.Error):
            return int(psutil.Process(self.pid).memory_info().rss)
        return 0

    def send(self, number: int, request: Request) -> None:
        """Send a request; replies come in the order of the requests.

        Args:
            number: identifies the request; more than that of the one before, from 1.
            request: the request.
        """
        self.last = number
        self._requests.put((number, pickle.dumps(request)))

    def redirect(self, receive: Callable[[Received], None]) -> bool:
        """Report to another receiver from now on; return False if the end has been reported."""
        with self._receiving:
            self._receive = receive
            return not self._is_over

    def end(self) -> None:
        """End the process at once, and those that its functions have left behind."""
        self._requests.put(None)
        if self._swept.acquire(blocking=False):
            guard.end_all(self._mark, self._process.pid)
        with suppress(OSError):
            self._process.kill()

    def abandon(self) -> None:
        """Report the end of a dead process whose pipe another process keeps open."""
        self._tell_end()

    def join(self, seconds: float) -> None:
        """Wait until the process has ended, at most for some seconds."""
        self._reader.join(seconds)

    def _write(self) -> None:
        pipe: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        with suppress(OSError), pipe:  # a process that has ended takes nothing
            while (request := self._requests.get()) is not None:
                write_frame(pipe.fileno(), *request)

    def _read(self) -> None:
        pipe: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        with pipe:
            while (frame := read_frame(pipe.fileno())) is not None:
                self._receive(Received(self, *frame))
        # The pipe is closed, or has something else than a frame: the process is of no use any more.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        self._tell_end()

    def _tell_end(self) -> None:
        if self._told.acquire(blocking=False):
            self.end()
            ended = Received(self, 0, status=self._process.wait())
            with self._receiving:
                self._is_over, receive = True, self._receive
            receive(ended)
