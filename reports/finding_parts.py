"""Compute the parts of the section of findings: users' functions, new causes, and known ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..harness.causes import Section
from ..harness.runfile import RunFile, VerdictRow
from ..outputs import shown
from .cards import Card
from .cause_lines import place_of, places_of
from .causes import Cause, Function, causes
from .commands import repro_parts
from .examples import Example, examples_of
from .legend import VerdictClass
from .numbers import counted

_TITLES: dict[Section, tuple[str, str]] = {
    "new": ("New", "No entry of the ledger names these: they are new, or your installation's own."),
    "native": ("In functions that libraries ship", "Known, and described in the ledger."),
    "recipe": (
        "In recipes",
        "Compositions of a library's own functions, where it ships none for the purpose.",
    ),
    "invalid": ("Invalid input that raises no error", "A number comes back where an error is due."),
    "textbook": (
        "In textbook formulas",
        "Formulas as tutorials print them, with their known faults.",
    ),
}


@dataclass(frozen=True)
class FindingPart:
    """Cards that are told together.

    Attributes:
        title, about: what they have in common.
        cards: the cards, the worst first.
        look: `new`, or `known`.
        is_folded: whether the part is closed at first.
    """

    title: str
    about: str
    cards: tuple[Card, ...]
    look: str
    is_folded: bool

    @property
    def number(self) -> int:
        """The number of causes."""
        return len(self.cards)


def finding_parts(cards: Sequence[Card]) -> list[FindingPart]:
    """Return the parts of the section, in their order; those without a card are left out."""
    return [
        FindingPart(
            title,
            about,
            mine,
            "new" if section == "new" else "known",
            section == "textbook" and len(mine) < len(cards),
        )
        for section, (title, about) in _TITLES.items()
        if (mine := tuple(card for card in cards if card.section == section))
    ]


@dataclass(frozen=True)
class OwnCause:
    """A cause of findings on one of the user's functions.

    Attributes:
        function: the function.
        title: the cause in words.
        many: the number of findings or answers.
        look: `new` if it is a reason to fail, else `known` or `explained`.
        shared: functions of the framework that show the same.
        plainest: the finding that is easiest to read.
        command: the line that repeats it; empty for what is no finding.
        example: the smallest input; None if the run has none.
    """

    function: Function
    title: str
    many: str
    look: str
    shared: tuple[str, ...]
    plainest: VerdictRow
    command: str
    example: Example | None = None


_LOOKS: dict[str, str | VerdictClass] = {"finding": "new", "settled": "known"}


def own_causes(runs: Sequence[RunFile]) -> list[OwnCause]:
    """Return the causes of findings on users' functions, those of each function together."""
    found: list[OwnCause] = []
    for run in runs:
        mine = causes(run.rows(VerdictRow, "kind = 'user'"))
        examples = examples_of([run]) if mine else {}
        found += [_own(cause, run, examples.get(cause.id)) for cause in mine]
    return sorted(found, key=lambda it: it.look != "new")


def _own(cause: Cause, run: RunFile, example: Example | None) -> OwnCause:
    row = cause.plainest
    is_finding = cause.kind in _LOOKS
    command = ""
    if cause.kind == "finding":
        place = place_of(row.implementation, places_of(run).get(row.framework, ()))
        command = " ".join(repro_parts(row, shown(run.path), place))
    return OwnCause(
        cause.function,
        cause.what + (f", with {cause.where}" if cause.where else ""),
        counted(cause.count, "finding" if is_finding else "answer"),
        _LOOKS.get(cause.kind, "explained"),
        cause.shared,
        row,
        command,
        example,
    )
