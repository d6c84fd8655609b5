"""Come here for what must hold between two answers, without an oracle.

Metamorphic relations compare the answers to two forms of one question, determinism compares two
answers to the same call, equivalences compare two routes to one number. The tally counts them.
"""

from __future__ import annotations

from .determinism import THREADS, ThreadDeterminism, needs_single_thread_run
from .equivalences import EQUIVALENCES, answer_of, compared
from .metamorphic import RELATIONS, Answered, AnswerPair, Form, Relation
from .tally import RelationTally

__all__ = [
    "EQUIVALENCES",
    "RELATIONS",
    "THREADS",
    "AnswerPair",
    "Answered",
    "Form",
    "Relation",
    "RelationTally",
    "ThreadDeterminism",
    "answer_of",
    "compared",
    "needs_single_thread_run",
]
