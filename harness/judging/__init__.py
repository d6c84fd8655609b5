"""Come here for how one answer becomes one verdict.

`solved_case` prepares a case with its right answers, `judge` compares one answer with them, and
`looks_like` says which usual mistakes would give it.
`harness.judging.conventions` says how a convention is added.
"""

from __future__ import annotations

from .conventions import CHOICES, MEANINGS, as_judged, as_taken, choices_of
from .judge import judge
from .looks_like import OR, looks_like, of_gradients_first
from .own_rules import OwnRules, judge_own
from .solved_case import SolvedCase, solved_case
from .telltales import NAN_OF_IGNORED
from .verdict import DtypeMismatch, Refusal, Remark, ShapeMismatch, Verdict

__all__ = [
    "CHOICES",
    "MEANINGS",
    "NAN_OF_IGNORED",
    "OR",
    "DtypeMismatch",
    "OwnRules",
    "Refusal",
    "Remark",
    "ShapeMismatch",
    "SolvedCase",
    "Verdict",
    "as_judged",
    "as_taken",
    "choices_of",
    "judge",
    "judge_own",
    "looks_like",
    "of_gradients_first",
    "solved_case",
]
