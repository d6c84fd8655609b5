"""The questions of a user's functions: those that are made for the claim of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...backends.claim import Claim
from ...cases.suites import Suite, selected
from ..own import questions_for
from .plan import Plan


def own_questions(plan: Plan, claims: Sequence[Claim]) -> tuple[Suite, dict[str, frozenset[str]]]:
    """Return the suite of all questions of a user's functions, and the ids of those of each.

    Args:
        plan: the plan of the run; of its suite the name and the operations count, and the cases
            that carry arrays of the user's own.
        claims: the functions.
    """
    suite, given = plan.suite, [case for case in plan.suite.cases if case.is_given]
    by_name: dict[str, frozenset[str]] = {}
    cases = list(given)
    for claim in claims:
        if suite.operations and claim.operation not in suite.operations:
            by_name[claim.name] = frozenset()
            continue
        own = questions_for(claim, suite=suite.name, seed=plan.seed)
        by_name[claim.name] = frozenset(case.id for case in (*own, *given))
        cases += own
    return selected(replace(suite, cases=()), extra=cases), by_name
