"""Count which main functions agree with each other, by the fingerprints of their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..harness.runfile import AccuracyView
from ..harness.verdicts import kind_of
from .members import EAGER, Field, Member, Point
from .survey import dtype_order

_EASY = "float32"  # the dtype of an example, if it has one
_SAME, _RIGHT, _DIFFER = "same", "right", "differ"


@dataclass(frozen=True)
class Pair:
    """The answers of two functions to the questions that both were asked.

    Attributes:
        same: how many have the same bits.
        right: how many have other bits, and both are right.
        differ: the others.
        dtypes: how many of these are in each dtype.
        example: one of these, in float32 if there is one.
    """

    same: int
    right: int
    differ: int
    dtypes: tuple[tuple[str, int], ...] = field(default=(), compare=False)
    example: Point | None = field(default=None, compare=False)

    @property
    def asked(self) -> int:
        """The number of answers that are compared."""
        return self.same + self.right + self.differ

    @property
    def look(self) -> str:
        """The class of the cell: `alike` if all bits are the same, `apart` if some differ."""
        if self.differ:
            return "apart"
        return "alike" if self.asked and not self.right else "right"


@dataclass(frozen=True)
class AgreementLine:
    """One group of functions of a framework with the same bits in every answer.

    Attributes:
        framework: name of the framework.
        names: the functions.
        pairs: the comparison with each line before this one.
    """

    framework: str
    names: tuple[str, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class AgreementTable:
    """Who agrees with whom in one operation with one kind of target.

    Attributes:
        operation, target_kind: the operation, and the kind of its target.
        lines: the functions, of which each is compared with those before it.
        ways: compiled functions, by their mode, and the comparison with themselves in eager mode;
            functions that compare alike are together.
    """

    operation: str
    target_kind: str
    lines: tuple[AgreementLine, ...]
    ways: tuple[tuple[str, tuple[str, ...], Pair], ...]


Answers = Mapping[Point, AccuracyView]


def agreement_table(field: Field) -> AgreementTable | None:
    """Return the table of an operation with one kind of target; None with nothing to compare."""
    eager = {it: points for it, points in field.answers.items() if it.way.startswith(EAGER)}
    groups = _groups(eager)
    lines = []
    for number, group in enumerate(groups):
        pairs = tuple(_pair(eager[group[0]], eager[other[0]]) for other in groups[:number])
        names = tuple(it.name + it.way.removeprefix(EAGER) for it in group)
        lines.append(AgreementLine(group[0].framework, names, pairs))
    ways = tuple(_ways(field, eager))
    if len(lines) < 2 and not ways:
        return None
    return AgreementTable(field.operation, field.target_kind, tuple(lines), ways)


def _groups(answers: Mapping[Member, Answers]) -> list[list[Member]]:
    """Return the functions; those of a framework with the same bits everywhere are together."""
    groups: dict[tuple[object, ...], list[Member]] = {}
    for member in sorted(answers):
        points = answers[member]
        bits = tuple(
            (point, row.fingerprint or row.verdict) for point, row in sorted(points.items())
        )
        groups.setdefault((member.framework, member.way, bits), []).append(member)
    return list(groups.values())


def _ways(
    field: Field, eager: Mapping[Member, Answers]
) -> Iterator[tuple[str, tuple[str, ...], Pair]]:
    alike: dict[tuple[str, Pair], list[str]] = {}
    for member in sorted(set(field.answers) - set(eager)):
        mode, _, device = member.way.partition(" ")
        plain = member._replace(way=f"{EAGER} {device}".rstrip())
        if plain in eager:
            pair = _pair(field.answers[member], eager[plain])
            alike.setdefault((mode, pair), []).append(member.name)
    for (mode, pair), names in sorted(alike.items(), key=lambda item: (item[0][0], item[1])):
        yield mode, tuple(names), pair


def _pair(left: Answers, right: Answers) -> Pair:
    shared = left.keys() & right.keys()
    kinds = {point: _compared(left[point], right[point]) for point in shared}
    counts = Counter(kinds.values())
    apart = [point for point, kind in kinds.items() if kind == _DIFFER]
    dtypes = Counter(left[point].dtype for point in apart)
    first = min(apart, key=lambda it: (left[it].dtype != _EASY, len(it.case), it), default=None)
    told = tuple(sorted(dtypes.items(), key=lambda it: dtype_order(it[0])))
    return Pair(counts[_SAME], counts[_RIGHT], counts[_DIFFER], told, first)


def _compared(left: AccuracyView, right: AccuracyView) -> str:
    if left.fingerprint and left.fingerprint == right.fingerprint:
        return _SAME
    both = [kind_of(row.verdict).category == "agrees" for row in (left, right)]
    return _RIGHT if all(both) else _DIFFER
