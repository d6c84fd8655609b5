"""From observations to rows of the run file: judged, looked up in the ledger, counted."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import numpy as np

from ..backends.base import Claim
from ..cases.ledger import ledger
from ..cases.model import Case
from ..cases.stored import worked_examples
from .domain import Domains
from .equivalences import Equivalences
from .judge import Question, Verdict, judge, question_of
from .kept import Kept
from .observation import AGAIN, Failure, Observation, Related
from .repeats import THREADS, Repeats, is_threaded
from .runfile import Row, RunFile, VerdictRow, WorkedRow
from .verdicts import RELATION, base, standing
from .worker import Catalogue

_BATCH = 500  # rows that are committed together
_ELEMENTS = 2**20  # of solved cases that are kept for the next framework, 300 bytes each


class Recorder:
    """Judges what comes back and writes it down; see `Engine`.

    Attributes:
        verdicts: how often each verdict was given.
        unknown: findings that the ledger does not name.
        matched: ids of the ledger's entries that named a finding.
        domains: the searches for the domain of validity.
    """

    def __init__(self, run: RunFile, suite: str, device: str) -> None:
        self._run = run
        self._device = device
        self._claims: dict[str, Claim] = {}
        self._versions: dict[str, dict[str, str]] = {}
        self._rows: list[VerdictRow] = []
        self._worked: list[WorkedRow] = []
        self._questions: OrderedDict[str, Question] = OrderedDict()
        self._elements = 0
        self._equivalences = Equivalences()
        self._kept = Kept()
        self._repeats = Repeats()
        self.domains = Domains(suite, device, self._question)
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
        if case.is_swept:
            self.domains.see(case, observation)
            return
        claim = self._claims[observation.implementation]
        question = self._question(case)
        for quantity, answer in observation.answers.items():
            if not question.solution.refusal and quantity not in question.solution.quantities:
                continue  # a gradient that the contract does not ask for
            verdict = judge(question, quantity, answer)
            self._add(claim, observation.mode, case, quantity, verdict, observation.seconds)
        for related in observation.related:
            self._relate(claim, observation.mode, case, related)
        if is_threaded(case):
            self.repeat(case, observation)
        value = observation.answers["value"]
        if case.family.startswith("worked:"):
            self._compare_digits(claim, observation.mode, case, value)
        if isinstance(value, np.ndarray):
            self._equivalences.see(question, claim, observation.mode, value)

    def repeat(self, case: Case, observation: Observation) -> None:
        """Compare the bits of two answers that came with different numbers of threads."""
        claim = self._claims[observation.implementation]
        for related in self._repeats.see(observation):
            self._relate(claim, observation.mode, case, related)

    def close(self) -> None:
        """Keep what has been judged, whatever happened."""
        self.flush()
        self._repeats.close()

    def _relate(self, claim: Claim, mode: str, case: Case, related: Related) -> None:
        """Count a relation; one that does not hold is a verdict of its own."""
        self._kept.see(claim, mode, case, related)
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
        for rows in (self._rows, self._worked):
            batch: list[Row] = list(rows)
            self._run.add(batch)
            rows.clear()

    def finish(self) -> None:
        """Write what needs the whole run."""
        self.flush()
        self._run.add([*self._equivalences.rows(), *self._kept.rows()])
        self._run.add(self.domains.rows())

    def _question(self, case: Case) -> Question:
        question = self._questions.pop(case.id, None)
        if question is None:
            question = question_of(case)
            self._elements += question.inputs.values.size
        self._questions[case.id] = question  # the last one used stands last
        while self._elements > _ELEMENTS and len(self._questions) > 1:
            _, oldest = self._questions.popitem(last=False)
            self._elements -= oldest.inputs.values.size
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
            "target": case.target,
            "dtype": case.dtype,
            "mode": mode,
            "quantity": quantity,
            "shape": "x".join(map(str, case.shape)),
            "layout": case.layout,
            "note": verdict.note,
        } | {name: str(value) for name, value in vars(case.options).items()}
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
