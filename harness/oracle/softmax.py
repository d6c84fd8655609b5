"""The exact softmax of rows of logits, its sums and gradients, in a form without cancellation.

With a = max x, d = a − x ≥ 0, S = Σ exp(−d) over all classes but one maximal and L = log1p S:
ℓ = d + L and p = exp(−d)/(1 + S). Where terms cancel by coincidence all the same, see
`harness.oracle.decimal_fallback`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import Array
from . import decimal_classwise
from .decimal_fallback import MOST_LOST, cancelled, lost, recomputed
from .double_double import ZERO_EXPONENT, Exact, Floats, Ints, constant, where
from .solution import ClasswiseTerms, Mask

_SMALL = 512  # logits whose softmax is kept for a while


@dataclass(frozen=True)
class Softmax:
    """Exact d, L, ℓ, p and 1 − p of rows of logits; undefined rows are computed as zeros."""

    x: Floats  # the logits
    a: Exact
    d: Exact
    log_sum: Exact
    l: Exact
    p: Exact
    complement: Exact  # 1 − p
    undefined: Mask
    top: NDArray[np.int64]
    e: Exact  # exp(−d)
    s: Exact  # S
    total: Exact  # 1 + S


def softmax(x: Floats) -> Softmax:
    """Return what the formulas need of logits of shape (R, C)."""
    return _softmax(x) if x.size > _SMALL else _small_softmax(x.tobytes(), x.shape)


@lru_cache(maxsize=256)  # conventions and several operations are asked the same logits
def _small_softmax(bits: bytes, shape: tuple[int, int]) -> Softmax:
    return _softmax(np.frombuffer(bits).reshape(shape))


def _softmax(x: Floats) -> Softmax:
    rows, classes = x.shape
    undefined = np.asarray(~(x < np.inf).all(axis=1) | ~(x > -np.inf).any(axis=1))
    x = np.where(undefined[:, None], 0.0, x)
    masked = x == -np.inf
    top = np.argmax(x, axis=1) if classes else np.zeros(rows, np.int64)
    is_top = np.arange(classes) == top[:, None]
    a = Exact.of(x[np.arange(rows), top]) if classes else constant((rows,), 0.0)
    d = column(a) - Exact.of(np.where(masked, 0.0, x))
    e = where(masked, constant(x.shape, 0.0), (-d).exp())
    s = where(is_top, constant(x.shape, 0.0), e).sum()
    total = s + 1.0
    p = e / column(total)
    complement = where(is_top, column(s / total), 1.0 - p)
    log_sum = s.log1p()
    infinite = constant(x.shape, np.inf)
    d = where(masked, infinite, d)
    l = where(masked, infinite, d + column(log_sum))
    return Softmax(x, a, d, log_sum, l, p, complement, undefined, top, e, s, total)


def column(x: Exact) -> Exact:
    """(R,) to (R, 1)."""
    return x.map(lambda part: part[:, None])


def as_rows(array: Array, axis: int) -> Floats:
    """Return an array as (R, C), in float64."""
    classes = array.shape[axis] if array.ndim else 1
    rows = array.size // classes if classes else int(np.prod(np.delete(array.shape, axis)))
    return np.moveaxis(array.astype(np.float64), axis, -1).reshape(rows, classes)


def back(full: Exact, rest: tuple[int, ...], axis: int) -> Exact:
    """(R, C) to the shape of the first argument."""
    return full.map(lambda part: np.moveaxis(part.reshape(*rest, full.shape[-1]), -1, axis))


def undefine(x: Exact, undefined: Mask) -> Exact:
    """Put NaN into the rows without an agreed answer."""
    if not undefined.any():
        return x
    mask = undefined.reshape(undefined.shape + (1,) * (len(x.shape) - undefined.ndim))
    return where(np.broadcast_to(mask, x.shape), constant(x.shape, np.nan), x)


def terms_of(soft: Softmax, w: Floats | None = None, v: Floats | None = None) -> ClasswiseTerms:
    d, p = soft.d.to_float(), soft.p.to_float()
    weighted = np.where(p > 0, p * np.where(np.isfinite(d), d, 0.0), 0.0)
    zero = np.zeros(())
    return ClasswiseTerms(
        d=d,
        l=soft.l.to_float(),
        p=p,
        lse=(soft.a + soft.log_sum).to_float(),
        log_sum=soft.log_sum.to_float(),
        entropy_gap=weighted.sum(axis=1),
        w=zero if w is None else w,
        v=zero if v is None else v,
    )


def log_sum_exp(soft: Softmax) -> Exact:
    """Return a + L, shape (R,)."""
    value = column(soft.a + soft.log_sum)
    suspect = cancelled(value, column(soft.a), column(soft.log_sum))
    answer = decimal_classwise.logsumexp(soft.x)
    return recomputed(value, suspect, answer, classes=soft.x.shape[1])[:, 0]


def log_softmax_gradient(soft: Softmax, v: Floats) -> Exact:
    """Return v − p Σv, and next to probability 1 (v − Σv) + (1 − p) Σv."""
    each = Exact.of(v)
    total = column(each.sum())
    is_near = soft.p.to_float() > 0.5
    base = where(is_near, each - total, each)
    share = where(is_near, -soft.complement, soft.p) * total
    gradient = base - share
    answer = decimal_classwise.log_softmax_gradient(soft.x, v)
    suspect = cancelled(gradient, base, share)
    return recomputed(gradient, suspect, answer, soft.x, v, classes=v.shape[1])


@dataclass(frozen=True)
class Deviations:
    """v_j − Σ p v of each class (R, C), and how many bits of its terms it has lost."""

    exact: Exact
    lost: Ints


def deviations(soft: Softmax, v: Floats) -> Deviations:
    """Return v_j − Σ p v, for v whose differences are exact; shape (R, C).

    It is (v_j − v_top) + Σ p (v_top − v), where the largest p meets a zero; times 1 + S, so that
    ties, where e = 1, leave nothing to round.
    """
    gaps = v - of_top(soft, v)[:, None]
    exact_gaps = Exact.of(gaps)
    exact, bits = from_mean(soft, exact_gaps, exact_gaps.exponent)
    slow = decimal_classwise.deviation(soft.x, gaps)
    suspect = bits > MOST_LOST
    exact = recomputed(exact, suspect, slow, gaps, classes=v.shape[1])
    return Deviations(exact, np.where(suspect, 0, bits))


def of_top(soft: Softmax, v: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of the classes with the largest p, (R, C) to (R,)."""
    return v[np.arange(len(v)), soft.top] if v.size else np.zeros(len(v), v.dtype)


def from_mean(soft: Softmax, gaps: Exact, size: Ints) -> tuple[Exact, Ints]:
    """Return g_j − Σ p g, and how many bits of its terms it has lost; shape (R, C).

    Args:
        soft: the probabilities.
        gaps: g, 0 for the class with the largest p.
        size: exponents of the terms that each g was made of.
    """
    total = column(soft.total)
    own, mean = gaps * total, column((soft.e * -gaps).sum())
    inner = own + mean
    # Σ e·g over all classes but the maximal one is below S times the largest g
    reach = size.max(axis=1, initial=ZERO_EXPONENT) + soft.s.exponent
    return inner / total, lost(inner, size + total.exponent, reach[:, None])
