"""Find who else was asked a question: the verdicts of all implementations on the same quantity."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from ..harness.runfile import AnswerKey, RunFile, cases_of
from .survey import Asked

Witnessed = dict[tuple[str, str], dict[str, set[Asked]]]


def witnesses(runs: Sequence[RunFile], asked: Iterable[Asked], cases: Iterable[str]) -> Witnessed:
    """Return for each case and quantity who got which verdict.

    Args:
        runs: the runs; if two have the same answer, the later one counts.
        asked: the implementations of interest.
        cases: the ids of the cases of interest.
    """
    known = {(it.framework, it.operation, it.name): it for it in asked}
    latest: dict[AnswerKey, set[str]] = {}
    wanted = json.dumps(sorted(set(cases)))
    for run in runs:
        for answers in cases_of(run, '"case" IN (SELECT value FROM json_each(?))', [wanted]):
            for key, answer in answers.answers.items():
                latest[key] = set(answer.words)
    found: Witnessed = {}
    for key, words in latest.items():
        operation = key.case.partition("/")[0]
        who = known.get((key.framework, operation, key.implementation))
        if who is not None:
            of_question = found.setdefault((key.case, key.quantity), {})
            for word in words:
                of_question.setdefault(word, set()).add(who)
    return found
