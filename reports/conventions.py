"""Questions without one agreed answer, and what each framework answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..harness.judging import MEANINGS
from ..harness.runfile import RunFile, VerdictRow
from ..harness.verdicts import CONVENTION, NO_AGREED_ANSWER
from .legend import mark_of
from .survey import TEXTBOOK, Question, Survey, options_text, way_of

_AT_ONCE = 500  # SQLite's limit on the arguments of one query is higher
_UNDEFINED = f"{CONVENTION}undefined_"


@dataclass(frozen=True)
class Answer:
    """One answer that some implementations of a framework gave.

    Attributes:
        given: the number, or the error.
        verdict: what the judge said of it.
        by: who gave it.
    """

    given: str
    verdict: str
    by: tuple[str, ...]


@dataclass(frozen=True)
class ConventionLine:
    """One question, and what each framework answers in one case of it."""

    question: Question
    case: str
    options: str
    contract: str
    answers: dict[str, tuple[Answer, ...]]


def convention_lines(survey: Survey) -> tuple[ConventionLine, ...]:
    """Return the questions on which a convention was met."""
    chosen = {
        (row.case, row.quantity): question
        for question, row in survey.conventions.items()
        if question.quantity == "value" or question.of_value not in survey.conventions
    }
    cases = sorted({case for case, _ in chosen})
    rows: dict[Question, dict[tuple[str, str, str], VerdictRow]] = {}
    for run in survey.runs:
        for row in _of_cases(run, cases):
            claimed = mark_of(row.verdict).group != "neutral" and row.kind != TEXTBOOK
            if claimed and (row.case, row.quantity) in chosen:
                by = (row.framework, row.implementation, way_of(row.mode, row.device))
                rows.setdefault(chosen[row.case, row.quantity], {})[by] = row
    return tuple(_line(question, list(rows[question].values())) for question in sorted(rows))


def meanings(survey: Survey) -> dict[str, str]:
    """Return the conventions that were met, and what they are."""
    met = {judged.verdict for tally in survey.places.values() for judged in tally.counts}
    names = sorted(word.removeprefix(CONVENTION) for word in met if word.startswith(CONVENTION))
    return {name: MEANINGS.get(name) or _parts(name) for name in names}


def _parts(name: str) -> str:
    """Return the meaning of answers that hold several kinds, `undefined_nan+inf`."""
    kinds = name.removeprefix("undefined_").split("+")
    return f"no agreed answer; given: {', '.join(kinds)}" if len(kinds) > 1 else ""


def _of_cases(run: RunFile, cases: list[str]) -> Iterable[VerdictRow]:
    for start in range(0, len(cases), _AT_ONCE):
        some = cases[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        yield from run.rows(VerdictRow, f'"case" IN ({marks})', some)


def _line(question: Question, rows: list[VerdictRow]) -> ConventionLine:
    by: dict[str, dict[tuple[str, str], list[str]]] = {}
    for row in rows:
        who = f"{row.implementation} ({way_of(row.mode, row.device)})"
        answers = by.setdefault(row.framework, {})
        answers.setdefault((_given(row), row.verdict), []).append(who)
    return ConventionLine(
        question,
        rows[0].case,
        options_text(rows[0].options),
        _contract(rows),
        {
            framework: tuple(
                Answer(given, verdict, tuple(names)) for (given, verdict), names in found.items()
            )
            for framework, found in sorted(by.items())
        },
    )


def _given(row: VerdictRow) -> str:
    if row.verdict.startswith(_UNDEFINED) and row.exact != NO_AGREED_ANSWER:
        return row.verdict.removeprefix(_UNDEFINED).replace("+", " and ")
    if not row.got:
        return row.note
    return f"{row.got} at {row.where}" if row.where else row.got


def _contract(rows: list[VerdictRow]) -> str:
    """Return the contract's answer; the row of a matched convention holds the convention's."""
    if any(row.verdict.startswith(_UNDEFINED) for row in rows):
        return NO_AGREED_ANSWER
    for row in rows:
        if row.verdict == "refused":
            return "an error"
        if row.exact and not row.verdict.startswith(CONVENTION):
            return f"{row.exact} at {row.where}" if row.where else row.exact
    return ""
