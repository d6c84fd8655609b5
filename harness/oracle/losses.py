"""The oracle for cross-entropy and nll: every loss is Σ W ℓ / D with W = weight · target.

Its gradient by logits is (p ΣW − W)/D, written without cancellation as (p (ΣW − W) − W (1 − p))/D;
ℓ and p stand in `harness.oracle.softmax`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...cases.model import Case, Inputs
from . import decimal_classwise
from .decimal_classwise import RowTerm, Weights
from .decimal_fallback import cancelled, recomputed
from .double_double import Exact, Floats, constant, unit_of, where
from .mean import Divisor, by_number, by_sum, clipped, limits
from .softmax import Softmax, as_rows, back, column, terms_of, undefine
from .solution import Convention, Mask, Solution


def given_losses(case: Case, x: Floats, convention: Convention) -> Softmax:
    """Return ℓ = −log_probs, or −log probs; p holds the probabilities, for the gradient."""
    undefined = np.zeros(len(x), np.bool_)
    rows = len(x)
    if case.contract.domain == "log_probs":
        l, p = -Exact.of(x), constant(x.shape, 1.0)
    else:
        p = Exact.of(x)
        p = _adjusted(p, case.dtype, convention)
        l = -p.log()
        if convention.renormalise == "before" and convention.clip is None:
            others = _others(Exact.of(x))
            l = where(p.to_float() > 0.5, (others / Exact.of(x)).log1p(), l)
        if convention.log_floor is not None:
            l = where(
                l.to_float() > -convention.log_floor, constant(x.shape, -convention.log_floor), l
            )
    zero = constant((rows,), 0.0)
    top = np.zeros(rows, np.int64)
    return Softmax(x, zero, l, zero, l, p, 1.0 - p, undefined, top, p, zero, zero + 1.0)


def _adjusted(p: Exact, dtype: str, convention: Convention) -> Exact:
    """Probabilities, clipped and divided by their sum as the rules say."""
    if convention.renormalise == "before":
        p = p / column(p.sum())
    if convention.clip is not None:
        p = clipped(p, dtype, convention.clip)
    return p / column(p.sum()) if convention.renormalise == "after" else p


@dataclass(frozen=True)
class Target:
    """W = weight · target (R, C), the divisor D, which rows count, and which are NaN."""

    w: Exact
    divisor: Divisor
    counts: Mask
    is_nan: Mask
    per_target: Exact  # ∂W/∂target, (1, C)
    exact: Weights  # what W is made of


def targets(case: Case, inputs: Inputs, convention: Convention, shape: tuple[int, int]) -> Target:
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
        if convention.bad_index == "wrap":
            labels = np.where((labels < 0) & (labels >= -classes), labels + classes, labels)
        meant = (np.arange(classes) == labels[:, None]) & counts[:, None]
        if convention.bad_index == "nan":
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
    if convention.weights_scale_rows:
        weight = column((Exact.of(target) * weight).sum())
    w = smoothed * weight
    factors = np.broadcast_to(weight.to_float(), shape)
    exact = Weights(target, factors, case.options.label_smoothing)
    return Target(w, divisor_of(case, inputs, convention), counts, is_nan, weight * keep, exact)


def divisor_of(case: Case, inputs: Inputs, convention: Convention) -> Divisor:
    """What the reduction divides by: Σ w of the rows that count, their number, or 1."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    if case.options.reduction != "mean":
        return by_number(1.0)
    classes = case.shape[case.class_axis]
    over = convention.mean_over or ("weights" if case.target_kind == "index" else "rows")
    if over == "rows":
        return by_number(float(np.prod(case.shape)) / max(classes, 1))
    weights = _row_weights(case, inputs, convention)
    if over == "nonzero_weights":
        return by_number(float((weights.sum().hi != 0).sum()))
    return by_sum(weights.map(np.ravel), case.dtype)


