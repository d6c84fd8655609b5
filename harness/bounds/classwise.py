"""Bound the errors of operations over classes; `harness.bounds.bound` explains the notation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...cases.model import Case
from ..oracle import ClasswiseTerms, Floats, Solution
from .algorithms import Precision, times
from .reductions import divided, divisor_depth, divisor_error, reduced, shares, underflow
from .transformed import UNMOVED, Moved, moved_by, through_slope


def classwise_bound(
    case: Case, solution: Solution, terms: ClasswiseTerms, quantity: str, precision: Precision
) -> Floats:
    """Return the bound of a quantity, in its shape or in another shape of as many elements.

    Args:
        case: the question, an operation over classes.
        solution: its right answer.
        terms: the intermediate numbers of the answer, of those rows that are judged.
        quantity: `value`, `gradient_logits` or `gradient_target`.
        precision: the roundings of the algorithm.
    """
    terms = positive(terms)
    result = _ROWS[case.operation](case, solution, terms, quantity, precision)
    # Only losses have weights and a divisor, whose errors are added here for all of them.
    if case.contract.is_loss:
        # The terms are divided by the unit. Elsewhere v restores it, but unreduced losses have
        # no v.
        if quantity == "value" and case.options.reduction == "none":
            result = result * solution.unit
        result = result + _underflow(case, solution, terms, quantity, precision)
        exact = _flat(solution, quantity, case).reshape(result.shape)
        result = divided(result, exact, divisor_error(case, solution, precision))
    if result.ndim == 2 and case.shape:
        axis = case.class_axis
        rest = case.shape[:axis] + case.shape[axis + 1 :]
        if result.size == int(np.prod(case.shape)):
            return np.moveaxis(result.reshape(*rest, case.shape[axis]), -1, axis)
    return result


def positive(terms: ClasswiseTerms) -> ClasswiseTerms:
    """Return the terms with the magnitudes of the weights, since errors add up by magnitude."""
    return replace(terms, w=np.abs(terms.w)) if (terms.w < 0).any() else terms


def _underflow(
    case: Case, solution: Solution, t: ClasswiseTerms, quantity: str, q: Precision
) -> Floats:
    """Return the error of subnormal products, which tiny weights lead to.

    Such a product is off by η/2 of the accumulating dtype, either before it is divided by a D that
    may be as small (η/D) or after (η). The error is multiplied by the other factors: 1 + ℓ in each
    term of a loss, p for each of the terms of ΣW in a gradient, 1/p where a weight is divided by
    a probability.
    """
    v = shares(case, t.v) if quantity == "value" else t.v
    per_row, eta = np.count_nonzero(t.w, axis=1), underflow(v, solution, q)
    if quantity == "value":
        each = np.where(t.w > 0, (1.0 + t.l) * _column(eta), 0.0)  # the sum of l may overflow
        lost = each.sum(axis=1) + 2.0 * eta
        return lost if case.options.reduction == "none" else np.asarray(lost.sum())
    lost = ((per_row + 3.0) * eta)[:, None] * np.ones_like(t.d)
    if t.z_loss:  # a subnormal p is off by c/2 of its η, and by half of it when it is divided
        factor = 2 * t.z_loss * np.abs(t.lse * v)
        lost = lost + _column(factor * ((q.c + 1) / 2 * q.eta_a))
    if quantity == "gradient_target":
        return lost * (1.0 + t.l)
    return np.where(t.w > 0, lost / t.p, 0.0) if case.contract.domain == "probs" else lost


def _flat(solution: Solution, quantity: str, case: Case) -> Floats:
    """Return the exact quantity in float64, as (R, C) or (R,), like the terms."""
    exact = solution.quantities[quantity].to_float()
    if exact.shape != case.shape:
        return exact.reshape(-1)
    classes = case.shape[case.class_axis]
    rows = int(np.prod(np.delete(case.shape, case.class_axis)))
    return np.moveaxis(exact, case.class_axis, -1).reshape(rows, classes)


def _log_prob(t: ClasswiseTerms, q: Precision) -> Floats:
    """Return the absolute error of ℓ = d + L: [2d + L + c'L + 1.25E + E + c + h]u.

    c' is the c of log1p. d and its rounding give 2d, the sum (2.25E + c + h), the logarithm c'L
    (as log, log1p, or log2 times ln 2, which is c + 1.3), the addition L. The sum enters through
    its logarithm, log(1 + hu). lse − x adds abs(lse)u. Unshifted forms add c(abs(lse) + ℓ)u for a
    logarithm of that size: log Σ exp(x) has c abs(lse) where a perfect logarithm (Blanchard et
    al.) has abs(lse), log(softmax x) has cℓ, and the form wholly in base 2 has
    2.5 abs(lse) + 4.5ℓ.
    """
    row = t.log_sum * (1 + q.c_log1p) + (1 + q.base_2) * t.entropy_gap + q.c
    if q.algorithm.cancels:
        row = row + np.abs(t.lse)
    unshifted = q.c * (q.unshifted(_column(t.lse)) + q.unshifted(t.l))
    rounding = t.d * (2 * q.u) + (_column(row) + unshifted) * q.u  # 2d may overflow
    return rounding + np.log1p(q.sum_of_exps(t.d.shape[1]))


def prob(t: ClasswiseTerms, q: Precision) -> Floats:
    """Return the relative error ρ of p = exp(−d)/Σ: (2.25(d + E) + 2c + h + 2)u, shape (R, C).

    exp(fl(d)) is good to (d + c)u, and as 2^(d log2 e) to (2.25d + c)u; Σ is good to the mean of
    that and h. The remaining 2u are a division, or a reciprocal and a product. exp(x − lse) has
    the roundings of lse, of x − lse and of L in addition: abs(lse) + ℓ + c'L. In unshifted forms
    lse is only good to c abs(lse); exp(x)/Σexp(x) is as good as the shifted form, without d and
    E; and 2^(fl(x log2 e) − m) has 1.25(abs(x) + Σ p abs(x)) ≤ 2.5 abs(lse) + 1.25(ℓ + E + L).
    """
    away = 1 + q.base_2
    sound = t.d * (away * q.u) + _column(away * t.entropy_gap + 2 * q.c + 2) * q.u
    extra = np.zeros_like(sound)
    if q.algorithm.cancels:
        extra = t.l + _column(np.abs(t.lse) + q.c_log1p * t.log_sum)
    extra = extra + q.c * q.unshifted(_column(t.lse))
    return _exponential(sound, extra * q.u, q.sum_of_exps(t.d.shape[1]))


def prob_from_log(t: ClasswiseTerms, q: Precision, moved: Moved = UNMOVED) -> Floats:
    """Return the relative error ρ of p = exp(log p): B_ℓ + (c + 2 + 1.25ℓ)u, shape (R, C).

    Where log p was stored in T, its rounding adds sℓ. Errors of the logits add what they move ℓ by.
    """
    # The sound part and the extra of a weaker algorithm are kept apart, as `_exponential` may
    # drop the latter. The sum multiplies the exponential, so its logarithm is taken out of both.
    hu = q.sum_of_exps(t.d.shape[1])
    last = (q.c + 2 + q.base_2 * t.l) * q.u + q.s * t.l
    sound = replace(q, algorithm=replace(q.algorithm, cancels=False, unshifted=False))
    plain = _log_prob(t, sound) - np.log1p(hu)
    extra = _log_prob(t, q) - np.log1p(hu) - plain
    if moved.is_of_products:
        return _capped_exponential(plain + last, extra, moved, hu, t.p) + q.s
    return _exponential(plain + last + moved.soundly, extra + moved.extra, hu) + q.s


def _exponential(exponent: Floats, extra: Floats, hu: float) -> Floats:
    """Return the relative error e^A(1 + hu) − 1 of an exponential whose argument is off by A.

    If A exceeds log 2, the relative error exceeds 100%. Such a bound would accept anything, so
    the extra of a weaker algorithm is dropped first, and then the whole bound.

    Args:
        exponent: the part of A that a sound algorithm has.
        extra: the part that a weaker algorithm adds.
        hu: the relative error of the sum.
    """
    limit = np.log(2.0)
    spent = np.where(exponent + extra < limit, exponent + extra, exponent)
    return np.where(spent < limit, np.expm1(spent) * (1 + hu) + hu, 0.0)


def _capped_exponential(
    exponent: Floats, extra: Floats, moved: Moved, hu: float, p: Floats
) -> Floats:
    """Return the relative error of a probability whose logit is an inner product.

    Inner products may be off by more than log 2, which is no weakness of the algorithm: they are
    large, and their terms larger. A probability is then off by what is left to 1 at most.
    """
    other = _exponential(exponent, extra, hu)
    with np.errstate(over="ignore"):
        grown = np.expm1(moved.soundly + moved.extra)
    most = np.where(p > 0, 1 / np.maximum(p, np.finfo(float).tiny), np.inf)
    return np.minimum((1 + other) * (1 + grown) - 1, most)


def _column(row: Floats) -> Floats:
    """Return an array of shape (R,) as (R, 1)."""
    return np.asarray(row)[:, None]


def _softmax(
    case: Case, solution: Solution, t: ClasswiseTerms, quantity: str, q: Precision
) -> Floats:
    """Return the bound of softmax. Value: p[(2.25(d + E) + 2c + h + 2)u + s].

    Gradient p_j(v_j − m), m = Σ p_i v_i: m is good to Σ p_i abs(v_i)(ρ_i + s + (h + 1)u), where ρ
    is the relative error of p. The product adds ρ_j and two roundings; p_j v_j − p_j m has two
    more of p_j v_j.
    """
    rho = prob(t, q)
    if quantity == "value":
        return times(t.p, rho + q.s)
    g = np.abs(_flat(solution, quantity, case))
    h = q.depth(t.d.shape[1])
    mean = times(t.p * np.abs(t.v), rho + q.s + (h + 1) * q.u).sum(axis=1, keepdims=True)
    inner = np.broadcast_to(mean, t.p.shape) + 2 * q.u * np.abs(t.v)
    return times(t.p, inner) + times(g, rho + 2 * q.s + 4 * q.u)


def _log_softmax(
    case: Case, solution: Solution, t: ClasswiseTerms, quantity: str, q: Precision
) -> Floats:
    """Return the bound of log_softmax. Value: B_ℓ + sℓ.

    Gradient v_j − p_j V, V = Σ v: V is good to (h + 1)u Σ abs(v), and p_j V to ρ_j + u more.
    """
    if quantity == "value":
        return _log_prob(t, q) + q.s * t.l
    g = np.abs(_flat(solution, quantity, case))
    h = q.depth(t.d.shape[1])
    total = np.abs(t.v.sum(axis=1, keepdims=True))
    magnitude = np.abs(t.v).sum(axis=1, keepdims=True)
    relative = times(t.p, prob_from_log(t, q) + q.u)
    return relative * total + t.p * magnitude * (h + 1) * q.u + g * (q.u + q.s)


def _logsumexp(
    case: Case, solution: Solution, t: ClasswiseTerms, quantity: str, q: Precision
) -> Floats:
    """Return the bound of logsumexp.

    Value a + L: (2.25E + c + h + c'L)u for L, abs(lse)(u + s) for the addition. Gradient: v·p.

    Unshifted forms have c abs(lse)u for log Σ exp(x). Sequential ones may be n − 1 steps of
    log(e^y + e^x) = max + log1p(e^−Δ): each is rounded, abs(y)u, and its tail of at most log 2 is
    good to (0.7c' + c/2 + 0.3)u. The error of an early y is scaled by its part of the sum, which
    leaves less than abs(lse) + 0.4 of abs(y): (n − 1)(abs(lse) + (c + c')/2 + 3)u in all.
    """
    if quantity == "value":
        return _log_sum_exp(t, q)
    return times(t.p * np.abs(t.v), prob(t, q) + q.s + 2 * q.u)


def _log_sum_exp(t: ClasswiseTerms, q: Precision) -> Floats:
    """Return the error of a logsumexp, shape (R,)."""
    bracket = (1 + q.base_2) * t.entropy_gap + q.c + q.c_log1p * t.log_sum
    bracket = bracket + q.c * q.unshifted(t.lse)
    size, n = np.abs(t.lse), t.d.shape[1]
    result = bracket * q.u + np.log1p(q.sum_of_exps(n)) + size * (q.u + q.s)
    # A running logsumexp adds its terms one by one, and rounds the maximum each time.
    if q.algorithm.sequential and not q.algorithm.narrow:
        steps = (n - 1) * (size + (q.c + q.c_log1p) / 2 + 3) * q.u + size * q.s
        result = np.maximum(result, steps)
    return result


def _class_weights(case: Case) -> Floats:
    """Return the class weights, shape (C,), or 1, shape (1,)."""
    weight = case.inputs().weight
    return np.ones(1) if weight is None else weight.astype(np.float64)


def _terms_of_rows(t: ClasswiseTerms, q: Precision) -> float:
    """Return the depth of Σ W ℓ over the classes; zeros do not count, as adding 0 is exact."""
    return q.depth(int(np.count_nonzero(t.w, axis=1).max(initial=0)))


def _cross_entropy(
    case: Case, solution: Solution, t: ClasswiseTerms, quantity: str, q: Precision
) -> Floats:
    """Return the bound of cross_entropy.

    Loss r of a row: Σ W(B_ℓ + sℓ) + r[(h_C + 6)u + s], where h_C is the depth of a sum of as many
    terms as W has. Gradient with respect to the logits, (p ΣW − W)/D:
    ΣW·p[expm1(B_ℓ + (c + 2 + 1.25ℓ)u + sℓ) + s] + abs(g)(u + 2s) + (6 + h_C + h_D)u(p ΣW + W),
    times the cotangent over D. Gradient with respect to the target:
    w(B_ℓ + sℓ) + abs(g)((5 + h_D)u + 2s).

    Errors of transformed logits move ℓ and p (`harness.bounds.transformed`). A z-loss λ·lse² is
    good to λ(2 abs(lse)B + B²) + λ·lse²(6u + s), where B is the error of lse. In the gradient
    2λ·lse is added to ΣW; it is good to 2λB, and its terms have the roundings of the others.
    """
    h_c, h_d = _terms_of_rows(t, q), divisor_depth(case, solution, q)
    moved = moved_by(case.options, t, q)
    log_prob = _log_prob(t, q) + moved.soundly + moved.extra + q.s * t.l
    of_lse = _log_sum_exp(t, q) + moved.lse
    if quantity == "value":
        rows = times(t.w, log_prob).sum(axis=1)
        rows = rows + times(t.w, t.l).sum(axis=1) * ((h_c + 6) * q.u + q.s)
        if t.z_loss:
            square = (2 * np.abs(t.lse) + of_lse) * of_lse + t.lse**2 * (6 * q.u + q.s)
            rows = rows + t.z_loss * square
        return reduced(case, solution, rows, t.v, q)
    g = np.abs(_flat(solution, quantity, case))
    v = np.abs(t.v)[:, None]
    if quantity == "gradient_target":
        # |g| = w ℓ v, so g/ℓ is the factor of ℓ's error; where an ℓ is 0 it comes from the inputs.
        per_target = g / t.l if t.l.all() else v * (np.abs(_class_weights(case)) / solution.unit)
        last = np.full_like(g, (5 + h_d) * q.u + 2 * q.s)
        return times(per_target, log_prob) + times(g, last)
    total = t.w.sum(axis=1, keepdims=True)
    if solution.convention.sums_to_1:
        total = np.maximum(total, 1.0 / solution.unit)
    lost = np.zeros_like(t.p)
    if t.z_loss:
        total = total + _column(2 * t.z_loss * np.abs(t.lse))
        lost = t.p * _column(2 * t.z_loss * of_lse)
    relative = total * times(t.p, prob_from_log(t, q, moved))
    rounding = (6 + h_c + h_d) * q.u * (t.p * total + t.w)
    limit = (relative + rounding + lost) * v
    if t.is_transformed:
        limit = through_slope(case.options, t, limit, g, (t.p * total + t.w) * v, q)
    return limit + g * (q.u + 2 * q.s)


def _nll_loss(
    case: Case, solution: Solution, t: ClasswiseTerms, quantity: str, q: Precision
) -> Floats:
    """Return the bound of nll_loss, which only multiplies and adds log-probabilities lp.

    Loss of a row: Σ abs(W·lp)(2u + s); its gradient is −W/D, good to (6 + h_D)u + s.
    """
    if quantity == "value":
        rows = np.abs(times(t.w, t.l)).sum(axis=1) * (2 * q.u + q.s)
        return reduced(case, solution, rows, t.v, q)
    g = np.abs(_flat(solution, quantity, case))
    return g * ((6 + divisor_depth(case, solution, q)) * q.u + q.s)


def _cross_entropy_probs(
    case: Case, solution: Solution, t: ClasswiseTerms, quantity: str, q: Precision
) -> Floats:
    """Return the bound of cross_entropy_probs.

    ℓ = −log p is good to cu relative, and the gradient −W/p to (6 + h_C + h_D)u. In 16 bits W/D
    may be subnormal before it is divided by p, which adds η/p.

    Where a convention divides p by Σp, the sum adds (h + 3)u to ℓ and, if it is taken of the
    logarithms, Σ p abs(log p) cu ≤ c ln C u. The gradient (−W/p + ΣW)/Σx has terms that cancel,
    of at most abs(g) + 2 ΣW/Σx. The gradient with respect to the target, −w log(p/Σp), adds
    (h + 3)u w.
    """
    h_c, h_d = _terms_of_rows(t, q), divisor_depth(case, solution, q)
    total, classes = t.w.sum(axis=1), t.d.shape[1]
    division = (q.depth(classes) + 3 + q.c * (1 + np.log(classes))) * q.u + 2 * q.s
    if quantity == "value":
        rows = np.abs(times(t.w, t.l)).sum(axis=1) * ((q.c + h_c + 6) * q.u + 2 * q.s)
        if solution.convention.renormalise:
            rows = rows + total * division
        return reduced(case, solution, rows, t.v, q)
    # Without a convention each gradient is one product, so its error is relative to itself.
    g = np.abs(_flat(solution, quantity, case))
    bracket = np.full_like(g, (q.c + 6 + h_c + h_d) * q.u + 2 * q.s)
    if solution.convention.renormalise and quantity == "gradient_target":
        weight = case.inputs().weight
        w = np.ones(classes) if weight is None else np.abs(weight.astype(np.float64))
        rounded = (q.depth(classes) + 3) * q.u + 2 * q.s
        return times(g, bracket) + np.abs(t.v)[:, None] * w * rounded
    if not solution.convention.renormalise:
        lost = q.eta if q.algorithm.narrow and quantity == "gradient_logits" else 0.0
        return times(g, bracket) + np.where(g > 0, lost / t.p, 0.0)
    # A clipped probability is at least the limit, and so is a sum of clipped ones.
    x = case.inputs().values.astype(np.float64)
    sums = np.maximum(x.sum(axis=case.class_axis).reshape(-1), solution.convention.clip or 0.0)
    magnitude = g + 2 * (np.abs(t.v) * total / sums)[:, None]
    return times(magnitude, bracket + division + q.c * np.abs(t.l) * q.u)


_RowsBound = Callable[[Case, Solution, ClasswiseTerms, str, Precision], Floats]
_ROWS: dict[str, _RowsBound] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "nll_loss": _nll_loss,
    "cross_entropy": _cross_entropy,
    "linear_cross_entropy": _cross_entropy,
    "cross_entropy_probs": _cross_entropy_probs,
}
