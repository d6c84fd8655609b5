"""How far from the exact value a correct computation can be, element by element.

First-order rounding-error analysis after Blanchard, Higham, Higham, "Accurately computing
the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41(4), 2021,
doi 10.1093/imanum/draa038, without its simplification: fl(d_i) = d_i(1 + δ), so that each
summand exp(−d_i) carries a relative error (d_i + c)u and the sum Σ p_i(d_i + c)u + hu. Since
Σ p_i d_i = H − L = E lies in [0, ln C], the sum is good to (E + c + h)u: the spread of the
logits is gone.

u is the unit roundoff of the accumulating dtype A; s that of the storing dtype T where they
differ (16-bit results accumulated in float32), else 0; η one smallest subnormal of T; h the
depth of a summation. c = 5 allows exp and log 2.5 ulp each; log1p is allowed 4 ulp.

Relative errors end where numbers are subnormal. There exp's c/2 ulp are c/2 of A's η, which the
division by a sum ≥ 1 does not enlarge, and the quotient is rounded once more: (c + 1)/2 η where
A = T. Where A is wider its subnormals are below η/2, and η is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..cases.dtypes import FORMATS
from ..cases.model import Case
from .arithmetic import Floats
from .oracle import Elements, Rows, Solution

C_EXP = 5.0  # twice the error of exp and of log, in ulp
C_LOG1P = 8.0  # twice the error of log1p, in ulp
_VACUOUS = 0.1  # beyond h·u = 0.1 a first-order bound says nothing


@dataclass(frozen=True)
class Algorithm:
    """How the quantity may have been computed.

    Attributes:
        sequential: sums run from first to last (h = n − 1), not pairwise (h = ⌈log2 n⌉ + 1).
        cancels: forms that cancel, such as lse − x, 1 − σ(x), log(1 − p).
        narrow: every intermediate is rounded to T, and sums run in T.
    """

    sequential: bool = False
    cancels: bool = False
    narrow: bool = False


SOUND = Algorithm()
# The ladder of explanations: verdict, and the algorithms that it stands for.
LADDER: tuple[tuple[str, Algorithm], ...] = (
    ("order", Algorithm(sequential=True)),
    ("formula", Algorithm(cancels=True)),
    ("formula", Algorithm(sequential=True, cancels=True)),
    ("narrow", Algorithm(narrow=True)),
    ("narrow", Algorithm(narrow=True, cancels=True)),
    ("narrow", Algorithm(narrow=True, cancels=True, sequential=True)),
)


@dataclass(frozen=True)
class Precision:
    """The roundings of an algorithm in a dtype.

    Attributes:
        u: unit roundoff of the accumulating dtype.
        s: unit roundoff of the storing dtype where it differs, else 0.
        eta: one smallest subnormal of the storing dtype.
    """

    u: float
    s: float
    eta: float
    algorithm: Algorithm

    def depth(self, n: int) -> float:
        """Return h for a sum of n terms."""
        if n <= 1:
            return 0.0
        return float(n - 1) if self.algorithm.sequential else float(np.ceil(np.log2(n))) + 1.0

    def grown(self, bracket: Floats | float, h: float) -> Floats:
        """Return bracket·u/(1 − hu)."""
        return np.asarray(bracket * (self.u / (1.0 - min(h * self.u, 0.5))))


def precision_of(dtype: str, algorithm: Algorithm) -> Precision:
    """Return the roundings of an algorithm in a dtype; 16-bit sums run in float32 if not narrow."""
    form = FORMATS[dtype]
    u = form.unit_roundoff
    if dtype in ("float16", "bfloat16") and not algorithm.narrow:
        return Precision(FORMATS["float32"].unit_roundoff, u, form.smallest, algorithm)
    return Precision(u, 0.0, form.smallest, algorithm)


def bound(case: Case, solution: Solution, quantity: str, algorithm: Algorithm) -> Floats | None:
    """Return the largest error that the algorithm can make, in the shape of the quantity.

    Returns None where the bound is vacuous: the sum is so long that h·u exceeds 0.1.
    """
    precision = precision_of(case.dtype, algorithm)
    terms = solution.terms
    classes = case.shape[case.class_axis] if case.contract.reads_classes else 1
    is_reduced = case.contract.is_loss and case.options.reduction != "none"
    rows = int(np.prod(case.shape)) // max(classes, 1) if is_reduced else 1
    if max(precision.depth(classes), precision.depth(rows)) * precision.u > _VACUOUS:
        return None
    exact = solution.quantities[quantity].to_float()
    with np.errstate(all="ignore"):
        if isinstance(terms, Rows):
            if exact.ndim and case.judged_rows < case.shape[0]:
                n = case.judged_rows
                case, terms = replace(case, shape=(n, *case.shape[1:])), terms.head(n)
            result = _rows_bound(case, solution, terms, quantity, precision)
        elif isinstance(terms, Elements):
            result = _elements_bound(case, solution, terms, quantity, precision)
        else:
            raise TypeError("a refusal has no bound")
    # A gradient is p, subnormal, times a factor up to 2.
    eta = precision.eta * (1.0 if quantity == "value" else 2.0)
    if precision.s == 0:
        eta *= (C_EXP + 1) / 2
    return np.where(np.isfinite(result), result, 0.0).reshape(exact.shape) + eta


def _rows_bound(
    case: Case, solution: Solution, terms: Rows, quantity: str, precision: Precision
) -> Floats:
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


def _count(solution: Solution) -> int:
    """The number of losses that the reduction sums."""
    return solution.row_losses.size


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


def _times(weights: Floats, values: Floats) -> Floats:
    """weights·values, where 0 times infinity is 0."""
    return np.where(weights == 0, 0.0, weights * values)


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
        return _times(t.p, rho + q.s)
    g = np.abs(_flat(solution, quantity, case))
    h = q.depth(t.d.shape[1])
    mean = _times(t.p * np.abs(t.v), rho + q.s + (h + 1) * q.u).sum(axis=1, keepdims=True)
    return _times(t.p, np.broadcast_to(mean, t.p.shape)) + _times(g, rho + 2 * q.s + 4 * q.u)


def _log_softmax(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Value: B_ℓ + sℓ. Gradient v_j − p_j V, V = Σ v: V is good to (h + 1)u Σ abs(v)."""
    if quantity == "value":
        return _log_prob(t, q) + q.s * t.l
    g = np.abs(_flat(solution, quantity, case))
    h = q.depth(t.d.shape[1])
    total = np.abs(t.v.sum(axis=1, keepdims=True))
    magnitude = np.abs(t.v).sum(axis=1, keepdims=True)
    relative = _times(t.p, _prob_from_log(t, q) + q.u)
    return relative * total + t.p * magnitude * (h + 1) * q.u + g * (q.u + q.s)


