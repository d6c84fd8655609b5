"""Bound the errors of Hessian-vector products; `harness.bounds.bound` explains the notation.

ρ is the relative error of p, as in `harness.bounds.classwise`. A mean m(t) = Σ p t is good to
μ(t) = Σ p abs(t)(ρ + s + (h + 1)u); so p_j (t_j − m), computed as written, is good to
p_j μ + abs(p_j (t_j − m))(ρ_j + 4u + 2s). `cancels` stands for the form that automatic
differentiation, applied twice, leads to: p_j t_j − p_j m, two terms that are rounded before they
are subtracted. As Σ p abs(t) is at least abs(m), the sound bound nearly covers that form: only a
ρ_j far above the mean of ρ makes a difference.

A subnormal p is off by η, or (c + 1)/2 η where A = T, times the factors that multiply it.
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
    """Return the largest error of a Hessian-vector product, in its shape.

    The bound is not vacuous where that of the gradient is not.

    Args:
        case: the question.
        solution: its right answer, under the convention that the product follows.
        exact_hvp: the product as `harness.oracle.solve_second` returns it, rounded to float64.
        precision: the roundings of an algorithm.

    Raises:
        TypeError: if the right answer is an error.
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
    # 2η for a subnormal result, whose p is multiplied by a factor up to 2.
    finite = np.where(np.isfinite(result), result, 0.0)
    return finite.reshape(exact_hvp.shape) + 2 * _eta(precision)


def _eta(q: Precision) -> float:
    """Return the absolute error of a subnormal p."""
    return q.eta if q.s else q.eta * (C_EXP + 1) / 2


# --- rows of classes -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """The numbers that the bounds of rows are made of; shape (R, C), or (R, 1) for sums.

    Attributes:
        p, v, t: the probabilities, the cotangents over D, and the direction.
        y: the magnitude of the exact product.
        rho: the relative error of p.
        q: the roundings of the algorithm.
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
        """Return Σ p a, shape (R, 1)."""
        return times(self.p, a).sum(axis=1, keepdims=True)

    def size(self, a: Floats) -> Floats:
        """Return abs(a_j) + Σ p abs(a), the size of the terms of a_j − Σ p a."""
        return np.abs(a) + self.mean(np.abs(a))

    def mean_error(self, a: Floats) -> Floats:
        """Return μ(a) = Σ p abs(a)(ρ + s + (h + 1)u), the error of Σ p a; shape (R, 1)."""
        return self.mean(np.abs(a) * (self.rho + self.q.s + (self.h + 1) * self.q.u))

    @property
    def own(self) -> Floats:
        """The relative error ρ_j + 4u + 2s of a product of p_j with an exact factor."""
        return self.rho + 4 * self.q.u + 2 * self.q.s

    def moved(self) -> Floats:
        """Return the error of p_j (t_j − m), or of p_j t_j − p_j m if the algorithm cancels."""
        # A form that cancels rounds both of its terms, which are larger than their difference.
        deviation = np.abs(self.t - self.mean(self.t))
        if self.q.algorithm.cancels:
            deviation = self.size(self.t)
        error = times(self.p, self.mean_error(self.t) + times(deviation, self.own))
        return error + self.size(self.t) * _eta(self.q)


