"""The flow of a run, in one place: batch → answers → verdicts → rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...backends.base import Claim
from ...cases.model import Case
from ..answers import Observation
from ..relations import compared
from ..runfile import AnswerRow, DomainRow, IncidentRow, RunFile, ValidityPointRow
from .findings import Findings
from .judgement import Judge
from .validity import ValiditySearches
from .writer import RunWriter


class Flow:
    """What becomes of the answers of a run; see `Engine` for where they come from.

    Attributes:
        judge: gives the verdicts.
        findings: knows which are known, and counts them.
        writer: commits the rows.
        searches: those for the range of validity, whose answers decide what is asked next.
    """

    def __init__(self, run: RunFile, suite: str, device: str) -> None:
        self._run = run
        self.judge = Judge(run, device)
        self.findings = Findings(device)
        self.writer = RunWriter(run, device)
        self.searches = ValiditySearches(suite, device, self.judge.solved)

    def record(
        self,
        framework: str,
        answered: Iterable[tuple[Case, Observation]],
        threads: int = 0,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Judge the answers of a batch, and write what is said of them.

        Args:
            framework: who was asked.
            answered: the cases of the batch, with what came back.
            threads: how many each answer was allowed; 0 for as many as the framework likes.
            between: called after each question; it may raise to end the run.
        """
        for case, observation in answered:
            claim = self.findings.claim(framework, observation.implementation)
            if case.is_swept:
                self.writer.add([self.searches.see(claim, case, observation)])
            else:
                judgement = self.judge.judge(claim, case, observation, threads)
                self.writer.write(judgement, self.findings.rows_of(judgement))
            between()

    def record_unclaimed(self, claim: Claim, case: Case, reason: str) -> None:
        """Write that an implementation does not claim a case."""
        self.writer.write_unclaimed(claim, case, self.findings.unclaimed_row(claim, case, reason))

    def record_incident(self, row: IncidentRow) -> None:
        """Write down at once that a worker ended where it should not have."""
        self.writer.add([row])
        self.flush()

    def recall(self) -> None:
        """Take over what the run file holds: a run that was interrupted goes on."""
        self.writer.recall()
        self.searches.recall(self._run.rows(ValidityPointRow))
        self.judge.determinism.recall()
        self.findings.recall(self._run)

    def flush(self) -> None:
        """Commit what has been judged so far."""
        self.writer.flush()
        self.judge.determinism.committed()

    def finish(self) -> None:
        """Write what needs the whole run."""
        self.flush()
        self._run.add(compared(lambda: self._run.rows(AnswerRow)))
        self._run.drop(DomainRow)  # a run that goes on may have searched further
        self._run.add(self.searches.rows())
        self.judge.determinism.close()
