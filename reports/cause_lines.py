"""Say the causes of findings on users' functions in lines of at most 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..cases.checked import decoded
from ..harness.runfile import RunFile, VerdictRow
from ..harness.verdicts import CONVENTION, UNWANTED
from .cause_names import SECOND
from .causes import Cause, Causes, Function, Tally
from .commands import repro_parts, shortened, wrapped
from .legend import VerdictClass
from .numbers import counted

Places = Mapping[str, Sequence[str]]
NOWHERE: Places = MappingProxyType({})
WIDTH = 80
_ONLY_AXES = re.compile(r"(?<!\d)[013-9] ax[ei]s\b")  # of two every function is made
_BY_HAND = (
    "a backward pass written by hand: mark it @once_differentiable, or write it so that it can "
    "be differentiated"
)
_SHOWN = 6  # causes of one function; the further ones are counted
_GROUPS: dict[str, VerdictClass] = {
    "finding": "finding", "settled": "explained", "explained": "explained",
    "convention": "explained", "unclaimed": "neutral",
}  # fmt: skip


class CauseLine(NamedTuple):
    """A line of text; the first one of a cause has the class of its verdict."""

    text: str
    group: VerdictClass | None = None


def lines_of(
    causes: Causes, run: str = "RUN.sqlite", width: int = WIDTH, places: Places = NOWHERE
) -> list[str]:
    """Return the causes of findings as lines of plain text.

    Args:
        causes: the causes.
        run: the run file as it is named in the line that repeats a finding; empty leaves that line
            out.
        width: columns, at least 40.
        places: the files and modules of the functions, by framework, which that line names.

    Returns:
        A line for each function with the number of its questions, then its causes, the worst
        first: what it is, the right number and the given one, and how it is repeated.
    """
    return [line.text for line in cause_lines(causes, run, width, places)]


def places_of(run: RunFile) -> dict[str, tuple[str, ...]]:
    """Return the files and modules of the user's functions in a run, by framework."""
    return decoded(run.meta.get("implementations") or "{}", dict[str, tuple[str, ...]])


def claimed_of(run: RunFile) -> dict[str, tuple[str, ...]]:
    """Return the options that the user's functions in a run take, by their names."""
    return decoded(run.meta.get("claimed") or "{}", dict[str, tuple[str, ...]])


def cause_lines(
    causes: Causes, run: str, width: int = WIDTH, places: Places = NOWHERE
) -> Iterator[CauseLine]:
    """Yield the lines of `lines_of` with the class of each."""
    yield from _whole(causes, width)
    for function, tally in _worst_first(causes):
        mine = [cause for cause in causes if cause.function == function]
        group: VerdictClass = "finding" if tally.findings else "agree"
        yield from _wrapped(_head(function, tally, mine), width, "", group)
        for option, reason in tally.unjudged.items():
            yield from _wrapped(f"{option}: not judged, because {reason}", width, "  ", None)
        for cause in mine[:_SHOWN]:
            yield from _cause(cause, run, width, places)
        if len(mine) > _SHOWN:
            yield CauseLine(f"  and {counted(len(mine) - _SHOWN, 'further cause')}")


def _worst_first(causes: Causes) -> list[tuple[Function, Tally]]:
    """Return the functions: those that fail first, the worst of them before the others."""

    def rank(item: tuple[Function, Tally]) -> tuple[int, int]:
        worst = _worst_of(causes, item[0])
        return (-worst.severity[0], -item[1].findings) if worst else (1, 0)

    return sorted(causes.tallies.items(), key=rank)


def _worst_of(causes: Causes, function: Function) -> Cause | None:
    return next((it for it in causes if it.function == function and it.kind == "finding"), None)


def _whole(causes: Causes, width: int) -> Iterator[CauseLine]:
    """Yield a line about all functions, if they are several."""
    tallies = causes.tallies.values()
    if len(tallies) < 2:
        return
    failing = sum(tally.findings > 0 for tally in tallies)
    asked = f"{sum(tally.questions for tally in tallies):,} questions"
    failed = f"{failing} of {len(tallies)} functions {'fails' if failing == 1 else 'fail'}"
    result = failed if failing else f"all {len(tallies)} functions pass"
    yield from _wrapped(f"{result} ({asked})", width, "", "finding" if failing else "agree")


