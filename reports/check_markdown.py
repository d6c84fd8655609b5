"""Write a run as Markdown for the page of a job: what is wrong first, by cause, and then counts."""

from __future__ import annotations

from collections.abc import Iterable

from .markdown import cell, table
from .numbers import count, counted
from .outcome import Line, Outcome, followed, headline, wrong

_SHOWN = 20  # lines of a table; a job page holds no more than a megabyte


def markdown(outcome: Outcome) -> str:
    """Return a run as Markdown.

    Args:
        outcome: what the run has found.

    Returns:
        A heading with the result, the new findings by cause, the conventions that users' functions
        follow, the known causes, and the counts of each framework; a part without content is left
        out.
    """
    parts = [
        f"## lossdiff: {headline(outcome)}",
        *_wrong(outcome),
        *_followed(outcome),
        *_causes(outcome),
        _frameworks(outcome),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _wrong(outcome: Outcome) -> Iterable[str]:
    lines = wrong(outcome)
    if lines:
        rows = [_row(line) for line in lines[:_SHOWN]]
        yield table(["name", "what", "for example", "case", "times"], rows)
    if len(lines) > _SHOWN:
        yield counted(len(lines) - _SHOWN, "more kind", "more kinds") + " in the run file."
    for remark in outcome.remarks:
        yield cell(remark)
    for worker in outcome.absent:
        yield cell(f"{worker.framework} on {worker.device} was not asked: {worker.absent}")


def _followed(outcome: Outcome) -> Iterable[str]:
    """Yield a table of the conventions that users' functions follow."""
    lines = followed(outcome)
    if lines:
        yield "### Conventions that your functions follow"
        rows = [[it.function.name, it.what, it.example, it.case, count(it.times)] for it in lines]
        yield table(["name", "what", "for example", "case", "answers"], rows[:_SHOWN])
    if len(lines) > _SHOWN:
        yield counted(len(lines) - _SHOWN, "more convention") + " in the run file."


def _causes(outcome: Outcome) -> Iterable[str]:
    """Yield a table of the known causes, the worst first."""
    known = [card for card in outcome.cards if card.look == "known"]
    if known:
        yield "### Known causes"
        rows = [
            [
                card.sentence,
                count(card.count),
                card.link or card.source or card.script or "not reported yet",
            ]
            for card in known[:_SHOWN]
        ]
        yield table(["what", "times", "where it is discussed"], rows)
    if len(known) > _SHOWN:
        yield counted(len(known) - _SHOWN, "more cause") + " in the run file."


def _row(line: Line) -> list[str]:
    return [line.function.name, f"**{line.what}**", line.example, line.case, count(line.times)]


def _frameworks(outcome: Outcome) -> str:
    rows = [
        [
            line.name + (" (textbook formulas)" if line.textbook else ""),
            ", ".join(line.versions),
            count(line.implementations),
            *map(count, (line.shares.agree, line.shares.explained)),
            *map(count, (line.shares.known, line.shares.new)),
        ]
        for line in outcome.frameworks
    ]
    columns = ["", "versions", "functions", "agree", "explained", "known", "new"]
    return table(columns, rows) if rows else ""
