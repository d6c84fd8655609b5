"""The bounds of operations over classes; see `harness.bounds` for the notation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cases.model import Case
from .arithmetic import Floats
from .precision import C_EXP, Precision, count, reduced, times
from .solution import Rows, Solution


def rows_bound(
    case: Case, solution: Solution, terms: Rows, quantity: str, precision: Precision
) -> Floats:
    """Return the bound of a quantity, in its shape or in one of as many elements."""
    result = _ROWS[case.operation](case, solution, terms, quantity, precision)
    if result.ndim == 2 and case.shape:
        axis = case.class_axis
        rest = case.shape[:axis] + case.shape[axis + 1 :]
        if result.size == int(np.prod(case.shape)):
            return np.moveaxis(result.reshape(*rest, -1), -1, axis)
    return result


def _flat(solution: Solution, quantity: str, case: Case) -> Floats:
    """The exact quantity as (R, C) or (R,), like the terms."""
    exact = solution.quantities[quantity].to_float()
    if exact.shape != case.shape:
        return exact.reshape(-1)
    return np.moveaxis(exact, case.class_axis, -1).reshape(-1, case.shape[case.class_axis])


def _log_prob(t: Rows, q: Precision) -> Floats:
    """ℓ = d + L: [2d + L + cL + E + c + h]u, absolute; lse − x adds abs(lse)u.

    d and its rounding give 2d, the sum (E + c + h), the logarithm cL, the addition L.
    """
    h = q.depth(t.d.shape[1])
    row = t.log_sum * (1 + C_EXP) + t.entropy_gap + C_EXP + h
    result = q.grown(2 * t.d + row[:, None], h)
    if q.algorithm.cancels:
        result = result + (np.abs(t.lse) * q.u)[:, None]
    return result


def _prob(t: Rows, q: Precision) -> Floats:
    """P = exp(−d)/Σ: (d + E + 2c + h + 2)u, relative; exp(x − lse) adds expm1(abs(lse)u).

    Where abs(lse)u reaches 1 no digit is left, and the form explains nothing.
    """
    h = q.depth(t.d.shape[1])
    result = q.grown(t.d + (t.entropy_gap + 2 * C_EXP + h + 2)[:, None], h)
    if q.algorithm.cancels:
        lost = (np.abs(t.lse) * q.u)[:, None]
        result = result + np.where(lost < 1, np.expm1(lost + t.l * q.u), 0.0)
    return result


def _prob_from_log(t: Rows, q: Precision) -> Floats:
    """exp(log p): expm1(B_ℓ + (c + 2)u), with u_T·ℓ inside where log p was stored in T."""
    exponent = _log_prob(t, q) + (C_EXP + 2) * q.u + q.s * t.l
    # e to an error beyond 1 has no digit left; then the bound is vacuous.
    return np.where(exponent < 1, np.expm1(exponent), 0.0) + q.s


def _softmax(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Value: p[(d + E + 2c + h + 2)u + s].

    Gradient p_j(v_j − m), m = Σ p_i v_i: m is good to Σ p_i abs(v_i)(ρ_i + s + (h + 1)u), ρ the
    relative error of p; the product adds ρ_j and two roundings.
    """
    rho = _prob(t, q)
    if quantity == "value":
        return times(t.p, rho + q.s)
    g = np.abs(_flat(solution, quantity, case))
    h = q.depth(t.d.shape[1])
    mean = times(t.p * np.abs(t.v), rho + q.s + (h + 1) * q.u).sum(axis=1, keepdims=True)
    return times(t.p, np.broadcast_to(mean, t.p.shape)) + times(g, rho + 2 * q.s + 4 * q.u)


