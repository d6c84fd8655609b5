"""Reductions of losses: what the divisor, the sum and subnormal products add to a bound."""

from __future__ import annotations

import numpy as np

from ...cases.model import Case
from ..oracle import Floats, Solution
from .algorithms import Precision


def count(solution: Solution) -> int:
    """The number of losses that the reduction sums."""
    return solution.row_losses.size


def divisor_depth(case: Case, solution: Solution, q: Precision) -> float:
    """The depth of the divisor of a mean: a sum of weights; a number of rows is exact."""
    if solution.convention.mean_over == "weights":
        return q.depth(count(solution)) + q.depth(case.shape[case.class_axis])
    return q.depth(count(solution)) if case.options.weight else 0.0


def divisor_error(case: Case, solution: Solution, q: Precision) -> float:
    """ρ, the relative error of a divisor that sums weights of both signs; else 0.

    The sum is good to h u Σ abs(w), which is h u times the condition of Σ w; where w · target is
    added up the products are rounded, too. What is divided by D(1 ± ρ) is good to
    (B + abs(y)ρ)/(1 − ρ). Beyond ρ = 1 a divisor has no digit, and explains nothing.
    """
    if solution.condition <= 1.0:
        return 0.0
    depth = min(divisor_depth(case, solution, q) + 1, float(solution.addends))
    return solution.condition * depth * q.u


def divided(limit: Floats, exact: Floats, rho: float) -> Floats:
    """Return the bound of a quotient from that with a perfect divisor: (B + abs(y)ρ)/(1 − ρ)."""
    if not rho:
        return limit
    return (limit + np.abs(exact) * rho) / (1 - rho) if rho < 1 else np.zeros_like(limit)


def underflow(v: Floats, solution: Solution, q: Precision) -> Floats:
    """η max(abs(v), 1): what a subnormal product loses before it is multiplied by v, or after."""
    down, up = max(solution.unit, 1.0), min(solution.unit, 1.0)
    return np.maximum(q.eta_a / up * (np.abs(v) / down), q.eta_a)


def reduced(case: Case, solution: Solution, rows: Floats, v: Floats, q: Precision) -> Floats:
    """The bound of the loss from those of its rows: Σ abs(B)/D + abs(Σ)[(h_N + h_D + 6)u + s].

    h_N is the depth of the sum of losses, zeros left out, as adding 0 is exact, and at once or
    class by class; h_D that of the divisor. Terms of a loss are not negative, so their sum has no
    cancellation; where given log-probs are positive the sum of magnitudes stands for abs(loss).
    """
    if case.options.reduction == "none":
        return rows
    losses = np.abs(np.nan_to_num(solution.row_losses, nan=0.0, posinf=0.0, neginf=0.0))
    n, classes = int(np.count_nonzero(losses)), case.shape[case.class_axis]
    h = q.depth(n)
    if losses.shape == case.shape:
        h = max(h, q.depth(losses.size // max(classes, 1)) + q.depth(classes))
    h += divisor_depth(case, solution, q) + 6
    scale = np.abs(np.broadcast_to(v, losses.shape))
    finite = np.where(np.isfinite(rows.reshape(losses.shape)), rows.reshape(losses.shape), 0.0)
    return np.asarray((finite * scale).sum() + (losses * (scale * (h * q.u + q.s))).sum())
