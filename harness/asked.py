"""Which questions have their verdicts already: nothing is asked twice."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from .progress_rows import AskedRow


class AskedAlready:
    """The questions of a run that have their verdicts.

    Only the questions of an interrupted run are remembered, 16 bytes each: those of this one
    come once.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def recall(self, rows: Iterable[AskedRow]) -> None:
        """Take over what was asked before a run was interrupted."""
        self._seen.update(map(_digest, rows))

    def has(self, row: AskedRow) -> bool:
        """Whether a question was asked before the run was interrupted."""
        return _digest(row) in self._seen


def _digest(row: AskedRow) -> bytes:
    text = "|".join(map(str, vars(row).values()))
    return blake2b(text.encode(errors="backslashreplace"), digest_size=16).digest()
