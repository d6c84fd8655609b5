"""Turn the answers of workers into verdicts; no other module judges them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from ...backends import FRAMEWORKS
from ...backends.claim import Claim
from ...cases.model import Case, forget_inputs
from ...cases.stored import worked_examples
from ..answers import Failure, Observation
from ..judging import OwnRules, SolvedCase, Verdict, judge, judge_own, solved_case
from ..relations import (
    RelationCheck,
    ThreadDeterminism,
    answer_of,
    check_probe,
    needs_single_thread_run,
)
from ..runfile import Row, RunFile, WorkedRow
from .looks import LooksOfFunctions

# Solved cases are kept for the next framework, up to so many elements at about 300 bytes each. The
# memory that a solved case needs besides its arrays is counted as further elements.
_ELEMENTS = 2**16
_OVERHEAD = 64
_LARGE = 2**14


@dataclass(frozen=True)
class Judgement:
    """The judged answers to one question.

    Attributes:
        claim: the claim of the implementation.
        mode: how it was run.
        case: the inputs and options.
        verdicts: quantities and their verdicts.
        checks: comparisons with repeated calls and with transformed inputs.
        rows: rows for the comparisons that need the whole run.
        seconds: duration of the call.
        threads: threads that it was limited to; 0 for the framework's default.
        spoils: what the call has changed in its process; empty if nothing.
        looks_like: for each quantity of a user's function with a finding, the usual mistakes that
            give its answer.
        mutates: the arguments to whose arrays the function wrote.
    """

    claim: Claim
    mode: str
    case: Case
    verdicts: tuple[tuple[str, Verdict], ...]
    checks: tuple[RelationCheck, ...]
    rows: tuple[Row, ...]
    seconds: float
    threads: int = 0
    spoils: str = ""
    looks_like: Mapping[str, str] = field(default_factory=dict)
    mutates: tuple[str, ...] = ()


class SolvedCases:
    """The solved cases that are likely to be needed again: those that were used last."""

    def __init__(self, elements: int = _ELEMENTS) -> None:
        """Take the number of elements up to which cases are kept."""
        self._most = elements
        self._solved: OrderedDict[str, SolvedCase] = OrderedDict()
        self._elements = 0
        self._large: SolvedCase | None = None

    def of(self, case: Case) -> SolvedCase:
        """Return a case with its exact answers."""
        if np.prod(case.shape) > _LARGE:
            return self._large_one(case)
        solved = self._solved.pop(case.id, None)
        if solved is None:
            solved = solved_case(case)  # with the arrays that were drawn to ask it
            forget_inputs()  # solved cases have theirs, and the cache of others would only grow
            self._elements += solved.inputs.values.size + _OVERHEAD
        self._solved[case.id] = solved  # at the end, as the one used last
        while self._elements > self._most and len(self._solved) > 1:
            _, oldest = self._solved.popitem(last=False)
            self._elements -= oldest.inputs.values.size + _OVERHEAD
        return solved

    def _large_one(self, case: Case) -> SolvedCase:
        """Return a case that would drive out all others, and is kept beside them until the next."""
        if self._large is None or self._large.case.id != case.id:
            self._large = None  # its memory is free before the other one is solved
            forget_inputs()
            self._large = solved_case(case)
        return self._large


class Judge:
    """The judge of a run's answers, with the solved cases that are likely to be needed again.

    Attributes:
        determinism: compares answers by their bits across numbers of threads.
    """

    def __init__(self, run: RunFile, device: str, cases: SolvedCases | None = None) -> None:
        """Take a run file and a device.

        Args:
            run: where answers wait for their counterparts.
            device: of the answers.
            cases: solved cases that others have used; None for none.
        """
        self._device = device
        self._cases = cases or SolvedCases()
        self._looks = LooksOfFunctions()
        self.determinism = ThreadDeterminism(run)

    def judge(
        self,
        claim: Claim,
        case: Case,
        observation: Observation,
        threads: int = 0,
        *,
        looks: bool = True,
    ) -> Judgement:
        """Judge the answers to one question.

        Args:
            claim: the claim of the implementation.
            case: the inputs and options.
            observation: the answers.
            threads: threads that the call was limited to; 0 for the framework's default. Answers on
                one thread are not judged again: their bits are compared with the earlier ones.
            looks: whether it is found out what findings on users' functions look like.
        """
        checks: list[RelationCheck] = []
        rows: list[Row] = []
        verdicts: list[tuple[str, Verdict]] = []
        seen: dict[str, str] = {}
        if not threads:
            solved = self.solved(case)
            verdicts = list(_verdicts(solved, claim, observation))
            if claim.kind == "user" and looks:
                seen = self._looks.of(claim.name, solved, observation.answers, verdicts)
            checks += _other_checks(solved, claim, observation, dict(verdicts))
            rows += self._kept(solved, claim, observation)
            if observation.probe is not None:
                checks += check_probe(case, claim, observation.probe)
        if threads or needs_single_thread_run(case):
            compared, kept = self.determinism.see(observation, claim.framework)
            checks += compared
            rows += kept
        return Judgement(
            claim,
            observation.mode,
            case,
            tuple(verdicts),
            tuple(checks),
            tuple(rows),
            observation.seconds,
            threads,
            observation.spoils,
            seen,
            observation.mutates,
        )

    def look(
        self, judgement: Judgement, observation: Observation, without: Collection[str]
    ) -> Judgement:
        """Return a judgement that says what its findings look like.

        Args:
            judgement: was made without.
            observation: the answers that were judged.
            without: the quantities whose findings are left out.
        """
        wanted = [(name, verdict) for name, verdict in judgement.verdicts if name not in without]
        solved, answers = self.solved(judgement.case), observation.answers
        looks = self._looks.of(judgement.claim.name, solved, answers, wanted)
        return replace(judgement, looks_like=looks)

    def solved(self, case: Case) -> SolvedCase:
        """Return a case with its exact answers; those of the last cases are kept."""
        return self._cases.of(case)

    def _kept(self, solved: SolvedCase, claim: Claim, observation: Observation) -> list[Row]:
        """Return the rows that compare an answer with a tutorial's digits or with another route."""
        rows: list[Row] = []
        value = observation.answers["value"]
        if solved.case.family.startswith("worked:"):
            rows.append(_worked_row(claim, observation.mode, solved.case, value))
        if not isinstance(value, Failure):
            answer = answer_of(solved, claim, observation.mode, self._device, value)
            rows += [answer] if answer else []
        return rows


