"""Come here for how one answer becomes one verdict.

`solved_case` prepares a case with its right answers, and `judge` compares one answer with them.
To add a convention, see `conventions`.
"""

from __future__ import annotations

from .conventions import MEANINGS
from .judge import Question, Verdict, judge, question_of

__all__ = [
    "MEANINGS",
    "Question",
    "Verdict",
    "judge",
    "question_of",
]
