"""Come here for how one answer becomes one verdict.

`solved_case` prepares a case with its right answers, and `judge` compares one answer with them.
`harness.judging.conventions` says how a convention is added.
"""

from __future__ import annotations

from .conventions import MEANINGS
from .judge import judge
from .solved_case import SolvedCase, solved_case
from .verdict import DtypeMismatch, Refusal, Remark, ShapeMismatch, Verdict

__all__ = [
    "MEANINGS",
    "DtypeMismatch",
    "Refusal",
    "Remark",
    "ShapeMismatch",
    "SolvedCase",
    "Verdict",
    "judge",
    "solved_case",
]
