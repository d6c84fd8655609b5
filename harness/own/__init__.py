"""Come here for users' own functions: how they are found, declared, called, learnt and asked."""

from .alike import alike, askable
from .calling import KEPT
from .declaration import Declaration, Declared, Implements, declaration_of, implements
from .definitions import define_from, defines
from .finding import found_in
from .fitting import as_function, is_partial_class
from .learning import learn
from .learnt import Learnt, failing, learnt_of, restored
from .loading import folder_of
from .names import NAMES, Meaning
from .parameters import PARAMETERS
from .places import Place, place_of
from .questions import questions_for
from .siblings import SIBLINGS
from .taken import Candidate, Failed, Left, Taken

__all__ = [
    "KEPT",
    "NAMES",
    "PARAMETERS",
    "SIBLINGS",
    "Candidate",
    "Declaration",
    "Declared",
    "Failed",
    "Implements",
    "Learnt",
    "Left",
    "Meaning",
    "Place",
    "Taken",
    "alike",
    "as_function",
    "askable",
    "declaration_of",
    "define_from",
    "defines",
    "failing",
    "folder_of",
    "found_in",
    "implements",
    "is_partial_class",
    "learn",
    "learnt_of",
    "place_of",
    "questions_for",
    "restored",
]
