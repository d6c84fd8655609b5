"""Find who else was asked a question: the verdicts of all implementations on the same quantity."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from sys import intern

from ..harness.runfile import AnswerKey, RunFile, cases_of
from .survey import Asked

Question = tuple[str, str]  # case, quantity
Witnessed = dict[Question, dict[str, tuple[Asked, ...]]]


def witnesses(
    runs: Sequence[RunFile], asked: Iterable[Asked], wanted: Collection[Question]
) -> Witnessed:
    """Return for each question who got which verdict, sorted.

    Args:
        runs: the runs; if two have the same answer, the later one counts.
        asked: the implementations of interest.
        wanted: the cases of interest, each with a quantity.
    """
    known = {(it.framework, it.operation, it.name): it for it in asked}
    cases = json.dumps(sorted({case for case, _ in wanted}))
    found: dict[Question, dict[str, tuple[Asked, ...]]] = {}
    later: set[AnswerKey] = set()
    for run in reversed(runs):
        here: set[AnswerKey] = set()
        for answers in cases_of(run, '"case" IN (SELECT value FROM json_each(?))', [cases]):
            for key, answer in answers.answers.items():
                operation = key.case.partition("/")[0]
                who = known.get((key.framework, operation, key.implementation))
                question = key.case, key.quantity
                if who is None or question not in wanted or key in later:
                    continue
                if len(runs) > 1:
                    here.add(key)
                given = found.setdefault(question, {})
                for word in map(intern, answer.words):
                    given[word] = tuple(sorted({*given.get(word, ()), who}))
        later |= here
    return found
