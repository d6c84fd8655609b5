"""Search for the domain of validity: the magnitude from which an implementation is no longer right.

Every sweep (`cases.sweeps`) is first evaluated at some given magnitudes. Between the last one that
is right and the first one that is not, bisection goes on: to four digits, so that three can be
shown, or to the exact number of classes or rows. It finds two limits: where an answer first exceeds
the sound bound, and where it first becomes a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from ...backends import EAGER, FRAMEWORKS
from ...backends.claim import Claim
from ...cases.model import Case
from ...cases.operations import DTYPES, OPERATIONS, TargetKind
from ...cases.sweeps import SWEEPS, Sweep, family_of
from ..answers import Observation
from ..formula import can_be_judged
from ..judging import SolvedCase, Verdict, judge
from ..runfile import DomainRow, ValidityPointRow
from ..verdicts import kind_of
from ..workers import Question

Key = tuple[str, str, str, str, str]  # framework, implementation, mode, dtype, sweep
_TARGETS: tuple[tuple[TargetKind, str], ...] = (
    ("index", "random"),
    ("one_hot", "random"),
    ("multi_label", "binary"),
    ("soft", "soft"),
    ("real", "numbers"),
)
_BY_SIZE = ("float16", "bfloat16")  # where a count can outgrow the accumulator


@dataclass(frozen=True)
class Scope:
    """The searches that a suite makes; an empty field means no restriction."""

    operations: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = tuple(SWEEPS)
    dtypes: tuple[str, ...] = DTYPES
    eager_alone: bool = False
    slow: bool = True  # whether modes take part in which each compilation takes seconds

    def has(self, claim: Claim, mode: str, dtype: str, sweep: Sweep) -> bool:
        """Return whether an implementation is searched in a sweep.

        Args:
            claim: the claim of the implementation.
            mode: how it is run.
            dtype: of the logits.
            sweep: what grows.
        """
        operation = OPERATIONS[claim.operation]
        if operation.domain != "logits" or (
            self.operations and operation.name not in self.operations
        ):
            return False
        if sweep.counts and (dtype not in _BY_SIZE or claim.kind == "textbook"):
            return False
        if sweep.losses_only and not operation.is_loss:
            return False
        fits = operation.reads_classes or not sweep.counts or sweep.losses_only
        return fits and sweep.name in self.sweeps and self._has_mode(claim.framework, mode)

    def _has_mode(self, framework: str, mode: str) -> bool:
        if self.eager_alone:
            return mode == EAGER
        return self.slow or not FRAMEWORKS[framework].mode(mode).is_slow


SCOPES = {
    "quick": Scope(
        ("softmax", "log_softmax", "cross_entropy"), ("offset", "spread"), ("float32",),
        eager_alone=True,
    ),
    "full": Scope(slow=False),
    "domain": Scope(),
}  # fmt: skip


@dataclass
class ValiditySearch:
    """The search for the two limits of one implementation in one sweep.

    Attributes:
        claim, mode, dtype, sweep: what is searched.
        seen: worst verdict, its quantity and the id of its case, by magnitude.
    """

    claim: Claim
    mode: str
    dtype: str
    sweep: Sweep
    seen: dict[float, tuple[Verdict, str, str]] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """The key of the search: framework, implementation, mode, dtype and sweep."""
        return self.claim.framework, self.claim.name, self.mode, self.dtype, self.sweep.name

    def wanted(self) -> list[float]:
        """Return the magnitudes to be evaluated next; none once both limits are found."""
        levels = [level for level in self._levels if level not in self.seen]
        if levels and not self.seen:
            # The smallest one is evaluated alone: where it ends the process, the search is over and
            # no further process is lost.
            return [min(levels)]
        if levels:
            return [] if self._is_dead else levels
        # Both limits are bisected at once; they often share a magnitude.
        between = (self._between(bad) for bad in (("finding",), ("finding", "explained")))
        return sorted({middle for middle in between if middle is not None})

    def case(self, magnitude: float) -> Case:
        """Return the case of a magnitude."""
        taken = (item for item in _TARGETS if item[0] in self.claim.targets)
        kind, family = next(taken, (None, ""))
        values, shape = family_of(self.sweep, magnitude), self.sweep.shape(magnitude)
        options = OPERATIONS[self.claim.operation].chosen(dict(self.claim.limits.fixed))
        return Case(self.claim.operation, values, shape, self.dtype, kind, family, options)

    @property
    def is_claimed(self) -> bool:
        """Whether the function claims the cases of the search."""
        return bool(self._levels) and not self.claim.unsupported(self.case(min(self._levels)))

    @cached_property
    def _levels(self) -> list[float]:
        """The magnitudes that are tested first, as far as a formula can be judged there."""
        levels, operation = self.sweep.levels_in(self.dtype), OPERATIONS[self.claim.operation]
        if not operation.is_defined:
            return list(levels)
        return [it for it in levels if can_be_judged(operation.name, self.sweep.shape(it))]

    def row(self, device: str) -> DomainRow:
        """Return the row of both limits.

        Args:
            device: the device that was searched on.
        """
        left, broken = self._first(("finding", "explained")), self._first(("finding",))
        by, quantity, case = ("", "", "")
        if broken is not None:
            verdict, quantity, case = self.seen[broken]
            by = verdict.word
        return DomainRow(
            implementation=self.claim.name,
            framework=self.claim.framework,
            kind=self.claim.kind,
            operation=self.claim.operation,
            mode=self.mode,
            device=device,
            dtype=self.dtype,
            sweep=self.sweep.name,
            leaves_bound_at=left,
            left_by="" if left is None else self.seen[left][0].word,
            breaks_at=broken,
            broken_by=by,
            quantity=quantity,
            case=case,
            asked_to=max(self.seen, default=0.0),
        )

    @property
    def _is_dead(self) -> bool:
        """Whether the process died or hung at the smallest magnitude that was evaluated."""
        verdict, _, _ = self.seen[min(self.seen)]
        return verdict.word in ("crashed", "timed out")

    def _first(self, bad: tuple[str, ...]) -> float | None:
        wrong = (
            at for at, (verdict, _, _) in self.seen.items() if kind_of(verdict.word).category in bad
        )
        return min(wrong, default=None)

    def _between(self, bad: tuple[str, ...]) -> float | None:
        """Return a magnitude between the last right and the first wrong one; None if none is."""
        wrong = self._first(bad)
        right = max((at for at in self.seen if wrong is not None and at < wrong), default=None)
        if wrong is None or right is None:
            return None
        return _middle(right, wrong, whole=self.sweep.counts)


def _middle(low: float, high: float, *, whole: bool) -> float | None:
    """Return the midpoint among whole numbers, or those of four digits; None if there is none.

    Where the ends differ by more than a factor of 4 it is the geometric mean, which halves the
    distance of the exponents.
    """
    if whole:
        middle = float((int(low) + int(high)) // 2)
    else:
        middle = float(f"{low**0.5 * high**0.5 if high > 4 * low else (low + high) / 2:.4g}")
    return middle if low < middle < high else None


class ValiditySearches:
    """All searches of a run."""

    def __init__(self, suite: str, device: str, question: Callable[[Case], SolvedCase]) -> None:
        self._scope, self._device = SCOPES.get(suite), device
        self._question = question
        self._searches: dict[Key, ValiditySearch] = {}
        self._answered: dict[Key, dict[float, tuple[Verdict, str, str]]] = {}

    def recall(self, levels: Iterable[ValidityPointRow]) -> None:
        """Restore the answers of an interrupted run."""
        for row in levels:
            key = (row.framework, row.implementation, row.mode, row.dtype, row.sweep)
            seen = self._answered.setdefault(key, {})
            seen[row.magnitude] = (Verdict(row.verdict), row.quantity, row.case)

    def together(
        self, claims: Sequence[Claim], modes: Iterable[str]
    ) -> Iterator[list[ValiditySearch]]:
        """Yield the searches that one worker makes together: those of one mode, dtype and sweep.

        Args:
            claims: the implementations of a framework.
            modes: the modes that they are run in.
        """
        if self._scope is None:
            return
        for mode, dtype, sweep in product(modes, self._scope.dtypes, SWEEPS.values()):
            found = [
                search
                for claim in sorted(claims, key=lambda claim: (claim.operation, claim.name))
                if self._scope.has(claim, mode, dtype, sweep)
                and (search := ValiditySearch(claim, mode, dtype, sweep)).is_claimed
            ]
            for search in found:
                search.seen.update(self._answered.pop(search.key, {}))
            self._searches.update({search.key: search for search in found})
            if found:
                yield found

    def see(self, claim: Claim, case: Case, observation: Observation) -> ValidityPointRow:
        """Judge the answer at one magnitude, and return its row; the worst quantity counts.

        Args:
            claim: the claim of the implementation.
            case: the case of the magnitude.
            observation: the answer.
        """
        question = self._question(case)
        name, _, magnitude = case.family.partition("@")
        found = [
            (judge(question, quantity, answer), quantity)
            for quantity, answer in observation.answers.items()
            if quantity in question.solution.quantities
        ]
        key = (claim.framework, claim.name, observation.mode, case.dtype, name)
        verdict, quantity = max(found, key=lambda item: item[0].kind.rank)
        self._searches[key].seen[float(magnitude)] = (verdict, quantity, case.id)
        return ValidityPointRow(
            framework=claim.framework,
            implementation=claim.name,
            mode=observation.mode,
            device=self._device,
            dtype=case.dtype,
            sweep=name,
            magnitude=float(magnitude),
            verdict=verdict.word,
            quantity=quantity,
            case=case.id,
        )

    def rows(self) -> list[DomainRow]:
        """Return the rows of all searches that have an answer."""
        return [search.row(self._device) for search in self._searches.values() if search.seen]


def next_questions(searches: Iterable[ValiditySearch]) -> list[Question]:
    """Return the next questions of some searches, those of one case together."""
    wanted = [
        Question(search.claim.name, search.mode, search.case(magnitude))
        for search in searches
        for magnitude in search.wanted()
    ]
    return sorted(wanted, key=lambda it: (it.case.shape, it.case.id, it.implementation))
