"""One walk through the verdicts of a run, or of several: what every table is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..cases.operations import DTYPES
from ..harness.runfile import RunFile, VerdictRow
from ..harness.verdicts import NO_AGREED_ANSWER
from .columns import Column, column_name, column_of
from .legend import mark_of

TEXTBOOK = "textbook"
KINDS = ("user", "native", "recipe", TEXTBOOK)  # in the order in which they are listed


class Asked(NamedTuple):
    """An implementation, as one question's addressee."""

    framework: str
    operation: str
    name: str
    kind: str


class Place(NamedTuple):
    """One cell, before anything is filtered."""

    asked: Asked
    column: str
    dtype: str
    way: str


class Judged(NamedTuple):
    """A verdict, and whether the ledger names it."""

    verdict: str
    known: bool


class Question(NamedTuple):
    """What has no one agreed answer, or another one by convention."""

    operation: str
    target_kind: str
    column: str
    convention: str
    quantity: str

    @property
    def of_value(self) -> Question:
        """The same of the value, where this is of a gradient."""
        return self._replace(quantity="value")


@dataclass
class Tally:
    """What one place holds: how often each verdict, and the worst error over the bound."""

    counts: Counter[Judged] = field(default_factory=Counter)
    ratio: float | None = None

    def add(self, row: VerdictRow) -> None:
        """Count a row."""
        self.counts[Judged(row.verdict, row.known)] += 1
        ratio = None if is_unsteady(row) else row.ratio
        if ratio is not None and (self.ratio is None or ratio > self.ratio):
            self.ratio = ratio


@dataclass(frozen=True)
class Found:
    """A finding, and the run that holds its case."""

    row: VerdictRow
    place: Place
    run: RunFile


@dataclass
class Explained:
    """The rows of one implementation and explanation: the worst, how many, and where."""

    worst: VerdictRow
    count: int = 0
    columns: set[str] = field(default_factory=set)
    dtypes: set[str] = field(default_factory=set)

    def add(self, row: VerdictRow, place: Place) -> None:
        """Count a row."""
        self.count += 1
        self.columns.add(place.column)
        self.dtypes.add(place.dtype)
        if (row.ratio or 0.0) > (self.worst.ratio or 0.0):
            self.worst = row


@dataclass
class Survey:
    """What the verdicts of the runs come to.

    Attributes:
        runs: where they stand.
        places: the cells, by place.
        findings: every finding.
        explained: the explained differences, conventions apart.
        unsteady: the same calls that gave other bits.
        cases: the ids of the cases.
        conventions: for each question where a convention was met, a case that shows it.
        repeated: rows left out because a later run holds them too.
    """

    runs: Sequence[RunFile]
    places: dict[Place, Tally] = field(default_factory=dict)
    findings: list[Found] = field(default_factory=list)
    explained: dict[tuple[Asked, str], Explained] = field(default_factory=dict)
    unsteady: list[VerdictRow] = field(default_factory=list)
    cases: set[str] = field(default_factory=set)
    conventions: dict[Question, VerdictRow] = field(default_factory=dict)
    repeated: int = 0

    @property
    def columns(self) -> list[Column]:
        """The columns that hold a verdict, in order."""
        names = {place.column for place in self.places}
        return sorted(map(column_of, names), key=lambda column: column.order)

    @property
    def asked(self) -> list[Asked]:
        """The implementations: native ones and recipes first, textbook formulas last."""
        found = {place.asked for place in self.places}
        return sorted(found, key=lambda asked: (asked.kind == TEXTBOOK, asked))

    def tally(self, places: Iterable[Place]) -> Tally:
        """Return the sum of some places."""
        total = Tally()
        for place in places:
            here = self.places[place]
            total.counts += here.counts
            total.ratio = max(filter_none(total.ratio, here.ratio), default=None)
        return total

    def count(self, row: VerdictRow) -> Place:
        """Count a verdict, and keep nothing else of it; returns its place."""
        place = place_of(row)
        self.places.setdefault(place, Tally()).add(row)
        return place

    def add(self, row: VerdictRow, run: RunFile) -> None:
        """Take in a verdict."""
        place = self.count(row)
        self.cases.add(row.case)
        mark = mark_of(row.verdict)
        if mark.group == "finding":
            self.findings.append(Found(row, place, run))
        elif is_unsteady(row):
            self.unsteady.append(row)
        elif row.verdict.startswith("convention:"):
            question = Question(
                row.operation,
                row.target_kind or "",
                place.column,
                row.verdict.removeprefix("convention:").partition("undefined_")[0] or "undefined",
                row.quantity,
            )
            shown = self.conventions.setdefault(question, row)
            self.conventions[question] = max(shown, row, key=_shows)
        elif mark.group == "explained":
            found = self.explained.setdefault((place.asked, row.verdict), Explained(row))
            found.add(row, place)


def _shows(row: VerdictRow) -> tuple[bool, bool, bool, int]:
    """Return how well a row shows a convention: best by one number, in float32, plainly."""
    return row.exact == NO_AGREED_ANSWER, not row.where, row.dtype == "float32", -len(row.options)


def filter_none(*values: float | None) -> list[float]:
    """Return the values that are there."""
    return [value for value in values if value is not None]


def is_unsteady(row: VerdictRow) -> bool:
    """Return whether a row says that a call gave other bits; it is held against no bound."""
    return row.verdict == "nondeterministic"


def place_of(row: VerdictRow) -> Place:
    """Return the place of a verdict."""
    asked = Asked(row.framework, row.operation, row.implementation, row.kind)
    column = column_name(row.family, row.case, row.shape)
    return Place(asked, column, row.dtype, way_of(row.mode, row.device))


def dtype_order(dtype: str) -> tuple[int, str]:
    """Return where a dtype stands among its like."""
    return DTYPES.index(dtype) if dtype in DTYPES else len(DTYPES), dtype


def options_text(options: dict[str, Any]) -> str:
    """Return options as a call writes them."""
    return ", ".join(f"{name}={value}" for name, value in options.items())


def way_of(mode: str, device: str) -> str:
    """Return how a framework ran: the mode, and the device where it is not the CPU."""
    return mode if device in ("", "cpu") else f"{mode} on {device}"


def survey(runs: Sequence[RunFile]) -> Survey:
    """Walk through the verdicts; where two runs hold the same one, the later run counts."""
    result = Survey(runs)
    seen: set[tuple[str, ...]] = set()  # in later runs; one run may judge an answer in many ways
    for run in reversed(runs):
        here: set[tuple[str, ...]] = set()
        for row in run.rows(VerdictRow):
            if len(runs) > 1:
                key = (
                    row.case,
                    row.framework,
                    row.implementation,
                    row.mode,
                    row.device,
                    row.quantity,
                )
                if key in seen:
                    result.repeated += 1
                    continue
                here.add(key)
            result.add(row, run)
        seen |= here
    return result