def _rows_bound(
    case: Case, solution: Solution, terms: ClasswiseTerms, exact_hvp: Floats, q: Precision
) -> Floats:
    """Return the bound of an operation over classes, in the shape of the product."""
    axis = case.class_axis
    if axis and exact_hvp.shape[0] < case.shape[0]:  # of a large array the first rows
        case = replace(case, shape=exact_hvp.shape)
        terms = terms.head(exact_hvp.size // case.shape[axis])
    rest = case.shape[:axis] + case.shape[axis + 1 :]

    def flat(array: Floats) -> Floats:
        return np.moveaxis(array, axis, -1).reshape(-1, case.shape[axis])

    # Softmax and log_softmax have a cotangent for each class, other operations one for each row.
    v = terms.v if terms.v.ndim == 2 else terms.v.reshape(-1, 1)
    # Where the forward pass computes log p, the derivatives take p as its exponential.
    is_softmax = case.operation in ("softmax", "logsumexp")
    rho = (prob if is_softmax else prob_from_log)(terms, q)
    h = q.depth(case.shape[axis])
    row = _Row(terms.p, v, flat(case.direction()), np.abs(flat(exact_hvp)), rho, q, h)
    h_rows = h + q.depth(count(solution)) if case.contract.is_loss else 0.0
    result = _ROWS[case.operation](row, terms, h_rows)
    return np.moveaxis(result.reshape(*rest, -1), -1, axis)


def _softmax(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """Return the bound of softmax: p_j (c_j − Σ p c), c = (t − Σ p t)(v − Σ p v).

    Differentiated forwards it is p_j [(t_j − m(t))(v_j − m(v)) − Σ dp v] with dp = p (t − m(t));
    backwards p_j (r_j − Σ p r) with r = t (v − m(v)) − v m(t). Both are products of sizes
    τ_j = abs(t_j) + Σ p abs(t) and ν_j likewise of v, so each is good to p_j times

        ν_j μ(t) + τ_j μ(v) + Σ p (ν μ(t) + τ μ(v)) + Σ p τν(ρ + s + (h + 4)u) + τ_j ν_j (4u + 2s)

    and the result to ρ_j more; cancelling, ρ_j τ_j ν_j.
    """
    # Both orders of differentiation are covered by the sizes of their factors, τ and ν.
    q, tau, nu = r.q, r.size(r.t), r.size(r.v)
    inner = times(nu, r.mean_error(r.t)) + times(tau, r.mean_error(r.v))
    mean = r.mean(inner + tau * nu * (r.rho + q.s + (r.h + 4) * q.u))
    error = times(r.p, inner + mean + tau * nu * (4 * q.u + 2 * q.s))
    own = times(r.p, tau * nu) if q.algorithm.cancels else r.y
    return error + times(own, r.own) + tau * nu * _eta(q)


def _log_softmax(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """Return the bound of log_softmax: −V p_j (t_j − m), V = Σ v good to (h + 1)u Σ abs(v)."""
    total = np.abs(r.v.sum(axis=1, keepdims=True))
    magnitude = np.abs(r.v).sum(axis=1, keepdims=True)
    deviation = np.abs(r.t - r.mean(r.t))
    if r.q.algorithm.cancels:
        deviation = r.size(r.t)
    of_sum = times(r.p, deviation) * magnitude * (r.h + 1) * r.q.u
    return r.moved() * total + of_sum + r.y * (r.q.u + 2 * r.q.s)


def _logsumexp(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """Return the bound of logsumexp: v p_j (t_j − m)."""
    return r.moved() * np.abs(r.v) + r.y * (r.q.u + r.q.s)


def _cross_entropy(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """Return the bound of cross_entropy: ΣW/D · p_j (t_j − m), its factor to (6 + h_C + h_N)u."""
    scale = terms.w.sum(axis=1, keepdims=True) * np.abs(r.v)
    relative = (6 + h_rows) * r.q.u + 2 * r.q.s
    result = times(scale, r.moved()) + r.y * relative
    if r.q.algorithm.cancels:
        result = result + times(scale, times(r.p, r.size(r.t))) * relative
    return result


def _nll_loss(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """Return the bound of nll_loss, which is linear: its product is 0 and has no error."""
    return np.zeros_like(r.y)


def _cross_entropy_probs(r: _Row, terms: ClasswiseTerms, h_rows: float) -> Floats:
    """Return the bound of cross_entropy_probs: W/x² · t/D, products good to (8 + h_C + h_N)u."""
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
    """Return the bound of exp: v t e^x, good to (c + 4)u, and the extra of 2^(x log2 e)."""
    return y * ((q.c + 4 + _base_2(e, q)) * q.u + 2 * q.s)


def _base_2(e: ElementwiseTerms, q: Precision) -> Floats:
    """Return the relative error of e^−abs(x) as a power of 2, in u."""
    return q.base_2 * q.unshifted(e.x)


def _spread_lost(x: Floats, q: Precision) -> Floats:
    """Return the absolute error of σ(1 − σ) with 1 − σ from a rounded σ: σ²[(c + 4)u + s]."""
    return sigmoid_of(x) ** 2 * ((q.c + 4) * q.u + q.s)


def _either_spread_lost(x: Floats, q: Precision) -> Floats:
    """Return the same error where the gradient holds σ(x), σ(−x) or exp(x − softplus(x)).

    The argument of that exponential is good to abs(x)u.
    """
    # Beyond abs(x) = 1/u the exponential has no digit left, and its error is its own size.
    exponent = np.minimum(np.abs(x), 1 / q.u) * q.u
    return _spread_lost(x, q) + _spread_lost(-x, q) + sigmoid_of(np.abs(x)) ** 2 * exponent


def _sigmoid(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """Return the bound of sigmoid: −v t σ(x) σ(−x) tanh(x/2).

    σ(x) and σ(−x) have (c + 3)u each, and the last factor (c + 6)u. A form that cancels has
    1 − 2σ instead, with an absolute error of 2σ(c + 4)u, and 1 − σ likewise.
    """
    result = y * ((2 * (q.c + 3) + q.c + 10 + 2 * _base_2(e, q)) * q.u + 3 * q.s)
    if q.algorithm.cancels:
        sigma = sigmoid_of(e.x)
        lost = 3 * sigma * sigmoid_of(-e.x) * ((q.c + 4) * q.u + q.s) + _spread_lost(e.x, q)
        result = result + np.abs(e.v) * t * lost
    return result


def _log_sigmoid(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """Return the bound of log_sigmoid: −v t σ(x) σ(−x), where each σ has (c + 3)u."""
    result = y * ((2 * (q.c + 3) + 6 + _base_2(e, q)) * q.u + 3 * q.s)
    if q.algorithm.cancels:
        result = result + np.abs(e.v) * t * _either_spread_lost(e.x, q)
    return result


def _bce_with_logits(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """Return the bound of binary_cross_entropy_with_logits: w (1 − z + pz) σ(x) σ(−x) t/D.

    The terms have one sign; each σ has (c + 3)u, and the other factors 8u.
    """
    result = y * ((2 * (q.c + 3) + 8 + _base_2(e, q)) * q.u + 3 * q.s)
    if q.algorithm.cancels:
        terms = np.abs(e.v) * e.w * (1 - e.z + np.abs(e.pos_weight) * e.z)
        result = result + terms * t * _either_spread_lost(e.x, q)
    return result


def _bce(e: ElementwiseTerms, t: Floats, y: Floats, q: Precision) -> Floats:
    """Return the bound of binary_cross_entropy: w (z/x² + (1 − z)/(1 − x)²) t/D.

    The terms have one sign, 12u. Forms that cancel differentiate (x − z)/(x(1 − x)) by the
    quotient rule, with terms 1/x(1 − x) and abs(x − z)/(x(1 − x))², or use the one fraction
    (x² − 2xz + z)/(x(1 − x))²: each 12u.
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
