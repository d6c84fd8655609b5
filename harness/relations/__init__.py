"""Come here for what must hold between two answers, without an oracle.

Metamorphic relations compare the answers to two forms of one question, determinism compares two
answers to the same call, equivalences compare two routes to one number. The tally counts them.
"""

from __future__ import annotations

from .determinism import THREADS, Repeats, is_threaded
from .equivalences import EQUIVALENCES, answer_of, compared
from .metamorphic import RELATIONS, Answered, Comparison, Form, Relation
from .tally import Kept

__all__ = [
    "EQUIVALENCES",
    "RELATIONS",
    "THREADS",
    "Answered",
    "Comparison",
    "Form",
    "Kept",
    "Relation",
    "Repeats",
    "answer_of",
    "compared",
    "is_threaded",
]
