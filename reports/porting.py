"""Show how to port a call: each operation with its options in each library, as judged code.

For each set of options the function of a library that comes closest to the contract is shown: one
that follows no other convention, then one that the library ships rather than a recipe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..backends.texts import text_of
from ..cases.operations import LANGUAGE_MODELS, OPERATIONS
from ..harness.causes import library_of, library_rank
from ..harness.runfile import AccuracyView
from ..harness.verdicts import CONVENTION, kind_of
from .members import EAGER, VALUE, Field, Member, Point, needs_of

_KINDS = ("native", "recipe")
Options = tuple[str, ...]


@dataclass
class Tally:
    """The verdicts on one quantity over the ordinary cases with some options."""

    right: int = 0
    others: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: str) -> None:
        """Count a verdict."""
        if kind_of(verdict).category == "agrees":
            self.right += 1
        else:
            self.others[verdict] += 1

    @property
    def asked(self) -> int:
        """The number of verdicts."""
        return self.right + self.others.total()

    @property
    def conventions(self) -> int:
        """How many follow another convention."""
        return sum(count for word, count in self.others.items() if word.startswith(CONVENTION))

    @property
    def findings(self) -> int:
        """How many are findings."""
        return sum(
            count for word, count in self.others.items() if kind_of(word).category == "finding"
        )

    @property
    def worst(self) -> str:
        """The most severe verdict; empty for none."""
        words = ["exact"] * bool(self.right) + list(self.others)
        return max(words, key=lambda word: kind_of(word).rank, default="")

    def __str__(self) -> str:
        if not self.asked:
            return "not asked"
        others = [f"{count} {word}" for word, count in self.others.most_common()]
        return ", ".join([f"{self.right} of {self.asked} right", *others])


@dataclass(frozen=True)
class Cell:
    """The function of a library that takes some options.

    Attributes:
        member: the function.
        value, gradient: its verdicts with exactly these options.
    """

    member: Member
    value: Tally
    gradient: Tally


@dataclass(frozen=True)
class PortingLine:
    """One set of options, with the function of each library that takes it."""

    options: Options
    cells: Mapping[str, Cell]

    def instead(self, framework: str) -> Cell | None:
        """Return a function of the same framework that takes them, for a library without one."""
        return next((it for it in self.cells.values() if it.member.framework == framework), None)


@dataclass(frozen=True)
class PortingTable:
    """How an operation with one kind of target is called in each library."""

    operation: str
    target_kind: str
    lines: tuple[PortingLine, ...]


@dataclass(frozen=True)
class Code:
    """The text of a function, with where it is used."""

    name: str
    framework: str
    kind: str
    text: str
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Porting:
    """The tables, all libraries with their frameworks, and the code that the tables name."""

    tables: tuple[PortingTable, ...]
    libraries: Mapping[str, str]
    codes: tuple[Code, ...]

    def place_of(self, name: str) -> int:
        """Return the place of a function among the codes; -1 where its text is not known."""
        return next((at for at, code in enumerate(self.codes) if code.name == name), -1)


def porting_table(found: Field) -> PortingTable | None:
    """Return the table of an operation and kind of target; None if nothing ordinary was asked."""
    asked = {
        member: points
        for member, points in found.answers.items()
        if member.way == EAGER and member.kind in _KINDS
    }
    taken = {member: _options(points) for member, points in asked.items()}
    known = [it for it in OPERATIONS[found.operation].options if it != "reduction"]
    options = [it for it in known if any(it in each for each in taken.values())]
    lines = []
    for chosen in _sets(options, taken.values()):
        cells: dict[str, Cell] = {}
        for member in sorted(asked):
            if taken[member] >= set(chosen):
                cell = _cell(found, member, asked[member], chosen)
                library = library_of(member.name, member.framework)
                if library not in cells or _order(cell, taken) < _order(cells[library], taken):
                    cells[library] = cell
        if any(cell.value.asked for cell in cells.values()):
            lines.append(PortingLine(chosen, cells))
    return PortingTable(found.operation, found.target_kind, tuple(lines)) if lines else None


def porting(tables: Iterable[PortingTable | None]) -> Porting:
    """Return the tables of all operations, with the code of each function that they name."""
    kept = tuple(table for table in tables if table is not None)
    uses: dict[Member, list[str]] = {}
    found: dict[str, str] = {}
    for table in kept:
        for line in table.lines:
            found |= {name: cell.member.framework for name, cell in line.cells.items()}
            for cell in line.cells.values():
                said = f"{table.operation} {table.target_kind}".strip()
                named = uses.setdefault(cell.member, [])
                if said not in named:
                    named.append(said)
    libraries = sorted(found, key=lambda library: (library_rank(library), library))
    return Porting(kept, {name: found[name] for name in libraries}, tuple(_codes(uses)))


def _codes(uses: Mapping[Member, Sequence[str]]) -> Iterator[Code]:
    for member in sorted(uses):
        text = text_of(member.framework, member.name)
        if text is not None:
            yield Code(member.name, member.framework, member.kind, text.code, tuple(uses[member]))


def _options(points: Mapping[Point, AccuracyView]) -> set[str]:
    """Return the options that a function takes: those of the cases that it claims."""
    return set().union(*(needs_of(case) for case in {point.case for point in points}))


def _sets(options: Sequence[str], taken: Iterable[set[str]]) -> Iterator[Options]:
    """Yield no option, each option, and the usual ones that a function takes together."""
    yield ()
    yield from ((option,) for option in options)
    usual = {
        tuple(it for it in options if it in each and it not in LANGUAGE_MODELS) for each in taken
    }
    for together in sorted(usual, key=lambda it: (-len(it), it)):
        if len(together) > 1 and not any(set(together) < set(other) for other in usual):
            yield together


def _cell(
    found: Field, member: Member, points: Mapping[Point, AccuracyView], options: Options
) -> Cell:
    value, gradient = Tally(), Tally()
    for point, row in points.items():
        needs = needs_of(point.case) - {"reduction"}
        if needs == set(options) and found.is_ordinary(point):
            (value if point.quantity == VALUE else gradient).add(row.verdict)
    return Cell(member, value, gradient)


def _order(cell: Cell, taken: Mapping[Member, set[str]]) -> tuple[object, ...]:
    both = (cell.value, cell.gradient)
    asked = sum(tally.asked for tally in both)
    findings = sum(tally.findings for tally in both)
    return (
        cell.value.asked > 0 and not cell.gradient.asked,
        sum(tally.conventions for tally in both) > 0,
        asked > 0 and 2 * findings >= asked,
        _KINDS.index(cell.member.kind),
        findings,
        # The plainest function that is shipped; of recipes the one for all options.
        len(taken[cell.member]) * (1 if cell.member.kind == "native" else -1),
        cell.member.name,
    )
