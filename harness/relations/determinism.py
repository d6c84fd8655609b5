"""The same call with another number of threads must give the same bits.

A framework chooses its threads once in a process, so the two answers come from two workers,
minutes apart. What came first waits in the run file, not in memory: a run that is interrupted
between the two goes on.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...cases.model import Case
from ..answers import Failure, Observation, fingerprint
from ..runfile import BlobRow, CompletedRow, PendingRow, RunFile, array_of, packed
from ..verdicts import THREADS
from .checks import RelationCheck, differences

_WORTH_THREADS = 4096  # elements; below, frameworks use one thread anyway
Key = tuple[str, str, str, str]  # framework, implementation, mode, case


def _key(row: CompletedRow | PendingRow) -> Key:
    return row.framework, row.implementation, row.mode, row.case


def needs_single_thread_run(case: Case) -> bool:
    """Whether a case is asked again with one thread: a large one, in the dtype of every day."""
    is_everyday = case.is_probed and case.dtype == "float32"
    return is_everyday and int(np.prod(case.shape)) >= _WORTH_THREADS


class ThreadDeterminism:
    """Pairs the answers of two workers; see the module's docstring."""

    def __init__(self, run: RunFile) -> None:
        self._run = run
        self._waiting: dict[Key, dict[str, str]] = {}
        self._kept: set[str] = set()  # the bits that are in the file, or on their way
        self._fresh: dict[str, bytes] = {}  # those on their way

    def recall(self) -> None:
        """Take over what waits since before a run was interrupted."""
        self._kept = {row.bits for row in self._run.rows(BlobRow)}
        for row in self._run.rows(PendingRow):
            self._waiting.setdefault(_key(row), {})[row.quantity] = row.bits
        with_one = set(map(_key, self._run.rows(CompletedRow, "threads = 1")))
        for key in map(_key, self._run.rows(CompletedRow, "threads = 0")):
            if key in with_one:
                self._waiting.pop(key, None)

    def see(
        self, observation: Observation, framework: str = ""
    ) -> tuple[list[RelationCheck], list[PendingRow | BlobRow]]:
        """Return the comparisons with the first answer, or what is to be kept of the first."""
        key = (framework, observation.implementation, observation.mode, observation.case)
        arrays = {
            quantity: answer
            for quantity, answer in observation.answers.items()
            if not isinstance(answer, Failure)
        }
        first = self._waiting.pop(key, None)
        if first is None:
            self._waiting[key] = {name: fingerprint(array) for name, array in arrays.items()}
            return [], list(self._rows(key, arrays))
        related = [
            self._compared(quantity, first[quantity], array)
            for quantity, array in arrays.items()
            if quantity in first
        ]
        return related, []

    def _rows(
        self, key: Key, arrays: dict[str, NDArray[np.generic]]
    ) -> Iterator[PendingRow | BlobRow]:
        for quantity, bits in self._waiting[key].items():
            yield PendingRow(*key, quantity, bits)
            if bits not in self._kept:  # many functions are one underneath
                self._kept.add(bits)
                self._fresh[bits] = packed(arrays[quantity].astype(np.float64))
                yield BlobRow(bits, self._fresh[bits])

    def committed(self) -> None:
        """The rows that were returned are in the file."""
        self._fresh.clear()

    def close(self) -> None:
        """Remove what waited."""
        for row in (PendingRow, BlobRow):
            self._run.drop(row)
        self._run.pack()

    def _compared(self, quantity: str, first: str, array: NDArray[np.generic]) -> RelationCheck:
        if fingerprint(array) == first:
            return RelationCheck(THREADS, quantity, True, 0.0, 0.0)
        kept = self._fresh.get(first) or next(self._run.rows(BlobRow, "bits = ?", (first,))).array
        one, other = array_of(kept), array.astype(np.float64)
        difference = np.inf
        if one.shape == other.shape:
            difference = float(differences(one, other).max(initial=0.0))
        return RelationCheck(THREADS, quantity, False, difference, note="with one thread")
