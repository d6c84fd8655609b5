"""The oracle for operations over classes: softmax, logsumexp, cross-entropy and nll.

Formulas (a = max x, d = a − x ≥ 0, S = Σ exp(−d) over all classes but one maximal, L = log1p S,
ℓ = d + L, p = exp(−d)/(1 + S)): every loss is Σ W ℓ / D with W = weight · target ≥ 0, and its
gradient by logits is (p ΣW − W)/D, written without cancellation as (p (ΣW − W) − W (1 − p))/D.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ..cases.dtypes import Array
from ..cases.model import Case, Inputs
from .arithmetic import Exact, Floats, constant, where
from .clipping import clipped, limits
from .solution import Mask, Rows, Rules, Solution


@dataclass(frozen=True)
class _Softmax:
    """Exact d, L, ℓ, p and 1 − p of rows of logits; undefined rows are computed as zeros."""

    a: Exact
    d: Exact
    log_sum: Exact
    l: Exact
    p: Exact
    rest: Exact  # 1 − p
    undefined: Mask
    top: NDArray[np.int64]
    e: Exact  # exp(−d)
    total: Exact  # 1 + S


def _softmax(x: Floats) -> _Softmax:
    rows, classes = x.shape
    undefined = np.asarray(~(x < np.inf).all(axis=1) | ~(x > -np.inf).any(axis=1))
    x = np.where(undefined[:, None], 0.0, x)
    masked = x == -np.inf
    top = np.argmax(x, axis=1) if classes else np.zeros(rows, np.int64)
    is_top = np.arange(classes) == top[:, None]
    a = Exact.of(x[np.arange(rows), top]) if classes else constant((rows,), 0.0)
    d = _column(a) - Exact.of(np.where(masked, 0.0, x))
    e = where(masked, constant(x.shape, 0.0), (-d).exp())
    s = where(is_top, constant(x.shape, 0.0), e).sum()
    total = s + 1.0
    p = e / _column(total)
    rest = where(is_top, _column(s / total), 1.0 - p)
    log_sum = s.log1p()
    infinite = constant(x.shape, np.inf)
    d = where(masked, infinite, d)
    l = where(masked, infinite, d + _column(log_sum))
    return _Softmax(a, d, log_sum, l, p, rest, undefined, top, e, total)


def _column(x: Exact) -> Exact:
    return x.map(lambda part: part[:, None])


def _as_rows(array: Array, axis: int) -> Floats:
    classes = array.shape[axis] if array.ndim else 1
    return np.moveaxis(array.astype(np.float64), axis, -1).reshape(-1, classes)


def solve_rows(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    """Solve an operation over classes."""
    axis = case.class_axis
    rest = case.shape[:axis] + case.shape[axis + 1 :]
    x = _as_rows(inputs.values, axis)
    if not case.contract.is_loss:
        return _solve_array(case, x, rest, axis)
    soft = _softmax(x) if case.contract.domain == "logits" else _given_losses(case, x, rules)
    return _solve_loss(case, inputs, rules, soft, rest, axis)


def solve_large(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    """Arrays are solved in their first rows, a reduced loss in all, part by part.

    Beyond the first part float64 will do for narrower dtypes: it is good to 2^-20 of their ulp.
    """
    n = case.judged_rows
    if not case.contract.is_loss or case.options.reduction == "none":
        return solve_rows(*_part(case, inputs, 0, n), rules)
    summed = replace(case, options=replace(case.options, reduction="sum"))
    solver = solve_rows if case.dtype == "float64" else _solve_plainly
    parts = [
        (solver if begin else solve_rows)(*_part(summed, inputs, begin, begin + n), rules)
        for begin in range(0, case.shape[0], n)
    ]
    divisor = _divisor(case, inputs, rules)
    first, *_ = parts
    quantities = {name: exact / divisor for name, exact in first.quantities.items()}
    total = Exact.of(0.0)
    for part in parts:
        total = total + part.quantities["value"]
    quantities["value"] = total / divisor
    every = [part.terms for part in parts if isinstance(part.terms, Rows)]
    terms = Rows(
        *(np.concatenate([getattr(rows, name.name) for rows in every]) for name in fields(Rows))
    )
    terms = replace(terms, v=terms.v / divisor.to_float())
    losses = np.concatenate([part.row_losses for part in parts])
    return Solution("", quantities, terms, losses)


def _solve_plainly(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    """Solve the sum of row losses of everyday logits in float64; others exactly."""
    x = _as_rows(inputs.values, case.class_axis)
    if case.contract.domain != "logits" or not np.isfinite(x).all():
        return solve_rows(case, inputs, rules)
    a = x.max(axis=1)
    d = a[:, None] - x
    e = np.exp(-d)
    e[np.arange(len(x)), x.argmax(axis=1)] = 0.0
    log_sum = np.log1p(e.sum(axis=1))
    l = d + log_sum[:, None]
    p = np.exp(-l)
    w = _target(case, inputs, rules, (x.shape[0], x.shape[1])).w.to_float()
    losses = (w * l).sum(axis=1)
    gap = (p * d).sum(axis=1)
    terms = Rows(d, l, p, a + log_sum, log_sum, gap, w, np.ones(len(x)))
    return Solution("", {"value": Exact.of(losses).sum()}, terms, losses)


def _part(case: Case, inputs: Inputs, begin: int, end: int) -> tuple[Case, Inputs]:
    values = inputs.values[begin:end]
    target = None if inputs.target is None else inputs.target[begin:end]
    return replace(case, shape=values.shape), replace(inputs, values=values, target=target)


def _back(full: Exact, rest: tuple[int, ...], axis: int) -> Exact:
    """(R, C) to the shape of the first argument."""
    return full.map(lambda part: np.moveaxis(part.reshape(*rest, full.shape[-1]), -1, axis))


def _solve_array(case: Case, x: Floats, rest: tuple[int, ...], axis: int) -> Solution:
    soft = _softmax(x)
    reduces = case.operation == "logsumexp"
    cotangent = case.cotangent(rest if reduces else case.shape)
    v = cotangent.reshape(-1, 1) if reduces else _as_rows(cotangent, axis)
    terms = _terms(soft, v=v)
    exact_v = Exact.of(v)
    if case.operation == "logsumexp":
        value, gradient = soft.a + soft.log_sum, soft.p * exact_v
    elif case.operation == "log_softmax":
        value = -soft.l
        gradient = exact_v - soft.p * _column(exact_v.sum())
        # next to probability 1: v − p Σv = (v − Σv) + (1 − p) Σv
        total = _column(exact_v.sum())
        near_one = (exact_v - total) + soft.rest * total
        gradient = where(soft.p.to_float() > 0.5, near_one, gradient)
    else:
        value = soft.p
        top = exact_v[np.arange(len(x)), soft.top] if x.size else constant((len(x),), 0.0)
        # v_j − Σ p v = (v_j − v_top) + Σ p (v_top − v), where the largest p meets a zero; times
        # 1 + S, so that ties, where e = 1, leave nothing to round
        gaps, total = exact_v - _column(top), _column(soft.total)
        mean_gap = _column((soft.e * -gaps).sum())
        gradient = soft.p * ((gaps * total + mean_gap) / total)
    undefined = soft.undefined
    if reduces:
        value = _undefine(value, undefined).map(lambda part: part.reshape(rest))
    else:
        value = _back(_undefine(value, undefined), rest, axis)
    gradient = _back(_undefine(gradient, undefined), rest, axis)
    return Solution(quantities={"value": value, "gradient_logits": gradient}, terms=terms)


def _undefine(x: Exact, undefined: Mask) -> Exact:
    if not undefined.any():
        return x
    mask = undefined.reshape(undefined.shape + (1,) * (len(x.shape) - undefined.ndim))
    return where(np.broadcast_to(mask, x.shape), constant(x.shape, np.nan), x)


def _terms(soft: _Softmax, w: Floats | None = None, v: Floats | None = None) -> Rows:
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


def _given_losses(case: Case, x: Floats, rules: Rules) -> _Softmax:
    """ℓ = −log_probs, or −log probs; p holds the probabilities, for the gradient."""
    undefined = np.zeros(len(x), np.bool_)
    rows = len(x)
    if case.contract.domain == "log_probs":
        l, p = -Exact.of(x), constant(x.shape, 1.0)
    else:
        p = Exact.of(x)
        p = _adjusted(p, case.dtype, rules)
        l = -p.log()
        if rules.log_floor is not None:
            l = where(l.to_float() > -rules.log_floor, constant(x.shape, -rules.log_floor), l)
    zero = constant((rows,), 0.0)
    top = np.zeros(rows, np.int64)
    return _Softmax(zero, l, zero, l, p, 1.0 - p, undefined, top, p, zero + 1.0)


def _adjusted(p: Exact, dtype: str, rules: Rules) -> Exact:
    """Probabilities, clipped and divided by their sum as the rules say."""
    if rules.renormalise == "before":
        p = p / _column(p.sum())
    if rules.clip is not None:
        p = clipped(p, dtype, rules.clip)
    return p / _column(p.sum()) if rules.renormalise == "after" else p


@dataclass(frozen=True)
class _Target:
    """W = weight · target (R, C), the divisor D, and which rows count."""

    w: Exact
    divisor: Exact
    counts: Mask
    is_nan: Mask
    per_target: Exact  # ∂W/∂target, (1, C)


def _target(case: Case, inputs: Inputs, rules: Rules, shape: tuple[int, int]) -> _Target:
    rows, classes = shape
    weight = constant((1, classes), 1.0)
    if inputs.weight is not None:
        weight = Exact.of(inputs.weight.astype(np.float64)[None, :])
    smoothing = Exact.of(case.options.label_smoothing)
    keep = 1.0 - smoothing
    counts, is_nan = np.ones(rows, np.bool_), np.zeros(rows, np.bool_)
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
        target = _as_rows(inputs.target, case.class_axis)
    smoothed = Exact.of(target)
    if case.options.label_smoothing:
        smoothed = smoothed * keep + smoothing / max(classes, 1)
        smoothed = where(counts[:, None] & np.ones(shape, np.bool_), smoothed, constant(shape, 0.0))
    w = smoothed * weight
    return _Target(w, _divisor(case, inputs, rules), counts, is_nan, weight * keep)


def _divisor(case: Case, inputs: Inputs, rules: Rules) -> Exact:
    """What the reduction divides by: Σ w of the rows that count, their number, or 1."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    if case.options.reduction != "mean":
        return Exact.of(1.0)
    classes = case.shape[case.class_axis]
    if case.target_kind != "index" or rules.mean_over_rows:
        return Exact.of(float(np.prod(case.shape)) / max(classes, 1))
    labels = inputs.target.reshape(-1).astype(np.int64)
    if rules.bad_index == "wrap":
        labels = np.where((labels < 0) & (labels >= -classes), labels + classes, labels)
    counts = (inputs.target.reshape(-1) != case.options.ignore_index) & (labels >= 0)
    labels = labels[counts & (labels < classes)]
    if inputs.weight is None:
        return Exact.of(float(labels.size))
    return Exact.of(inputs.weight.astype(np.float64)[labels]).sum()


