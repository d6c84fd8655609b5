"""Come here for users' own functions: how they are found, declared, called, learnt and asked."""

from .declaration import Declaration, Declared, implements
from .learning import learn
from .questions import questions_for
from .taken import Candidate, Failed, Left, Taken

__all__ = [
    "Candidate",
    "Declaration",
    "Declared",
    "Failed",
    "Left",
    "Taken",
    "implements",
    "learn",
    "questions_for",
]
