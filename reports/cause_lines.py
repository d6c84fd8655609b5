"""Say the causes of findings on users' functions in lines of at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..cases.checked import decoded
from ..harness.runfile import RunFile
from .causes import Cause, Causes, Function, Tally
from .commands import repro_parts, shortened, wrapped
from .legend import VerdictClass
from .numbers import counted

Places = Mapping[str, Sequence[str]]
NOWHERE: Places = MappingProxyType({})
WIDTH = 80
_SHOWN = 6  # causes of one function; the further ones are counted
_GROUPS: dict[str, VerdictClass] = {
    "finding": "finding", "settled": "explained", "convention": "explained",
    "unclaimed": "neutral",
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


def cause_lines(
    causes: Causes, run: str, width: int = WIDTH, places: Places = NOWHERE
) -> Iterator[CauseLine]:
    """Yield the lines of `lines_of` with the class of each."""
    for function, tally in causes.tallies.items():
        mine = [cause for cause in causes if cause.function == function]
        yield from _wrapped(_head(function, tally, mine), width, "", None)
        for option, reason in tally.unjudged.items():
            yield from _wrapped(f"{option}: not judged, because {reason}", width, "  ", None)
        for cause in mine[:_SHOWN]:
            yield from _cause(cause, run, width, places)
        if len(mine) > _SHOWN:
            yield CauseLine(f"  and {counted(len(mine) - _SHOWN, 'further cause')}")


def _head(function: Function, tally: Tally, mine: list[Cause]) -> str:
    number = sum(cause.kind == "finding" for cause in mine)
    found = counted(tally.findings, "finding") if tally.findings else "no finding"
    parts = [f"{found} of {counted(number, 'cause')}" if tally.findings else found]
    if tally.settled:
        parts.append(f"{tally.settled:,} known or shared with the framework")
    if tally.unclaimed:
        parts.append(f"{tally.unclaimed:,} not claimed")
    questions = counted(tally.questions, "question")
    return f"{function.name} ({function.operation}): {questions}, {', '.join(parts)}"


def _cause(cause: Cause, run: str, width: int, places: Places) -> Iterator[CauseLine]:
    row = cause.plainest
    where = f", with {cause.where}" if cause.where else ""
    many = counted(cause.count, "finding" if cause.kind in ("finding", "settled") else "answer")
    head = f"{cause.what}{where} ({many})"
    yield from _wrapped(head, width, "  ", _GROUPS[cause.kind])
    if cause.shared:
        yield from _wrapped(f"so does {', '.join(cause.shared)}", width, "    ", None)
    # What the framework shows, too, is no fault of the function: one example is enough.
    is_theirs = bool(cause.shared) and cause.kind == "settled"
    if is_theirs:
        yield from _wrapped(f"such as {row.case}", width, "    ", None)
    if is_theirs or cause.kind in ("convention", "unclaimed"):
        return
    only = " only" if cause.is_of_gradient else ""
    yield from _wrapped(f"{', '.join(cause.quantities)}{only}", width, "    ", None)
    yield from _wrapped(row.case, width, "    ", None)
    if row.exact or row.got:
        place = f"{row.quantity} {row.where}".strip()
        yield from _wrapped(f"{place}: right {row.exact}, given {row.got}", width, "    ", None)
    elif row.note:
        yield from _wrapped(row.note, width, "    ", None)
    if run:
        yield from _command(cause, run, width, places)


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
    lines = textwrap.wrap(
        shown, max(width, 40), initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
    )  # fmt: skip
    for number, line in enumerate(lines):
        yield CauseLine(line, group if not number else None)
