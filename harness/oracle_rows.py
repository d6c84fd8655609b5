"""The oracle for operations over classes: softmax, logsumexp, cross-entropy and nll.

Formulas (a = max x, d = a − x ≥ 0, S = Σ exp(−d) over all classes but one maximal, L = log1p S,
ℓ = d + L, p = exp(−d)/(1 + S)): every loss is Σ W ℓ / D with W = weight · target ≥ 0, and its
gradient by logits is (p ΣW − W)/D, written without cancellation as (p (ΣW − W) − W (1 − p))/D.
Where terms cancel by coincidence all the same, see `harness.oracle_fallback`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.dtypes import Array
from ..cases.model import Case, Inputs
from . import oracle_fallback_rows as slowly
from .arithmetic import ZERO_EXPONENT, Exact, Floats, Ints, constant, unit_of, where
from .clipping import clipped, limits
from .divisor import Divisor, by_number, by_sum
from .oracle_fallback import MOST_LOST, cancelled, lost, recomputed
from .oracle_fallback_rows import RowTerm, Weights
from .solution import Mask, Rows, Rules, Solution

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
    rest: Exact  # 1 − p
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
    rest = where(is_top, column(s / total), 1.0 - p)
    log_sum = s.log1p()
    infinite = constant(x.shape, np.inf)
    d = where(masked, infinite, d)
    l = where(masked, infinite, d + column(log_sum))
    return Softmax(x, a, d, log_sum, l, p, rest, undefined, top, e, s, total)


def column(x: Exact) -> Exact:
    """(R,) to (R, 1)."""
    return x.map(lambda part: part[:, None])


def as_rows(array: Array, axis: int) -> Floats:
    """Return an array as (R, C), in float64."""
    classes = array.shape[axis] if array.ndim else 1
    rows = array.size // classes if classes else int(np.prod(np.delete(array.shape, axis)))
    return np.moveaxis(array.astype(np.float64), axis, -1).reshape(rows, classes)


def solve_rows(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    """Solve an operation over classes."""
    axis = case.class_axis
    rest = case.shape[:axis] + case.shape[axis + 1 :]
    x = as_rows(inputs.values, axis)
    if not case.contract.is_loss:
        return _solve_array(case, x, rest, axis)
    soft = softmax(x) if case.contract.domain == "logits" else given_losses(case, x, rules)
    return _solve_loss(case, inputs, rules, soft, rest, axis)


def solve_large(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    """Arrays are solved in their first rows, a reduced loss in all, part by part.

    Beyond the first part float64 will do for narrower dtypes: it is good to 2^-20 of their ulp.
    """
    n = case.judged_rows
    if not case.contract.is_loss or case.options.reduction == "none":
        return solve_rows(*part_of(case, inputs, 0, n), rules)
    summed = replace(case, options=replace(case.options, reduction="sum"))
    solver = solve_rows if case.dtype == "float64" else _solve_plainly
    parts = [
        (solver if begin else solve_rows)(*part_of(summed, inputs, begin, begin + n), rules)
        for begin in range(0, case.shape[0], n)
    ]
    divisor = divisor_of(case, inputs, rules)
    first, *_ = parts
    quantities = {name: divisor.divide(exact, rules) for name, exact in first.quantities.items()}
    total = Exact.of(0.0)
    for part in parts:
        total = total + part.quantities["value"]
    quantities["value"] = divisor.divide(total, rules)
    every = [part.terms for part in parts if isinstance(part.terms, Rows)]
    terms = Rows(
        *(np.concatenate([getattr(rows, name.name) for rows in every]) for name in fields(Rows))
    )
    terms = replace(terms, v=terms.v / divisor.exact.to_float())
    losses = np.concatenate([part.row_losses for part in parts])
    condition, addends = divisor.condition, divisor.addends
    return Solution("", quantities, terms, losses, condition=condition, addends=addends)


def _solve_plainly(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    """Solve the sum of row losses of everyday logits in float64; others exactly."""
    x = as_rows(inputs.values, case.class_axis)
    if case.contract.domain != "logits" or not np.isfinite(x).all():
        return solve_rows(case, inputs, rules)
    a = x.max(axis=1)
    d = a[:, None] - x
    e = np.exp(-d)
    e[np.arange(len(x)), x.argmax(axis=1)] = 0.0
    log_sum = np.log1p(e.sum(axis=1))
    l = d + log_sum[:, None]
    p = np.exp(-l)
    target = targets(case, inputs, rules, (x.shape[0], x.shape[1]))
    w = target.w.to_float()
    losses = np.where(target.is_nan, np.nan, (w * l).sum(axis=1))
    gap = (p * d).sum(axis=1)
    terms = Rows(d, l, p, a + log_sum, log_sum, gap, w, np.ones(len(x)))
    return Solution("", {"value": Exact.of(losses).sum()}, terms, losses)


def part_of(case: Case, inputs: Inputs, begin: int, end: int) -> tuple[Case, Inputs]:
    """Return the same question about some of the rows."""
    values = inputs.values[begin:end]
    target = None if inputs.target is None else inputs.target[begin:end]
    return replace(case, shape=values.shape), replace(inputs, values=values, target=target)


def back(full: Exact, rest: tuple[int, ...], axis: int) -> Exact:
    """(R, C) to the shape of the first argument."""
    return full.map(lambda part: np.moveaxis(part.reshape(*rest, full.shape[-1]), -1, axis))


def _solve_array(case: Case, x: Floats, rest: tuple[int, ...], axis: int) -> Solution:
    soft = softmax(x)
    reduces = case.operation == "logsumexp"
    cotangent = case.cotangent(rest if reduces else case.shape)
    v = cotangent.reshape(-1, 1) if reduces else as_rows(cotangent, axis)
    terms = _terms(soft, v=v)
    if case.operation == "logsumexp":
        value, gradient = _log_sum_exp(soft), soft.p * Exact.of(v)
    elif case.operation == "log_softmax":
        value, gradient = -soft.l, _log_softmax_gradient(soft, v)
    else:
        value, gradient = soft.p, soft.p * deviations(soft, v).exact
    undefined = soft.undefined
    if reduces:
        value = undefine(value, undefined).map(lambda part: part.reshape(rest))
    else:
        value = back(undefine(value, undefined), rest, axis)
    gradient = back(undefine(gradient, undefined), rest, axis)
    return Solution(quantities={"value": value, "gradient_logits": gradient}, terms=terms)


def _log_sum_exp(soft: Softmax) -> Exact:
    """Return a + L, shape (R,)."""
    value = column(soft.a + soft.log_sum)
    suspect = cancelled(value, column(soft.a), column(soft.log_sum))
    answer = slowly.logsumexp(soft.x)
    return recomputed(value, suspect, answer, classes=soft.x.shape[1])[:, 0]


def _log_softmax_gradient(soft: Softmax, v: Floats) -> Exact:
    """Return v − p Σv, and next to probability 1 (v − Σv) + (1 − p) Σv."""
    each = Exact.of(v)
    total = column(each.sum())
    is_near = soft.p.to_float() > 0.5
    base = where(is_near, each - total, each)
    share = where(is_near, -soft.rest, soft.p) * total
    gradient = base - share
    answer = slowly.log_softmax_gradient(soft.x, v)
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
    slow = slowly.deviation(soft.x, gaps)
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


def undefine(x: Exact, undefined: Mask) -> Exact:
    """Put NaN into the rows without an agreed answer."""
    if not undefined.any():
        return x
    mask = undefined.reshape(undefined.shape + (1,) * (len(x.shape) - undefined.ndim))
    return where(np.broadcast_to(mask, x.shape), constant(x.shape, np.nan), x)


def _terms(soft: Softmax, w: Floats | None = None, v: Floats | None = None) -> Rows:
    d, p = soft.d.to_float(), soft.p.to_float()
    weighted = np.where(p > 0, p * np.where(np.isfinite(d), d, 0.0), 0.0)
    zero = np.zeros(())
    return Rows(
        d=d,
        l=soft.l.to_float(),
        p=p,
        lse=(soft.a + soft.log_sum).to_float(),
        log_sum=soft.log_sum.to_float(),
        entropy_gap=weighted.sum(axis=1),
        w=zero if w is None else w,
        v=zero if v is None else v,
    )


def given_losses(case: Case, x: Floats, rules: Rules) -> Softmax:
    """Return ℓ = −log_probs, or −log probs; p holds the probabilities, for the gradient."""
    undefined = np.zeros(len(x), np.bool_)
    rows = len(x)
    if case.contract.domain == "log_probs":
        l, p = -Exact.of(x), constant(x.shape, 1.0)
    else:
        p = Exact.of(x)
        p = _adjusted(p, case.dtype, rules)
        l = -p.log()
        if rules.renormalise == "before" and rules.clip is None:
            others = _others(Exact.of(x))
            l = where(p.to_float() > 0.5, (others / Exact.of(x)).log1p(), l)
        if rules.log_floor is not None:
            l = where(l.to_float() > -rules.log_floor, constant(x.shape, -rules.log_floor), l)
    zero = constant((rows,), 0.0)
    top = np.zeros(rows, np.int64)
    return Softmax(x, zero, l, zero, l, p, 1.0 - p, undefined, top, p, zero, zero + 1.0)


def _adjusted(p: Exact, dtype: str, rules: Rules) -> Exact:
    """Probabilities, clipped and divided by their sum as the rules say."""
    if rules.renormalise == "before":
        p = p / column(p.sum())
    if rules.clip is not None:
        p = clipped(p, dtype, rules.clip)
    return p / column(p.sum()) if rules.renormalise == "after" else p


@dataclass(frozen=True)
class Target:
    """W = weight · target (R, C), the divisor D, which rows count, and which are NaN."""

    w: Exact
    divisor: Divisor
    counts: Mask
    is_nan: Mask
    per_target: Exact  # ∂W/∂target, (1, C)
    exact: Weights  # what W is made of


def targets(case: Case, inputs: Inputs, rules: Rules, shape: tuple[int, int]) -> Target:
    """Return the effective weights of a loss over classes, and its divisor."""
    rows, classes = shape
    weight = constant((1, classes), 1.0)
    if inputs.weight is not None:
        weight = Exact.of(inputs.weight.astype(np.float64)[None, :])
    smoothing = Exact.of(case.options.label_smoothing)
    keep = 1.0 - smoothing
    counts: Mask = np.ones(rows, np.bool_)
    is_nan: Mask = np.zeros(rows, np.bool_)
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    if case.target_kind == "index":
        labels = inputs.target.reshape(-1)
        counts = labels != case.options.ignore_index
        if rules.bad_index == "wrap":
            labels = np.where((labels < 0) & (labels >= -classes), labels + classes, labels)
        meant = (np.arange(classes) == labels[:, None]) & counts[:, None]
        if rules.bad_index == "nan":
            is_nan = counts & ~meant.any(axis=1)
        target = meant.astype(np.float64)
    else:
        target = as_rows(inputs.target, case.class_axis)
        is_nan = np.asarray(np.isnan(target).any(axis=1))
        target = np.where(is_nan[:, None], 0.0, target)
    smoothed = Exact.of(target)
    if case.options.label_smoothing:
        smoothed = smoothed * keep + smoothing / max(classes, 1)
        smoothed = where(counts[:, None] & np.ones(shape, np.bool_), smoothed, constant(shape, 0.0))
    if rules.weights_scale_rows:
        weight = column((Exact.of(target) * weight).sum())
    w = smoothed * weight
    factors = np.broadcast_to(weight.to_float(), shape)
    exact = Weights(target, factors, case.options.label_smoothing)
    return Target(w, divisor_of(case, inputs, rules), counts, is_nan, weight * keep, exact)


def divisor_of(case: Case, inputs: Inputs, rules: Rules) -> Divisor:
    """What the reduction divides by: Σ w of the rows that count, their number, or 1."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    if case.options.reduction != "mean":
        return by_number(1.0)
    classes = case.shape[case.class_axis]
    over = rules.mean_over or ("weights" if case.target_kind == "index" else "rows")
    if over == "rows":
        return by_number(float(np.prod(case.shape)) / max(classes, 1))
    weights = _row_weights(case, inputs, rules)
    if over == "nonzero_weights":
        return by_number(float((weights.sum().hi != 0).sum()))
    return by_sum(weights.map(np.ravel), case.dtype)


