"""Bound the errors of elementwise operations; `harness.bounds.bound` explains the notation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...cases.model import Case
from ..oracle import ElementwiseTerms, Floats, Solution
from .algorithms import Precision, times
from .reductions import divided, divisor_error, reduced, shares, underflow


def sigmoid_of(x: Floats) -> Floats:
    """Return σ(x) in float64, computed from e^−abs(x), which never overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def _log1p_exp(x: Floats) -> Floats:
    """Return log1p(e^−abs(x)), the smaller one of softplus(x) and softplus(−x)."""
    return np.log1p(np.exp(-np.abs(x)))


def _softplus(x: Floats) -> Floats:
    """Return softplus(x) = log(1 + e^x) in float64."""
    return np.maximum(x, 0.0) + _log1p_exp(x)


def elementwise_bound(
    case: Case, solution: Solution, terms: ElementwiseTerms, quantity: str, precision: Precision
) -> Floats:
    """Return the bound of a quantity, in its shape.

    Args:
        case: the question, an elementwise operation or a binary loss.
        solution: its right answer.
        terms: the intermediate numbers of the answer.
        quantity: `value`, `gradient_logits` or `gradient_target`.
        precision: the roundings of the algorithm.
    """
    exact = np.abs(solution.quantities[quantity].to_float())
    # Most forms have terms of one sign, so that their errors are relative to the exact value.
    terms = of_magnitudes(terms)
    result = _ELEMENTS[case.operation](case, solution, terms, quantity, precision, exact)
    if quantity == "gradient_logits":
        result = result + np.abs(terms.v) * _of_smoothing(case, terms, quantity, precision)
    elif quantity == "gradient_target" and case.options.label_smoothing:  # the factor 1 − ε
        result = result + exact * (3 * precision.u + precision.s)
    if not case.contract.is_loss:
        return result
    # The terms are divided by the unit. Elsewhere v restores it, but unreduced losses have no v.
    if quantity == "value" and case.options.reduction == "none":
        result = result * solution.unit
    result = result + _underflow(case, solution, terms, quantity, precision)
    return divided(result, exact, divisor_error(case, solution, precision))


def _of_smoothing(case: Case, t: ElementwiseTerms, quantity: str, q: Precision) -> Floats:
    """Return the error of smoothed targets z' = (1 − ε)z + ε/2, before cotangent and reduction.

    ε, 1 − ε, its product with z and the sum are rounded: z' is off by at most 4u, and so is 1 − z'.
    Both logarithms, or their derivatives, are multiplied by that.
    """
    if not case.options.label_smoothing:
        return np.zeros(())
    is_value, p = quantity == "value", np.abs(t.pos_weight)
    if case.contract.domain == "probs":
        hit, miss = np.abs(np.log(t.x)), np.abs(np.log1p(-t.x))
        if not is_value:
            hit, miss = 1.0 / t.x, 1.0 / (1.0 - t.x)
    elif is_value:
        hit, miss = p * _softplus(-t.x), _softplus(t.x)
    else:
        hit, miss = p * sigmoid_of(-t.x), sigmoid_of(t.x)
    return np.where(np.isfinite(hit + miss), t.w * (hit + miss), 0.0) * (4 * q.u)


def of_magnitudes(terms: ElementwiseTerms) -> ElementwiseTerms:
    """Return the terms with the magnitudes of the weights, since errors add up by magnitude."""
    return replace(terms, w=np.abs(terms.w))


