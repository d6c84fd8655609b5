"""From observations to rows of the run file: judged, looked up in the ledger, counted."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import numpy as np

from ..backends.base import Claim
from ..cases.ledger import ledger
from ..cases.model import Case
from ..cases.stored import worked_examples
from .judge import Question, Verdict, judge, question_of
from .observation import Failure, Observation
from .relations import Relations
from .runfile import Row, RunFile, VerdictRow, WorkedRow
from .verdicts import base, standing
from .worker import Catalogue

_BATCH = 500  # rows that are committed together
_QUESTIONS = 512  # solved cases that are kept for the next framework


class Recorder:
    """Judges what comes back and writes it down; see `Engine`.

    Attributes:
        verdicts: how often each verdict was given.
        unknown: findings that the ledger does not name.
        matched: ids of the ledger's entries that named a finding.
    """

    def __init__(self, run: RunFile, device: str) -> None:
        self._run = run
        self._device = device
        self._claims: dict[str, Claim] = {}
        self._versions: dict[str, dict[str, str]] = {}
        self._rows: list[VerdictRow] = []
        self._worked: list[WorkedRow] = []
        self._questions: OrderedDict[str, Question] = OrderedDict()
        self._relations = Relations()
        self.verdicts: Counter[str] = Counter()
        self.unknown = 0
        self.matched: set[str] = set()

    def meet(self, framework: str, offered: Catalogue) -> None:
        """Take note of what a worker offers."""
        self._claims.update({claim.name: claim for claim in offered.claims})
        self._versions[framework] = offered.environment.get("versions", {})

    def unsupported(self, claim: Claim, case: Case, reason: str) -> None:
        """Record that an implementation does not claim a case."""
        self._add(claim, "eager", case, "value", Verdict("unsupported", note=reason), None)

    def record(self, case: Case, observation: Observation) -> None:
        """Judge an observation and write its verdicts."""
        claim = self._claims[observation.implementation]
        question = self._question(case)
        for quantity, answer in observation.answers.items():
            if not question.solution.refusal and quantity not in question.solution.quantities:
                continue  # a gradient that the contract does not ask for
            verdict = judge(question, quantity, answer)
            self._add(claim, observation.mode, case, quantity, verdict, observation.seconds)
        value = observation.answers["value"]
        if case.family.startswith("worked:"):
            self._compare_digits(claim, observation.mode, case, value)
        if isinstance(value, np.ndarray):
            self._relations.see(question, claim, observation.mode, value)

    def flush(self) -> None:
        """Commit what has been judged so far."""
        for rows in (self._rows, self._worked):
            batch: list[Row] = list(rows)
            self._run.add(batch)
            rows.clear()

    def finish(self) -> None:
        """Write what needs the whole run."""
        self.flush()
        self._run.add(self._relations.rows())

    def _question(self, case: Case) -> Question:
        question = self._questions.get(case.id)
        if question is None:
            question = self._questions[case.id] = question_of(case)
            if len(self._questions) > _QUESTIONS:
                self._questions.popitem(last=False)
        else:
            self._questions.move_to_end(case.id)
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
        named = self._named(claim, mode, case, quantity, verdict) if verdict.is_finding else ""
        self.verdicts[base(verdict.word)] += 1
        self.unknown += verdict.is_finding and not named
        self._rows.append(
            VerdictRow(
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
                known=bool(named),
                ledger=named,
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
        )
        if len(self._rows) >= _BATCH:
            self.flush()

    def _named(self, claim: Claim, mode: str, case: Case, quantity: str, verdict: Verdict) -> str:
        facts = {
            "operation": case.operation,
            "family": case.family,
            "target": f"{case.target_kind}.{case.target_family}" if case.target_kind else "",
            "dtype": case.dtype,
            "mode": mode,
            "quantity": quantity,
            "reduction": case.options.reduction,
            "weight": str(case.options.weight),
            "shape": "x".join(map(str, case.shape)),
            "note": verdict.note,
        }
        versions = self._versions.get(claim.framework, {})
        named = [
            entry.id for entry in ledger() if entry.names(claim.name, verdict.word, facts, versions)
        ]
        self.matched.update(named)
        return named[0] if named else ""

    def _compare_digits(self, claim: Claim, mode: str, case: Case, value: Any) -> None:
        example = worked_examples()[case.family.partition(":")[2]]
        if isinstance(value, Failure):
            agrees, got = False, value.message
        else:
            wide = np.asarray(value, np.float64)
            same = wide.shape == example.expected.shape
            agrees = same and bool((np.abs(wide - example.expected) <= example.atol).all())
            got = wide.tolist()
        self._worked.append(
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


def is_finding(row: VerdictRow) -> bool:
    """Whether a row is neither agreement nor explained nor unsupported."""
    return standing(row.verdict) == "finding"
