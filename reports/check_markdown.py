"""Write a run as Markdown for the page of a job: what is wrong first, by cause, and then counts."""

from __future__ import annotations

from collections.abc import Iterable

from .findings import Alarm
from .markdown import cell, table
from .numbers import count, counted
from .outcome import Outcome, headline, measure

_SHOWN = 20  # lines of a table; a job page holds no more than a megabyte


def markdown(outcome: Outcome) -> str:
    """Return a run as Markdown.

    Args:
        outcome: what the run has found.

    Returns:
        A heading with the result, the new findings by cause, and the counts of each framework; a
        part without content is left out.
    """
    parts = [f"## lossdiff: {headline(outcome)}", *_wrong(outcome), _frameworks(outcome)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _wrong(outcome: Outcome) -> Iterable[str]:
    if outcome.new:
        rows = [_row(alarm) for alarm in outcome.new[:_SHOWN]]
        yield table(["", "implementation", "what", "for example", "times"], rows)
    if len(outcome.new) > _SHOWN:
        yield counted(len(outcome.new) - _SHOWN, "more kind", "more kinds") + " in the run file."
    for remark in outcome.remarks:
        yield cell(remark)
    for worker in outcome.absent:
        yield cell(f"{worker.framework} on {worker.device} was not asked: {worker.absent}")


def _row(alarm: Alarm) -> list[str]:
    name, case = alarm.asked.name, alarm.worst.case
    return [f"**{alarm.verdict}**", name, measure(alarm), case, count(alarm.count)]


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
