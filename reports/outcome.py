"""Read from a run what a summary of it says, for whoever it is written: a job page, a CI server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..harness.runfile import RunFile, VerdictRow
from .findings import Alarm, alarms, groups
from .legend import mark_of
from .numbers import count, counted, three
from .survey import Asked, Found, Survey
from .tables import FrameworkLine, Shares, Worker, framework_lines, shares_of, workers


@dataclass(frozen=True)
class Outcome:
    """What a run has found.

    Attributes:
        asked: the implementations.
        shares: the number of verdicts of each class.
        frameworks: the same for each framework.
        new: the new findings, by implementation and verdict, the worst first.
        absent: the workers that could not be started.
        cases: the number of cases that were asked.
        remarks: what is wrong with the run as a whole, such as entries of the ledger that match
            nothing.
    """

    asked: Sequence[Asked]
    shares: Shares
    frameworks: Sequence[FrameworkLine]
    new: Sequence[Alarm]
    absent: Sequence[Worker]
    cases: int
    remarks: Sequence[str] = ()


def outcome_of(run: RunFile, remarks: Sequence[str] = ()) -> Outcome:
    """Return what a run has found.

    Args:
        run: an open run file.
        remarks: what is wrong with the run as a whole.
    """
    survey = Survey([run])
    # The findings are grouped while they are read: a run may have millions of verdicts.
    new = alarms(groups(_findings(run, survey)))
    absent = [worker for worker in workers([run]) if worker.absent]
    return Outcome(
        survey.asked,
        shares_of(survey, survey.places),
        framework_lines(survey),
        new,
        absent,
        run.asked_cases(),
        remarks,
    )


def _findings(run: RunFile, survey: Survey) -> Iterator[Found]:
    for row in run.rows(VerdictRow):
        place = survey.count(row)
        if mark_of(row.verdict).group == "finding":
            yield Found(row, place, run)


def headline(outcome: Outcome) -> str:
    """Return the result in one line, the number of cases included."""
    shares = outcome.shares
    if not shares.total:
        return "nothing was asked, or nothing was answered"
    found = counted(shares.new, "new finding") if shares.new else "no new findings"
    known = f" ({count(shares.known)} known)" if shares.known else ""
    asked = f"{counted(outcome.cases, 'case')} and {counted(shares.judged, 'verdict')}"
    return f"{found}{known} in {asked}"


def measure(alarm: Alarm) -> str:
    """Return what came back in the worst case, and what is right."""
    row = alarm.worst
    if not row.got:
        return row.note
    times = "" if alarm.ratio is None else f", {three(alarm.ratio)} times the bound"
    return f"{row.quantity}: right {row.exact}, given {row.got}{times}"
