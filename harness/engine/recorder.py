"""From observations to rows of the run file: judged, looked up in the ledger, counted."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np

from ...backends.base import Claim
from ...cases.ledger import ledger
from ...cases.model import Case, forget_inputs
from ...cases.stored import worked_examples
from ..answers import AGAIN, Failure, Observation, RelationCheck
from ..judging import SolvedCase, Verdict, judge, solved_case
from ..relations import (
    EQUIVALENCES,
    THREADS,
    RelationTally,
    ThreadDeterminism,
    answer_of,
    compared,
    needs_single_thread_run,
)
from ..runfile import (
    AnswerRow,
    CompletedRow,
    DomainRow,
    IncidentRow,
    RelationRow,
    Row,
    RunFile,
    ValidityPointRow,
    VerdictRow,
    WorkedRow,
    WorkerRow,
)
from ..verdicts import RELATION, base, standing
from ..workers import Catalogue
from .validity import ValiditySearches

_BATCH = 500  # rows that are committed together, at most
_EVERY = 1.0  # seconds between two commits, at most
_ELEMENTS = 2**16  # of solved cases that are kept for the next framework, 300 bytes each
_BESIDES = 64  # elements that would take what a solved case takes besides


class Recorder:
    """Judges what comes back and writes it down; see `Engine`.

    All that comes of one question is committed together, with the mark that it has been asked.

    Attributes:
        verdicts: how often each verdict was given.
        unknown: findings that the ledger does not name.
        matched: ids of the ledger's entries that named a finding.
        domains: the searches for the domain of validity.
    """

    def __init__(self, run: RunFile, suite: str, device: str) -> None:
        self._run = run
        self._device = device
        self._claims: dict[tuple[str, str], Claim] = {}  # by framework and name
        self._versions: dict[str, dict[str, str]] = {}
        self._rows: list[Row] = []  # of whole questions, that wait for the next commit
        self._open: list[Row] = []  # of the question that is being judged
        self._related: list[tuple[Claim, str, Case, RelationCheck]] = []  # likewise
        self._committed = time.monotonic()
        self._questions: OrderedDict[str, SolvedCase] = OrderedDict()
        self._elements = 0
        self._kept = RelationTally(device)
        self._repeats = ThreadDeterminism(run)
        self._goes_on = False
        self.domains = ValiditySearches(suite, device, self._question)
        self.verdicts: Counter[str] = Counter()
        self.unknown = 0
        self.matched: set[str] = set()

    def recall(self) -> None:
        """Take over what the run file holds: a run that was interrupted goes on."""
        run = self._run
        self._goes_on = bool(run.count(CompletedRow))
        self.domains.recall(run.rows(ValidityPointRow))
        self._repeats.recall()
        routes = [relation.name for relation in EQUIVALENCES]
        self._kept.add(row for row in run.rows(RelationRow) if row.relation not in routes)
        versions = {row.framework: row.environment.get("versions", {})
                    for row in run.rows(WorkerRow)}  # fmt: skip
        for row in run.rows(VerdictRow):
            self._count(row.verdict, known=row.known)
            if row.known:
                entries = _entries(row, Case.parse(row.case), versions.get(row.framework, {}))
                self.matched.update(entries)

    def has(self, claim: Claim, mode: str, case: Case, threads: int = 0) -> bool:
        """Whether a question had its verdicts before the run was interrupted."""
        return self._goes_on and self._run.holds(self._asked_row(claim, mode, case, threads))

    def _asked_row(self, claim: Claim, mode: str, case: Case, threads: int) -> CompletedRow:
        return CompletedRow(claim.framework, claim.name, mode, case.id, self._device, threads)

    def _claim(self, observation: Observation, framework: str) -> Claim:
        return self._claims[framework, observation.implementation]

    def meet(self, framework: str, offered: Catalogue) -> None:
        """Take note of what a worker offers."""
        self._claims.update({(framework, claim.name): claim for claim in offered.claims})
        self._versions[framework] = offered.environment.get("versions", {})

    def unsupported(self, claim: Claim, case: Case, reason: str) -> None:
        """Record that an implementation does not claim a case."""
        self._add(claim, "eager", case, "value", Verdict("unsupported", note=reason), None)
        self._asked(claim, "eager", case)

    def record(self, framework: str, case: Case, observation: Observation) -> None:
        """Judge what a framework answered and write its verdicts."""
        self._begin()
        claim = self._claim(observation, framework)
        if case.is_swept:
            self._rows.append(self.domains.see(claim, case, observation))
            self._commit_if_due()
            return
        question = self._question(case)
        for quantity, answer in observation.answers.items():
            if not question.solution.refusal and quantity not in question.solution.quantities:
                continue  # a gradient that the contract does not ask for
            verdict = judge(question, quantity, answer)
            self._add(claim, observation.mode, case, quantity, verdict, observation.seconds)
        for related in observation.related:
            self._relate(claim, observation.mode, case, related)
        if needs_single_thread_run(case):
            self._repeat(claim, case, observation)
        value = observation.answers["value"]
        if case.family.startswith("worked:"):
            self._compare_digits(claim, observation.mode, case, value)
        if isinstance(value, np.ndarray):
            kept = answer_of(question, claim, observation.mode, self._device, value)
            self._open += [kept] if kept else []
        self._asked(claim, observation.mode, case)

    def repeat(self, framework: str, case: Case, observation: Observation) -> None:
        """Compare the bits of two answers that came with different numbers of threads."""
        self._begin()
        claim = self._claim(observation, framework)
        self._repeat(claim, case, observation)
        self._asked(claim, observation.mode, case, threads=1)

    def _repeat(self, claim: Claim, case: Case, observation: Observation) -> None:
        related, kept = self._repeats.see(observation, claim.framework)
        self._open += kept
        for item in related:
            self._relate(claim, observation.mode, case, item)

    def note(self, row: IncidentRow) -> None:
        """Write down that a worker ended where it should not have."""
        self._rows.append(row)
        self.flush()

    def _asked(self, claim: Claim, mode: str, case: Case, threads: int = 0) -> None:
        """A question is complete: from here on its rows may be committed."""
        self._rows += [*self._open, self._asked_row(claim, mode, case, threads)]
        for related in self._related:
            self._kept.see(*related)
        self._begin()
        self._commit_if_due()

    def _begin(self) -> None:
        """Forget what an interrupt has left of a question."""
        self._open, self._related = [], []

    def _commit_if_due(self) -> None:
        if len(self._rows) >= _BATCH or time.monotonic() - self._committed >= _EVERY:
            self.flush()

    def _relate(self, claim: Claim, mode: str, case: Case, related: RelationCheck) -> None:
        """Count a relation; one that does not hold is a verdict of its own."""
        self._related.append((claim, mode, case, related))
        if related.holds:
            return
        same_call = related.relation in (AGAIN, THREADS)
        word = "nondeterministic" if same_call else RELATION + related.relation
        verdict = Verdict(
            word, ratio=related.ratio, abs_error=related.difference, where=related.where,
            exact=related.left, got=related.right, note=related.note,
        )  # fmt: skip
        self._add(claim, mode, case, related.quantity, verdict, None)

    def flush(self) -> None:
        """Commit what has been judged so far."""
        rows, self._rows = self._rows, []
        self._run.add([*rows, *self._kept.changed()])
        self._repeats.committed()
        self._committed = time.monotonic()

    def finish(self) -> None:
        """Write what needs the whole run."""
        self.flush()
        self._run.add(compared(lambda: self._run.rows(AnswerRow)))
        self._run.drop(DomainRow)  # a run that goes on may have searched further
        self._run.add(self.domains.rows())
        self._repeats.close()

    def _question(self, case: Case) -> SolvedCase:
        question = self._questions.pop(case.id, None)
        if question is None:
            forget_inputs()  # questions keep theirs; 1,024 more would grow with the cases
            question = solved_case(case)
            self._elements += question.inputs.values.size + _BESIDES
        self._questions[case.id] = question  # the last one used stands last
        while self._elements > _ELEMENTS and len(self._questions) > 1:
            _, oldest = self._questions.popitem(last=False)
            self._elements -= oldest.inputs.values.size + _BESIDES
        return question

    def _add(
        self,
        claim: Claim,
        mode: str,
        case: Case,
        quantity: str,
        verdict: Verdict,
        seconds: float | None,
    ) -> None:
        row = VerdictRow(
            case=case.id,
            operation=case.operation,
            target_kind=case.target_kind,
            family=case.family,
            shape="x".join(map(str, case.shape)),
            dtype=case.dtype,
            options=case.options.given(),
            implementation=claim.name,
            framework=claim.framework,
            kind=claim.kind,
            mode=mode,
            device=self._device,
            quantity=quantity,
            verdict=verdict.word,
            ulp=verdict.ulp,
            ratio=verdict.ratio,
            abs_error=verdict.abs_error,
            where=verdict.where,
            exact=verdict.exact,
            got=verdict.got,
            note=verdict.note,
            fingerprint=verdict.fingerprint,
            seconds=seconds,
        )
        if verdict.is_finding:
            entries = _entries(row, case, self._versions.get(claim.framework, {}))
            self.matched.update(entries)
            if entries:
                row = replace(row, known=True, ledger=entries[0])
        self._count(row.verdict, known=row.known)
        self._open.append(row)

    def _count(self, word: str, *, known: bool) -> None:
        self.verdicts[base(word)] += 1
        self.unknown += standing(word) == "finding" and not known

    def _compare_digits(self, claim: Claim, mode: str, case: Case, value: Any) -> None:
        example = worked_examples()[case.family.partition(":")[2]]
        if isinstance(value, Failure):
            agrees, got = False, value.message
        else:
            wide = np.asarray(value, np.float64)
            same = wide.shape == example.expected.shape
            agrees = same and bool((np.abs(wide - example.expected) <= example.atol).all())
            got = wide.tolist()
        self._open.append(
            WorkedRow(
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
        )


def _entries(row: VerdictRow, case: Case, versions: dict[str, str]) -> list[str]:
    """Return the ids of the ledger's entries that name a finding."""
    facts = {
        "operation": row.operation,
        "family": row.family,
        "target": case.target,
        "dtype": row.dtype,
        "mode": row.mode,
        "quantity": row.quantity,
        "shape": row.shape,
        "layout": case.layout,
        "note": row.note,
    } | {name: str(value) for name, value in vars(case.options).items()}
    return [
        entry.id
        for entry in ledger()
        if entry.names(row.implementation, row.verdict, facts, versions)
    ]


def is_finding(row: VerdictRow) -> bool:
    """Whether a row is neither agreement nor explained nor unsupported."""
    return standing(row.verdict) == "finding"
