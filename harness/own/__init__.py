"""Come here for users' own functions: how they are found, declared, called, learnt and asked."""

from .alike import alike
from .declaration import Declaration, Declared, Implements, declaration_of, implements
from .finding import found_in
from .learning import learn
from .names import NAMES, Meaning
from .places import Place, place_of
from .questions import questions_for
from .taken import Candidate, Failed, Left, Taken

__all__ = [
    "NAMES",
    "Candidate",
    "Declaration",
    "Declared",
    "Failed",
    "Implements",
    "Left",
    "Meaning",
    "Place",
    "Taken",
    "alike",
    "declaration_of",
    "found_in",
    "implements",
    "learn",
    "place_of",
    "questions_for",
]