def _logsumexp(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Value a + L: (E + c + h + cL)u for L, abs(lse)(u + s) for the sum. Gradient v·p."""
    h = q.depth(t.d.shape[1])
    if quantity == "value":
        bracket = t.entropy_gap + C_EXP + h + C_EXP * t.log_sum
        return q.grown(bracket, h) + np.abs(t.lse) * (q.u + q.s)
    return _times(t.p * np.abs(t.v), _prob(t, q) + q.s + 2 * q.u)


def _reduced(
    case: Case, solution: Solution, rows: Floats, v: Floats, q: Precision, quantity: str
) -> Floats:
    """The bound of the loss from those of its rows: Σ abs(B)/D + abs(Σ)[(2h_N + h_C + 6)u + s].

    Terms of a loss are not negative, so their sum has no cancellation; where given log-probs
    are positive the sum of magnitudes stands for abs(loss).
    """
    if case.options.reduction == "none":
        return rows
    losses = np.abs(np.nan_to_num(solution.row_losses, nan=0.0, posinf=0.0, neginf=0.0))
    n = losses.size
    h = 2 * q.depth(n) + q.depth(case.shape[case.class_axis]) + 6
    scale = np.abs(np.broadcast_to(v, losses.shape))
    finite = np.where(np.isfinite(rows.reshape(losses.shape)), rows.reshape(losses.shape), 0.0)
    return np.asarray((finite * scale).sum() + (losses * scale).sum() * (h * q.u + q.s))


def _cross_entropy(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Row: Σ W(B_ℓ + sℓ) + r[(h_C + 6)u + s].

    Gradient by logits (p ΣW − W)/D: ΣW·p[expm1(B_ℓ + (c + 2)u + sℓ) + s] + abs(g)(u + s)
    + (6 + h_C + h_N)u(p ΣW + W), times the cotangent over D. Gradient by target:
    w(B_ℓ + sℓ) + abs(g)(4u + s).
    """
    h_c, h_n = q.depth(t.d.shape[1]), q.depth(_count(solution))
    log_prob = _log_prob(t, q) + q.s * t.l
    if quantity == "value":
        rows = _times(t.w, log_prob).sum(axis=1)
        rows = rows + _times(t.w, t.l).sum(axis=1) * ((h_c + 6) * q.u + q.s)
        return _reduced(case, solution, rows, t.v, q, quantity)
    g = np.abs(_flat(solution, quantity, case))
    v = np.abs(t.v)[:, None]
    if quantity == "gradient_target":
        per_target = np.where(t.l > 0, g / np.where(t.l > 0, t.l, 1.0), v)
        return _times(per_target, log_prob) + _times(g, np.full_like(g, 5 * q.u + 2 * q.s))
    total = t.w.sum(axis=1, keepdims=True)
    relative = total * _times(t.p, _prob_from_log(t, q))
    rounding = (6 + h_c + h_n) * q.u * (t.p * total + t.w)
    return (relative + rounding) * v + g * (q.u + 2 * q.s)


def _nll_loss(case: Case, solution: Solution, t: Rows, quantity: str, q: Precision) -> Floats:
    """Only products and sums of what is given: Σ abs(W·lp)(2u + s), and 2h_N + 6 for the mean."""
    if quantity == "value":
        rows = np.abs(_times(t.w, t.l)).sum(axis=1) * (2 * q.u + q.s)
        return _reduced(case, solution, rows, t.v, q, quantity)
    g = np.abs(_flat(solution, quantity, case))
    return g * ((6 + q.depth(_count(solution))) * q.u + q.s)


def _cross_entropy_probs(
    case: Case, solution: Solution, t: Rows, quantity: str, q: Precision
) -> Floats:
    """ℓ = −log p is good to cu relative; the gradient −W/p to (6 + h)u.

    Where a convention divides p by Σp, the sum adds (h + 3)u to ℓ and the logarithms
    Σ p abs(log p) cu ≤ c ln C u, if it is done on them; the gradient (−W/p + ΣW)/Σx has terms
    that cancel, at most abs(g) + 2 ΣW/Σx.
    """
    h_c, h_n = q.depth(t.d.shape[1]), q.depth(_count(solution))
    total = t.w.sum(axis=1)
    divided = (h_c + 3 + C_EXP * (1 + np.log(t.d.shape[1]))) * q.u + 2 * q.s
    if quantity == "value":
        rows = np.abs(_times(t.w, t.l)).sum(axis=1) * ((C_EXP + h_c + 6) * q.u + 2 * q.s)
        if solution.rules.renormalise:
            rows = rows + total * divided
        return _reduced(case, solution, rows, t.v, q, quantity)
    g = np.abs(_flat(solution, quantity, case))
    bracket = np.full_like(g, (C_EXP + 6 + h_c + h_n) * q.u + 2 * q.s)
    if not solution.rules.renormalise or quantity == "gradient_target":
        return _times(g, bracket)
    x = case.inputs().values.astype(np.float64)
    sums = np.maximum(x.sum(axis=case.class_axis).reshape(-1), solution.rules.clip or 0.0)
    magnitude = g + 2 * (np.abs(t.v) * total / sums)[:, None]
    return _times(magnitude, bracket + divided + C_EXP * np.abs(t.l) * q.u)


_RowsBound = Callable[[Case, Solution, Rows, str, Precision], Floats]
_ROWS: dict[str, _RowsBound] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "nll_loss": _nll_loss,
    "cross_entropy": _cross_entropy,
    "cross_entropy_probs": _cross_entropy_probs,
}