def _solve_loss(
    case: Case, inputs: Inputs, rules: Rules, soft: _Softmax, rest: tuple[int, ...], axis: int
) -> Solution:
    rows, classes = soft.l.shape
    target = _target(case, inputs, rules, (rows, classes))
    w, zeros = target.w, constant((rows, classes), 0.0)
    losses = where(w.hi == 0, zeros, w * soft.l).sum()
    undefined = soft.undefined & target.counts
    losses = _undefine(where(target.counts, losses, constant((rows,), 0.0)), undefined)
    losses = _undefine(losses, target.is_nan)
    none = case.options.reduction == "none"
    v = Exact.of(case.cotangent((rows,) if none else ()))
    if none:
        v = Exact.of(case.cotangent(rest).reshape(-1))
        value = losses.map(lambda part: part.reshape(rest))
    else:
        value = losses.sum() / target.divisor
        v = v / target.divisor
        if rules.nothing_counts_is_zero and target.divisor.hi == 0:
            value, v = Exact.of(0.0), Exact.of(0.0)
        v = v.map(lambda part: np.broadcast_to(part, (rows,)))
    gradient = _loss_gradient(case, rules, soft, w, inputs) * _column(v)
    idle = ~target.counts
    gradient = _undefine(gradient, undefined | target.is_nan)
    divides_by_zero = (not none) and bool(target.divisor.hi == 0)
    if not divides_by_zero or rules.nothing_counts_is_zero:
        gradient = where(np.broadcast_to(idle[:, None], gradient.shape), zeros, gradient)
    quantities = {"value": value, "gradient_logits": _back(gradient, rest, axis)}
    if case.target_kind == "soft":
        factor = target.per_target
        by_target = where(factor.hi + zeros.hi == 0, zeros, factor * soft.l)
        by_target = _undefine(by_target * _column(v), undefined)
        quantities["gradient_target"] = _back(by_target, rest, axis)
    terms = _terms(soft, w.to_float(), v.to_float())
    return Solution("", quantities, terms, losses.to_float())


