"""The bounds of Hessian-vector products; `harness.bounds.bound` explains the notation.

ρ is the relative error of p, as in `harness.bounds.classwise`. A mean m(t) = Σ p t is good to
μ(t) = Σ p abs(t)(ρ + s + (h + 1)u); so p_j (t_j − m), computed as it stands, is good to
p_j μ + abs(p_j (t_j − m))(ρ_j + 4u + 2s). `cancels` is what automatic differentiation makes of
it twice: p_j t_j − p_j m, two terms that are rounded before they meet. As Σ p abs(t) is at least
abs(m), the sound bound all but covers that: only a ρ_j far above the mean of ρ tells them apart.

Where p is subnormal it is off by η, (c + 1)/2 η where A = T, times what multiplies it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...cases.model import Case
from ..oracle import ClasswiseTerms, ElementwiseTerms, Floats, Solution
from .algorithms import C_EXP, Precision, times
from .classwise import positive, prob, prob_from_log
from .elementwise import of_magnitudes, sigmoid_of
from .reductions import count, divided, divisor_error


def second_bound(case: Case, solution: Solution, exact_hvp: Floats, precision: Precision) -> Floats:
    """Return the largest error of a second derivative, in its shape.

    Args:
        case: the question.
        solution: its answer under the rules of the second derivative.
        exact_hvp: what `oracle_second.solve_second` says, rounded to float64.
        precision: the roundings of an algorithm; the bound is not vacuous where `bounds.bound` of
            the gradient is not.
    """
    terms = solution.terms
    if not exact_hvp.size:
        return np.zeros(exact_hvp.shape)
    with np.errstate(all="ignore"):
        if isinstance(terms, ClasswiseTerms):
            result = _rows_bound(case, solution, positive(terms), exact_hvp, precision)
        elif isinstance(terms, ElementwiseTerms):
            t, terms = np.abs(case.direction()), of_magnitudes(terms)
            result = _ELEMENTS[case.operation](terms, t, np.abs(exact_hvp), precision)
        else:
            raise TypeError("a refusal has no bound")
        result = result.reshape(exact_hvp.shape)
        result = divided(result, exact_hvp, divisor_error(case, solution, precision))
    finite = np.where(np.isfinite(result), result, 0.0)
    return finite.reshape(exact_hvp.shape) + 2 * _eta(precision)


def _eta(q: Precision) -> float:
    """The absolute error of a subnormal p."""
    return q.eta if q.s else q.eta * (C_EXP + 1) / 2


# --- rows of classes -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """What the bounds of rows are made of; shape (R, C), or (R, 1) for sums over classes.

    Attributes:
        p, v, t: probabilities, cotangents over D, and the direction.
        y: the magnitude of the exact second derivative.
        rho: the relative error of p.
        q: the roundings.
        h: the depth of a sum over classes.
    """

    p: Floats
    v: Floats
    t: Floats
    y: Floats
    rho: Floats
    q: Precision
    h: float

    def mean(self, a: Floats) -> Floats:
        """Σ p a."""
        return times(self.p, a).sum(axis=1, keepdims=True)

    def size(self, a: Floats) -> Floats:
        """abs(a_j) + Σ p abs(a): the terms of a_j − Σ p a."""
        return np.abs(a) + self.mean(np.abs(a))

    def mean_error(self, a: Floats) -> Floats:
        """μ(a) = Σ p abs(a)(ρ + s + (h + 1)u)."""
        return self.mean(np.abs(a) * (self.rho + self.q.s + (self.h + 1) * self.q.u))

    @property
    def own(self) -> Floats:
        """ρ_j + 4u + 2s: what multiplies a result that is p_j times something."""
        return self.rho + 4 * self.q.u + 2 * self.q.s

    def moved(self) -> Floats:
        """The error of p_j (t_j − m); cancelling, of p_j t_j − p_j m."""
        deviation = np.abs(self.t - self.mean(self.t))
        if self.q.algorithm.cancels:
            deviation = self.size(self.t)
        error = times(self.p, self.mean_error(self.t) + times(deviation, self.own))
        return error + self.size(self.t) * _eta(self.q)


def _rows_bound(
    case: Case, solution: Solution, terms: ClasswiseTerms, exact_hvp: Floats, q: Precision
) -> Floats:
    axis = case.class_axis
    if axis and exact_hvp.shape[0] < case.shape[0]:  # of a large array the first rows
        case = replace(case, shape=exact_hvp.shape)
        terms = terms.head(exact_hvp.size // case.shape[axis])
    rest = case.shape[:axis] + case.shape[axis + 1 :]

    def flat(array: Floats) -> Floats:
        return np.moveaxis(array, axis, -1).reshape(-1, case.shape[axis])

    # the cotangents of softmax and log_softmax are of each class, others of each row
    v = terms.v if terms.v.ndim == 2 else terms.v.reshape(-1, 1)
    is_softmax = case.operation in ("softmax", "logsumexp")
    rho = (prob if is_softmax else prob_from_log)(terms, q)
    h = q.depth(case.shape[axis])
    row = _Row(terms.p, v, flat(case.direction()), np.abs(flat(exact_hvp)), rho, q, h)
    h_rows = h + q.depth(count(solution)) if case.contract.is_loss else 0.0
    result = _ROWS[case.operation](row, terms, h_rows)
    return np.moveaxis(result.reshape(*rest, -1), -1, axis)


def _softmax(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """p_j (c_j − Σ p c), c = (t − Σ p t)(v − Σ p v).

    Differentiated forwards it is p_j [(t_j − m(t))(v_j − m(v)) − Σ dp v] with dp = p (t − m(t));
    backwards p_j (r_j − Σ p r) with r = t (v − m(v)) − v m(t). Both are products of sizes
    τ_j = abs(t_j) + Σ p abs(t) and ν_j likewise of v, so each is good to p_j times

        ν_j μ(t) + τ_j μ(v) + Σ p (ν μ(t) + τ μ(v)) + Σ p τν(ρ + s + (h + 4)u) + τ_j ν_j (4u + 2s)

    and the result to ρ_j more; cancelling, ρ_j τ_j ν_j.
    """
    q, tau, nu = r.q, r.size(r.t), r.size(r.v)
    inner = times(nu, r.mean_error(r.t)) + times(tau, r.mean_error(r.v))
    mean = r.mean(inner + tau * nu * (r.rho + q.s + (r.h + 4) * q.u))
    error = times(r.p, inner + mean + tau * nu * (4 * q.u + 2 * q.s))
    own = times(r.p, tau * nu) if q.algorithm.cancels else r.y
    return error + times(own, r.own) + tau * nu * _eta(q)


def _log_softmax(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """−V p_j (t_j − m): V = Σ v is good to (h + 1)u Σ abs(v)."""
    total = np.abs(r.v.sum(axis=1, keepdims=True))
    magnitude = np.abs(r.v).sum(axis=1, keepdims=True)
    deviation = np.abs(r.t - r.mean(r.t))
    if r.q.algorithm.cancels:
        deviation = r.size(r.t)
    of_sum = times(r.p, deviation) * magnitude * (r.h + 1) * r.q.u
    return r.moved() * total + of_sum + r.y * (r.q.u + 2 * r.q.s)


def _logsumexp(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """It is v p_j (t_j − m)."""
    return r.moved() * np.abs(r.v) + r.y * (r.q.u + r.q.s)


def _cross_entropy(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """ΣW/D · p_j (t_j − m): ΣW and D are good to (6 + h_C + h_N)u."""
    scale = terms.w.sum(axis=1, keepdims=True) * np.abs(r.v)
    relative = (6 + h_rows) * r.q.u + 2 * r.q.s
    result = times(scale, r.moved()) + r.y * relative
    if r.q.algorithm.cancels:
        result = result + times(scale, times(r.p, r.size(r.t))) * relative
    return result


def _nll_loss(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """0, whatever is done."""
    return np.zeros_like(r.y)


def _cross_entropy_probs(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """W/x² · t/D: products and quotients of what is given, (8 + h_C + h_N)u."""
    return r.y * ((8 + h_rows) * r.q.u + 3 * r.q.s)


_RowBound = Callable[[_Row, ClasswiseTerms, float], Floats]
_ROWS: dict[str, _RowBound] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "nll_loss": _nll_loss,
    "cross_entropy": _cross_entropy,
    "cross_entropy_probs": _cross_entropy_probs,
}


# --- single elements -------------------------------------------------------------------------


def _exp(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """It is v t e^x: (c + 4)u, and what 2^(x log2 e) adds."""
    return y * ((q.c + 4 + _base_2(e, q)) * q.u + 2 * q.s)


def _base_2(e: ElementwiseTerms, q: Precision) -> Floats:
    """What e^−abs(x), made as a power of 2, loses, in u."""
    return q.base_2 * q.unshifted(e.x)


def _spread_lost(x: Floats, q: Precision) -> Floats:
    """What σ(1 − σ) loses where 1 − σ comes from a rounded σ: σ²[(c + 4)u + s], absolute."""
    return sigmoid_of(x) ** 2 * ((q.c + 4) * q.u + q.s)


def _either_spread_lost(x: Floats, q: Precision) -> Floats:
    """The same where the gradient may hold σ(x), σ(−x), or exp(x − softplus(x)), to abs(x)u."""
    exponent = np.minimum(np.abs(x), 1 / q.u) * q.u
    return _spread_lost(x, q) + _spread_lost(-x, q) + sigmoid_of(np.abs(x)) ** 2 * exponent


def _sigmoid(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """−v t σ(x) σ(−x) tanh(x/2): twice (c + 3)u, and (c + 6)u for the last factor.

    Cancelling it is 1 − 2σ: 2σ(c + 4)u, absolute, and 1 − σ likewise.
    """
    result = y * ((2 * (q.c + 3) + q.c + 10 + 2 * _base_2(e, q)) * q.u + 3 * q.s)
    if q.algorithm.cancels:
        sigma = sigmoid_of(e.x)
        lost = 3 * sigma * sigmoid_of(-e.x) * ((q.c + 4) * q.u + q.s) + _spread_lost(e.x, q)
        result = result + np.abs(e.v) * t * lost
    return result


def _log_sigmoid(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """−v t σ(x) σ(−x): twice (c + 3)u."""
    result = y * ((2 * (q.c + 3) + 6 + _base_2(e, q)) * q.u + 3 * q.s)
    if q.algorithm.cancels:
        result = result + np.abs(e.v) * t * _either_spread_lost(e.x, q)
    return result


def _bce_with_logits(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """It is w (1 − z + pz) σ(x) σ(−x) t/D, terms of one sign: twice (c + 3)u, and 8u."""
    result = y * ((2 * (q.c + 3) + 8 + _base_2(e, q)) * q.u + 3 * q.s)
    if q.algorithm.cancels:
        terms = np.abs(e.v) * e.w * (1 - e.z + np.abs(e.pos_weight) * e.z)
        result = result + terms * t * _either_spread_lost(e.x, q)
    return result


def _bce(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """It is w (z/x² + (1 − z)/(1 − x)²) t/D, terms of one sign: 12u.

    Cancelling, (x − z)/(x(1 − x)) by the rule for quotients, 1/x(1 − x) and
    abs(x − z)/(x(1 − x))², or all in one, (x² − 2xz + z)/(x(1 − x))²: each 12u.
    """
    result = y * (12 * q.u + 3 * q.s)
    if q.algorithm.cancels:
        spread = e.x * (1 - e.x)
        terms = 1 / spread + (e.x * e.x + 2 * e.x * e.z + e.z) / spread**2
        result = result + np.abs(e.v) * e.w * t * terms * (12 * q.u + 3 * q.s)
    return result


_ElementBound = Callable[[ElementwiseTerms, Floats, Floats, Precision], Floats]
_ELEMENTS: dict[str, _ElementBound] = {
    "exp": _exp,
    "sigmoid": _sigmoid,
    "log_sigmoid": _log_sigmoid,
    "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_with_logits,
}