def _row_weights(case: Case, inputs: Inputs, rules: Rules) -> Exact:
    """What the weight of each row that counts adds up: that of its class, or w · target; (R, C)."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    classes = case.shape[case.class_axis]
    weight = np.ones(classes) if inputs.weight is None else inputs.weight.astype(np.float64)
    if case.target_kind != "index":
        return Exact.of(as_rows(inputs.target, case.class_axis)) * Exact.of(weight)
    labels = inputs.target.reshape(-1).astype(np.int64)
    counts = labels != case.options.ignore_index
    if rules.bad_index == "wrap":
        labels = np.where(labels < 0, labels + classes, labels)
    return Exact.of(weight[labels[counts & (labels >= 0) & (labels < classes)]][:, None])


def _solve_loss(
    case: Case, inputs: Inputs, rules: Rules, soft: Softmax, rest: tuple[int, ...], axis: int
) -> Solution:
    rows, classes = soft.l.shape
    target = targets(case, inputs, rules, (rows, classes))
    w, zeros = target.w, constant((rows, classes), 0.0)
    undefined = soft.undefined & target.counts
    products = where(w.hi == 0, zeros, w * soft.l)
    answer = _slow_losses(case, soft, target, rules)
    losses = _row_losses(products, answer)
    losses = undefine(where(target.counts, losses, constant((rows,), 0.0)), undefined)
    losses = undefine(losses, target.is_nan)
    v = row_scale(case, rules, target, rest)
    if case.options.reduction == "none":
        value = losses.map(lambda part: part.reshape(rest))
    else:
        value = target.divisor.divide(_total(losses, products, target.counts, answer), rules)
    gradient = loss_gradient(case, rules, soft, target, inputs) * column(v)
    gradient = settled(rules, soft, target, gradient)
    quantities = {"value": value, "gradient_logits": back(gradient, rest, axis)}
    if case.target_kind == "soft":
        factor = target.per_target
        by_target = where(factor.hi + zeros.hi == 0, zeros, factor * soft.l)
        by_target = undefine(by_target * column(v), undefined | target.is_nan)
        quantities["gradient_target"] = back(by_target, rest, axis)
    unit = unit_of(w, losses)
    terms = _terms(soft, (w / unit).to_float(), (v * unit).to_float())
    return Solution(
        "", quantities, terms, (losses / unit).to_float(), unit=unit,
        condition=target.divisor.condition, addends=target.divisor.addends,
    )  # fmt: skip


def row_scale(case: Case, rules: Rules, target: Target, rest: tuple[int, ...]) -> Exact:
    """Return the cotangent of each row's loss over D, shape (R,)."""
    if case.options.reduction == "none":
        return Exact.of(case.cotangent(rest).reshape(-1))
    v = target.divisor.divide(Exact.of(1.0), rules)
    return v.map(lambda part: np.broadcast_to(part, target.counts.shape))


