"""The same call with another number of threads must give the same bits.

A framework chooses its threads once in a process, so the two answers come from two workers,
minutes apart. What came first waits in a file, not in memory.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.model import Case
from .judge import fingerprint
from .observation import Failure, Observation, Related, differences

THREADS = "threads"  # the relation of a call to the same call with one thread
_WORTH_THREADS = 4096  # elements; below, frameworks use one thread anyway


def is_threaded(case: Case) -> bool:
    """Whether a case is asked again with one thread: a large one, in the dtype of every day."""
    is_large = int(np.prod(case.shape)) >= _WORTH_THREADS
    return case.is_probed and is_large and case.dtype == "float32"


class Repeats:
    """Pairs the answers of two workers; see the module's docstring."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, str], dict[str, str]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # made when needed

    def see(self, observation: Observation) -> list[Related]:
        """Return the comparisons with the first answer; none if this is the first."""
        key = (observation.case, observation.implementation, observation.mode)
        arrays = {
            quantity: answer
            for quantity, answer in observation.answers.items()
            if not isinstance(answer, Failure)
        }
        first = self._waiting.pop(key, None)
        if first is not None:
            return [
                self._compared(quantity, first[quantity], array)
                for quantity, array in arrays.items()
                if quantity in first
            ]
        self._waiting[key] = {
            quantity: self._kept(quantity, array) for quantity, array in arrays.items()
        }
        return []

    def close(self) -> None:
        """Remove what still waits."""
        if self._folder is not None:
            self._folder.cleanup()

    def _kept(self, quantity: str, array: NDArray[Any]) -> str:
        mark = fingerprint(array)
        np.save(self._path(quantity, mark), array.astype(np.float64))
        return mark

    def _path(self, quantity: str, mark: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lossdiff-")
        return Path(self._folder.name) / f"{quantity}-{mark}.npy"

    def _compared(self, quantity: str, first: str, array: NDArray[Any]) -> Related:
        if fingerprint(array) == first:
            return Related(THREADS, quantity, True, 0.0, 0.0)
        one, other = np.load(self._path(quantity, first)), array.astype(np.float64)
        difference = np.inf
        if one.shape == other.shape:
            difference = float(differences(one, other).max(initial=0.0))
        return Related(THREADS, quantity, False, difference, note="with one thread")
