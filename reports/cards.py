"""Compute the cards of the page: one for each cause of findings, with its answers and its command.

A card says what is wrong, where it is discussed, on which smallest input it shows, what every
library gives on that input, what it touches, and how it is repeated.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..cases.ledger import Entry, ledger
from ..harness.causes import (
    FindingCause,
    Section,
    Touched,
    causes_of_findings,
    label_of,
    library_rank,
)
from ..harness.runfile import RunFile, VerdictRow
from ..outputs import shown
from .commands import parts_for
from .examples import Example, examples_of
from .legend import mark_of
from .numbers import count, counted
from .survey import KINDS, Survey, dtype_order

HEADLINES = 5
_LINK = re.compile(r"https?://[^\s;,]+")
_LOOKS = "looks like: "
_UNREPORTED = "to be reported"
_SCRIPTS = "docs/to_report"
_LONGEST = 120  # characters of an anchor
_FEW = 2  # dtypes that a title names


@dataclass(frozen=True)
class Card:
    """One cause of findings, as the page and the terminal tell it.

    Attributes:
        id: the id of the cause.
        section: what it is told with.
        title: the cause in a few words, without the names of libraries.
        reason: why it happens; empty if nobody has said it.
        is_reported: whether it is discussed or documented anywhere; new ones are not.
        link: the address of that, or of the same fault elsewhere; empty for none.
        source: where it is documented, if that has no address.
        script: the path of a script to report it with, in this project; empty for none.
        versions: since when or until when it is so; empty if that is not known.
        libraries: the libraries whose functions it touches.
        functions, modes, dtypes, quantities, verdicts, operations: with the number of findings.
        count: the number of findings.
        everyday: how many of them are on everyday inputs in float32 or float64, see `concern_of`.
        plainest: the finding that is easiest to read.
        command_parts: the command that repeats it, in parts.
        example: the smallest input; None if the run has none.
    """

    id: str
    section: Section
    title: str
    reason: str
    is_reported: bool
    link: str
    source: str
    script: str
    versions: str
    libraries: tuple[str, ...]
    functions: tuple[tuple[Touched, int], ...]
    operations: tuple[tuple[str, int], ...]
    modes: tuple[tuple[str, int], ...]
    dtypes: tuple[tuple[str, int], ...]
    quantities: tuple[tuple[str, int], ...]
    verdicts: tuple[tuple[str, int], ...]
    count: int
    everyday: int
    plainest: VerdictRow
    command_parts: tuple[str, ...]
    example: Example | None = None

    @property
    def is_of_one(self) -> bool:
        """Whether its title names the one function that shows it."""
        return self.look == "new" and len(self.functions) == 1

    @property
    def many(self) -> str:
        """The number of its findings, those on recipes and on textbook formulas apart."""
        kinds: Counter[str] = Counter()
        for touched, number in self.functions:
            kinds[touched.kind] += number
        names = {"recipe": "on recipes", "textbook": "on textbook formulas"}
        if len(kinds) == 1:
            return counted(self.count, "finding")
        others = [f"{count(kinds[kind])} {said}" for kind, said in names.items() if kinds[kind]]
        own = sum(number for kind, number in kinds.items() if kind not in names)
        parts = [counted(own, "finding"), *others] if own else others
        return parts[0] + "".join(f", {part}" for part in parts[1:])

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The libraries that show it, though not on its example."""
        if self.example is None or self.section == "textbook":
            return ()
        here = {given.implementation for given in self.example.given if given.is_wrong}
        shown = {it.library for it, _ in self.functions if it.name in here}
        shown |= {given.library for given in self.example.given if given.is_wrong}
        named = {it.library for it, _ in self.functions if it.kind == "native"}
        return tuple(sorted(named - shown, key=lambda it: (library_rank(it), it)))

    @property
    def command(self) -> str:
        """The command that repeats it, in one line."""
        return " ".join(self.command_parts)

    @property
    def look(self) -> str:
        """Whether it looks new or known."""
        return "new" if self.section == "new" else "known"

    @property
    def anchor(self) -> str:
        """Its place on the page, by which an address can name it."""
        return "cause-" + re.sub(r"[^a-z0-9]+", "-", self.id.lower())[:_LONGEST]

    @property
    def sifted(self) -> dict[str, str]:
        """What the filters of the page compare, by the name of the filter; `|` stands between."""
        rows = [touched for touched, _ in self.functions]
        found = {
            "framework": {label_of(touched.name, touched.framework) for touched in rows},
            "kind": {touched.kind for touched in rows},
            "operation": {name for name, _ in self.operations},
            "dtype": {name for name, _ in self.dtypes},
            "way": {name for name, _ in self.modes},
        }
        return {name: "|".join(sorted(values)) for name, values in found.items()}

    @property
    def sentence(self) -> str:
        """The cause with the libraries that show it."""
        said = self.title if self.is_of_one else f"{self.title} in {_and(self.libraries)}"
        if not self.reason.startswith(_LOOKS):
            return said
        return f"{said}, which looks like {self.reason.removeprefix(_LOOKS)}"