def _row_weights(case: Case, inputs: Inputs, convention: Convention) -> Exact:
    """What the weight of each row that counts adds up: that of its class, or w · target; (R, C)."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    classes = case.shape[case.class_axis]
    weight = np.ones(classes) if inputs.weight is None else inputs.weight.astype(np.float64)
    if case.target_kind != "index":
        return Exact.of(as_rows(inputs.target, case.class_axis)) * Exact.of(weight)
    labels = inputs.target.reshape(-1).astype(np.int64)
    counts = labels != case.options.ignore_index
    if convention.bad_index == "wrap":
        labels = np.where(labels < 0, labels + classes, labels)
    return Exact.of(weight[labels[counts & (labels >= 0) & (labels < classes)]][:, None])


def solve_loss(
    case: Case,
    inputs: Inputs,
    convention: Convention,
    soft: Softmax,
    rest: tuple[int, ...],
    axis: int,
) -> Solution:
    rows, classes = soft.l.shape
    target = targets(case, inputs, convention, (rows, classes))
    w, zeros = target.w, constant((rows, classes), 0.0)
    undefined = soft.undefined & target.counts
    products = where(w.hi == 0, zeros, w * soft.l)
    answer = _slow_losses(case, soft, target, convention)
    losses = _row_losses(products, answer)
    losses = undefine(where(target.counts, losses, constant((rows,), 0.0)), undefined)
    losses = undefine(losses, target.is_nan)
    v = row_scale(case, convention, target, rest)
    if case.options.reduction == "none":
        value = losses.map(lambda part: part.reshape(rest))
    else:
        value = target.divisor.divide(_total(losses, products, target.counts, answer), convention)
    gradient = loss_gradient(case, convention, soft, target, inputs) * column(v)
    gradient = settled(convention, soft, target, gradient)
    quantities = {"value": value, "gradient_logits": back(gradient, rest, axis)}
    if case.target_kind == "soft":
        factor = target.per_target
        by_target = where(factor.hi + zeros.hi == 0, zeros, factor * soft.l)
        by_target = undefine(by_target * column(v), undefined | target.is_nan)
        quantities["gradient_target"] = back(by_target, rest, axis)
    unit = unit_of(w, losses)
    terms = terms_of(soft, (w / unit).to_float(), (v * unit).to_float())
    return Solution(
        "",
        quantities,
        terms,
        (losses / unit).to_float(),
        unit=unit,
        condition=target.divisor.condition,
        addends=target.divisor.addends,
    )


def row_scale(case: Case, convention: Convention, target: Target, rest: tuple[int, ...]) -> Exact:
    """Return the cotangent of each row's loss over D, shape (R,)."""
    if case.options.reduction == "none":
        return Exact.of(case.cotangent(rest).reshape(-1))
    v = target.divisor.divide(Exact.of(1.0), convention)
    return v.map(lambda part: np.broadcast_to(part, target.counts.shape))


def settled(convention: Convention, soft: Softmax, target: Target, gradient: Exact) -> Exact:
    """Put NaN into rows without an agreed answer, and 0 into those that do not count."""
    gradient = undefine(gradient, (soft.undefined & target.counts) | target.is_nan)
    if target.divisor.is_undefined and not convention.nothing_counts_is_zero:
        return gradient
    counts = np.broadcast_to(target.counts[:, None], gradient.shape)
    return where(counts, gradient, constant(gradient.shape, 0.0))


def _slow_losses(
    case: Case, soft: Softmax, target: Target, convention: Convention
) -> RowTerm | None:
    """What recomputes losses whose terms may have either sign, as negative weights make them.

    Log-probabilities above 0 need no more than a sum: they are given.
    """
    if case.contract.domain == "log_probs" or not (target.w.hi < 0).any():
        return None
    if case.contract.domain == "logits":
        return decimal_classwise.cross_entropy_loss(soft.x, target.exact)
    if convention.renormalise or convention.log_floor is not None:
        return None
    return decimal_classwise.given_loss(soft.p.to_float(), target.exact)


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
    every = decimal_classwise.whole(answer, np.flatnonzero(counts).tolist())
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
    left, right = soft.p * others, w * soft.complement
    gradient = left - right
    suspect = cancelled(gradient, left, right)
    if (w.hi < 0).any():  # then ΣW may cancel, too
        suspect |= cancelled(gradient, soft.p * column(abs(w).sum()))
    exact = target.exact
    answer = decimal_classwise.cross_entropy_gradient(soft.x, exact)
    arguments = soft.x, exact.target, exact.weight
    return recomputed(gradient, suspect, answer, *arguments, classes=w.shape[1])


def loss_gradient(
    case: Case, convention: Convention, soft: Softmax, target: Target, inputs: Inputs
) -> Exact:
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
    if convention.renormalise == "after":
        within = x if convention.clip is None else clipped(x, case.dtype, convention.clip)
        gradient = _through_division(gradient, soft.p, within, target.exact, inside)
    if convention.clip is not None:
        divided = x / column(x.sum()) if convention.renormalise == "before" else x
        low, high = limits(case.dtype, convention.clip)
        outside = ((divided - low).hi < 0) | ((divided - high).hi > 0)
        gradient = where(outside, zeros, gradient)
        inside = ~outside
    if convention.renormalise == "before":
        gradient = _through_division(gradient, x / column(x.sum()), x, target.exact, inside)
    return gradient


def _through_division(gradient: Exact, p: Exact, x: Exact, exact: Weights, inside: Mask) -> Exact:
    """The gradient by x of what depends on p = x/Σx: (g − Σ g p)/Σx, g = −W/p where `inside`."""
    inner = column(where(p.hi == 0, constant(p.shape, 0.0), gradient * p).sum())
    result = (gradient - inner) / column(x.sum())
    suspect = cancelled(gradient - inner, gradient, inner)
    y, counted = x.to_float(), inside.astype(np.float64)
    answer = decimal_classwise.divided_gradient(y, exact, counted)
    arguments = y, exact.target, exact.weight, counted
    return recomputed(result, suspect, answer, *arguments, classes=y.shape[1])
