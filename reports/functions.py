"""Tell all that a run has of one function in one place: shares, causes, accuracy, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..harness.causes import label_of, library_of, library_rank
from .accuracy import AccuracyLine, AccuracyTable
from .cards import Card
from .numbers import ratio, three
from .survey import TEXTBOOK, Asked, Place, Survey
from .tables import ExplainedLine, Shares, shares_of


class Measured(NamedTuple):
    """What the accuracy of a function is measured on."""

    operation: str
    target_kind: str
    quantity: str


@dataclass(frozen=True)
class InDtype:
    """The accuracy of a function in one dtype, as the tables of accuracy have it."""

    dtype: str
    line: AccuracyLine

    @property
    def said(self) -> str:
        """The errors in words."""
        ulps = f"median {three(self.line.ulp[0])}, worst {three(self.line.ulp[1])} ulp"
        missing = f", {self.line.without} without a number" if self.line.without else ""
        return f"{ulps}, {ratio(self.line.ratio[1])} times the bound{missing}"


@dataclass(frozen=True)
class Told:
    """One function, with all that the page has of it.

    Attributes:
        name, framework, kind: the function.
        library: the package that its users know.
        operations: the operations that it was asked.
        shares: the verdicts on it.
        causes: what is wrong with it, each with the number of its findings.
        explained: its explained differences, the largest error over the bound first.
        measured: its accuracy, in each dtype.
    """

    name: str
    framework: str
    kind: str
    library: str
    operations: tuple[str, ...]
    shares: Shares
    causes: tuple[tuple[Card, int], ...]
    explained: tuple[ExplainedLine, ...]
    measured: Mapping[Measured, Sequence[InDtype]]


def functions(
    survey: Survey,
    cards: Sequence[Card],
    explained: Iterable[ExplainedLine],
    accuracy: Iterable[AccuracyTable],
) -> dict[str, list[Told]]:
    """Return the functions of a run by library; textbook formulas have a section of their own.

    Args:
        survey: the surveyed runs.
        cards: the causes of findings.
        explained: the explained differences.
        accuracy: the tables of accuracy.
    """
    places: dict[tuple[str, str, str], list[Place]] = {}
    for place in survey.places:
        it = place.asked
        if it.kind != TEXTBOOK:
            places.setdefault((it.framework, it.name, it.kind), []).append(place)
    reasons: dict[tuple[str, str], list[ExplainedLine]] = {}
    for line in explained:
        reasons.setdefault((line.asked.framework, line.asked.name), []).append(line)
    sizes: dict[tuple[str, str], dict[Measured, list[InDtype]]] = {}
    for name, measured, found_in in _measured(accuracy):
        mine_in = sizes.setdefault((found_in.line.framework, name), {})
        mine_in.setdefault(measured, []).append(found_in)
    found = [
        Told(
            name,
            framework,
            kind,
            label_of(name, framework),
            tuple(sorted({place.asked.operation for place in mine})),
            shares_of(survey, mine),
            tuple(_causes(cards, mine[0].asked)),
            tuple(reasons.get((framework, name), ())),
            sizes.get((framework, name), {}),
        )
        for (framework, name, kind), mine in places.items()
    ]
    told: dict[str, list[Told]] = {}
    for one in sorted(found, key=_order):
        if one.shares.judged:
            told.setdefault(one.library, []).append(one)
    return told


def _order(told: Told) -> tuple[object, ...]:
    library = library_of(told.name, told.framework)
    return library_rank(library), told.library, told.kind == "recipe", told.name


def _causes(cards: Sequence[Card], asked: Asked) -> Iterator[tuple[Card, int]]:
    for card in cards:
        for touched, number in card.functions:
            if (touched.name, touched.framework) == (asked.name, asked.framework):
                yield card, number


def _measured(tables: Iterable[AccuracyTable]) -> Iterator[tuple[str, Measured, InDtype]]:
    for table in tables:
        for part in table.parts:
            for line in part.lines:
                about = Measured(table.operation, table.target_kind, table.quantity)
                for name in line.names:
                    yield name, about, InDtype(part.dtype, line)
