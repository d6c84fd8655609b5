"""Bound the reduction of losses: the errors of the sum, of the divisor, and of tiny products.

`harness.bounds.bound` explains the notation.
"""

from __future__ import annotations

import numpy as np

from ...cases.model import Case
from ..oracle import Floats, Solution
from .algorithms import Precision


def count(solution: Solution) -> int:
    """Return the number of losses that the reduction sums."""
    return solution.row_losses.size


def divisor_depth(case: Case, solution: Solution, q: Precision) -> float:
    """Return the depth of the sum of weights that a mean is divided by; a number of rows has none.

    Where w · target is added up, the sum runs over the classes of each row and over the rows.
    """
    if solution.convention.mean_over == "weights":
        return q.depth(count(solution)) + q.depth(case.shape[case.class_axis])
    is_summed = case.options.weight is not None and case.options.denominator is None
    return q.depth(count(solution)) if is_summed else 0.0


def divisor_error(case: Case, solution: Solution, q: Precision) -> float:
    """Return ρ, the relative error of a divisor that sums weights of both signs; else 0.

    The sum is good to h u Σ abs(w), which is h u times the condition of Σ w; where w · target is
    added up, the products are rounded as well. A quotient by D(1 ± ρ) is good to
    (B + abs(y)ρ)/(1 − ρ), see `divided`. Where ρ is 1 or more the divisor has no correct digit.
    """
    if solution.condition <= 1.0:
        return 0.0
    # Zeros add no rounding, so no depth exceeds the number of addends.
    depth = min(divisor_depth(case, solution, q) + 1, float(solution.addends))
    return solution.condition * depth * q.u


def divided(limit: Floats, exact: Floats, rho: float) -> Floats:
    """Return the bound of a quotient, (B + abs(y)ρ)/(1 − ρ).

    Args:
        limit: B, the bound with an exact divisor.
        exact: y, the exact quotient, in the shape of the bound.
        rho: ρ, the relative error of the divisor.
    """
    if not rho:
        return limit
    # A bound of 0 explains nothing, where an infinite one would accept anything.
    return (limit + np.abs(exact) * rho) / (1 - rho) if rho < 1 else np.zeros_like(limit)


def shares(case: Case, v: Floats) -> Floats:
    """Return the factor of each loss in the value, 1/D; v where nothing is reduced.

    Args:
        case: the question.
        v: the cotangents over D.
    """
    is_reduced = case.contract.is_loss and case.options.reduction != "none"
    return v / case.cotangent(()) if is_reduced else v


def underflow(v: Floats, solution: Solution, q: Precision) -> Floats:
    """Return η max(abs(v), 1), the error of a subnormal product before or after it meets v.

    η is the smallest subnormal of the accumulating dtype, and v the cotangents over D.
    """
    # v is scaled by the unit, which is taken out of either factor so that neither overflows.
    down, up = max(solution.unit, 1.0), min(solution.unit, 1.0)
    return np.maximum(q.eta_a / up * (np.abs(v) / down), q.eta_a)


def reduced(case: Case, solution: Solution, rows: Floats, v: Floats, q: Precision) -> Floats:
    """Return the bound of a loss: Σ abs(B)/D + abs(Σ)[(h_N + h_D + 6)u + s].

    h_N is the depth of the sum of losses without zeros, as adding 0 is exact, whether it runs over
    all losses at once or class by class; h_D is the depth of the divisor. The terms of a loss are
    not negative, so their sum does not cancel; where given log-probabilities are positive, the sum
    of magnitudes replaces abs(loss).

    Args:
        case: the question, with its reduction.
        solution: its right answer, with the losses of rows or elements.
        rows: B, the bounds of the losses before the reduction.
        v: the cotangents over D.
        q: the roundings of the algorithm.

    Returns:
        A scalar, or `rows` where nothing is reduced.
    """
    if case.options.reduction == "none":
        return rows
    losses = np.abs(np.nan_to_num(solution.row_losses, nan=0.0, posinf=0.0, neginf=0.0))
    n, classes = int(np.count_nonzero(losses)), (case.shape or (1,))[case.class_axis]
    h = q.depth(n)
    # Elementwise losses may be summed over the classes first: the deeper of both orders counts.
    if losses.shape == case.shape:
        h = max(h, q.depth(losses.size // max(classes, 1)) + q.depth(classes))
    h += divisor_depth(case, solution, q) + 6
    # Each loss is scaled before the sum, as the sum of large losses may overflow.
    scale = np.abs(np.broadcast_to(shares(case, v), losses.shape))
    finite = np.where(np.isfinite(rows.reshape(losses.shape)), rows.reshape(losses.shape), 0.0)
    return np.asarray((finite * scale).sum() + (losses * (scale * (h * q.u + q.s))).sum())
