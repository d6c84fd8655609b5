"""Compute how accurate each main function is, on one set of cases for all functions of a table.

The tables follow Zimmermann et al., "Accuracy of Mathematical Functions": the median and the worst
error of each function in each dtype, with the input that gives the worst one.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low

from ..harness.runfile import AccuracyView
from ..harness.verdicts import kind_of
from .members import EAGER, Field, Member, Point, quantities_of
from .survey import dtype_order

# The plot shows errors over the bound from 10^-3 to 10^6; smaller and larger ones are at its ends.
_ENOUGH = 8  # cases that suffice to compare functions
_DECADES = (-3, 6)
_WIDTH, _HEIGHT, _MARGIN = 180, 14, 5
_PER_DECADE = (_WIDTH - 2 * _MARGIN) / (_DECADES[1] - _DECADES[0])


@dataclass(frozen=True)
class AccuracyLine:
    """The errors of one function in one dtype; functions with the same bits share a line.

    Attributes:
        framework: name of the framework.
        names: the functions.
        kind: the kind of the first.
        ulp: the median and the worst error in ulp.
        ratio: the median and the worst error over the bound of a sound algorithm.
        without: the number of cases without a number that could be measured.
        within, beyond: the paths of the dots of the plot, up to the bound and beyond it.
        worst: the verdict on the worst case.
        beyond_count: the number of cases beyond the bound.
        cases: the number of cases.
    """

    framework: str
    names: tuple[str, ...]
    kind: str
    ulp: tuple[float, float]
    ratio: tuple[float, float]
    without: int
    within: str
    beyond: str
    worst: AccuracyView
    beyond_count: int
    cases: int

    @property
    def about(self) -> str:
        """What the plot shows, for readers who do not see it."""
        within = self.cases - self.beyond_count - self.without
        missing = f", {self.without} without a number" if self.without else ""
        return f"{within} within the bound, {self.beyond_count} beyond it{missing}"

    def command(self, run: str) -> str:
        """Return the command that shows the worst case of a run file again."""
        does = "show" if kind_of(self.worst.verdict).category == "agrees" else "repro"
        case = f"--case {self.worst.case}" if does == "show" else self.worst.case
        name = shlex.quote(self.worst.implementation)
        return f"lossdiff {does} {run} {case} --impl {name}"


@dataclass(frozen=True)
class AccuracyPart:
    """The lines of one dtype, on the same cases.

    Attributes:
        dtype: the dtype.
        cases: the number of cases.
        lines: the lines, the smallest worst error first.
        left_out: functions that take too few of the cases, each with the number that it takes.
    """

    dtype: str
    cases: int
    lines: tuple[AccuracyLine, ...]
    left_out: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class AccuracyTable:
    """The accuracy of one quantity of an operation with one kind of target."""

    operation: str
    target_kind: str
    quantity: str
    parts: tuple[AccuracyPart, ...]


def accuracy_tables(field: Field) -> Iterator[AccuracyTable]:
    """Yield the tables of the value and of each gradient, for one kind of target."""
    dtypes = sorted(set(field.dtypes.values()), key=dtype_order)
    for quantity in quantities_of(field):
        parts = [_part(field, quantity, dtype) for dtype in dtypes]
        kept = tuple(part for part in parts if part is not None)
        if kept:
            yield AccuracyTable(field.operation, field.target_kind, quantity, kept)


def _part(field: Field, quantity: str, dtype: str) -> AccuracyPart | None:
    # What compiles is asked few cases, and would leave few for all.
    found = field.members(quantity, dtype)
    asked = {member: cases for member, cases in found.items() if member.way.startswith(EAGER)}
    if not asked:
        return None
    common, left_out = common_cases(asked)
    points = [Point(case, quantity) for case in sorted(common)]
    sharing: dict[tuple[str, ...], list[Member]] = {}
    for member in asked:
        if member not in left_out:
            answers = field.answers[member]
            bits = (answers[point].fingerprint or answers[point].verdict for point in points)
            sharing.setdefault((member.framework, member.way, *bits), []).append(member)
    lines = [
        _line(members, [field.answers[members[0]][point] for point in points])
        for members in sharing.values()
    ]
    lines.sort(key=lambda line: (line.without > 0, line.ratio[1], line.ratio[0], line.names))
    return AccuracyPart(
        dtype,
        len(common),
        tuple(lines),
        tuple((member.name, len(asked[member])) for member in left_out),
    )


def common_cases(asked: Mapping[Member, set[str]]) -> tuple[set[str], list[Member]]:
    """Return the cases that all functions answer, and the functions left out for their sake.

    A function that would leave the others fewer than half of their cases, and fewer than eight, is
    left out.

    Args:
        asked: the cases of each function.
    """
    common: set[str] = set()
    left_out: list[Member] = []
    for member in sorted(asked, key=lambda it: (-len(asked[it]), it)):
        shared = common & asked[member] if common else asked[member]
        if len(shared) < min(len(common) / 2, _ENOUGH):
            left_out.append(member)
        else:
            common = shared
    return common, left_out


def _line(members: Sequence[Member], rows: Sequence[AccuracyView]) -> AccuracyLine:
    measured = [row for row in rows if row.ulp is not None and row.ratio is not None]
    ulps = [row.ulp or 0.0 for row in measured]
    ratios = [row.ratio or 0.0 for row in measured]
    return AccuracyLine(
        members[0].framework,
        tuple(_named(member) for member in members),
        members[0].kind,
        _median_and_worst(ulps, len(rows)),
        _median_and_worst(ratios, len(rows)),
        len(rows) - len(measured),
        dots(ratio for ratio in ratios if ratio <= 1),
        dots(ratio for ratio in ratios if ratio > 1),
        max(rows, key=lambda row: (row.ratio is None, row.ratio or 0.0)),
        sum(ratio > 1 for ratio in ratios),
        len(rows),
    )


def _named(member: Member) -> str:
    return member.name + member.way.removeprefix(EAGER)


def _median_and_worst(errors: Sequence[float], count: int) -> tuple[float, float]:
    # What has no number counts as worse than any error.
    everything = [*errors, *[math.inf] * (count - len(errors))]
    return median_low(everything), max(errors, default=math.nan)


def dots(ratios: Iterable[float]) -> str:
    """Return the path of an SVG that has a dot at each of some errors over the bound.

    Dots at one place are drawn once. Round line ends make a dot of a line without length.

    >>> dots([1.0, 1.0, 0.0])
    'M5 7h0M62 7h0'
    """
    places = sorted({place_of(ratio) for ratio in ratios})
    return "".join(f"M{place} {_HEIGHT // 2}h0" for place in places)


def place_of(ratio: float) -> int:
    """Return where an error over the bound is in the plot, in pixels from the left.

    >>> place_of(0.0), place_of(1.0), place_of(1e30)
    (5, 62, 175)
    """
    low, high = _DECADES
    decade = low if ratio <= 10.0**low else min(math.log10(ratio), high)
    return round(_MARGIN + (decade - low) * _PER_DECADE)


PLOT = {"width": _WIDTH, "height": _HEIGHT, "one": place_of(1.0)}