def cards(survey: Survey) -> list[Card]:
    """Return the cards of the findings on functions of frameworks, the worst first.

    Args:
        survey: the surveyed runs; of several that show a cause, the last one gives the example.
    """
    runs = {id(found.row): found.run for found in survey.findings}
    examples = examples_of(survey.runs)
    return [
        _card(cause, shown(runs[id(cause.plainest)].path), examples.get(cause.id))
        for cause in causes_of_findings(found.row for found in survey.findings)
    ]


def cards_of(rows: Iterable[VerdictRow], run: RunFile) -> list[Card]:
    """Return the cards of some verdicts of one run, the worst first.

    Args:
        rows: the verdicts, which are not kept.
        run: the run that has them.
    """
    examples = examples_of([run])
    return [
        _card(cause, shown(run.path), examples.get(cause.id)) for cause in causes_of_findings(rows)
    ]


def headline_causes(cards: Sequence[Card], limit: int = HEADLINES) -> list[Card]:
    """Return the cards that a page begins with as sentences, the worst first.

    New ones come first, then those of functions that frameworks ship, and at the end the worst of
    invalid input. Textbook formulas are left out, unless nothing else is wrong.

    Args:
        cards: the cards of a run.
        limit: the largest number of sentences.

    >>> headline_causes([])
    []
    """
    main = [card for card in cards if card.section in ("new", "native")]
    others = [card for card in cards if card.section in ("recipe", "invalid")]
    if not main:
        return list((others or cards)[:limit])
    return [*main[:limit], *(card for card in cards if card.section == "invalid")][: limit + 1]


# --- one card --------------------------------------------------------------------------------


def _card(cause: FindingCause, run: str, example: Example | None) -> Card:
    entries = {entry.id: entry for entry in ledger()}
    entry = entries.get(cause.id) if cause.is_known else None
    source = entry.source if entry else ""
    link = _LINK.search(source)
    is_reported = bool(source) and not source.startswith(_UNREPORTED)
    functions = sorted(cause.functions.items(), key=lambda it: (_kind_rank(it[0]), -it[1], it[0]))
    return Card(
        cause.id,
        cause.section,
        (entry and entry.title) or _title(cause),
        entry.reason if entry else _reason_of_new(cause),
        is_reported,
        link.group() if link else "",
        source if is_reported and not link else "",
        f"{_SCRIPTS}/{cause.id}.py" if entry and not is_reported else "",
        _versions(entry) if entry else "",
        _names_of(cause),
        tuple(functions),
        _often(cause.operations),
        _often(cause.modes),
        tuple(sorted(cause.dtypes.items(), key=lambda it: dtype_order(it[0]))),
        _often(cause.quantities),
        _often(cause.verdicts),
        cause.count,
        cause.everyday,
        cause.plainest,
        tuple(parts_for(cause.plainest, run)),
        example,
    )


def _names_of(cause: FindingCause) -> tuple[str, ...]:
    """Return its libraries as users call them: SciPy is one of its own."""
    told = [it for it in cause.functions if it.library in cause.libraries]
    own = [it for it in told if it.kind == "native"] or told
    names = {label_of(it.name, it.framework): library_rank(it.library) for it in own}
    return tuple(sorted(names, key=lambda name: (names[name], name)))


def _kind_rank(touched: Touched) -> int:
    return KINDS.index(touched.kind) if touched.kind in KINDS else len(KINDS)


def _often(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda it: (-it[1], it[0])))


def _title(cause: FindingCause) -> str:
    """Return what is wrong where no entry of the ledger says it, in words."""
    if cause.is_known:
        return cause.id.replace("-", " ")
    row = cause.plainest
    said = {quantity: quantity.replace("_", " ") for quantity in cause.quantities}
    who = row.implementation if len(cause.functions) == 1 else row.operation
    what = f"{who}: {mark_of(row.verdict).word} {_and(tuple(said.values()))}"
    where = [*cause.modes] if "eager" not in cause.modes else []
    if not cause.is_ordinary and len(cause.dtypes) <= _FEW:
        where += sorted(cause.dtypes, key=dtype_order)
    return what + (f" ({', '.join(where)})" if where else "")


def _reason_of_new(cause: FindingCause) -> str:
    row = cause.plainest
    if row.looks_like:
        return _LOOKS + row.looks_like
    return mark_of(row.verdict).sentence


def _versions(entry: Entry) -> str:
    """Return the versions that an entry holds for, in words."""
    since = f"since {entry.package} {entry.since}" if entry.since else ""
    until = f"up to {entry.package} {entry.until}" if entry.until else ""
    return ", ".join(filter(None, (since, until)))


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
