"""Write rows to the run file, so that all rows of one question are committed together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ...backends.claim import Claim
from ...cases.model import Case
from ..relations import RelationTally
from ..runfile import CompletedRow, RelationRow, Row, RunFile
from ..verdicts import equivalence_of
from .judgement import Judgement

_ROWS = 500  # rows that are committed together, at most
_EVERY = 1.0  # seconds between two commits, at most


class RunWriter:
    """The writer of a run's rows, in batched commits, and of which questions are complete."""

    def __init__(self, run: RunFile, device: str) -> None:
        self._run = run
        self._device = device
        self._rows: list[Row] = []  # of complete questions, for the next commit
        self._tally = RelationTally(device)
        self._committed_at = time.monotonic()
        self._resumes = False

    def recall(self) -> None:
        """Restore the state of an interrupted run from its file."""
        self._resumes = bool(self._run.count(CompletedRow))
        self._tally.add(
            row for row in self._run.rows(RelationRow) if not equivalence_of(row.relation)
        )

    def has(self, claim: Claim, mode: str, case: Case, threads: int = 0) -> bool:
        """Return whether a question had its verdicts when the run was interrupted.

        Args:
            claim: the claim of the implementation.
            mode: how it is run.
            case: the inputs and options.
            threads: threads that the call is limited to; 0 for the framework's default.
        """
        return self._resumes and self._run.holds(self._completed(claim, mode, case, threads))

    def write(self, judgement: Judgement, rows: Sequence[Row]) -> None:
        """Write the rows of one question, which is then complete."""
        claim, mode, case = judgement.claim, judgement.mode, judgement.case
        completed = self._completed(claim, mode, case, judgement.threads)
        self._rows += [*rows, *judgement.rows, completed]
        for check in judgement.checks:
            self._tally.see(claim, mode, case, check)
        self._commit_if_due()

    def write_unclaimed(self, claim: Claim, case: Case, row: Row) -> None:
        """Write the row of a question that is not claimed, which completes it."""
        self._rows += [row, self._completed(claim, "eager", case, 0)]
        self._commit_if_due()

    def add(self, rows: Iterable[Row]) -> None:
        """Write rows that belong to no question."""
        self._rows += rows
        self._commit_if_due()

    def _completed(self, claim: Claim, mode: str, case: Case, threads: int) -> CompletedRow:
        return CompletedRow(claim.framework, claim.name, mode, case.id, self._device, threads)

    def _commit_if_due(self) -> None:
        if len(self._rows) >= _ROWS or time.monotonic() - self._committed_at >= _EVERY:
            self.flush()

    def flush(self) -> None:
        """Commit the rows of all questions that are complete."""
        rows, self._rows = self._rows, []
        self._run.add([*rows, *self._tally.changed()])
        self._committed_at = time.monotonic()
