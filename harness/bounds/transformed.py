"""Bound what inner products, scales and caps add to the errors of a cross-entropy.

`harness.bounds.bound` explains the notation. The logits are z = s·x, or z = c·tanh t with
t = s·x/c, and x may be an inner product. Every bound of a softmax is that of exact logits; what
the errors e of the computed ones add to it is derived here.

An error of at most e_i in each logit moves lse by at most A = log Σ p exp(e): Σ exp(z ± e) lies
between exp(−Σ p e) and exp(A) times Σ exp z, and Σ p e is at most A. So ℓ_j moves by at most
e_j + A, and p_j by a factor of at most exp(e_j + A).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...cases.dtypes import FORMATS
from ...cases.operations import Options
from ..oracle import ClasswiseTerms, Floats, LinearTerms
from .algorithms import SOUND, Precision

# tanh may have a relative error of 8u. Measured, the largest of NumPy, PyTorch, JAX and TensorFlow
# are 5.8u in float32 and 7.6u in float64.
C_TANH = 8.0
_SCALED = 3.0  # s·x: the constant, its reciprocal where x is divided by it, and the product
_DIVIDED = 3.0  # t: c, its reciprocal, and the product


_ZERO = np.zeros(())


@dataclass(frozen=True)
class Moved:
    """How far the errors of computed logits move what is made of them.

    Attributes:
        soundly: how far those of a sound algorithm move ℓ, shape (R, C).
        extra: what those of a weaker algorithm add to it.
        lse: how far they move lse, shape (R,).
        is_of_products: whether the logits are inner products.
    """

    soundly: Floats
    extra: Floats
    lse: Floats
    is_of_products: bool = False


UNMOVED = Moved(_ZERO, _ZERO, _ZERO)


def moved_by(options: Options, t: ClasswiseTerms, q: Precision) -> Moved:
    """Return how far an algorithm's errors of the logits move ℓ and lse: e + A, and A.

    Args:
        options: those of the question.
        t: its terms.
        q: the roundings of the algorithm.
    """
    if not t.is_transformed:
        return UNMOVED
    narrow = replace(SOUND, narrow=q.algorithm.narrow)
    soundly = logit_error(options, t, replace(q, algorithm=narrow))
    e = logit_error(options, t, q)
    of_lse, of_lse_soundly = _moved_lse(t, e), _moved_lse(t, soundly)
    sound = soundly + of_lse_soundly[:, None]
    is_of_products = isinstance(t, LinearTerms)
    return Moved(sound, e + of_lse[:, None] - sound, of_lse, is_of_products)


def _is_exact(scale: float) -> bool:
    """Return whether products with s are exact: it is a power of two."""
    return bool(np.frexp(scale)[0] == 0.5)


def _of_argument(options: Options) -> float:
    """Return the relative error of t, in u."""
    return _DIVIDED + (0.0 if _is_exact(options.logit_scale) else _SCALED)


def _of_tanh(q: Precision) -> float:
    """Return the relative error of tanh, in u."""
    return q.c if q.algorithm.narrow else C_TANH


def logit_error(options: Options, t: ClasswiseTerms, q: Precision) -> Floats:
    """Return e, the error of each computed logit, shape (R, C).

    That of an inner product is multiplied by the slope of the transform, the steepest within it.
    """
    own = _transform_error(options, t, q)
    if not isinstance(t, LinearTerms):
        return own
    of_products = products_error(t, q)
    return own + steepest(options, t, of_products) * of_products


def _transform_error(options: Options, t: ClasswiseTerms, q: Precision) -> Floats:
    """Return the error that a transform adds to each computed logit, shape (R, C).

    s·x is good to 3u relative, and without any error where s is a power of two. In c·tanh t the
    argument is good to θ = 3u and that of s·x, which tanh turns into c·abs(t)·(1 − tanh² t)·θ; tanh
    itself has κ = 8u, the constant and the product 2u: e = abs(z)(κ + 2)u + c·abs(t)(1 − tanh² t)θ.
    A tanh that cancels, as 2σ(2t) − 1 or (1 − q)/(1 + q), has an absolute error of (c_exp + 4)u,
    which c multiplies.
    """
    size = np.abs(t.z)
    if options.logit_softcap is None:
        return np.zeros_like(size) if _is_exact(options.logit_scale) else size * (_SCALED * q.u)
    cancels = options.logit_softcap * (q.c + 4) if q.algorithm.cancels else 0.0
    return (size * (_of_tanh(q) + 2) + t.bend * _of_argument(options) + cancels) * q.u


def products_error(t: LinearTerms, q: Precision) -> Floats:
    """Return the error of the inner products that logits are made of, shape (R, C).

    A matrix product adds its H terms from first to last: with the products, a bias, and a scale
    that may be applied to either factor it is good to (H + 3)u(Σ abs(h W) + abs(b)). Products of
    16-bit numbers are exact in float32 and are added there. Under `narrow` the logit is held in T:
    before and after its bias is added it is rounded, which is 2u·abs(x) + u·abs(b) of T. Sums from
    first to last then run in T.
    """
    size, hidden = t.size + t.added, t.hidden
    if not q.algorithm.narrow or q.algorithm.sequential:
        return size * ((hidden + 3) * q.u) + hidden * q.eta_a
    single = FORMATS["float32"]
    held = (2 * t.plain + t.added) * q.u + q.eta
    return size * ((hidden + 3) * single.unit_roundoff) + held


def steepest(options: Options, t: LinearTerms, e: Floats) -> Floats:
    """Return the largest slope ∂z/∂x within e of the logits x, shape (R, C).

    It is s/cosh²(abs(t) − s·e/c) with t = s·x/c, and s where 0 is within e of x.
    """
    scale, cap = options.logit_scale, options.logit_softcap
    if cap is None:
        return np.full_like(e, scale)
    nearest = np.maximum(t.plain - e, 0.0) * (scale / cap)
    return np.asarray(scale / np.cosh(np.minimum(nearest, 350.0)) ** 2)


def _moved_lse(t: ClasswiseTerms, e: Floats) -> Floats:
    """Return how far errors e of the logits move lse, shape (R,): A = log Σ p exp(e)."""
    # As log Σ exp(e − ℓ) it does not overflow, but rounds by 2^-52; Σ p e is its first order.
    exponent = e - t.l
    top = exponent.max(axis=1, initial=-np.inf)
    total = np.log(np.exp(exponent - top[:, None]).sum(axis=1)) + top
    first = np.where(t.p > 0, t.p * e, 0.0).sum(axis=1)
    return np.asarray(np.where(e.max(axis=1, initial=0.0) < 1e-4, first * (1 + 1e-4), total))


def slope_error(options: Options, t: ClasswiseTerms, q: Precision) -> Floats:
    """Return the error of the slope ∂z/∂x, shape (R, C).

    Automatic differentiation forms s(1 − y²) from the rounded y = tanh t, or from z/c, which is
    good to (κ + 3)u relative. So y² is good to y²(2κ + 7)u, an absolute error, beside which 1 − y²
    may be small. The error θ of the argument moves y² by 2y·abs(t)(1 − y²)θ. The products and the
    constant s add 3u relative. A tanh that cancels is off by (c_exp + 4)u, which 2y multiplies.
    Without a cap the slope is s.
    """
    rounding = t.slope * (3 * q.u)
    if options.logit_softcap is None:
        return rounding
    scale, y = options.logit_scale, np.abs(t.z) / options.logit_softcap
    of_tanh = y * y * (2 * _of_tanh(q) + 7)
    of_argument = 2 * y * t.bend / options.logit_softcap * _of_argument(options)
    cancels = 2 * y * (q.c + 4) if q.algorithm.cancels else 0.0
    own = np.asarray(scale * (of_tanh + of_argument + cancels) * q.u + rounding)
    if not isinstance(t, LinearTerms):
        return own
    e = products_error(t, q)
    most = steepest(options, t, e)
    return own + np.minimum(most, 2 * most * e * (scale / options.logit_softcap))


def through_slope(
    options: Options, t: ClasswiseTerms, limit: Floats, exact: Floats, largest: Floats, q: Precision
) -> Floats:
    """Return the bound of a gradient with respect to x, made of that with respect to z.

    g_x = g_z·S is good to (S + ΔS)B_z + abs(g_z)·ΔS + abs(g_x)·u.

    Args:
        options: those of the question.
        t: its terms.
        limit: B_z, the bound of the gradient with respect to z.
        exact: abs(g_x), the exact gradient.
        largest: a number that abs(g_z) does not exceed, for where S is 0.
        q: the roundings of the algorithm.
    """
    g_z = np.minimum(np.where(t.slope > 0, exact / t.slope, np.inf), largest)
    of_slope = slope_error(options, t, q)
    return (t.slope + of_slope) * limit + g_z * of_slope + exact * q.u
