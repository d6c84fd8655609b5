"""Come here for showing one verdict to somebody else: a smaller case, and a script.

`Session` evaluates one question at a time in a process of one framework, and `shrink` reduces a
case while it gets the same verdict. `write_script` writes the program that shows the verdict, and
`why_not_shown` tries it. `write_examples` shows each cause of findings by a small input.
"""

from __future__ import annotations

from ..workers import AnswerSelector
from .again import asked_again
from .examples import Yours, missing_examples, write_examples
from .memory import check_fits, check_inputs
from .same_mistake import same_mistake
from .script import Origin, write_script
from .session import Idle, Session
from .shrink import TIMEOUT, shrink
from .trial import why_not_shown

__all__ = [
    "TIMEOUT",
    "AnswerSelector",
    "Idle",
    "Origin",
    "Session",
    "Yours",
    "asked_again",
    "check_fits",
    "check_inputs",
    "missing_examples",
    "same_mistake",
    "shrink",
    "why_not_shown",
    "write_examples",
    "write_script",
]