def _underflow(
    case: Case, solution: Solution, t: ElementwiseTerms, quantity: str, q: Precision
) -> Floats:
    """Return the error of subnormal products, as in `harness.bounds.classwise`.

    The products with w, with pos_weight and with v are off by η/2 each, times the factors that
    follow: the other two, and softplus, which is below 1 + abs(x), a logarithm or a sigmoid;
    1/p(1 − p) in a gradient with respect to p.
    """
    size = 1.0 + np.where(np.isfinite(t.x), np.abs(t.x), 0.0)  # at infinity σ is exactly 0 or 1
    if case.contract.domain == "probs":
        spread = t.x * (1.0 - t.x)
        size = 1.0 / spread if quantity == "gradient_logits" else 1.0 - np.log(spread)
        # At 0 and 1 a sound gradient is z/p + (1 − z)/(1 − p) alone, whose factors are in range.
        size = np.where(spread == 0, _of_quotients(t), size)
    v = shares(case, t.v) if quantity == "value" else t.v
    eta = size * (2.0 * underflow(v, solution, q))
    w = t.w * solution.unit
    lost = eta + eta * w + eta * np.abs(t.pos_weight)  # the weights alone may overflow
    if quantity != "value" or case.options.reduction == "none":
        return lost
    return np.asarray(np.where(np.isfinite(lost), lost, 0.0).sum())