def _head(function: Function, tally: Tally, mine: list[Cause]) -> str:
    number = sum(cause.kind == "finding" for cause in mine)
    found = counted(tally.findings, "finding") if tally.findings else "no finding"
    parts = [f"{found} of {counted(number, 'cause')}" if tally.findings else found]
    if tally.settled:
        parts.append(f"{tally.settled:,} known or shared with the framework")
    if tally.unclaimed:
        parts.append(f"{tally.unclaimed:,} not claimed")
    questions = counted(tally.questions, "question")
    if not tally.questions:
        return f"{function.name} ({function.operation}): no question, {', '.join(parts)}"
    result = "fails" if tally.findings else "passes"
    return f"{function.name} ({function.operation}) {result}: {questions}, {', '.join(parts)}"


def _cause(cause: Cause, run: str, width: int, places: Places) -> Iterator[CauseLine]:
    row = cause.plainest
    where = f", with {cause.where}" if cause.where else ""
    many = counted(cause.count, "finding" if cause.kind in ("finding", "settled") else "answer")
    # Where a value is right, and the gradient alone follows a convention, the head has to say so.
    only = f", {cause.only}" if cause.kind == "convention" and cause.only else ""
    head = f"{cause.what}{where} ({many}{only})"
    yield from _wrapped(head, width, "  ", _GROUPS[cause.kind])
    if cause.shared:
        yield from _wrapped(f"so does {', '.join(cause.shared)}", width, "    ", None)
    # What the framework shows, too, is no fault of the function: one example is enough.
    is_theirs = bool(cause.shared) and cause.kind == "settled"
    if is_theirs:
        yield from _wrapped(f"such as {row.case}", width, "    ", None)
    if cause.kind == "explained":
        example = f"such as {row.case}: {measured(row)}"
        yield from _wrapped(example, width, "    ", None)
    if is_theirs or cause.kind in ("explained", "convention", "unclaimed"):
        return
    only = " only" if cause.is_of_gradient else ""
    yield from _wrapped(f"{', '.join(cause.quantities)}{only}", width, "    ", None)
    yield from _wrapped(row.case, width, "    ", None)
    if row.exact or row.got:
        yield from _wrapped(measured(row), width, "    ", None)
    elif row.note:
        yield from _wrapped(row.note, width, "    ", None)
    if cause.quantities == (SECOND,):
        yield from _wrapped(_BY_HAND, width, "    ", None)
    if _ONLY_AXES.search(cause.where):
        yield from _wrapped("if it is made for no such arrays, ranks= says so", width, "    ", None)
    if run:
        yield from _command(cause, run, width, places)


def measured(row: VerdictRow) -> str:
    """Return what came back for a case, and what is right.

    A row about a convention has the right number under that convention, which is the given one.
    """
    place = f"{row.quantity} {row.where}".strip()
    if row.verdict.startswith((CONVENTION, UNWANTED)):
        return f"{place}: given {row.got}, as the convention has it"
    return f"{place}: right {row.exact}, given {row.got}"


def _command(cause: Cause, run: str, width: int, places: Places) -> Iterator[CauseLine]:
    """Yield the command that repeats a finding; a backslash continues its line."""
    row = cause.plainest
    parts = repro_parts(row, run, place_of(row.implementation, places.get(row.framework, ())))
    yield from map(CauseLine, wrapped(parts, width))


def place_of(implementation: str, places: Sequence[str]) -> str:
    """Return the place of a function: the one whose file or module its name begins with."""
    for place in places:
        source = place.partition(".py")[0] if ".py" in place else place.partition(":")[0]
        own = source.rpartition("/")[2] if ".py" in place else source
        if implementation.startswith((f"{own}.", f"{own.rpartition('.')[2]}.")):
            return shortened(place)
    return shortened(places[0]) if len(places) == 1 else ""


def _wrapped(text: str, width: int, indent: str, group: VerdictClass | None) -> Iterator[CauseLine]:
    """Yield a text in lines; names and messages may hold characters of any kind."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    width, below = max(width, 40), f"{indent}  "
    room = width - len(below)
    if len(indent) + len(shown) > width:
        shown = re.sub(rf"\S{{{room + 1},}}", lambda found: _in_pieces(found[0], room), shown)
    lines = textwrap.wrap(
        shown, width, initial_indent=indent, subsequent_indent=below, break_on_hyphens=False
    )
    for number, line in enumerate(lines):
        yield CauseLine(line, group if not number else None)


def _in_pieces(name: str, room: int) -> str:
    """Return a name that no line has room for, with a space where a line may end: after a slash.

    >>> _in_pieces("cross_entropy/float32/4x10/normal", 22)
    'cross_entropy/float32/ 4x10/normal'
    """
    pieces = [""]
    for part in re.findall("[^/,]*[/,]|[^/,]+", name):
        if pieces[-1] and len(pieces[-1]) + len(part) > room:
            pieces.append("")
        pieces[-1] += part
    return " ".join(pieces)
