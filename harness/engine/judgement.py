"""From answers to verdicts: the one place where what a worker sent back is judged."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ...backends.base import Claim
from ...cases.model import Case, forget_inputs
from ...cases.stored import worked_examples
from ..answers import Answers, Failure, Observation
from ..judging import SolvedCase, Verdict, judge, solved_case
from ..relations import (
    RelationCheck,
    ThreadDeterminism,
    answer_of,
    check_probe,
    needs_single_thread_run,
)
from ..runfile import Row, RunFile, WorkedRow

_ELEMENTS = 2**16  # of solved cases that are kept for the next framework, 300 bytes each
_OVERHEAD = 64  # elements that would take what a solved case takes besides its arrays


@dataclass(frozen=True)
class Judgement:
    """What is said of all answers to one question.

    Attributes:
        claim: of the implementation that was asked.
        mode: how it was run.
        case: what it was asked.
        verdicts: one for each quantity.
        checks: how the answers agree with those to other forms of the question.
        rows: what is kept for the comparisons that need the whole run.
        seconds: how long the call took.
        threads: how many it was allowed; 0 for as many as the framework likes.
    """

    claim: Claim
    mode: str
    case: Case
    verdicts: tuple[tuple[str, Verdict], ...]
    checks: tuple[RelationCheck, ...]
    rows: tuple[Row, ...]
    seconds: float
    threads: int = 0


class Judge:
    """Judges the answers of a run, and keeps the solved cases that are likely to come again."""

    def __init__(self, run: RunFile, device: str) -> None:
        self._device = device
        self._solved: OrderedDict[str, SolvedCase] = OrderedDict()
        self._elements = 0
        self.determinism = ThreadDeterminism(run)

    def judge(
        self, claim: Claim, case: Case, observation: Observation, threads: int = 0
    ) -> Judgement:
        """Return what is said of the answers to one question.

        Args:
            claim: of the implementation that was asked.
            case: what it was asked.
            observation: what came back.
            threads: how many it was allowed. Answers with one thread are compared with those that
                came before, by their bits, and not judged again.
        """
        checks: list[RelationCheck] = []
        rows: list[Row] = []
        verdicts: list[tuple[str, Verdict]] = []
        if not threads:
            solved = self.solved(case)
            verdicts = list(_verdicts(solved, observation.answers))
            rows += self._kept(solved, claim, observation)
            if observation.probe is not None:
                checks += check_probe(case, claim, observation.probe)
        if threads or needs_single_thread_run(case):
            compared, kept = self.determinism.see(observation, claim.framework)
            checks += compared
            rows += kept
        return Judgement(
            claim, observation.mode, case, tuple(verdicts), tuple(checks), tuple(rows),
            observation.seconds, threads,
        )  # fmt: skip

    def solved(self, case: Case) -> SolvedCase:
        """Return a case with its right answers; those of the last cases are kept."""
        solved = self._solved.pop(case.id, None)
        if solved is None:
            forget_inputs()  # solved cases keep theirs; 1,024 more would grow with the cases
            solved = solved_case(case)
            self._elements += solved.inputs.values.size + _OVERHEAD
        self._solved[case.id] = solved  # the last one used stands last
        while self._elements > _ELEMENTS and len(self._solved) > 1:
            _, oldest = self._solved.popitem(last=False)
            self._elements -= oldest.inputs.values.size + _OVERHEAD
        return solved

    def _kept(self, solved: SolvedCase, claim: Claim, observation: Observation) -> list[Row]:
        """Return the rows that compare an answer with a tutorial's digits, or another route."""
        rows: list[Row] = []
        value = observation.answers["value"]
        if solved.case.family.startswith("worked:"):
            rows.append(_worked_row(claim, observation.mode, solved.case, value))
        if not isinstance(value, Failure):
            answer = answer_of(solved, claim, observation.mode, self._device, value)
            rows += [answer] if answer else []
        return rows


def _verdicts(solved: SolvedCase, answers: Answers) -> list[tuple[str, Verdict]]:
    """Judge every quantity; a gradient that the contract does not ask for is left out."""
    solution = solved.solution
    return [
        (quantity, judge(solved, quantity, answer))
        for quantity, answer in answers.items()
        if solution.refusal or quantity in solution.quantities
    ]


def _worked_row(claim: Claim, mode: str, case: Case, value: np.ndarray | Failure) -> WorkedRow:
    """Compare an answer with the digits that a tutorial prints."""
    example = worked_examples()[case.family.partition(":")[2]]
    if isinstance(value, Failure):
        agrees, got = False, value.message
    else:
        wide = np.asarray(value, np.float64)
        same = wide.shape == example.expected.shape
        agrees = same and bool((np.abs(wide - example.expected) <= example.atol).all())
        got = wide.tolist()
    return WorkedRow(
        example=example.name,
        source=example.source,
        operation=case.operation,
        implementation=claim.name,
        framework=claim.framework,
        kind=claim.kind,
        mode=mode,
        dtype=case.dtype,
        printed=example.expected.tolist(),
        got=got,
        agrees=agrees,
        note=example.note,
    )
