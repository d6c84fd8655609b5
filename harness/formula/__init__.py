"""Come here for operations that are defined by their formula: right answers and bounds by machine.

A formula is recorded once as a graph of primitive steps (`graph`), and differentiated as such
(`gradient`). Several kinds of number run it: the oracle's pairs and decimals (`evaluation`), bounds
of errors (`errors`), and NumPy's own in a dtype (`plain`).

>>> from lossdiff.harness.formula import functions as f
>>> definition = define("mean_of_squares", lambda x: f.mean(x * x), targets=())
>>> definition.operation.result
'scalar'
>>> forget("mean_of_squares")
"""

from __future__ import annotations

from . import functions
from .answers import Answers
from .built_in import ByFormula
from .decimals import Decimals
from .definition import (
    MOST_NUMBERS,
    Definition,
    Formula,
    can_be_judged,
    define,
    definition_of,
    forget,
    is_formula,
)
from .digits import in_digits
from .graph import Array
from .mistakes import FormulaMistake
from .mistakes_of_numbers import is_of_numbers
from .plain import plain

__all__ = [
    "MOST_NUMBERS",
    "Answers",
    "Array",
    "ByFormula",
    "Decimals",
    "Definition",
    "Formula",
    "FormulaMistake",
    "can_be_judged",
    "define",
    "definition_of",
    "forget",
    "functions",
    "in_digits",
    "is_formula",
    "is_of_numbers",
    "plain",
]