def _verdicts(
    solved: SolvedCase, claim: Claim, observation: Observation
) -> list[tuple[str, Verdict]]:
    """Return the verdict on each quantity, without gradients that the contract does not define."""
    solution = solved.solution
    return [
        (quantity, _judged(solved, claim, observation, quantity, answer))
        for quantity, answer in observation.answers.items()
        if solution.refusal or quantity in solution.quantities
    ]


def _judged(
    solved: SolvedCase,
    claim: Claim,
    observation: Observation,
    quantity: str,
    answer: np.ndarray | Failure,
) -> Verdict:
    if claim.kind == "user":
        limits = claim.limits
        widens = FRAMEWORKS[claim.framework].widens
        rules = OwnRules(limits.result_dtype, limits.clip, observation.without_fault, widens)
        return judge_own(solved, quantity, answer, rules)
    return judge(solved, quantity, answer)


def _other_checks(
    solved: SolvedCase, claim: Claim, observation: Observation, verdicts: dict[str, Verdict]
) -> Iterator[RelationCheck]:
    """Yield the checks of the answers to a question that was put in other ways.

    Other bits are no finding. A finding is one that the first answer does not have: where that is
    wrong itself, it says so.
    """
    for other in observation.others:
        first = verdicts.get(other.quantity)
        if first is None:
            continue
        note = ""
        if other.answer is not None and not first.is_finding:
            verdict = _judged(solved, claim, observation, other.quantity, other.answer)
            note = f"{verdict.word}: {verdict.note}" if verdict.is_finding else ""
        size = inf if note else 0.0
        yield RelationCheck(other.relation, other.quantity, not note, size, size, note=note)


def _worked_row(claim: Claim, mode: str, case: Case, value: np.ndarray | Failure) -> WorkedRow:
    """Compare an answer with the digits that a tutorial prints."""
    example = worked_examples()[case.family.partition(":")[2]]
    if isinstance(value, Failure):
        agrees, got = False, value.message
    else:
        wide = np.asarray(value, np.float64)
        same = wide.shape == example.expected.shape
        agrees = same and bool((np.abs(wide - example.expected) <= example.atol).all())
        # The list of an array without elements may be long all the same.
        got = wide.tolist() if same else f"shape {wide.shape}"
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
