"""Group the findings on users' functions by their cause, the worst cause first.

A cause is what its findings look like, or, where they look like no usual mistake, what they have in
common: the verdict, the message of the error without its numbers, and a dtype, a number of axes or
an option that no other question has. It is shown by its plainest finding. Conventions that a
function follows are causes too, and no findings. Nothing here is about a terminal.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

from ..harness.causes import plainness
from ..harness.runfile import VerdictRow
from ..harness.verdicts import CONVENTION, UNDEFINED, UNWANTED, kind_of
from .cause_names import (
    EXPLAINED,
    LOOKS,
    NOT_IMPLEMENTED,
    SECOND,
    by_mistake,
    convention,
    explanation,
    finding,
    grouped,
    message,
    not_claimed,
    without_consequences,
)
from .survey import dtype_order

_SHARE = 0.1  # of a function's findings, which a named cause explains to come before all others
_LARGE = 0.125  # of a number, which is more than digits that nobody misses
_SAYING = ("mutates", "spoils")  # verdicts that say by themselves what is wrong
CauseKind = Literal["finding", "settled", "explained", "convention", "unclaimed"]
_ORDER: tuple[CauseKind, ...] = ("finding", "settled", "explained", "convention", "unclaimed")


class Function(NamedTuple):
    """A function as it was asked: one operation, in one framework."""

    name: str
    framework: str
    operation: str


@dataclass(frozen=True)
class Cause:
    """Findings on one function that have one cause.

    Attributes:
        function: the function.
        kind: whether they are findings; findings that are known or shared with the framework;
            answers whose lost digits are explained; answers that follow a
            convention; or questions that the function says are not its own.
        what: the cause in words.
        where: what the questions have in common and others have not, in words; empty if nothing.
        quantities: the quantities, `value` first.
        verdicts: the words of the verdicts, the worst first.
        shared: the functions of the framework that show the same.
        count: the number of findings.
        plainest: the finding that is easiest to read and to repeat.
    """

    function: Function
    kind: CauseKind
    what: str
    where: str
    quantities: tuple[str, ...]
    verdicts: tuple[str, ...]
    shared: tuple[str, ...]
    count: int
    plainest: VerdictRow

    @property
    def id(self) -> str:
        """Its name among the causes of a run, which an example of it has, too."""
        name, framework, operation = self.function
        return "/".join((f"own:{framework}", name, operation, self.kind, self.what))

    @property
    def looks_like(self) -> str:
        """The mistake that its findings look like; empty for none."""
        return self.what.removeprefix(LOOKS) if self.what.startswith(LOOKS) else ""

    @property
    def is_of_gradient(self) -> bool:
        """Whether no value is among its findings: a backward pass is wrong."""
        return all(quantity != "value" for quantity in self.quantities)

    @property
    def only(self) -> str:
        """What alone it shows in, in words; empty if it shows in the value, too."""
        if self.quantities == (SECOND,):
            return "second derivative only"
        return "gradient only" if self.is_of_gradient else ""

    @property
    def severity(self) -> tuple[int, int]:
        """The rank of its worst verdict, and the number of findings."""
        return kind_of(self.verdicts[0]).rank, self.count


@dataclass
class Tally:
    """What was asked of one function.

    Attributes:
        questions: the number of questions that were judged.
        findings: the number of findings, those that are known or shared not among them.
        settled: the number of findings that are known or shared.
        unclaimed: the number of questions that it does not claim.
        unjudged: options that it takes and that no number was judged with, each with the reason.
    """

    questions: int = 0
    findings: int = 0
    settled: int = 0
    unclaimed: int = 0
    unjudged: dict[str, str] = field(default_factory=dict)


class Causes(list[Cause]):
    """The causes of a run, those of each function together, the worst first.

    Attributes:
        tallies: what was asked of each function, in the order of the run.
    """

    def __init__(self, causes: Iterable[Cause], tallies: dict[Function, Tally]) -> None:
        super().__init__(causes)
        self.tallies = tallies


def causes(
    rows: Iterable[VerdictRow], claimed: Mapping[str, Collection[str]] | None = None
) -> Causes:
    """Return the causes of the findings on users' functions.

    Args:
        rows: verdicts of any run; those on other functions are left out.
        claimed: by the name of a function the options that it takes; an option with which no
            question was asked is then named, too.
    """
    collected = CauseCollector()
    for row in rows:
        collected.add(row)
    return collected.causes(claimed)


class CauseCollector:
    """Takes verdicts one by one, of which it keeps those with a cause."""

    def __init__(self) -> None:
        self._members: dict[Function, _Members] = {}

    def add(self, row: VerdictRow) -> None:
        """Count a verdict, if it is on a user's function."""
        if row.kind == "user":
            function = Function(row.implementation, row.framework, row.operation)
            self._members.setdefault(function, _Members()).add(row)

    def causes(self, claimed: Mapping[str, Collection[str]] | None = None) -> Causes:
        """Return the causes of what came so far; `claimed` is that of the function `causes`."""
        found: list[Cause] = []
        for function, mine in self._members.items():
            mine.name_unjudged((claimed or {}).get(function.name, ()))
            mine_found = list(_causes_of(function, mine))
            many = _SHARE * sum(it.count for it in mine_found if it.kind == "finding")
            found += sorted(mine_found, key=partial(_order, many=many))
        return Causes(found, {function: mine.tally for function, mine in self._members.items()})


