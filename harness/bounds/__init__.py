"""Come here for how far a correct computation may be from the exact answer.

`bound` returns the largest error of an `Algorithm` in a dtype, element by element. `SOUND` is an
algorithm without a numerical weakness; `LADDER` lists those that explain a larger error.
"""

from __future__ import annotations

from .algorithms import LADDER, SOUND, Algorithm, Precision, ladder_of, precision_of
from .bound import bound
from .float64_terms import Arrays, counting_rows, float64_solution
from .linear import carried

__all__ = [
    "LADDER",
    "SOUND",
    "Algorithm",
    "Arrays",
    "Precision",
    "bound",
    "carried",
    "counting_rows",
    "float64_solution",
    "ladder_of",
    "precision_of",
]
