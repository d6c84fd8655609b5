"""How the tests ask a function of a user's own: the questions for its claim, judged one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lossdiff.backends import load_backend
from lossdiff.backends.base import Implementation
from lossdiff.backends.claim import Claim, Limits
from lossdiff.cases.model import Case
from lossdiff.harness.judging import judge, solved_case
from lossdiff.harness.own import questions_for
from lossdiff.harness.workers.evaluate import evaluate


def taken(
    framework: str,
    operation: str,
    function: Callable[..., Any],
    targets: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
    vjp: Callable[..., Any] | None = None,
    **limits: Any,
) -> Implementation:
    """Return a function as it is taken, with its claim."""
    name = f"mine.{operation}"
    own = Limits(**limits)
    claim = Claim(name, framework, operation, "user", frozenset(targets), frozenset(options), own)
    return Implementation(claim, function, vjp)


def findings(implementation: Implementation) -> list[tuple[Case, str, str]]:
    """Return the case, quantity and verdict of each finding, in the order of the questions."""
    claim = implementation.claim
    backend = load_backend(claim.framework)
    backend.extra.append(implementation)
    found = []
    for case in questions_for(claim):
        solved = solved_case(case)
        for quantity, answer in evaluate(backend, claim.name, "eager", case).answers.items():
            if solved.solution.refusal or quantity in solved.solution.quantities:
                verdict = judge(solved, quantity, answer)
                found += [(case, quantity, verdict.word)] if verdict.is_finding else []
    return found
