"""Check that the same call with another number of threads gives the same bits.

A framework chooses its threads once in a process, so the two answers come from two workers,
minutes apart. The first answer is stored in the run file, not in memory, so that a run which is
interrupted between the two can resume.
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
    """Return the key that pairs the answers of two workers."""
    return row.framework, row.implementation, row.mode, row.case


def needs_single_thread_run(case: Case) -> bool:
    """Return whether a case is run with one thread as well: a large one, in float32.

    >>> from lossdiff.cases.model import Case
    >>> needs_single_thread_run(Case.parse("softmax/float32/1x2/two_units/-/0"))
    False
    """
    is_everyday = case.is_probed and case.dtype == "float32"
    return is_everyday and int(np.prod(case.shape)) >= _WORTH_THREADS


class ThreadDeterminism:
    """The pairing of the answers of two workers; see the module's docstring.

    Args:
        run: the run file, in which first answers wait for the second ones.
    """

    def __init__(self, run: RunFile) -> None:
        self._run = run
        self._waiting: dict[Key, dict[str, str]] = {}  # for each quantity the fingerprint
        self._kept: set[str] = set()  # the fingerprints of arrays that are or will be in the file
        self._fresh: dict[str, bytes] = {}  # the arrays that are not committed yet

    def recall(self) -> None:
        """Read the first answers that an interrupted run left in its file."""
        # Pairs that were completed before the interruption must not be compared again.
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
        """Return the checks against the first answer, or the rows that store a first answer.

        Args:
            observation: the answer of one worker.
            framework: the framework of the implementation.

        Returns:
            One check for each quantity and no rows, if this answer is the second one; otherwise no
            checks and the rows to write.
        """
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
        """Yield the rows that store a first answer: each distinct array once."""
        for quantity, bits in self._waiting[key].items():
            yield PendingRow(*key, quantity, bits)
            if bits not in self._kept:  # many functions share one kernel, and thus their bits
                self._kept.add(bits)
                self._fresh[bits] = packed(arrays[quantity].astype(np.float64))
                yield BlobRow(bits, self._fresh[bits])

    def committed(self) -> None:
        """Drop the arrays in memory, as the rows that were returned are in the file now."""
        self._fresh.clear()

    def close(self) -> None:
        """Remove the stored answers from the run file, and shrink the file."""
        for row in (PendingRow, BlobRow):
            self._run.drop(row)
        self._run.pack()

    def _compared(self, quantity: str, first: str, array: NDArray[np.generic]) -> RelationCheck:
        """Return the check of an array against the first one, given by its fingerprint."""
        # The first array is only read from the file to measure a difference of the bits.
        if fingerprint(array) == first:
            return RelationCheck(THREADS, quantity, True, 0.0, 0.0)
        kept = self._fresh.get(first) or next(self._run.rows(BlobRow, "bits = ?", (first,))).array
        one, other = array_of(kept), array.astype(np.float64)
        difference = np.inf
        if one.shape == other.shape:
            difference = float(differences(one, other).max(initial=0.0))
        return RelationCheck(THREADS, quantity, False, difference, note="with one thread")
