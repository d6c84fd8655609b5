"""Collect the questions without one agreed answer, with the answer of each framework.

A question is a convention in one operation, target kind and column. It is shown by one case, the
one that shows the difference best, see `survey.Survey`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..harness.judging import MEANINGS
from ..harness.runfile import RunFile, VerdictRow
from ..harness.verdicts import CONVENTION, NO_AGREED_ANSWER
from .legend import mark_of
from .survey import TEXTBOOK, Question, Survey, options_text, way_of
from .tables import without_traces

_AT_ONCE = 500  # SQLite's limit on the arguments of one query is higher
_UNDEFINED = f"{CONVENTION}undefined_"


@dataclass(frozen=True)
class Answer:
    """One answer that some implementations of a framework gave.

    Attributes:
        given: the number, or the error.
        verdict: its verdict.
        known: whether it is known, or shared by the framework, if it is a finding.
        by: the implementations with that answer, each with its mode.
    """

    given: str
    verdict: str
    known: bool
    by: tuple[str, ...]

    @property
    def meaning(self) -> str:
        """The verdict, or what the convention is that it names, in words."""
        name = self.verdict.removeprefix(CONVENTION)
        is_named = name != self.verdict and name in MEANINGS
        return clause_of(MEANINGS[name]) if is_named else self.verdict


@dataclass(frozen=True)
class ConventionLine:
    """One question with the answers of each framework to one case of it.

    Attributes:
        question: the question.
        case: the id of the case.
        options: the options of the case, as a call writes them.
        contract: the answer of the contract.
        answers: the distinct answers by framework.
    """

    question: Question
    case: str
    options: str
    contract: str
    answers: dict[str, tuple[Answer, ...]]


def convention_lines(survey: Survey) -> tuple[ConventionLine, ...]:
    """Return one line for each question on which an answer followed a convention."""
    # The gradient of a convention is shown only if its value is not: it says the same again.
    chosen = {
        (row.case, row.quantity): question
        for question, row in survey.conventions.items()
        if question.quantity == "value" or question.of_value not in survey.conventions
    }
    cases = sorted({case for case, _ in chosen})
    rows: dict[Question, dict[tuple[str, str, str], VerdictRow]] = {}
    # The survey keeps no rows, so those of the chosen cases are read once more. A later run
    # replaces the rows of an earlier one.
    for run in survey.runs:
        for row in _of_cases(run, cases):
            # Textbook formulas are left out: they follow no convention on purpose.
            claimed = mark_of(row.verdict).group != "neutral" and row.kind != TEXTBOOK
            if claimed and (row.case, row.quantity) in chosen:
                by = (row.framework, row.implementation, way_of(row.mode, row.device))
                rows.setdefault(chosen[row.case, row.quantity], {})[by] = row
    return tuple(_line(question, list(rows[question].values())) for question in sorted(rows))


def meanings(survey: Survey) -> dict[str, str]:
    """Return the meaning of each convention that occurs, by its name."""
    met = {judged.verdict for tally in survey.places.values() for judged in tally.counts}
    names = sorted(word.removeprefix(CONVENTION) for word in met if word.startswith(CONVENTION))
    return {name: MEANINGS.get(name) or _parts(name) for name in names}


def _parts(name: str) -> str:
    """Return the meaning of a name that joins several kinds, such as `undefined_nan+inf`."""
    kinds = name.removeprefix("undefined_").split("+")
    return f"no agreed answer; given: {', '.join(kinds)}" if len(kinds) > 1 else ""


def _of_cases(run: RunFile, cases: list[str]) -> Iterable[VerdictRow]:
    # Values are bound and not written into the query: ids of users' cases are foreign text.
    for start in range(0, len(cases), _AT_ONCE):
        some = cases[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        yield from run.rows(VerdictRow, f'"case" IN ({marks})', some)


def _line(question: Question, rows: list[VerdictRow]) -> ConventionLine:
    contract, at = _contract(rows)
    # Implementations with the same answer and verdict share one entry.
    by: dict[str, dict[tuple[str, str, bool], list[str]]] = {}
    for row in rows:
        who = f"{row.implementation} ({way_of(row.mode, row.device)})"
        answers = by.setdefault(row.framework, {})
        answers.setdefault((_given(row, at), row.verdict, row.is_settled), []).append(who)
    return ConventionLine(
        question,
        rows[0].case,
        options_text(rows[0].options),
        contract,
        {
            framework: tuple(Answer(*answer, tuple(names)) for answer, names in found.items())
            for framework, found in sorted(by.items())
        },
    )


def clause_of(meaning: str) -> str:
    """Return the first clause of a meaning, without the examples that follow it.

    >>> clause_of("a label out of range gives NaN (JAX: take_along_axis fills)")
    'a label out of range gives NaN'
    """
    return meaning.partition(" (")[0].partition(", as ")[0]


def _given(row: VerdictRow, at: str) -> str:
    # An answer of several elements, none of which has an agreed value, is told by its kinds alone.
    if row.verdict.startswith(_UNDEFINED) and row.exact != NO_AGREED_ANSWER:
        return row.verdict.removeprefix(_UNDEFINED).replace("+", " and ")
    if not row.got:
        return without_traces(row.note)
    # What is right is right in each element; the row has another one than the contract beside it.
    if mark_of(row.verdict).group == "agree" and row.where and row.where != at:
        return "right"
    return f"{row.got} at {row.where}" if row.where else row.got


def _contract(rows: list[VerdictRow]) -> tuple[str, str]:
    """Return the answer of the contract, and the element that it is of.

    It is read from a row without a convention, because the row of an answer that follows a
    convention holds the exact value of that convention.
    """
    if any(row.verdict.startswith(_UNDEFINED) for row in rows):
        return NO_AGREED_ANSWER, ""
    # An element at which an answer follows the convention shows the difference.
    places = {row.where for row in rows if row.verdict.startswith(CONVENTION)}
    for row in sorted(rows, key=lambda it: it.where not in places):
        if row.verdict == "refused":
            return "an error", ""
        if row.exact and not row.verdict.startswith(CONVENTION):
            return (f"{row.exact} at {row.where}" if row.where else row.exact), row.where
    return "", ""
