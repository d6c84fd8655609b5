"""Come here for the exact answer: values, gradients and Hessian-vector products of a case.

`solve` and `solve_second` return a `Solution`, whose quantities are `Exact` numbers: unevaluated
sums of two float64 numbers with an exponent of their own. A `Convention` says which documented
choices the answer follows. Nothing here imports a backend: an oracle that shared code with an
implementation would share its errors.
"""

from __future__ import annotations

from .double_double import Exact, Floats, limited
from .second_order import solve_second
from .solution import CONTRACT, ClasswiseTerms, Convention, ElementwiseTerms, Solution
from .solve import solve

__all__ = [
    "CONTRACT",
    "ClasswiseTerms",
    "Convention",
    "ElementwiseTerms",
    "Exact",
    "Floats",
    "Solution",
    "limited",
    "solve",
    "solve_second",
]