def _exp(
    case: Case, solution: Solution, t: ElementwiseTerms, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Return the bound of exp: cu relative, and 2u more for v·e^x; 2^(x log2 e) adds 1.25xu."""
    bracket = q.c + (0 if quantity == "value" else 2) + _base_2(t, q)
    return y * (bracket * q.u + q.s)


def _base_2(t: ElementwiseTerms, q: Precision) -> Floats:
    """Return the relative error of e^−abs(x) as a power of 2, 1.25 abs(x), in u."""
    return q.base_2 * q.unshifted(t.x)


def _sigmoid(
    case: Case, solution: Solution, t: ElementwiseTerms, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Return the bound of sigmoid. Value: (c + 3)u relative, for e^−abs(x), 1 + e, the quotient.

    The gradient vσ(1 − σ) has twice that; 1 − σ from a rounded σ cancels. For the value no form
    that cancels is allowed: 1 − σ(−x) and (1 + tanh(x/2))/2 keep no digit where σ is small.
    """
    if quantity == "value":
        return y * ((q.c + 3 + _base_2(t, q)) * q.u + q.s)
    result = y * ((2 * (q.c + 3) + 4 + _base_2(t, q)) * q.u + 2 * q.s)
    if q.algorithm.cancels:
        sigma = sigmoid_of(t.x)
        result = result + np.abs(t.v) * sigma * sigma * (q.c + 4) * q.u
    return result


def _log_sigmoid(
    case: Case, solution: Solution, t: ElementwiseTerms, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Return the bound of log_sigmoid. Value: (c + c' + 2)u relative, 15u; gradient: vσ(−x).

    log σ cancels to (c + 4)u absolute; x − softplus(x) cancels to 2x u for x > 0, and to
    (c + 1)x u if softplus is log(1 + e^x).
    """
    is_value = quantity == "value"
    sound = q.c + q.c_log1p + 2 if is_value else q.c + 5
    result = y * ((sound + _base_2(t, q)) * q.u + q.s)
    if q.algorithm.cancels:
        scale = np.ones_like(t.x) if is_value else np.abs(t.v) * sigmoid_of(t.x)
        result = result + scale * (q.c + 4) * q.u
        if is_value:
            own = np.where(t.x > 0, 2 * t.x + q.c * q.unshifted(t.x), 0.0)
            result = result + own * q.u
    return result


def _bce_with_logits(
    case: Case, solution: Solution, t: ElementwiseTerms, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Return the bound of binary_cross_entropy_with_logits.

    Value: p z softplus(−x) + (1 − z) softplus(x) has no negative terms, 18u relative. Forms that
    cancel (max(x, 0) − xz + log1p e^−abs(x), and PyTorch's form with pos_weight) have
    [3 abs(x)(1 + pz) + 13(1 + pz) log1p e^−abs(x) + abs(l)]u; with softplus as log(1 + e^x), a
    logarithm of the size of x, c abs(x)(1 + pz)u more.

    Gradient with respect to the logits: the two terms (1 − z)σ(x) and pzσ(−x), each good to
    (c + 5)u; cancelling, [8σ(1 − z + pz) + pz + abs(g)]u. Gradient with respect to the target:
    −x and (p − 1) softplus(−x).
    """
    hit, miss, w = np.abs(t.pos_weight) * t.z, 1.0 - t.z, t.w
    v = np.abs(t.v)
    softplus = q.c + q.c_log1p + 2
    if quantity == "value":
        losses = np.abs(np.nan_to_num(solution.row_losses, posinf=0.0))
        rows = losses * ((softplus + 3 + _base_2(t, q)) * q.u + q.s)
        if q.algorithm.cancels:
            tail = q.c * q.unshifted(t.x) + (q.c + q.c_log1p) * _log1p_exp(t.x)
            tail = np.abs(t.x) * (3 * q.u) + tail * q.u  # 3 abs(x) may overflow
            rows = rows + w * tail * (1 + hit) + losses * q.u
        rows = rows + _of_smoothing(case, t, quantity, q)
        return reduced(case, solution, rows, t.v, q)
    if quantity == "gradient_target":
        # The sound form has no softplus at p = 1; p softplus(−x) − softplus(x) rounds both.
        # Tiny weights and huge ones for the positive term meet first, so that nothing overflows.
        extra = (w * np.abs(t.pos_weight - 1.0)) * _softplus(-t.x)
        result = v * (w * np.abs(t.x) * (3 * q.u) + extra * ((softplus + 3) * q.u)) + y * q.s
        if q.algorithm.cancels:
            step = softplus * q.u
            both = _softplus(-t.x) * (np.abs(t.pos_weight) * step) + _softplus(t.x) * step
            result = result + v * w * both
        return result
    # Each term is bounded by itself: where they cancel, no form is good relative to the result.
    sigma = sigmoid_of(t.x)
    terms = miss * sigma + hit * sigmoid_of(-t.x)
    result = v * w * terms * ((q.c + 5 + _base_2(t, q)) * q.u) + y * (4 * q.u + 2 * q.s)
    if q.algorithm.cancels:
        loose = (q.c + 3) * sigma * (miss + hit) + hit
        result = result + v * w * (loose * q.u) + y * q.u
    return result


def _bce(
    case: Case, solution: Solution, t: ElementwiseTerms, quantity: str, q: Precision, y: Floats
) -> Floats:
    """Return the bound of binary_cross_entropy.

    Value: z log p is good to (c + 2)u, (1 − z) log1p(−p) to 10u; log(1 − p) loses u absolute.
    Gradient with respect to the probabilities: z/p and (1 − z)/(1 − p), each good to 6u. Gradient
    with respect to the target: both logarithms.
    """
    v, w = np.abs(t.v), t.w
    log_p, log_complement = np.abs(np.log(t.x)), np.abs(np.log1p(-t.x))
    miss = 1.0 - t.z
    if quantity == "value":
        rows = w * (times(t.z, log_p) * (q.c + 2) + times(miss, log_complement) * (q.c_log1p + 2))
        rows = rows * q.u + np.abs(np.nan_to_num(solution.row_losses, posinf=0.0)) * (2 * q.u + q.s)
        if q.algorithm.cancels:
            rows = rows + w * miss * q.u
        rows = rows + _of_smoothing(case, t, quantity, q)
        return reduced(case, solution, rows, t.v, q)
    if quantity == "gradient_target":
        result = v * w * ((log_p + log_complement) * (q.c_log1p + 2) * q.u) + y * q.s
        return result + v * w * q.u if q.algorithm.cancels else result
    return v * w * (_of_quotients(t) * (6 * q.u)) + y * (2 * q.u + q.s)


def _of_quotients(t: ElementwiseTerms) -> Floats:
    """Return z/p + (1 − z)/(1 − p), of which the gradient with respect to p is made."""
    return times(t.z, 1.0 / t.x) + times(1.0 - t.z, 1.0 / (1.0 - t.x))


_ElementsBound = Callable[[Case, Solution, ElementwiseTerms, str, Precision, Floats], Floats]
_ELEMENTS: dict[str, _ElementsBound] = {
    "sigmoid": _sigmoid,
    "log_sigmoid": _log_sigmoid,
    "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_with_logits,
    "exp": _exp,
}