def _loss_gradient(case: Case, rules: Rules, soft: _Softmax, w: Exact, inputs: Inputs) -> Exact:
    """∂(Σ W ℓ)/∂(first argument), shape (R, C)."""
    if case.contract.domain == "logits":
        total = _column(w.sum())
        return soft.p * (total - w) - w * soft.rest
    zeros = constant(w.shape, 0.0)
    if case.contract.domain == "log_probs":
        return where(w.hi == 0, zeros, -w)
    gradient = where(w.hi == 0, zeros, -w / soft.p)
    x = Exact.of(_as_rows(inputs.values, case.class_axis))
    if rules.renormalise == "after":
        within = x if rules.clip is None else clipped(x, case.dtype, rules.clip)
        gradient = _through_division(gradient, soft.p, within)
    if rules.clip is not None:
        divided = x / _column(x.sum()) if rules.renormalise == "before" else x
        low, high = limits(case.dtype, rules.clip)
        outside = ((divided - low).hi < 0) | ((divided - high).hi > 0)
        gradient = where(outside, zeros, gradient)
    if rules.renormalise == "before":
        gradient = _through_division(gradient, x / _column(x.sum()), x)
    return gradient


def _through_division(gradient: Exact, p: Exact, x: Exact) -> Exact:
    """The gradient by x of what depends on p = x/Σx: (g − Σ g p)/Σx."""
    inner = where(p.hi == 0, constant(p.shape, 0.0), gradient * p).sum()
    return (gradient - _column(inner)) / _column(x.sum())
