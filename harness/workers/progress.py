"""Where a worker is: written by the worker, read by the engine, also after the worker's death."""

from __future__ import annotations

import os
from multiprocessing.context import BaseContext
from typing import Any

_SLOTS = 16  # batches that are remembered; far more than are ever sent ahead
CATALOGUE = 0  # in place of the id of a batch
_NOWHERE = -1


class SharedProgress:
    """The process, and for each batch which process took it and the question that it reached.

    This is plain shared memory without a lock: one side writes, and a process that dies cannot
    leave a lock behind. The catalogue counts as a batch, with the id `CATALOGUE`.
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

    def expect(self, batch_id: int) -> None:
        """Forget what stood in the place of a batch; called before it is sent."""
        self._takers[batch_id % _SLOTS] = 0
        self._reached[batch_id % _SLOTS] = _NOWHERE

    def take(self, batch_id: int) -> None:
        """Say that this process works on a batch."""
        self._takers[batch_id % _SLOTS] = os.getpid()

    def reach(self, batch_id: int, index: int) -> None:
        """Say which question of a batch is asked now."""
        self._reached[batch_id % _SLOTS] = index

    def taker(self, batch_id: int) -> int:
        """Return the id of the process that took a batch; 0 if none did."""
        return int(self._takers[batch_id % _SLOTS])

    def reached(self, batch_id: int) -> int:
        """Return the question that was reached; negative if none was."""
        return int(self._reached[batch_id % _SLOTS])