def settled(rules: Rules, soft: Softmax, target: Target, gradient: Exact) -> Exact:
    """Put NaN into rows without an agreed answer, and 0 into those that do not count."""
    gradient = undefine(gradient, (soft.undefined & target.counts) | target.is_nan)
    if target.divisor.is_undefined and not rules.nothing_counts_is_zero:
        return gradient
    counts = np.broadcast_to(target.counts[:, None], gradient.shape)
    return where(counts, gradient, constant(gradient.shape, 0.0))


def _slow_losses(case: Case, soft: Softmax, target: Target, rules: Rules) -> RowTerm | None:
    """What recomputes losses whose terms may have either sign, as negative weights make them.

    Log-probabilities above 0 need no more than a sum: they are given.
    """
    if case.contract.domain == "log_probs" or not (target.w.hi < 0).any():
        return None
    if case.contract.domain == "logits":
        return slowly.cross_entropy_loss(soft.x, target.exact)
    if rules.renormalise or rules.log_floor is not None:
        return None
    return slowly.given_loss(soft.p.to_float(), target.exact)


def _row_losses(terms: Exact, answer: RowTerm | None) -> Exact:
    """Σ W ℓ of each row, shape (R,)."""
    losses = terms.sum()
    if answer is None:
        return losses
    suspect = cancelled(column(losses), column(abs(terms).sum()))
    return recomputed(column(losses), suspect, answer, classes=terms.shape[1])[:, 0]


