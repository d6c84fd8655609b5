"""Bound the distance of a correct computation from the exact value, element by element.

The bounds are a first-order rounding-error analysis after Blanchard, Higham, Higham, "Accurately
computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41(4), 2021,
doi 10.1093/imanum/draa038, without its simplification: fl(d_i) = d_i(1 + δ), so that each
summand exp(−d_i) has a relative error of (d_i + c)u and the sum one of Σ p_i(d_i + c)u + hu.
Since Σ p_i d_i = H − L = E, with the entropy H, lies in [0, ln C], the sum is good to
(E + c + h)u: the spread of the logits does not matter. Where exp(d) is 2^(d log2 e), as on GPUs,
the product is rounded and so is log2 e, by 0.23u in float32: 1.25d more in each summand, and
1.25E in the sum.

u is the unit roundoff of the accumulating dtype A; s that of the storing dtype T where they
differ (16-bit results accumulated in float32), else 0; η one smallest subnormal of T; h the
depth of a summation. exp and log are allowed relative errors of c = 5 u, log1p 8 u: 2.5 and 4 ulp
where the mantissa is near 1, up to 5 and 8 where it is near 2.

No bound is vacuous: a sum of terms that are not negative is good to hu at any length (see
`Precision.sum_of_exps`), and it counts as 1 + hu in a quotient and as log(1 + hu) in a logarithm.

Subnormal numbers have absolute errors instead of relative ones. There exp's c/2 ulp are c/2 of
A's η, which the division by a sum ≥ 1 does not enlarge, and the quotient is rounded once more:
(c + 1)/2 η where A = T. Where A is wider, its subnormals are below η/2, and η is enough.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...cases.model import Case
from ..answers import HVP_LOGITS
from ..oracle import ClasswiseTerms, ElementwiseTerms, Floats, LinearTerms, Solution
from .algorithms import C_EXP, Algorithm, precision_of
from .classwise import classwise_bound
from .elementwise import elementwise_bound
from .linear import linear_bound
from .second_order import second_bound


def bound(case: Case, solution: Solution, quantity: str, algorithm: Algorithm) -> Floats:
    """Return the largest error that an algorithm can make, element by element.

    Args:
        case: the question.
        solution: its right answer, which is not an error.
        quantity: `value`, a gradient such as `gradient_logits`, or `hvp_logits`.
        algorithm: the way in which the quantity was computed.

    Returns:
        Absolute errors as float64, in the shape of the quantity. Where the first-order analysis
        has no finite answer, the bound is that of a subnormal result.

    Raises:
        TypeError: if the right answer is an error.

    >>> from lossdiff.cases.model import Case
    >>> from lossdiff.harness.bounds import SOUND
    >>> from lossdiff.harness.oracle import solve
    >>> case = Case.parse("softmax/float32/1x2/two_units/-/0")
    >>> bound(case, solve(case, case.inputs()), "value", SOUND).round(8)
    array([[2.8e-07, 5.6e-07]])
    """
    precision = precision_of(case.dtype, algorithm)
    terms = solution.terms
    exact = solution.quantities[quantity].to_float()
    if quantity == HVP_LOGITS:
        return second_bound(case, solution, exact, precision)
    with np.errstate(all="ignore"):
        if isinstance(terms, LinearTerms):
            result = linear_bound(case, solution, terms, quantity, precision)
        elif isinstance(terms, ClasswiseTerms):
            n = exact.shape[0] if exact.ndim and case.class_axis else case.shape[0]
            if n < case.shape[0]:  # of a large array only the first rows are judged
                case, terms = replace(case, shape=(n, *case.shape[1:])), terms.head(n)
            result = classwise_bound(case, solution, terms, quantity, precision)
        elif isinstance(terms, ElementwiseTerms):
            result = elementwise_bound(case, solution, terms, quantity, precision)
        else:
            raise TypeError("a refusal has no bound")
    # A subnormal gradient is a subnormal p times a factor up to 2.
    eta = precision.eta * (1.0 if quantity == "value" else 2.0)
    if precision.s == 0:
        eta *= (C_EXP + 1) / 2
    return np.where(np.isfinite(result), result, 0.0).reshape(exact.shape) + eta
