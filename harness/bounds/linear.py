"""Bound the errors of losses whose logits are inner products; see `harness.bounds.bound`.

The loss is that of a cross-entropy whose logits have errors (`harness.bounds.transformed`). So is
its gradient g with respect to the logits, of which the gradients are made by matrix products.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...cases.model import Case
from ..oracle import Exact, Floats, LinearTerms, Solution
from .algorithms import Precision
from .classwise import classwise_bound

_LOGITS = "gradient_logits"


def linear_bound(
    case: Case, solution: Solution, t: LinearTerms, quantity: str, q: Precision
) -> Floats:
    """Return the bound of a quantity, in its shape.

    A matrix product Σ_i g_i a_i of n terms is good to Σ_i B_i abs(a_i) + (n + 2)u Σ_i (abs(g_i) +
    B_i) abs(a_i), where B is the bound of g, and its result is rounded by s. A sum may run from
    first to last. A g that is held in T before it is multiplied is within B but for an underflow,
    η. Under `narrow`, where the result is held in T while parts of it are added, n is the depth of
    that sum.

    Args:
        case: the question.
        solution: its right answer.
        t: the intermediate numbers of the answer.
        quantity: `value` or a gradient.
        q: the roundings of the algorithm.
    """
    if quantity == "value":
        return classwise_bound(case, solution, t, quantity, q)
    g = np.nan_to_num(t.of_logits, nan=0.0)
    inner = replace(solution, quantities={**solution.quantities, _LOGITS: Exact.of(g)})
    limit = classwise_bound(case, inner, t, _LOGITS, q)
    # A row that does not count has the gradient 0 without any error.
    counts = ((t.w != 0) | (g > 0)).any(axis=1, keepdims=True)
    limit = np.where(counts & np.isfinite(limit), limit + q.eta, 0.0)
    if quantity != "gradient_hidden":
        g, limit = g.T, limit.T
    other = _other(case, quantity)
    n = len(other)
    depth = 2 + (q.depth(n) if q.algorithm.narrow else n)
    exact = np.abs(solution.quantities[quantity].to_float())
    passed = limit @ other + (g + limit) @ other * (depth * q.u)
    return np.asarray(passed.reshape(exact.shape) + exact * (q.u + q.s) + n * q.eta_a)


def carried(case: Case, quantity: str) -> Floats:
    """Return Σ abs(a) of what each gradient of a linear loss is a product with, by its columns.

    What a step loses by an underflow is multiplied by that at most. A value has 1.

    Args:
        case: a question of a linear loss.
        quantity: `value` or a gradient.
    """
    if quantity == "value":
        return np.ones(())
    total = _other(case, quantity).sum(axis=0)
    return total[0] if quantity == "gradient_linear_bias" else total


def _other(case: Case, quantity: str) -> Floats:
    """Return abs(a), the magnitudes of what g or its transpose is multiplied by."""
    inputs = case.inputs()
    if quantity == "gradient_linear_bias":
        return np.ones((len(inputs.values), 1))
    array = inputs.linear_weight if quantity == "gradient_hidden" else inputs.values
    assert array is not None  # noqa: S101 -- every case of a linear loss has one
    return np.abs(np.nan_to_num(array.astype(np.float64), nan=0.0))
