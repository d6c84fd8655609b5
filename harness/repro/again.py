"""Evaluate a finding of a run once more, in a session of its framework."""

from __future__ import annotations

from dataclasses import replace

from ...cases.model import Case
from ..answers import Failure
from ..judging import Verdict, as_judged
from ..runfile import VerdictRow
from ..workers import AnswerSelector
from .session import Session


def asked_again(
    session: Session, case: Case, row: VerdictRow, timeout: float = 120.0
) -> tuple[AnswerSelector, Verdict]:
    """Evaluate the quantity of a finding alone and, if that shows another one, as in the run.

    Args:
        session: a session of the finding's framework, which has its implementation.
        case: the case of the finding.
        row: the finding.
        timeout: the seconds that each answer may take.

    Returns:
        The answer that shows the same verdict, and that verdict; if none does, the last ones that
        were tried.
    """
    # One quantity makes the shorter script, but some faults need all gradients in one call.
    for all_gradients in (False, True):
        selector = AnswerSelector(row.implementation, row.mode, row.quantity, all_gradients)
        verdict = session.verdict(case, selector, timeout)
        if isinstance(verdict.detail, Failure) and verdict.detail.is_of_value:
            # There is no gradient because the value has a wrong shape: the value shows that.
            selector = replace(selector, quantity="value")
            verdict = session.verdict(case, selector, timeout)
        if verdict.word == as_judged(row.verdict):
            break
    return selector, verdict
