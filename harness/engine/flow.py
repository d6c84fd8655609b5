"""Pass the answers of a run on, in one place: batch → answers → verdicts → rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...backends.claim import Claim
from ...cases.ledger import Entry
from ...cases.model import Case
from ..answers import Observation
from ..relations import compared
from ..runfile import AnswerRow, DomainRow, IncidentRow, RunFile, ValidityPointRow
from .findings import Findings
from .judgement import Judge
from .validity import ValiditySearches
from .writer import RunWriter


class Flow:
    """The path of the answers of a run, from `Engine` to the run file.

    Attributes:
        judge: turns answers into verdicts.
        findings: turns verdicts into rows and counts them.
        writer: commits the rows.
        searches: the searches for the domain of validity, whose answers decide the next questions.
    """

    def __init__(
        self,
        run: RunFile,
        suite: str,
        device: str,
        expected: tuple[Entry, ...] = (),
        conventions: frozenset[str] | None = None,
    ) -> None:
        self._run = run
        self.judge = Judge(run, device)
        self.findings = Findings(device, expected=expected, conventions=conventions)
        self.writer = RunWriter(run, device)
        self.searches = ValiditySearches(suite, device, self.judge.solved)

    def record(
        self,
        framework: str,
        answered: Iterable[tuple[Case, Observation]],
        threads: int = 0,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Judge the answers of a batch, and write their rows.

        Args:
            framework: the framework that gave the answers.
            answered: the cases of the batch with their observations.
            threads: threads that each answer was limited to; 0 for the framework's default.
            between: called after each question; it may raise to end the run.
        """
        for case, observation in answered:
            claim = self.findings.claim(framework, observation.implementation)
            if case.is_swept:
                self.writer.add([self.searches.see(claim, case, observation)])
            else:
                judgement = self.judge.judge(claim, case, observation, threads)
                rows = self.findings.rows_of(judgement)
                self.writer.write(judgement, rows)
            between()

    def record_unclaimed(self, claim: Claim, case: Case, reason: str) -> None:
        """Write the row of a case that an implementation does not claim."""
        self.writer.write_unclaimed(claim, case, self.findings.unclaimed_row(claim, case, reason))

    def record_incident(self, row: IncidentRow) -> None:
        """Write the unexpected end of a worker, and commit it at once."""
        self.writer.add([row])
        self.flush()

    def recall(self) -> None:
        """Restore the state of an interrupted run from its file."""
        self.writer.recall()
        self.searches.recall(self._run.rows(ValidityPointRow))
        self.judge.determinism.recall()
        self.findings.recall(self._run)

    def flush(self) -> None:
        """Commit the rows of all questions that are complete."""
        self.writer.flush()
        self.judge.determinism.committed()

    def finish(self) -> None:
        """Write the rows that depend on the whole run: equivalences and domains of validity."""
        self.flush()
        self._run.add(compared(lambda: self._run.rows(AnswerRow)))
        self._run.drop(DomainRow)  # a resumed run may have searched further
        self._run.add(self.searches.rows())
        self.judge.determinism.close()
