"""Compute the exact softmax of rows of logits, its sums and gradients, without cancellation.

With a = max x, d = a − x ≥ 0, S = Σ exp(−d) over all classes but one maximal and L = log1p S:
ℓ = d + L and p = exp(−d)/(1 + S). These are sums of terms of one sign. Where terms of a gradient
cancel by coincidence, `harness.oracle.decimal_fallback` computes the result again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import Array
from . import decimal_classwise
from .decimal_fallback import MOST_LOST, cancelled, lost, recomputed
from .double_double import ZERO_EXPONENT, Exact, constant, joined, where
from .pairs import Floats
from .powers import Ints
from .solution import ClasswiseTerms, Mask
from .transform import UNCHANGED, Transform

_SMALL = 512  # logits whose softmax is kept for a while
_BLOCK = 2**14  # logits that are computed together: with their pairs, as many as a cache holds


@dataclass(frozen=True)
class Softmax:
    """The exact softmax of rows of logits, with the intermediate numbers that formulas need.

    Arrays have shape (R, C), or (R,) where there is one number for each row. Undefined rows are
    computed as if their logits were 0.

    With a transform the logits are z, and otherwise they are x.

    Attributes:
        x: the logits as they are given.
        a: the largest logit of each row.
        d: a − z.
        log_sum: L of each row.
        l: ℓ = −log p.
        p: the probabilities.
        complement: 1 − p, without cancellation where p is near 1.
        undefined: the rows without an agreed answer.
        top: the index of one largest logit of each row.
        e: exp(−d).
        s: S of each row.
        total: 1 + S of each row.
        transform: what z is made of x by.
    """

    x: Floats
    a: Exact
    d: Exact
    log_sum: Exact
    l: Exact
    p: Exact
    complement: Exact
    undefined: Mask
    top: NDArray[np.int64]
    e: Exact
    s: Exact
    total: Exact
    transform: Transform = UNCHANGED


def softmax(x: Floats, transform: Transform = UNCHANGED) -> Softmax:
    """Return the exact softmax of logits, shape (R, C), which are first transformed."""
    if x.size > _BLOCK and len(x) > 1:
        height = max(1, _BLOCK // x.shape[1])
        starts = range(0, len(x), height)
        return _below([_softmax(x[start : start + height], transform) for start in starts])
    if x.size > _SMALL:
        return _softmax(x, transform)
    return _small_softmax(x.tobytes(), x.shape, transform)


@lru_cache(maxsize=256)  # conventions and several operations use the same logits
def _small_softmax(bits: bytes, shape: tuple[int, int], transform: Transform) -> Softmax:
    return _softmax(np.frombuffer(bits).reshape(shape), transform)


def _below(blocks: Sequence[Softmax]) -> Softmax:
    """Return blocks of rows as one softmax."""
    parts: dict[str, Any] = {}
    for item in fields(Softmax):
        some = [getattr(block, item.name) for block in blocks]
        if isinstance(some[0], Transform):
            parts[item.name] = some[0]
        else:
            parts[item.name] = joined(some) if isinstance(some[0], Exact) else np.concatenate(some)
    return Softmax(**parts)


def _softmax(x: Floats, transform: Transform) -> Softmax:
    rows, classes = x.shape
    # A row with +inf or NaN, and one of −inf alone, is ∞/∞ or 0/0: no answer is agreed on.
    undefined = np.asarray(~(x < np.inf).all(axis=1) | ~(x > -np.inf).any(axis=1))
    # A mask of −inf is −c once it is capped: it is open whether its class should count.
    if transform.softcap is not None:
        undefined |= np.isinf(x).any(axis=1)
    x = np.where(undefined[:, None], 0.0, x)
    # A class at −inf has p = 0 exactly. Its d and ℓ are set last, as inf − inf would give NaN.
    masked = x == -np.inf
    top = np.argmax(x, axis=1) if classes else np.zeros(rows, np.int64)
    is_top = np.arange(classes) == top[:, None]
    largest = x[np.arange(rows), top] if classes else np.zeros(rows)
    a = transform.of(largest)
    d = transform.distance(largest[:, None], np.where(masked, 0.0, x))
    e = where(masked, constant(x.shape, 0.0), (-d).exp())
    s = where(is_top, constant(x.shape, 0.0), e).sum()
    total = s + 1.0
    p = e / column(total)
    # Only the largest p can be near 1; its complement is S/(1 + S), which does not cancel.
    complement = where(is_top, column(s / total), 1.0 - p)
    log_sum = s.log1p()
    infinite = constant(x.shape, np.inf)
    d = where(masked, infinite, d)
    l = where(masked, infinite, d + column(log_sum))
    return Softmax(x, a, d, log_sum, l, p, complement, undefined, top, e, s, total, transform)


def column(x: Exact) -> Exact:
    """Return an array of shape (R,) as (R, 1), so that it broadcasts over the classes."""
    return x.map(lambda part: part[:, None])


def as_rows(array: Array, axis: int) -> Floats:
    """Return an array as float64 of shape (R, C), with the classes of `axis` last."""
    classes = array.shape[axis] if array.ndim else 1
    # Without classes the array has no elements, and its size does not give the number of rows.
    rows = array.size // classes if classes else int(np.prod(np.delete(array.shape, axis)))
    return np.moveaxis(array.astype(np.float64), axis, -1).reshape(rows, classes)


def back(full: Exact, rest: tuple[int, ...], axis: int) -> Exact:
    """Return an array of shape (R, C) in the shape of the first argument.

    Args:
        full: shape (R, C).
        rest: the shape of the first argument without its class axis.
        axis: the class axis.
    """
    return full.map(lambda part: np.moveaxis(part.reshape(*rest, full.shape[-1]), -1, axis))


def undefine(x: Exact, undefined: Mask) -> Exact:
    """Return x with NaN in the rows without an agreed answer; x has shape (R, …)."""
    if not undefined.any():
        return x
    mask = undefined.reshape(undefined.shape + (1,) * (len(x.shape) - undefined.ndim))
    return where(np.broadcast_to(mask, x.shape), constant(x.shape, np.nan), x)


def terms_of(
    soft: Softmax, w: Floats | None = None, v: Floats | None = None, z_loss: float = 0.0
) -> ClasswiseTerms:
    """Return the terms of the bounds in float64; w, v and z_loss as in `ClasswiseTerms`."""
    d, p = soft.d.to_float(), soft.p.to_float()
    # A masked class has p = 0 and d = inf, and adds nothing to Σ p d.
    weighted = np.where(p > 0, p * np.where(np.isfinite(d), d, 0.0), 0.0)
    zero = np.zeros(())
    z, bend, slope = _transformed(soft) if soft.transform is not UNCHANGED else 3 * (zero,)
    return ClasswiseTerms(
        d=d,
        l=soft.l.to_float(),
        p=p,
        lse=(soft.a + soft.log_sum).to_float(),
        log_sum=soft.log_sum.to_float(),
        entropy_gap=weighted.sum(axis=1),
        w=zero if w is None else w,
        v=zero if v is None else v,
        z=z,
        bend=bend,
        slope=slope,
        z_loss=np.asarray(z_loss),
    )


def _transformed(soft: Softmax) -> tuple[Floats, Floats, Floats]:
    """Return z, its bend and its slope, as in `ClasswiseTerms`; of a mask of −inf 0, 0 and s."""
    transform, x = soft.transform, np.where(np.isinf(soft.x), 0.0, soft.x)
    slope = transform.slope(x).to_float()
    plain = np.abs(transform.plain(x).to_float())
    bend = plain * slope if transform.softcap is not None else np.zeros(x.shape)
    return transform.of(x).to_float(), bend, slope


def log_sum_exp(soft: Softmax) -> Exact:
    """Return the logsumexp a + L, shape (R,)."""
    # a and L cancel where the logsumexp is near 0.
    value = column(soft.a + soft.log_sum)
    suspect = cancelled(value, column(soft.a), column(soft.log_sum))
    answer = decimal_classwise.logsumexp(soft.x, soft.transform)
    return recomputed(value, suspect, answer, classes=soft.x.shape[1])[:, 0]


def log_softmax_gradient(soft: Softmax, v: Floats) -> Exact:
    """Return the gradient of log_softmax, v − p Σv, shape (R, C).

    Where p is above 1/2 it is computed as (v − Σv) + (1 − p) Σv, since v = Σv is common there:
    a one-hot cotangent of the likely class.

    Args:
        soft: the softmax of the logits.
        v: the cotangents, shape (R, C).
    """
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
    """Deviations v_j − Σ p v from the mean, and the number of bits lost to cancellation; (R, C)."""

    exact: Exact
    lost: Ints


def deviations(soft: Softmax, v: Floats) -> Deviations:
    """Return the deviations v_j − Σ p v from the mean, shape (R, C).

    They are computed as (v_j − v_top) + Σ p (v_top − v), in which the largest p multiplies a
    zero, and times 1 + S, so that ties, where e = 1, leave nothing to round.

    Args:
        soft: the probabilities.
        v: numbers whose differences are exact in float64, shape (R, C).
    """
    gaps = v - of_top(soft, v)[:, None]
    exact_gaps = Exact.of(gaps)
    exact, bits = from_mean(soft, exact_gaps, exact_gaps.exponent)
    slow = decimal_classwise.deviation(soft.x, gaps)
    suspect = bits > MOST_LOST
    exact = recomputed(exact, suspect, slow, gaps, classes=v.shape[1])
    # A result in decimals has lost no bits.
    return Deviations(exact, np.where(suspect, 0, bits))


def of_top(soft: Softmax, v: NDArray[Any]) -> NDArray[Any]:
    """Return the number that belongs to the class of the largest p, from (R, C) to (R,)."""
    return v[np.arange(len(v)), soft.top] if v.size else np.zeros(len(v), v.dtype)


def from_mean(soft: Softmax, gaps: Exact, size: Ints) -> tuple[Exact, Ints]:
    """Return g_j − Σ p g, and the number of bits lost to cancellation; both (R, C).

    Args:
        soft: the probabilities.
        gaps: g, shape (R, C), which is 0 for the class with the largest p.
        size: the exponents of the terms that each g was made of, shape (R, C).
    """
    total = column(soft.total)
    own, mean = gaps * total, column((soft.e * -gaps).sum())
    inner = own + mean
    # Σ e·g over all classes but the maximal one is below S times the largest g
    reach = size.max(axis=1, initial=ZERO_EXPONENT) + soft.s.exponent
    return inner / total, lost(inner, size + total.exponent, reach[:, None])
