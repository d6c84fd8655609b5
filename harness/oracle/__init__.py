"""Come here for the exact answer: values, gradients and Hessian-vector products of a case.

`solve` and `solve_second` return a `Solution`, whose quantities are `Exact` numbers: unevaluated
sums of two float64 numbers with an exponent of their own. A `Convention` says which documented
choices the answer follows. Nothing here imports a backend: an oracle that shared code with an
implementation would share its errors.

>>> from lossdiff.cases.model import Case
>>> case = Case.parse("softmax/float32/1x2/two_units/-/0")
>>> case.inputs().values
array([[0.        , 0.83708966]], dtype=float32)
>>> solve(case, case.inputs()).quantities["value"].to_float()
array([[0.30214809, 0.69785191]])
"""

from __future__ import annotations

from .double_double import Exact
from .mean import is_resolved
from .pairs import Floats
from .powers import limited
from .second_order import solve_second
from .solution import CONTRACT, ClasswiseTerms, Convention, ElementwiseTerms, LinearTerms, Solution
from .solve import solve

__all__ = [
    "CONTRACT",
    "ClasswiseTerms",
    "Convention",
    "ElementwiseTerms",
    "Exact",
    "Floats",
    "LinearTerms",
    "Solution",
    "is_resolved",
    "limited",
    "solve",
    "solve_second",
]
