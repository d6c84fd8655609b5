"""Show what each main function gives in edge cases: ordinary logits, and one thing unusual."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..cases.everyday import EDGES
from ..harness.causes import library_of, library_rank
from ..harness.judging import MEANINGS
from ..harness.runfile import RunFile, VerdictRow
from ..harness.verdicts import CONVENTION, NO_AGREED_ANSWER, UNDEFINED, kind_of
from .conventions import clause_of
from .legend import mark_of
from .members import BESIDE, EAGER
from .numbers import three
from .survey import TEXTBOOK, way_of
from .tables import without_traces

YOURS = "yours"  # stands for the library of a user's own functions
_ERROR = "an error"  # what stands for one that is due
_SEVERAL = "numbers"  # what stands for several
_KEPT = f"\"case\" IN ({', '.join('?' * len(EDGES))}) AND kind != ? AND verdict != 'unsupported'"


class _Said(NamedTuple):
    """What a function gives, in words, with the more severe verdict of value and gradient."""

    value: str
    gradient: str
    verdict: str
    known: bool


@dataclass(frozen=True)
class EdgeAnswer:
    """What some functions of a library give.

    Attributes:
        value, gradient: the answer in words and numbers; empty where there is none.
        verdict: the more severe verdict of the two.
        known: whether it is known, or shared by the framework.
        names: the functions, with their modes where modes differ.
    """

    value: str
    gradient: str
    verdict: str
    known: bool
    names: tuple[str, ...]


@dataclass(frozen=True)
class EdgeLine:
    """One edge case with the answers of each library.

    Attributes:
        title: what is unusual.
        case: the id of the case.
        operation, target_kind: the operation and the kind of target.
        contract: the answer of the contract.
        answers: the distinct answers by library, such as `NumPy`.
    """

    title: str
    case: str
    operation: str
    target_kind: str
    contract: str
    answers: dict[str, tuple[EdgeAnswer, ...]]


@dataclass(frozen=True)
class EdgeTable:
    """The edge cases of some runs, those that were asked and the titles of the others."""

    libraries: tuple[str, ...]
    lines: tuple[EdgeLine, ...]
    not_asked: tuple[str, ...]


def edge_table(runs: Sequence[RunFile]) -> EdgeTable:
    """Return the edge cases that some runs asked; of a repeated answer, that of the last run."""
    latest: dict[tuple[str, ...], VerdictRow] = {}
    for run in runs:
        for row in run.rows(VerdictRow, _KEPT, (*EDGES, TEXTBOOK)):
            if kind_of(row.verdict).word not in BESIDE:
                key = (row.case, row.implementation, way_of(row.mode, row.device), row.quantity)
                latest[key] = row
    by_case: dict[str, list[VerdictRow]] = {}
    for row in latest.values():
        by_case.setdefault(row.case, []).append(row)
    lines = tuple(_line(case, by_case[case]) for case in EDGES if case in by_case)
    found = {library for line in lines for library in line.answers}
    libraries = sorted(found, key=lambda library: (library_rank(library), library))
    missing = dict.fromkeys(EDGES[case] for case in EDGES if case not in by_case)
    return EdgeTable(tuple(libraries), lines, tuple(missing))


def _line(case: str, rows: list[VerdictRow]) -> EdgeLine:
    shipping = {row.framework for row in rows if row.kind == "native"}
    # A recipe stands for a function that its framework does not ship.
    shown = [row for row in rows if row.kind != "recipe" or row.framework not in shipping]
    by: dict[str, dict[str, dict[str, dict[str, VerdictRow]]]] = {}
    for row in shown:
        library = YOURS if row.kind == "user" else library_of(row.implementation, row.framework)
        functions = by.setdefault(library, {})
        ways = functions.setdefault(row.implementation, {})
        ways.setdefault(way_of(row.mode, row.device), {})[row.quantity] = row
    answers = {library: tuple(_answers(functions)) for library, functions in by.items()}
    first = rows[0]
    return EdgeLine(
        EDGES[case], case, first.operation, first.target_kind or "", _contract(rows), answers
    )


def _answers(functions: dict[str, dict[str, dict[str, VerdictRow]]]) -> Iterator[EdgeAnswer]:
    found: dict[_Said, list[str]] = {}
    for name, ways in functions.items():
        said = {way: _said(rows) for way, rows in ways.items()}
        for way, words in said.items():
            differs = way != EAGER and words != said.get(EAGER)
            names = found.setdefault(words, [])
            if differs or name not in names:
                names.append(f"{name} ({way})" if differs else name)
    for words, names in found.items():
        if names:
            yield EdgeAnswer(words.value, words.gradient, words.verdict, words.known, tuple(names))


def _said(rows: dict[str, VerdictRow]) -> _Said:
    value, gradient = rows.get("value"), rows.get("gradient_logits")
    both = [row for row in (value, gradient) if row is not None]
    worst = max(both, key=lambda row: mark_of(row.verdict).severity)
    texts = [_words(row) if row is not None else "" for row in (value, gradient)]
    # An error is one for both, and so is a choice that both follow.
    if value is not None and gradient is not None and not value.got and not gradient.got:
        texts[1] = ""
    elif value is not None and gradient is not None and value.verdict == gradient.verdict:
        texts[1] = "likewise" if gradient.verdict.startswith(CONVENTION) else texts[1]
    return _Said(texts[0], texts[1], worst.verdict, worst.is_settled)


def _words(row: VerdictRow) -> str:
    """Return an answer in words and numbers."""
    given = _number(row.got)
    if kind_of(row.verdict).category == "agrees":
        if row.quantity != "value":
            return "right"
        return f"{given}, right" if given else "an error"
    if row.verdict.startswith(UNDEFINED):
        return given or "an error"
    if row.verdict.startswith(CONVENTION):
        meaning = clause_of(MEANINGS.get(row.verdict.removeprefix(CONVENTION), row.verdict))
        return f"{given}: {meaning}" if given else meaning
    return _wrong(row, given) if given else without_traces(row.note) or row.verdict


def _wrong(row: VerdictRow, given: str) -> str:
    """Return a wrong answer in words, beside the right one."""
    if row.exact in ("", _ERROR):
        return f"{given}, where an error is due"
    due = _number(row.exact)
    # Of several numbers neither those that came nor those that are right are shown.
    return f"{given}, where {due} is right" if due != _SEVERAL else "not the right numbers"


def _number(text: str) -> str:
    """Return a number with three digits; of several only that they are numbers."""
    try:
        number = float(text)
    except ValueError:
        return text and _SEVERAL
    return "NaN" if math.isnan(number) else three(number)


def _contract(rows: Iterable[VerdictRow]) -> str:
    values = [row for row in rows if row.quantity == "value"]
    if any(row.exact == NO_AGREED_ANSWER and row.verdict.startswith(UNDEFINED) for row in values):
        return NO_AGREED_ANSWER
    if any(row.verdict in ("refused", "accepted") for row in values):
        return _ERROR
    plain = (row.exact for row in values if row.exact and not row.verdict.startswith(CONVENTION))
    return _number(next(plain, ""))
