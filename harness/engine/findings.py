"""Turn verdicts into rows, count them, and look findings up in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from ...backends.claim import Claim
from ...cases.ledger import Entry, ledger
from ...cases.model import Case, shape_text
from ..judging import Remark, Verdict, as_taken, choices_of
from ..relations import RelationCheck
from ..runfile import RunFile, VerdictRow, WorkerRow
from ..verdicts import MUTATES, RELATION, REPETITION_MEANINGS, VerdictKind, is_finding, kind_of
from ..workers import Catalogue
from .judgement import Judgement


class Findings:
    """The counts of a run's verdicts, and its findings as far as the ledger knows them.

    Attributes:
        verdicts: number of verdicts of each kind, by its word.
        unknown: number of findings that no entry of the ledger describes and that fail a run;
            findings that are shared with the framework do so only in a strict one.
        shared: number of findings that a function of the framework shares.
        matched: ids of the entries that describe a finding of the run.
    """

    def __init__(
        self,
        device: str,
        *,
        strict: bool = False,
        expected: tuple[Entry, ...] = (),
        conventions: frozenset[str] | None = None,
    ) -> None:
        """Begin to count.

        Args:
            device: `cpu` or `gpu`.
            strict: whether a finding that the framework shares fails a run.
            expected: what the user knows of the functions, beside the package's own ledger.
            conventions: those that the user's functions may follow; None for all.
        """
        self._device = device
        self._expected = expected
        self._conventions = conventions
        self._strict = strict
        self._claims: dict[tuple[str, str], Claim] = {}  # by framework and name
        self._versions: dict[str, dict[str, str]] = {}  # by framework
        self.verdicts: Counter[str] = Counter()
        self.unknown = 0
        self.shared = 0
        self.matched: set[str] = set()

    def recall(self, run: RunFile) -> None:
        """Count the verdicts that an interrupted run has written."""
        versions = {
            row.framework: row.environment.get("versions", {}) for row in run.rows(WorkerRow)
        }
        for row in run.rows(VerdictRow):
            self._count(row)
            if row.known:
                entries = self._named(row, Case.parse(row.case), versions.get(row.framework, {}))
                self.matched.update(entries)

    @property
    def own_claims(self) -> list[Claim]:
        """The claims of the user's functions."""
        return [claim for claim in self._claims.values() if claim.kind == "user"]

    def meet(self, framework: str, catalogue: Catalogue) -> None:
        """Store the claims and versions of a worker."""
        self._claims.update({(framework, claim.name): claim for claim in catalogue.claims})
        self._versions[framework] = catalogue.environment.get("versions", {})

    def claim(self, framework: str, implementation: str) -> Claim:
        """Return the claim of an implementation whose worker was passed to `meet`."""
        return self._claims[framework, implementation]

    def rows_of(
        self, judgement: Judgement, shared: Mapping[str, str] = MappingProxyType({})
    ) -> list[VerdictRow]:
        """Return one row for each verdict, and one for each relation that does not hold.

        Args:
            judgement: the judged answers to one question.
            shared: for each quantity whose finding or convention the framework's own function
                shows alike, the name of that function.
        """
        return list(self._rows(judgement, shared))

    def _rows(self, judgement: Judgement, shared: Mapping[str, str]) -> Iterator[VerdictRow]:
        who = judgement.claim, judgement.mode, judgement.case
        for quantity, verdict in judgement.verdicts:
            about = shared.get(quantity, ""), judgement.looks_like.get(quantity, "")
            yield self._row(*who, quantity, verdict, judgement.seconds, *about)
        for check in judgement.checks:
            if not check.holds:
                yield self._row(*who, check.quantity, _verdict_of(check), None)

        if judgement.spoils:
            spoils = Verdict(VerdictKind.SPOILS.word, detail=Remark(judgement.spoils))
            yield self._row(*who, "value", spoils, judgement.seconds)

        for name in judgement.mutates:
            quantity = "gradient_logits" if name == "cotangent" else "value"
            wrote = Verdict(MUTATES + name, detail=Remark(f"it writes to its {name}"))
            yield self._row(*who, quantity, wrote, judgement.seconds)

    def unclaimed_row(self, claim: Claim, case: Case, reason: str) -> VerdictRow:
        """Return the row of a case that an implementation does not claim."""
        verdict = Verdict(VerdictKind.UNSUPPORTED.word, detail=Remark(reason))
        return self._row(claim, "eager", case, "value", verdict, None)

    def _row(
        self,
        claim: Claim,
        mode: str,
        case: Case,
        quantity: str,
        verdict: Verdict,
        seconds: float | None,
        shared: str = "",
        looks_like: str = "",
    ) -> VerdictRow:
        is_own = claim.kind == "user"
        word = as_taken(verdict.word, self._conventions) if is_own else verdict.word
        row = VerdictRow(
            case=case.id,
            operation=case.operation,
            target_kind=case.target_kind,
            family=case.family,
            shape=shape_text(case.sizes),
            dtype=case.dtype,
            options=case.options.given(),
            implementation=claim.name,
            framework=claim.framework,
            kind=claim.kind,
            mode=mode,
            device=self._device,
            quantity=quantity,
            verdict=word,
            ulp=verdict.ulp,
            ratio=verdict.ratio,
            abs_error=verdict.abs_error,
            where=verdict.where,
            exact=verdict.exact,
            got=verdict.got,
            note=verdict.note,
            fingerprint=verdict.fingerprint,
            seconds=seconds,
            shared=shared if is_finding(word) or choices_of(word) else "",
            looks_like=looks_like,
        )
        # The ledger is searched with a finished row: its entries may refer to any of the fields.
        if is_finding(word):
            entries = self._named(row, case, self._versions.get(claim.framework, {}))
            self.matched.update(entries)
            if entries:
                row = replace(row, known=True, ledger=entries[0])
        self._count(row)
        return row

    def _named(self, row: VerdictRow, case: Case, versions: dict[str, str]) -> list[str]:
        """Return the ids of the ledger's entries that describe a finding."""
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
            for entry in (*self._expected, *ledger())
            if entry.names(row.implementation, row.verdict, facts, versions)
        ]

    def _count(self, row: VerdictRow) -> None:
        self.verdicts[kind_of(row.verdict).word] += 1
        if is_finding(row.verdict) and not row.known:
            self.shared += bool(row.shared)
            self.unknown += self._strict or not row.shared


def _verdict_of(check: RelationCheck) -> Verdict:
    """Return the verdict on a relation that does not hold."""
    is_repetition = check.relation in REPETITION_MEANINGS
    word = VerdictKind.NONDETERMINISTIC.word if is_repetition else RELATION + check.relation
    return Verdict(
        word,
        ratio=check.ratio,
        abs_error=check.difference,
        where=check.where,
        exact=check.left,
        got=check.right,
        detail=Remark(check.note),
    )
