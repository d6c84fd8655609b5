"""The bounds of operations of one element; see `harness.bounds` for the notation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cases.model import Case
from .arithmetic import Floats
from .precision import C_EXP, C_LOG1P, Precision, reduced, times
from .solution import Elements, Solution


def _sigmoid_of(x: Floats) -> Floats:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def _log1p_exp(x: Floats) -> Floats:
    return np.log1p(np.exp(-np.abs(x)))


def _softplus(x: Floats) -> Floats:
    return np.maximum(x, 0.0) + _log1p_exp(x)


def elements_bound(
    case: Case, solution: Solution, terms: Elements, quantity: str, precision: Precision
) -> Floats:
    """Return the bound of a quantity, in its shape."""
    exact = np.abs(solution.quantities[quantity].to_float())
    return _ELEMENTS[case.operation](case, solution, terms, quantity, precision, exact)


def _relative(value: float, gradient: float) -> _ElementsBound:
    def bounds(
        case: Case, solution: Solution, t: Elements, quantity: str, q: Precision, y: Floats
    ) -> Floats:
        return y * ((value if quantity == "value" else gradient) * q.u + q.s)

    return bounds


def _sigmoid(
    case: Case, solution: Solution, t: Elements, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Value: (c + 3)u relative. Gradient vσ(1 − σ): twice that; 1 − σ from a rounded σ cancels."""
    if quantity == "value":
        return y * ((C_EXP + 3) * q.u + q.s)
    result = y * ((2 * (C_EXP + 3) + 4) * q.u + 2 * q.s)
    if q.algorithm.cancels:
        sigma = _sigmoid_of(t.x)
        result = result + np.abs(t.v) * sigma * sigma * (C_EXP + 4) * q.u
    return result


def _log_sigmoid(
    case: Case, solution: Solution, t: Elements, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Value: (5 + 8 + 2)u relative; log σ cancels to (c + 4)u absolute. Gradient vσ(−x)."""
    sound = (C_EXP + C_LOG1P + 2) if quantity == "value" else C_EXP + 5
    result = y * (sound * q.u + q.s)
    if q.algorithm.cancels:
        scale = np.ones_like(t.x) if quantity == "value" else np.abs(t.v) * _sigmoid_of(t.x)
        result = result + scale * (C_EXP + 4) * q.u
    return result


def _bce_with_logits(
    case: Case, solution: Solution, t: Elements, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Sound: p z softplus(−x) + (1 − z) softplus(x) has no negative terms: 18u relative.

    Cancelling (max(x, 0) − xz + log1p e^−abs(x), and PyTorch's form with pos_weight):
    [3 abs(x)(1 + pz) + 13(1 + pz) log1p e^−abs(x) + abs(l)]u.
    Gradient by logits: the two terms (1 − z)σ(x) and pzσ(−x), each good to (c + 5)u;
    cancelling: [8σ(1 − z + pz) + pz + abs(g)]u. By target: −x and (p − 1) softplus(−x).
    """
    hit, miss, w = t.pos_weight * t.z, 1.0 - t.z, t.w
    v = np.abs(t.v)
    if quantity == "value":
        losses = np.abs(np.nan_to_num(solution.row_losses, posinf=0.0))
        rows = losses * (18 * q.u + q.s)
        if q.algorithm.cancels:
            tail = 3 * np.abs(t.x) + 13 * _log1p_exp(t.x)
            rows = rows + w * tail * (1 + hit) * q.u + losses * q.u
        return reduced(case, solution, rows, t.v, q)
    if quantity == "gradient_target":
        extra = np.abs(t.pos_weight - 1.0) * _softplus(-t.x)
        result = v * w * (3 * np.abs(t.x) + 18 * extra) * q.u + y * q.s
        if q.algorithm.cancels:
            both = t.pos_weight * _softplus(-t.x) + _softplus(t.x)
            result = result + v * w * both * (C_EXP + C_LOG1P + 2) * q.u
        return result
    sigma = _sigmoid_of(t.x)
    terms = miss * sigma + hit * _sigmoid_of(-t.x)
    result = v * w * terms * (C_EXP + 5) * q.u + y * (4 * q.u + 2 * q.s)
    if q.algorithm.cancels:
        loose = 8 * sigma * (miss + hit) + hit
        result = result + v * w * loose * q.u + y * q.u
    return result


def _bce(
    case: Case, solution: Solution, t: Elements, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Value: z log p to (c + 2)u, (1 − z) log1p(−p) to 10u; log(1 − p) loses u absolute.

    Gradient by probs: z/p and (1 − z)/(1 − p), each good to 6u. By target: both logarithms.
    """
    v, w = np.abs(t.v), t.w
    log_p, log_rest = np.abs(np.log(t.x)), np.abs(np.log1p(-t.x))
    miss = 1.0 - t.z
    if quantity == "value":
        rows = w * (times(t.z, log_p) * (C_EXP + 2) + times(miss, log_rest) * (C_LOG1P + 2))
        rows = rows * q.u + np.abs(np.nan_to_num(solution.row_losses, posinf=0.0)) * (2 * q.u + q.s)
        if q.algorithm.cancels:
            rows = rows + w * miss * q.u
        return reduced(case, solution, rows, t.v, q)
    if quantity == "gradient_target":
        result = v * w * (log_p + log_rest) * (C_LOG1P + 2) * q.u + y * q.s
        return result + v * w * q.u if q.algorithm.cancels else result
    terms = times(t.z, 1.0 / t.x) + times(miss, 1.0 / (1.0 - t.x))
    return v * w * terms * 6 * q.u + y * (2 * q.u + q.s)


_ElementsBound = Callable[[Case, Solution, Elements, str, Precision, Floats], Floats]
_ELEMENTS: dict[str, _ElementsBound] = {
    "sigmoid": _sigmoid,
    "log_sigmoid": _log_sigmoid,
    "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_with_logits,
    "exp": _relative(C_EXP, C_EXP + 2),
}
