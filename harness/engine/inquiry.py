"""Put questions to functions in this process: evaluate, judge, and compare with the framework.

This is what a call in Python does. `Engine` does the same in workers, which a function cannot take
down with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from ...backends import EAGER
from ...backends.base import Backend, Implementation
from ...backends.claim import Claim
from ...cases.ledger import Entry
from ...cases.model import Case
from ...collection import paused
from ..answers import Observation
from ..judging import choices_of
from ..runfile import RunFile, VerdictRow
from ..workers import Catalogue, Question, answered
from .findings import Findings
from .judgement import Judge, Judgement, SolvedCases
from .natives import Natives

# Functions that are checked one after another get the same questions. Kept by their use, those of
# the widest claim of two operations must fit, or each would drive out the next.
_CASES = SolvedCases(2**17)
_FEW = 4  # questions of one dtype and shape, which are not worth compiling each operator for


class Inquiry:
    """The questions to functions of one framework; use it in a `with` statement.

    Attributes:
        findings: the counts of the verdicts, and the entries that matched.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        modes: Sequence[str] = (EAGER,),
        strict: bool = False,
        expected: tuple[Entry, ...] = (),
        conventions: frozenset[str] | None = None,
        cases: Sequence[Case] = (),
    ) -> None:
        """Take a backend whose `extra` holds the user's functions.

        Args:
            backend: the framework.
            modes: the modes in which each question is asked.
            strict: whether a finding that the framework shares counts as unknown.
            expected: what its user knows of the functions, beside the ledger.
            conventions: those that they may follow; None for all.
            cases: the questions, if they may be asked first as is quickest; see `put`.
        """
        self._backend, self._modes = backend, modes
        self._within = ExitStack()
        self._quickest = backend.description.quickest
        self._soon = set[str]() if self._quickest in modes else _of_few(cases)
        self.findings = Findings("cpu", strict=strict, expected=expected, conventions=conventions)

    def __enter__(self) -> Self:
        backend = self._backend
        self._within.enter_context(backend.as_guest())
        self._within.enter_context(paused())
        run = self._within.enter_context(RunFile.in_memory())
        self._judge = Judge(run, backend.device, _CASES)
        self._natives = Natives(backend, self._modes, self._judge)
        claims = tuple(found.claim for found in backend.implementations.values())
        self.findings.meet(backend.framework, Catalogue(claims, backend.environment()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._within.close()

    def put(self, implementation: Implementation, case: Case) -> Iterator[VerdictRow]:
        """Put a case to a function, and yield the rows of its verdicts.

        Where a framework compiles each operator for each dtype and shape, those of few questions
        are asked in its quickest mode first. What does not agree there, where an answer is agreed
        on, is asked eagerly, and only that counts.

        Args:
            implementation: one of the backend's.
            case: the inputs and options.
        """
        if reason := implementation.unsupported(case):
            yield self.findings.unclaimed_row(implementation.claim, case, reason)
            return
        claim = implementation.claim
        for mode in self._modes:
            if mode == EAGER and (judgement := self._soonest(claim, case)) is not None:
                yield from self.findings.rows_of(judgement)
                continue
            observation = self.observed(implementation.name, mode, case)
            judgement = self._judge.judge(claim, case, observation, looks=False)
            shared = {
                quantity: name
                for quantity, verdict in judgement.verdicts
                if (verdict.is_finding or choices_of(verdict.word))
                and (name := self._natives.shown_by(observation, case, quantity, verdict))
            }
            judgement = self._judge.look(judgement, observation, shared)
            yield from self.findings.rows_of(judgement, shared)

    def _soonest(self, claim: Claim, case: Case) -> Judgement | None:
        """Return the judged answer in the quickest mode; None where it does not agree."""
        if case.id not in self._soon:
            return None
        with self._backend.hurried():
            observation = self.observed(claim.name, self._quickest, case)
        judgement = self._judge.judge(claim, case, observation, looks=False)
        is_fine = all(
            verdict.kind.category == "agrees" or verdict.is_undefined
            for _, verdict in judgement.verdicts
        )
        return judgement if is_fine and not judgement.mutates else None

    def observed(self, name: str, mode: str, case: Case) -> Observation:
        """Return the answer of a function to a case."""
        return answered(self._backend, Question(name, mode, case))


def _of_few(cases: Sequence[Case]) -> set[str]:
    """Return the ids of the questions whose dtype and shape few others have."""
    sizes = Counter((case.dtype, case.sizes) for case in cases)
    return {
        case.id for case in cases if sizes[case.dtype, case.sizes] <= _FEW and not case.is_probed
    }
