"""Come here for showing one verdict to somebody else: a smaller case, and a script.

`Session` evaluates one question at a time in a process of one framework, `shrink` reduces a case
while it gets the same verdict, and `write_script` writes the program that shows the verdict.
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
