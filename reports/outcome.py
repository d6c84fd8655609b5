"""Read from a run what a summary of it says, for whoever it is written: a job page, a CI server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..harness.causes import findings_of
from ..harness.runfile import RunFile, VerdictRow
from .cards import Card, cards_of
from .cause_lines import claimed_of, measured
from .causes import Cause, CauseCollector, Causes, Function
from .findings import Alarm, alarms, groups
from .legend import mark_of
from .numbers import count, counted
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
        causes: the causes of the findings on users' functions, those of each the worst first.
        cards: the causes of the findings on functions of frameworks, the worst first.
        absent: the workers that could not be started.
        cases: the number of cases that were asked.
        remarks: what is wrong with the run as a whole, such as entries of the ledger that match
            nothing.
    """

    asked: Sequence[Asked]
    shares: Shares
    frameworks: Sequence[FrameworkLine]
    new: Sequence[Alarm]
    causes: Causes
    cards: Sequence[Card]
    absent: Sequence[Worker]
    cases: int
    remarks: Sequence[str] = ()


def outcome_of(run: RunFile, remarks: Sequence[str] = ()) -> Outcome:
    """Return what a run has found.

    Args:
        run: an open run file.
        remarks: what is wrong with the run as a whole.
    """
    survey, own = Survey([run]), CauseCollector()
    # The findings are grouped while they are read: a run may have millions of verdicts.
    new = alarms(groups(_findings(run, survey, own)))
    absent = [worker for worker in workers([run]) if worker.absent]
    return Outcome(
        survey.asked,
        shares_of(survey, survey.places),
        framework_lines(survey),
        new,
        own.causes(claimed_of(run)),
        cards_of(findings_of(run), run),
        absent,
        run.asked_cases(),
        remarks,
    )


def _findings(run: RunFile, survey: Survey, own: CauseCollector) -> Iterator[Found]:
    for row in run.rows(VerdictRow):
        place = survey.count(row)
        own.add(row)
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


class Line(NamedTuple):
    """What is wrong with a function: a new finding with others of its kind or cause.

    Attributes:
        function: the name, the framework and the operation of the function.
        what: the cause, or the verdict where none is known.
        example: what came back for the case, and what is right.
        case: the id of the case.
        times: the number of findings.
    """

    function: Function
    what: str
    example: str
    case: str
    times: int


def wrong(outcome: Outcome) -> list[Line]:
    """Return what is wrong: with users' functions by cause, and with others by verdict."""
    own = [
        Line(it.function, _said(it), _measure(it.plainest), it.plainest.case, it.count)
        for it in outcome.causes
        if it.kind == "finding"
    ]
    others = [
        Line(_function(it), it.verdict, _measure(it.worst), it.worst.case, it.count)
        for it in outcome.new
        if it.asked.kind != "user"
    ]
    return [*own, *others]


def followed(outcome: Outcome) -> list[Line]:
    """Return the conventions that users' functions follow, which are no findings."""
    return [
        Line(it.function, _followed(it), _measure(it.plainest), it.plainest.case, it.count)
        for it in outcome.causes
        if it.kind == "convention"
    ]


def _function(alarm: Alarm) -> Function:
    return Function(alarm.asked.name, alarm.asked.framework, alarm.asked.operation)


def _said(cause: Cause) -> str:
    return cause.what + (f", with {cause.where}" if cause.where else "")


def _followed(cause: Cause) -> str:
    return _said(cause) + (f" ({cause.only})" if cause.only else "")


def _measure(row: VerdictRow) -> str:
    """Return what came back for a case, and what is right."""
    if not row.exact and not row.got:
        return f"{row.quantity}: {row.note}"
    return measured(row)