def _total(losses: Exact, terms: Exact, counts: Mask, answer: RowTerm | None) -> Exact:
    """The sum of the losses, a scalar."""
    total = losses.sum()
    if answer is None:
        return total
    suspect = cancelled(total, abs(terms).sum().sum())[None, None]
    every = slowly.whole(answer, np.flatnonzero(counts).tolist())
    return recomputed(total[None, None], suspect, every, classes=terms.hi.size)[0, 0]


def _others(w: Exact) -> Exact:
    """ΣW − W_j, shape (R, C); the sum of the smaller W does not vanish beside the largest."""
    if not w.shape[1]:
        return w
    top = np.argmax(np.abs(w.to_float()), axis=1)
    is_top = np.arange(w.shape[1]) == top[:, None]
    without = where(is_top, constant(w.shape, 0.0), w).sum()
    total = without + w[np.arange(len(top)), top]
    return where(is_top, column(without), column(total) - w)


def _cross_entropy_gradient(soft: Softmax, target: Target) -> Exact:
    """Return p (ΣW − W) − W (1 − p), shape (R, C)."""
    w = target.w
    others = _others(w)
    left, right = soft.p * others, w * soft.rest
    gradient = left - right
    suspect = cancelled(gradient, left, right)
    if (w.hi < 0).any():  # then ΣW may cancel, too
        suspect |= cancelled(gradient, soft.p * column(abs(w).sum()))
    exact = target.exact
    answer = slowly.cross_entropy_gradient(soft.x, exact)
    arguments = soft.x, exact.target, exact.weight
    return recomputed(gradient, suspect, answer, *arguments, classes=w.shape[1])


