"""Share the progress of a worker, so that the engine can read it after the worker's death."""

from __future__ import annotations

import os
from multiprocessing.context import BaseContext
from typing import Any

_SLOTS = 16  # batches that are remembered; far more than are ever sent ahead
CATALOGUE = 0  # stands for the catalogue where the id of a batch is expected
_NOWHERE = -1  # no question of the batch has been reached


class SharedProgress:
    """The id of the worker's process, and for each batch its process and the question reached.

    This is plain shared memory without a lock: a process that dies while it holds a lock would
    block the engine. Single integers are written, so none can be read half-written. The catalogue
    counts as a batch, with the id `CATALOGUE`.
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
        """Record that this process is the worker."""
        self._process[0] = os.getpid()

    def expect(self, batch_id: int) -> None:
        """Clear the slot of a batch; called before the batch is sent."""
        self._takers[batch_id % _SLOTS] = 0
        self._reached[batch_id % _SLOTS] = _NOWHERE

    def take(self, batch_id: int) -> None:
        """Record that this process works on a batch."""
        self._takers[batch_id % _SLOTS] = os.getpid()

    def reach(self, batch_id: int, index: int) -> None:
        """Record which question of a batch is evaluated next."""
        self._reached[batch_id % _SLOTS] = index

    def taker(self, batch_id: int) -> int:
        """Return the id of the process that works on a batch; 0 before one does."""
        return int(self._takers[batch_id % _SLOTS])

    def reached(self, batch_id: int) -> int:
        """Return the index of the question that was reached; negative before the first."""
        return int(self._reached[batch_id % _SLOTS])
