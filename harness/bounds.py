"""How far from the exact value a correct computation can be, element by element.

First-order rounding-error analysis after Blanchard, Higham, Higham, "Accurately computing
the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41(4), 2021,
doi 10.1093/imanum/draa038, without its simplification: fl(d_i) = d_i(1 + δ), so that each
summand exp(−d_i) carries a relative error (d_i + c)u and the sum Σ p_i(d_i + c)u + hu. Since
Σ p_i d_i = H − L = E lies in [0, ln C], the sum is good to (E + c + h)u: the spread of the
logits is gone.

u is the unit roundoff of the accumulating dtype A; s that of the storing dtype T where they
differ (16-bit results accumulated in float32), else 0; η one smallest subnormal of T; h the
depth of a summation. c = 5 allows exp and log 2.5 ulp each; log1p is allowed 4 ulp.

Relative errors end where numbers are subnormal. There exp's c/2 ulp are c/2 of A's η, which the
division by a sum ≥ 1 does not enlarge, and the quotient is rounded once more: (c + 1)/2 η where
A = T. Where A is wider its subnormals are below η/2, and η is enough.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..cases.model import Case
from .arithmetic import Floats
from .bounds_elements import elements_bound
from .bounds_rows import rows_bound
from .precision import C_EXP, Algorithm, precision_of
from .solution import Elements, Rows, Solution

_VACUOUS = 0.1  # beyond h·u = 0.1 a first-order bound says nothing


def bound(case: Case, solution: Solution, quantity: str, algorithm: Algorithm) -> Floats | None:
    """Return the largest error that the algorithm can make, in the shape of the quantity.

    Returns None where the bound is vacuous: the sum is so long that h·u exceeds 0.1.
    """
    precision = precision_of(case.dtype, algorithm)
    terms = solution.terms
    classes = case.shape[case.class_axis] if case.contract.reads_classes else 1
    is_reduced = case.contract.is_loss and case.options.reduction != "none"
    rows = int(np.prod(case.shape)) // max(classes, 1) if is_reduced else 1
    if max(precision.depth(classes), precision.depth(rows)) * precision.u > _VACUOUS:
        return None
    exact = solution.quantities[quantity].to_float()
    with np.errstate(all="ignore"):
        if isinstance(terms, Rows):
            if exact.ndim and case.judged_rows < case.shape[0]:
                n = case.judged_rows
                case, terms = replace(case, shape=(n, *case.shape[1:])), terms.head(n)
            result = rows_bound(case, solution, terms, quantity, precision)
        elif isinstance(terms, Elements):
            result = elements_bound(case, solution, terms, quantity, precision)
        else:
            raise TypeError("a refusal has no bound")
    # A gradient is p, subnormal, times a factor up to 2.
    eta = precision.eta * (1.0 if quantity == "value" else 2.0)
    if precision.s == 0:
        eta *= (C_EXP + 1) / 2
    return np.where(np.isfinite(result), result, 0.0).reshape(exact.shape) + eta
