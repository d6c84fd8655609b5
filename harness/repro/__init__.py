"""Come here for showing one verdict to somebody else: a smaller case, and a script.

`Session` asks one framework one question at a time, `shrink` reduces a case, `script` writes it.
"""

from __future__ import annotations

from .script import Origin, why_not_shown, write_script
from .session import AnswerSelector, Session
from .shrink import TIMEOUT, shrink

__all__ = [
    "TIMEOUT",
    "AnswerSelector",
    "Origin",
    "Session",
    "shrink",
    "why_not_shown",
    "write_script",
]
