"""Where a worker is: written by the worker, read by the engine, also after the worker's death."""

from __future__ import annotations

import os
from multiprocessing.context import BaseContext
from typing import Any

_SLOTS = 16  # tickets that are remembered; far more than are ever sent ahead
_NOWHERE = -1


class SharedProgress:
    """The process, and for each ticket who took it and the question that was reached.

    A ticket is the number of a group that was sent. Plain shared memory without a lock: one
    side writes, and a process that dies cannot leave a lock behind.
    """

    def __init__(self, context: BaseContext) -> None:
        make: Any = context.RawArray
        self._takers, self._reached = make("q", _SLOTS), make("q", _SLOTS)
        self._process = make("q", 1)

    @property
    def process(self) -> int:
        """The id of the last process that was started; 0 before the first."""
        return int(self._process[0])

    def start(self) -> None:
        """Say that this process is the worker."""
        self._process[0] = os.getpid()

    def expect(self, ticket: int) -> None:
        """Forget what stood in the ticket's place; called before it is sent."""
        self._takers[ticket % _SLOTS] = 0
        self._reached[ticket % _SLOTS] = _NOWHERE

    def take(self, ticket: int) -> None:
        """Say that this process works on a ticket."""
        self._takers[ticket % _SLOTS] = os.getpid()

    def reach(self, ticket: int, index: int) -> None:
        """Say which question of the ticket is asked now."""
        self._reached[ticket % _SLOTS] = index

    def taker(self, ticket: int) -> int:
        """Return the id of the process that took a ticket; 0 if none did."""
        return int(self._takers[ticket % _SLOTS])

    def reached(self, ticket: int) -> int:
        """Return the question that was reached; negative if none was."""
        return int(self._reached[ticket % _SLOTS])
