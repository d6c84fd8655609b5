"""Read the answers to an operation, to compare functions with each other.

The main functions are those that a framework ships, a user's own, and, where a framework ships
none for a kind of target, the recipes that stand for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..cases.faultless import without_fault
from ..cases.model import Case
from ..cases.operations import BUILT_IN
from ..harness.runfile import AccuracyView, RunFile
from ..harness.verdicts import UNDEFINED, kind_of
from .survey import TEXTBOOK, way_of

# Verdicts about more than one answer, which stand beside the verdict on the answer itself.
BESIDE = ("relation", "nondeterministic", "mutates", "spoils")
_ASKED = "operation = ? AND kind != ? AND verdict != 'unsupported'"
_REMEMBERED = 2**14  # cases; those of one operation are looked at several times
_FIRST = "cross_entropy"  # what most readers look for
EAGER = "eager"
VALUE = "value"
_BY_TARGET = "gradient_target"  # which no training goes on with


class Member(NamedTuple):
    """One function in one mode on one device."""

    framework: str
    name: str
    kind: str
    way: str


class Point(NamedTuple):
    """One array that functions answer."""

    case: str
    quantity: str


@dataclass
class Field:
    """The answers of all functions but textbook formulas to one operation and kind of target.

    Attributes:
        operation: the operation.
        target_kind: the kind of the target; empty for none.
        answers: the verdict on each array, by the function and the array.
        dtypes: the dtype of each case.
    """

    operation: str
    target_kind: str
    answers: dict[Member, dict[Point, AccuracyView]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)

    def drop_recipes(self) -> None:
        """Drop the recipes of frameworks that ship a function for this kind of target."""
        shipping = {it.framework for it in self.answers if it.kind == "native"}
        for member in [it for it in self.answers if it.kind == "recipe"]:
            if member.framework in shipping:
                del self.answers[member]

    def members(self, quantity: str, dtype: str) -> dict[Member, set[str]]:
        """Return the cases of one dtype that each function answers with one quantity.

        Only ordinary questions count, which have one agreed answer that is a number.
        """
        found = {
            member: {
                point.case
                for point in points
                if point.quantity == quantity and self.dtypes[point.case] == dtype
            }
            for member, points in self.answers.items()
        }
        asked = set().union(*found.values())
        ordinary = {case for case in asked if self.is_ordinary(Point(case, quantity))}
        return {member: cases & ordinary for member, cases in found.items() if cases & ordinary}

    def is_ordinary(self, point: Point) -> bool:
        """Return whether there is one agreed answer to a question, which is a number."""
        given = [points[point].verdict for points in self.answers.values() if point in points]
        return not any(it.startswith(UNDEFINED) for it in given) and _is_faultless(point.case)


def quantities_of(found: Field) -> list[str]:
    """Return the quantities that were judged, the value first."""
    asked = {point.quantity for points in found.answers.values() for point in points}
    return sorted(asked, key=lambda quantity: (quantity != VALUE, quantity))


def _is_shown(quantity: str) -> bool:
    """Return whether a quantity is the value, or a gradient that training goes on with."""
    return quantity == VALUE or (quantity.startswith("gradient_") and quantity != _BY_TARGET)


@lru_cache(maxsize=_REMEMBERED)
def _is_faultless(case: str) -> bool:
    try:
        return without_fault(Case.parse(case)) is None
    except ValueError:  # its arrays come from a file, and nothing is known of them
        return True


@lru_cache(maxsize=_REMEMBERED)
def needs_of(case: str) -> frozenset[str]:
    """Return the options that a function must have to answer a case; see `Case.needs`."""
    try:
        return Case.parse(case).needs
    except ValueError:
        return frozenset()


def fields(runs: Sequence[RunFile]) -> Iterator[Field]:
    """Yield the answers by operation and kind of target, those of cross-entropy first.

    The answers of one operation are in memory at a time.

    Args:
        runs: run files; if two contain the same answer, that of the later one counts.
    """
    for operation in sorted(BUILT_IN, key=lambda name: name != _FIRST):
        found: dict[str, Field] = {}
        for run in runs:
            for row in run.rows(AccuracyView, _ASKED, (operation, TEXTBOOK)):
                if _is_shown(row.quantity) and kind_of(row.verdict).word not in BESIDE:
                    kind = row.target_kind or ""
                    here = found.setdefault(kind, Field(operation, kind))
                    way = way_of(row.mode, row.device)
                    member = Member(row.framework, row.implementation, row.kind, way)
                    here.answers.setdefault(member, {})[Point(row.case, row.quantity)] = row
                    here.dtypes[row.case] = row.dtype
        for kind in ("", *BUILT_IN[operation].targets):
            if kind in found:
                yield found[kind]