def _order(cause: Cause, many: float) -> tuple[int, bool, int, int]:
    """Return a key that is smallest for the worst cause; what explains many comes first."""
    rank, count = cause.severity
    says_it = cause.what.startswith(LOOKS) or kind_of(cause.verdicts[0]).word.startswith(_SAYING)
    is_named = says_it and count >= many
    return _ORDER.index(cause.kind), not is_named, -rank, -count


# --- what was asked of one function ----------------------------------------------------------

_LACKS = "has no "
_MOST_ROWS = 20_000  # of one function and kind; the counts of causes end there


class _Members:
    """The verdicts on one function: the ones with a cause as rows, of others their features."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.rows: dict[CauseKind, list[VerdictRow]] = defaultdict(list)
        self.features: Counter[tuple[str, str]] = Counter()  # of all judged questions
        self._questions: set[tuple[str, str]] = set()
        self._judged: set[str] = set()  # options that a number was judged with
        self._reasons: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, row: VerdictRow) -> None:
        """Count a verdict."""
        kind = kind_of(row.verdict)
        if kind.category == "unsupported":
            self._add_unclaimed(row)
            return
        question = row.case, row.mode
        if question not in self._questions:
            self._questions.add(question)
            self.tally.questions += 1
            self.features.update(_features(row))
        if kind.category == "finding":
            self.tally.settled += row.is_settled
            self.tally.findings += not row.is_settled
            self._keep("settled" if row.is_settled else "finding", row)
        elif row.verdict.startswith(CONVENTION) and not row.verdict.startswith(UNDEFINED):
            self._keep("convention", row)
        elif kind.word in EXPLAINED:
            self._keep("explained", row)
        self._note(row)

    def _keep(self, kind: CauseKind, row: VerdictRow) -> None:
        """Keep a row for the causes; of very many the first ones tell enough."""
        if len(self.rows[kind]) < _MOST_ROWS:
            self.rows[kind].append(row)

    def _add_unclaimed(self, row: VerdictRow) -> None:
        self.tally.unclaimed += row.quantity == "value"
        if row.quantity == "value" and row.note.startswith(NOT_IMPLEMENTED):
            self.rows["unclaimed"].append(row)
            self._note(row)

    def _note(self, row: VerdictRow) -> None:
        """Note whether a number was judged with the options of a question, and why not."""
        if not row.options:
            return
        if _is_number(row):
            self._judged.update(row.options)
            return
        why = message(row) if row.note else "there is no agreed answer"
        why = "an error is due in every question with it" if row.verdict == "refused" else why
        for option in row.options:
            self._reasons[option][why] += 1

    @property
    def partly(self) -> frozenset[str]:
        """The options that some questions have, and others have not."""
        asked = self.tally.questions
        counted = self.features.items()
        return frozenset(it for (name, it), count in counted if name == "option" and count < asked)

    def name_unjudged(self, claimed: Collection[str]) -> None:
        """Name the options that no number was judged with."""
        for option, reasons in self._reasons.items():
            if option not in self._judged:
                ((why, _),) = reasons.most_common(1)
                self.tally.unjudged[option] = why
        for option in sorted(set(claimed) - self._judged - set(self._reasons)):
            self.tally.unjudged[option] = "no question was asked with it"


def _is_number(row: VerdictRow) -> bool:
    """Return whether a number was compared with the right one."""
    return bool(row.exact) and not row.verdict.startswith((UNDEFINED, "accepted"))


def _features(row: VerdictRow) -> list[tuple[str, str]]:
    """Return the properties of a question that a cause may be confined to."""
    axes = row.shape.count("x") + 1
    return [
        ("dtype", row.dtype),
        ("axes", f"{axes} {'axis' if axes == 1 else 'axes'}"),
        ("target", f"{row.target_kind} targets"),
        *(("option", option) for option in row.options),
    ]


# --- causes of one function ------------------------------------------------------------------


_NAMED: tuple[tuple[CauseKind, Callable[[VerdictRow], str]], ...] = (
    ("explained", explanation),
    ("convention", convention),
    ("unclaimed", not_claimed),
)


def _causes_of(function: Function, mine: _Members) -> Iterator[Cause]:
    for kind in ("finding", "settled"):
        named, others = by_mistake(mine.rows[kind], mine.partly)
        following = [*mine.rows["convention"], *(it for it in others if _is_unwanted(it))]
        others = list(without_consequences(named, others, following))
        for name, rows in named.items():
            yield _cause(function, kind, LOOKS + name, rows, mine)
        of_value = {(row.case, row.mode) for row in others if row.quantity == "value"}
        for what, rows in grouped(others, partial(finding, of_value=of_value)).items():
            yield _cause(function, kind, what, rows, mine)
    for said, words in _NAMED:
        for what, rows in grouped(mine.rows[said], words).items():
            yield _cause(function, said, what, rows, mine)


def _is_unwanted(row: VerdictRow) -> bool:
    return row.verdict.startswith(UNWANTED)


def _cause(
    function: Function, kind: CauseKind, what: str, rows: list[VerdictRow], mine: _Members
) -> Cause:
    verdicts = sorted({row.verdict for row in rows}, key=lambda it: -kind_of(it).rank)
    quantities = {row.quantity for row in rows}
    return Cause(
        function,
        kind,
        what,
        _confined(what, rows, mine),
        tuple(sorted(quantities, key=lambda it: (it != "value", it))),
        tuple(verdicts),
        tuple(sorted({row.shared for row in rows if row.shared})),
        len(rows),
        _shown(kind, rows),
    )


def _shown(kind: CauseKind, rows: Sequence[VerdictRow]) -> VerdictRow:
    """Return the row by which a cause is shown: the plainest one.

    Where lost digits explain a large part of a number, it is the one that lost the most: the bound
    of a long sum in 16 bits is so wide that a number may be half the right one.
    """
    worst = max(rows, key=_lost)
    if kind == "explained" and _lost(worst) > _LARGE:
        return worst
    return min(rows, key=lambda row: (row.verdict == "accepted", plainness(row)))


def _lost(row: VerdictRow) -> float:
    """Return the part of the right number by which the given one differs; 0 where it is no part."""
    try:
        right, given = float(row.exact), float(row.got)
    except ValueError:
        return 0.0
    part = abs(given - right) / abs(right) if right else 0.0
    return part if math.isfinite(part) else 0.0


def _confined(what: str, rows: Sequence[VerdictRow], mine: _Members) -> str:
    """Return what all questions of a cause have in common, and some others have not."""
    questions = {(row.case, row.mode): row for row in rows}
    here: dict[str, Counter[str]] = defaultdict(Counter)
    for row in questions.values():
        for name, value in _features(row):
            here[name][value] += 1
    everywhere: dict[str, set[str]] = defaultdict(set)
    for name, value in mine.features:
        everywhere[name].add(value)
    asked = mine.tally.questions
    parts: list[str] = []
    for name, values in here.items():
        if name == "option":
            # One counts that all questions of the cause have, and not all of the function.
            shown = [
                it
                for it, count in values.items()
                if count == len(questions) and mine.features[name, it] < asked and it not in what
            ]
        else:
            # Other features count if most questions that have them are of the cause.
            with_them = sum(mine.features[name, it] for it in values)
            is_confined = everywhere[name] - set(values) and 2 * len(questions) >= with_them
            shown = sorted(values, key=dtype_order) if is_confined else []
        parts += [_and(shown)] if shown else []
    return ", ".join(parts)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