def _log_softmax(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Value: B_ℓ + sℓ. Gradient v_j − p_j V, V = Σ v: V is good to (h + 1)u Σ abs(v)."""
    if quantity == "value":
        return _log_prob(t, q) + q.s * t.l
    g = np.abs(_flat(solution, quantity, case))
    h = q.depth(t.d.shape[1])
    total = np.abs(t.v.sum(axis=1, keepdims=True))
    magnitude = np.abs(t.v).sum(axis=1, keepdims=True)
    relative = times(t.p, _prob_from_log(t, q) + q.u)
    return relative * total + t.p * magnitude * (h + 1) * q.u + g * (q.u + q.s)


def _logsumexp(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Value a + L: (E + c + h + cL)u for L, abs(lse)(u + s) for the sum. Gradient v·p."""
    h = q.depth(t.d.shape[1])
    if quantity == "value":
        bracket = t.entropy_gap + C_EXP + h + C_EXP * t.log_sum
        return q.grown(bracket, h) + np.abs(t.lse) * (q.u + q.s)
    return times(t.p * np.abs(t.v), _prob(t, q) + q.s + 2 * q.u)


def _cross_entropy(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Row: Σ W(B_ℓ + sℓ) + r[(h_C + 6)u + s].

    Gradient by logits (p ΣW − W)/D: ΣW·p[expm1(B_ℓ + (c + 2)u + sℓ) + s] + abs(g)(u + s)
    + (6 + h_C + h_N)u(p ΣW + W), times the cotangent over D. Gradient by target:
    w(B_ℓ + sℓ) + abs(g)(4u + s).
    """
    h_c, h_n = q.depth(t.d.shape[1]), q.depth(count(solution))
    log_prob = _log_prob(t, q) + q.s * t.l
    if quantity == "value":
        rows = times(t.w, log_prob).sum(axis=1)
        rows = rows + times(t.w, t.l).sum(axis=1) * ((h_c + 6) * q.u + q.s)
        return reduced(case, solution, rows, t.v, q)
    g = np.abs(_flat(solution, quantity, case))
    v = np.abs(t.v)[:, None]
    if quantity == "gradient_target":
        per_target = np.where(t.l > 0, g / np.where(t.l > 0, t.l, 1.0), v)
        return times(per_target, log_prob) + times(g, np.full_like(g, 5 * q.u + 2 * q.s))
    total = t.w.sum(axis=1, keepdims=True)
    relative = total * times(t.p, _prob_from_log(t, q))
    rounding = (6 + h_c + h_n) * q.u * (t.p * total + t.w)
    return (relative + rounding) * v + g * (q.u + 2 * q.s)


def _nll_loss(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Only products and sums of what is given: Σ abs(W·lp)(2u + s), and 2h_N + 6 for the mean."""
    if quantity == "value":
        rows = np.abs(times(t.w, t.l)).sum(axis=1) * (2 * q.u + q.s)
        return reduced(case, solution, rows, t.v, q)
    g = np.abs(_flat(solution, quantity, case))
    return g * ((6 + q.depth(count(solution))) * q.u + q.s)


def _cross_entropy_probs(
    case: Case, solution: Solution, t: Rows, quantity: str, q: Precision
) -> Floats:
    """ℓ = −log p is good to cu relative; the gradient −W/p to (6 + h)u.

    Where a convention divides p by Σp, the sum adds (h + 3)u to ℓ and the logarithms
    Σ p abs(log p) cu ≤ c ln C u, if it is done on them; the gradient (−W/p + ΣW)/Σx has terms
    that cancel, at most abs(g) + 2 ΣW/Σx.
    """
    h_c, h_n = q.depth(t.d.shape[1]), q.depth(count(solution))
    total = t.w.sum(axis=1)
    divided = (h_c + 3 + C_EXP * (1 + np.log(t.d.shape[1]))) * q.u + 2 * q.s
    if quantity == "value":
        rows = np.abs(times(t.w, t.l)).sum(axis=1) * ((C_EXP + h_c + 6) * q.u + 2 * q.s)
        if solution.rules.renormalise:
            rows = rows + total * divided
        return reduced(case, solution, rows, t.v, q)
    g = np.abs(_flat(solution, quantity, case))
    bracket = np.full_like(g, (C_EXP + 6 + h_c + h_n) * q.u + 2 * q.s)
    if not solution.rules.renormalise or quantity == "gradient_target":
        return times(g, bracket)
    x = case.inputs().values.astype(np.float64)
    sums = np.maximum(x.sum(axis=case.class_axis).reshape(-1), solution.rules.clip or 0.0)
    magnitude = g + 2 * (np.abs(t.v) * total / sums)[:, None]
    return times(magnitude, bracket + divided + C_EXP * np.abs(t.l) * q.u)


_RowsBound = Callable[[Case, Solution, Rows, str, Precision], Floats]
_ROWS: dict[str, _RowsBound] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "nll_loss": _nll_loss,
    "cross_entropy": _cross_entropy,
    "cross_entropy_probs": _cross_entropy_probs,
}