# --- operations of one element -------------------------------------------------------------


def _sigmoid_of(x: Floats) -> Floats:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def _log1p_exp(x: Floats) -> Floats:
    return np.log1p(np.exp(-np.abs(x)))


def _softplus(x: Floats) -> Floats:
    return np.maximum(x, 0.0) + _log1p_exp(x)


def _elements_bound(
    case: Case, solution: Solution, terms: Elements, quantity: str, precision: Precision
) -> Floats:
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
        return _reduced(case, solution, rows, t.v, q, quantity)
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
        rows = w * (_times(t.z, log_p) * (C_EXP + 2) + _times(miss, log_rest) * (C_LOG1P + 2))
        rows = rows * q.u + np.abs(np.nan_to_num(solution.row_losses, posinf=0.0)) * (2 * q.u + q.s)
        if q.algorithm.cancels:
            rows = rows + w * miss * q.u
        return _reduced(case, solution, rows, t.v, q, quantity)
    if quantity == "gradient_target":
        result = v * w * (log_p + log_rest) * (C_LOG1P + 2) * q.u + y * q.s
        return result + v * w * q.u if q.algorithm.cancels else result
    terms = _times(t.z, 1.0 / t.x) + _times(miss, 1.0 / (1.0 - t.x))
    return v * w * terms * 6 * q.u + y * (2 * q.u + q.s)


_ElementsBound = Callable[[Case, Solution, Elements, str, Precision, Floats], Floats]
_ELEMENTS: dict[str, _ElementsBound] = {
    "sigmoid": _sigmoid,
    "log_sigmoid": _log_sigmoid,
    "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_with_logits,
    "exp": _relative(C_EXP, C_EXP + 2),
}