def loss_gradient(case: Case, rules: Rules, soft: Softmax, target: Target, inputs: Inputs) -> Exact:
    """∂(Σ W ℓ)/∂(first argument), shape (R, C)."""
    if case.contract.domain == "logits":
        return _cross_entropy_gradient(soft, target)
    w = target.w
    zeros = constant(w.shape, 0.0)
    if case.contract.domain == "log_probs":
        return where(w.hi == 0, zeros, -w)
    gradient = where(w.hi == 0, zeros, -w / soft.p)
    x = Exact.of(as_rows(inputs.values, case.class_axis))
    inside = np.ones(w.shape, np.bool_)
    if rules.renormalise == "after":
        within = x if rules.clip is None else clipped(x, case.dtype, rules.clip)
        gradient = _through_division(gradient, soft.p, within, target.exact, inside)
    if rules.clip is not None:
        divided = x / column(x.sum()) if rules.renormalise == "before" else x
        low, high = limits(case.dtype, rules.clip)
        outside = ((divided - low).hi < 0) | ((divided - high).hi > 0)
        gradient = where(outside, zeros, gradient)
        inside = ~outside
    if rules.renormalise == "before":
        gradient = _through_division(gradient, x / column(x.sum()), x, target.exact, inside)
    return gradient


def _through_division(gradient: Exact, p: Exact, x: Exact, exact: Weights, inside: Mask) -> Exact:
    """The gradient by x of what depends on p = x/Σx: (g − Σ g p)/Σx, g = −W/p where `inside`."""
    inner = column(where(p.hi == 0, constant(p.shape, 0.0), gradient * p).sum())
    result = (gradient - inner) / column(x.sum())
    suspect = cancelled(gradient - inner, gradient, inner)
    y, counted = x.to_float(), inside.astype(np.float64)
    answer = slowly.divided_gradient(y, exact, counted)
    arguments = y, exact.target, exact.weight, counted
    return recomputed(result, suspect, answer, *arguments, classes=y.shape[1])
