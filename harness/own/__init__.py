"""Come here for users' own functions: how they are found, declared, called and learnt."""

from .declaration import Declaration, Declared, implements
from .learning import learn
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
]
