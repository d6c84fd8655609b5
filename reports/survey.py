"""Collect everything that the tables of a report need in one pass over the verdicts.

A run has up to millions of verdicts, so that only counts are kept of most of them, and rows only
of findings and of the worst explained differences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from ..cases.operations import DTYPES
from ..harness.runfile import RunFile, VerdictRow
from ..harness.verdicts import NO_AGREED_ANSWER
from .columns import Column, column_name, column_of
from .legend import mark_of

TEXTBOOK, USER = "textbook", "user"
_REMEMBERED = 1024  # verdicts, of which there are some dozens
KINDS = (USER, "native", "recipe", TEXTBOOK)  # in the order of every list


class Asked(NamedTuple):
    """An implementation of one operation."""

    framework: str
    operation: str
    name: str
    kind: str


class Place(NamedTuple):
    """One cell of the unfiltered matrix."""

    asked: Asked
    column: str
    dtype: str
    way: str


class Judged(NamedTuple):
    """A verdict with the information whether the ledger names it, or the framework shares it."""

    verdict: str
    known: bool


@lru_cache(maxsize=_REMEMBERED)
def _judged(verdict: str, is_settled: bool) -> Judged:
    # Thousands of places count the same verdicts, and share them.
    return Judged(verdict, is_settled)


class Question(NamedTuple):
    """A question that has no agreed answer, or that a convention answers differently."""

    operation: str
    target_kind: str
    column: str
    convention: str
    quantity: str

    @property
    def of_value(self) -> Question:
        """The same question about the value instead of a gradient."""
        return self._replace(quantity="value")


@dataclass
class Tally:
    """The verdicts of one place: the count of each, and the largest error over the bound."""

    counts: Counter[Judged] = field(default_factory=Counter)
    ratio: float | None = None

    def add(self, row: VerdictRow) -> None:
        """Count a row."""
        # A call that is not deterministic has been compared with itself and not with a bound.
        self.counts[_judged(row.verdict, row.is_settled)] += 1
        ratio = None if is_unsteady(row) else row.ratio
        if ratio is not None and (self.ratio is None or ratio > self.ratio):
            self.ratio = ratio


@dataclass(frozen=True)
class Found:
    """A finding with its place, and the run with its case."""

    row: VerdictRow
    place: Place
    run: RunFile


class Example(NamedTuple):
    """What is shown of a cell beside its findings: the worst of each dtype and verdict.

    All verdicts that agree count as one, whose word is empty.
    """

    asked: Asked
    column: str
    dtype: str
    verdict: str


@dataclass
class Explained:
    """The differences of one implementation with one explanation: the worst, and their number."""

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


class _Shared:
    """What thousands of rows repeat, each as one object: a kept row takes a third of the memory."""

    _TEXTS = (
        "case", "operation", "target_kind", "family", "shape", "dtype", "implementation",
        "framework", "kind", "mode", "device", "quantity", "verdict", "ledger", "where", "exact",
        "got", "note", "shared", "looks_like",
    )  # fmt: skip

    def __init__(self) -> None:
        self._texts: dict[str | None, str | None] = {}
        self._options: dict[str, dict[str, Any]] = {}
        self._asked: dict[tuple[str, ...], Asked] = {}
        self._places: dict[tuple[str, ...], Place] = {}

    def place_of(self, row: VerdictRow) -> Place:
        """Return the place of a verdict in the matrix."""
        asked = row.framework, row.operation, row.implementation, row.kind
        column = column_name(row.family, row.case, row.shape)
        key = *asked, column, row.dtype, row.mode, row.device
        place = self._places.get(key)
        if place is None:
            who = self._asked.setdefault(asked, Asked(*asked))
            place = Place(who, column, row.dtype, way_of(row.mode, row.device))
            self._places[key] = place
        return place

    def row(self, row: VerdictRow) -> VerdictRow:
        """Return an equal row that shares its texts with others."""
        texts: dict[str, Any] = {}
        for name in self._TEXTS:
            text = getattr(row, name)
            texts[name] = self._texts.setdefault(text, text)
        options = self._options.setdefault(str(row.options), row.options)
        return replace(row, options=options, **texts)


@dataclass
class Survey:
    """A summary of the verdicts of some runs.

    Attributes:
        runs: the runs.
        places: the cells of the matrix, by place.
        findings: every finding.
        explained: the explained differences except conventions.
        examples: of all other verdicts but `unsupported` the worst of its cell, dtype and verdict.
        unsteady: the verdicts `nondeterministic`.
        cases: the ids of the cases.
        conventions: for each question, the verdict that shows the convention best.
        repeated: the number of rows that were left out because a later run has them too.
    """

    runs: Sequence[RunFile]
    places: dict[Place, Tally] = field(default_factory=dict)
    findings: list[Found] = field(default_factory=list)
    explained: dict[tuple[Asked, str], Explained] = field(default_factory=dict)
    examples: dict[Example, Found] = field(default_factory=dict)
    unsteady: list[VerdictRow] = field(default_factory=list)
    cases: set[str] = field(default_factory=set)
    conventions: dict[Question, VerdictRow] = field(default_factory=dict)
    repeated: int = 0
    _shared: _Shared = field(default_factory=_Shared, repr=False)

    @property
    def columns(self) -> list[Column]:
        """The columns with a verdict, in their order."""
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
        """Count a verdict without storing its row; return its place."""
        place = self._shared.place_of(row)
        tally = self.places.get(place)
        if tally is None:
            tally = self.places[place] = Tally()
        tally.add(row)
        return place

    def add(self, row: VerdictRow, run: RunFile) -> None:
        """Count a verdict, and store its row if a table shows it."""
        place = self.count(row)
        self.cases.add(row.case)
        mark = mark_of(row.verdict)
        if mark.group == "finding":
            self.findings.append(Found(self._shared.row(row), place, run))
            return
        if mark.group != "neutral":
            word = "" if mark.group == "agree" else row.verdict
            example = Example(place.asked, place.column, place.dtype, word)
            found = self.examples.get(example)
            if found is None or _tells(row) > _tells(found.row):
                self.examples[example] = Found(self._shared.row(row), place, run)
        if is_unsteady(row):
            self.unsteady.append(row)
        elif row.verdict.startswith("convention:"):
            question = Question(
                row.operation,
                row.target_kind or "",
                place.column,
                row.verdict.removeprefix("convention:").partition("undefined_")[0] or "undefined",
                row.quantity,
            )
            # Many cases show the same convention; the one that is easiest to read is kept.
            shown = self.conventions.setdefault(question, row)
            self.conventions[question] = max(shown, row, key=_shows)
        elif mark.group == "explained":
            explained = self.explained.setdefault((place.asked, row.verdict), Explained(row))
            explained.add(row, place)


def _shows(row: VerdictRow) -> tuple[bool, bool, bool, int]:
    """Return how well a row shows a convention.

    Best is one without an agreed answer, then a single number, float32, and few options.
    """
    return row.exact == NO_AGREED_ANSWER, not row.where, row.dtype == "float32", -len(row.options)


def _tells(row: VerdictRow) -> tuple[bool, float]:
    """Return how much a row tells of its verdict: one with both numbers, then the largest error."""
    return bool(row.got), row.ratio or 0.0


def filter_none(*values: float | None) -> list[float]:
    """Return the values that are not None."""
    return [value for value in values if value is not None]


def is_unsteady(row: VerdictRow) -> bool:
    """Return whether a verdict is that a repeated call gave other bits, which has no bound."""
    return row.verdict == "nondeterministic"


def dtype_order(dtype: str) -> tuple[int, str]:
    """Return the sort key of a dtype: from float16 to float64, then unknown ones."""
    return DTYPES.index(dtype) if dtype in DTYPES else len(DTYPES), dtype


def options_text(options: dict[str, Any]) -> str:
    """Return options as they are written in a call.

    >>> options_text({"axis": 0, "reduction": "sum"})
    'axis=0, reduction=sum'
    """
    return ", ".join(f"{name}={value}" for name, value in options.items())


def way_of(mode: str, device: str) -> str:
    """Return the mode, with the device if it is not the CPU.

    >>> way_of("eager", "cpu"), way_of("eager", "cuda")
    ('eager', 'eager on cuda')
    """
    return mode if device in ("", "cpu") else f"{mode} on {device}"


def survey(runs: Sequence[RunFile]) -> Survey:
    """Return the survey of some runs; if two judge the same answer, the later one counts."""
    result = Survey(runs)
    # Keys of the later runs. They are added after a whole run, because one run may have several
    # verdicts on one answer. A single run needs no keys, which saves the memory of millions.
    seen: set[tuple[str, ...]] = set()
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
