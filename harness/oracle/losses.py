"""Solve cross-entropy and nll: every loss is Σ W ℓ / D with W = weight · target.

The gradient with respect to the logits is (p ΣW − W)/D, written without cancellation as
(p (ΣW − W) − W (1 − p))/D. `harness.oracle.softmax` computes ℓ and p. A z-loss adds λ·lse² to the
loss of each row, and p·2λ·lse to its gradient. Where the logits are transformed, the gradient is
multiplied by the slope ∂z/∂x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...cases.model import Case, Inputs
from . import decimal_classwise
from .decimal_classwise import RowTerm, Weights
from .decimal_fallback import cancelled, recomputed
from .double_double import Exact, constant, unit_of, where
from .labels import meant_labels
from .mean import Divisor, by_number, by_sum, clipped, limits
from .pairs import Floats
from .softmax import Softmax, as_rows, back, column, log_sum_exp, terms_of, undefine
from .solution import Convention, Mask, Solution
from .transform import UNCHANGED


def given_losses(case: Case, x: Floats, convention: Convention) -> Softmax:
    """Return ℓ of given probabilities or log-probabilities, in the form of a softmax.

    Args:
        case: the question, whose domain is not logits.
        x: the first argument, shape (R, C).
        convention: the way in which probabilities are adjusted before the logarithm.

    Returns:
        A softmax whose `l` is ℓ and whose `p` holds the adjusted probabilities, of which the
        gradient is made; 1 for log-probabilities, whose gradient does not depend on them.
    """
    undefined = np.zeros(len(x), np.bool_)
    rows = len(x)
    if case.contract.domain == "log_probs":
        l, p = -Exact.of(x), constant(x.shape, 1.0)
    else:
        p = Exact.of(x)
        p = _adjusted(p, case.dtype, convention)
        l = -p.log()
        # −log(x/Σx) = log1p(Σ_others/x) keeps the digits that log loses where x/Σx is near 1.
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
    """Return probabilities clipped and divided by their sum, as the convention demands."""
    if convention.renormalise == "before":
        p = p / column(p.sum())
    if convention.clip is not None:
        p = clipped(p, dtype, convention.clip)
    return p / column(p.sum()) if convention.renormalise == "after" else p


@dataclass(frozen=True)
class Target:
    """The effective weights of a loss over classes.

    Attributes:
        w: W = weight · target, smoothing included, shape (R, C).
        divisor: the divisor D of the reduction.
        counts: the rows that count, whose label is not `ignore_index`, shape (R,).
        is_nan: the rows whose target makes the loss NaN, shape (R,).
        per_target: ∂W/∂target, shape (1, C).
        exact: the factors that W is computed from.
    """

    w: Exact
    divisor: Divisor
    counts: Mask
    is_nan: Mask
    per_target: Exact
    exact: Weights


def targets(case: Case, inputs: Inputs, convention: Convention, shape: tuple[int, int]) -> Target:
    """Return the effective weights of a loss over classes, and its divisor.

    Args:
        case: the question, an operation with a target.
        inputs: its arrays.
        convention: the choices that the answer follows.
        shape: R and C.
    """
    rows, classes = shape
    weight = constant((1, classes), 1.0)
    if inputs.weight is not None:
        weight = Exact.of(inputs.weight.astype(np.float64)[None, :])
    counts: Mask = np.ones(rows, np.bool_)
    is_nan: Mask = np.zeros(rows, np.bool_)
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    if case.target_kind == "index":
        labels, counts = meant_labels(case, inputs, convention)
        meant = (np.arange(classes) == labels[:, None]) & counts[:, None]
        if convention.bad_index == "nan":
            is_nan = counts & ~meant.any(axis=1)
        target = meant.astype(np.float64)
    else:
        target = as_rows(inputs.target, case.class_axis)
        is_nan = np.asarray(np.isnan(target).any(axis=1))
        target = np.where(is_nan[:, None], 0.0, target)
    # Smoothing applies after the one-hot encoding, and not to rows that do not count.
    smoothed, per_target = Exact.of(target), weight
    if case.options.label_smoothing:
        smoothing = Exact.of(case.options.label_smoothing)
        keep = 1.0 - smoothing
        per_target = weight * keep
        smoothed = smoothed * keep + smoothing / max(classes, 1)
        smoothed = where(counts[:, None] & np.ones(shape, np.bool_), smoothed, constant(shape, 0.0))
    if convention.weights_scale_rows:
        weight = column((Exact.of(target) * weight).sum())
        per_target = weight * (1.0 - Exact.of(case.options.label_smoothing))
    w = smoothed if weight.is_ones_and_zeros and (weight.hi != 0).all() else smoothed * weight
    factors = np.broadcast_to(weight.to_float(), shape)
    exact = Weights(target, factors, case.options.label_smoothing)
    return Target(w, divisor_of(case, inputs, convention), counts, is_nan, per_target, exact)


def divisor_of(case: Case, inputs: Inputs, convention: Convention) -> Divisor:
    """Return the divisor of the reduction: Σ w of the rows that count, a number of rows, or 1."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    if case.options.reduction != "mean":
        return by_number(1.0)
    if case.options.denominator is not None:
        return by_number(case.options.denominator)
    classes = case.shape[case.class_axis]
    over = convention.mean_over or ("weights" if case.target_kind == "index" else "rows")
    if over == "rows":
        return by_number(float(np.prod(case.shape)) / max(classes, 1))
    # TensorFlow counts the rows whose weight is not 0, whatever its size.
    weights = _row_weights(case, inputs, convention)
    if over == "nonzero_weights":
        return by_number(float((weights.sum().hi != 0).sum()))
    return by_sum(weights.map(np.ravel), case.dtype)


def _row_weights(case: Case, inputs: Inputs, convention: Convention) -> Exact:
    """Return the addends of each counting row's weight, shape (R, C), or (R, 1) for labels.

    A label contributes the weight of its class, other targets w · target of each class.
    """
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    classes = case.shape[case.class_axis]
    weight = np.ones(classes) if inputs.weight is None else inputs.weight.astype(np.float64)
    if case.target_kind != "index":
        return Exact.of(as_rows(inputs.target, case.class_axis)) * Exact.of(weight)
    labels, counts = meant_labels(case, inputs, convention)
    return Exact.of(weight[labels[counts & (labels >= 0) & (labels < classes)]][:, None])


def solve_loss(
    case: Case,
    inputs: Inputs,
    convention: Convention,
    soft: Softmax,
    rest: tuple[int, ...],
    axis: int,
) -> Solution:
    """Return the right answer of a loss over classes.

    Args:
        case: the question.
        inputs: its arrays.
        convention: the choices that the answer follows.
        soft: ℓ and p of the first argument, in rows.
        rest: the shape of the first argument without its class axis.
        axis: the class axis.
    """
    rows, classes = soft.l.shape
    target = targets(case, inputs, convention, (rows, classes))
    w, zeros = target.w, constant((rows, classes), 0.0)
    undefined = soft.undefined & target.counts
    # A class of weight 0 costs nothing, even where its ℓ is infinite.
    products = where(w.hi == 0, zeros, soft.l if w.is_ones_and_zeros else w * soft.l)
    if case.options.z_loss:
        products = _beside(products, _z_losses(case, soft))
    answer = _slow_losses(case, soft, target, convention)
    losses = _row_losses(products, answer)
    losses = undefine(where(target.counts, losses, constant((rows,), 0.0)), undefined)
    losses = undefine(losses, target.is_nan)
    v = row_scale(case, convention, target, rest)
    if case.options.reduction == "none":
        value = losses.map(lambda part: part.reshape(rest))
    else:
        value = target.divisor.divide(_total(losses, products, target.counts, answer), convention)
    gradient = loss_gradient(case, convention, soft, target, inputs)
    if convention.sums_to_1:
        gradient = gradient + soft.p * _missing(target)
    gradient = gradient * column(v)
    if soft.transform is not UNCHANGED:
        gradient = gradient * soft.transform.slope(np.where(np.isinf(soft.x), 0.0, soft.x))
    gradient = settled(convention, soft, target, gradient)
    quantities = {"value": value, "gradient_logits": back(gradient, rest, axis)}
    if case.target_kind == "soft":
        factor = target.per_target
        by_target = where(factor.hi + zeros.hi == 0, zeros, factor * soft.l)
        by_target = undefine(by_target * column(v), undefined | target.is_nan)
        quantities["gradient_target"] = back(by_target, rest, axis)
    # Extreme weights would overflow the sums of float64 that the bounds are made of.
    unit = unit_of(w, losses)
    if unit != 1.0:
        w, v, losses = w / unit, v * unit, losses / unit
    terms = terms_of(soft, w.to_float(), v.to_float(), case.options.z_loss / unit)
    return Solution(
        "",
        quantities,
        terms,
        losses.to_float(),
        unit=unit,
        condition=target.divisor.condition,
        addends=target.divisor.addends,
    )


def row_scale(case: Case, convention: Convention, target: Target, rest: tuple[int, ...]) -> Exact:
    """Return the cotangent of each row's loss divided by D, shape (R,)."""
    if case.options.reduction == "none":
        return Exact.of(case.cotangent(rest).reshape(-1))
    v = target.divisor.divide(Exact.of(case.cotangent(())), convention)
    return v.map(lambda part: np.broadcast_to(part, target.counts.shape))


def settled(convention: Convention, soft: Softmax, target: Target, gradient: Exact) -> Exact:
    """Return a gradient, (R, C), with NaN in undefined rows and 0 in rows that do not count."""
    gradient = undefine(gradient, (soft.undefined & target.counts) | target.is_nan)
    # 0/0 is NaN for every row: without a divisor, rows that do not count have no answer either.
    if target.divisor.is_undefined and not convention.nothing_counts_is_zero:
        return gradient
    counts = np.broadcast_to(target.counts[:, None], gradient.shape)
    return where(counts, gradient, constant(gradient.shape, 0.0))


def _slow_losses(
    case: Case, soft: Softmax, target: Target, convention: Convention
) -> RowTerm | None:
    """Return the slow computation of row losses whose terms have both signs; None for others.

    Negative weights give terms both signs, so that they may cancel. Log-probabilities above 0
    do so as well, but they are given without error, and their sum needs no second computation.
    """
    if case.contract.domain == "log_probs" or not (target.w.hi < 0).any():
        return None
    if case.contract.domain in ("logits", "hidden"):
        return decimal_classwise.cross_entropy_loss(
            soft.x, target.exact, soft.transform, case.options.z_loss
        )
    if convention.renormalise or convention.log_floor is not None:
        return None
    return decimal_classwise.given_loss(soft.p.to_float(), target.exact)


def _z_losses(case: Case, soft: Softmax) -> Exact:
    """Return λ·lse² of each row, shape (R, 1)."""
    lse = column(log_sum_exp(soft))
    return lse * lse * case.options.z_loss


def _beside(left: Exact, right: Exact) -> Exact:
    """Return two arrays of as many rows as one array."""
    return Exact(
        np.concatenate([left.hi, right.hi], axis=1),
        np.concatenate([left.lo, right.lo], axis=1),
        np.concatenate([left.exponent, right.exponent], axis=1),
    )


def _row_losses(terms: Exact, answer: RowTerm | None) -> Exact:
    """Return Σ W ℓ of each row, shape (R,), recomputed by `answer` where terms cancel."""
    losses = terms.sum()
    if answer is None:
        return losses
    suspect = cancelled(column(losses), column(abs(terms).sum()))
    return recomputed(column(losses), suspect, answer, classes=terms.shape[1])[:, 0]


def _total(losses: Exact, terms: Exact, counts: Mask, answer: RowTerm | None) -> Exact:
    """Return the sum of the losses, a scalar, recomputed by `answer` where terms cancel."""
    # Losses of different rows may cancel although no row's own terms do.
    total = losses.sum()
    if answer is None:
        return total
    suspect = cancelled(total, abs(terms).sum().sum())[None, None]
    every = decimal_classwise.whole(answer, np.flatnonzero(counts).tolist())
    return recomputed(total[None, None], suspect, every, classes=terms.hi.size)[0, 0]


def _others(w: Exact) -> Exact:
    """Return ΣW − W_j, shape (R, C), to full precision.

    The largest W is left out of the sum and added last. Otherwise ΣW − W_top would cancel.
    """
    if not w.shape[1]:
        return w
    top = np.argmax(np.abs(w.to_float()), axis=1)
    is_top = np.arange(w.shape[1]) == top[:, None]
    without = where(is_top, constant(w.shape, 0.0), w).sum()
    total = without + w[np.arange(len(top)), top]
    return where(is_top, column(without), column(total) - w)


def _cross_entropy_gradient(case: Case, soft: Softmax, target: Target) -> Exact:
    """Return the gradient with respect to z, p (ΣW − W) − W (1 − p) + p·2λ·lse, shape (R, C)."""
    # Its two terms are equal where p = W/ΣW, as for a soft target that is the softmax itself.
    w = target.w
    others = _others(w)
    left = soft.p * others
    is_simple = w.is_ones_and_zeros
    nothing = constant(w.shape, 0.0)
    right = where(w.hi == 0, nothing, soft.complement) if is_simple else w * soft.complement
    gradient, most, z_loss = left - right, soft.transform.most_lost, case.options.z_loss
    beside = nothing
    if z_loss:
        beside = soft.p * column(log_sum_exp(soft) * (2.0 * z_loss))
        gradient = gradient + beside
    suspect = cancelled(gradient, left, right, beside, most=most)
    if (w.hi < 0).any():  # then ΣW may cancel as well
        suspect |= cancelled(gradient, soft.p * column(abs(w).sum()), most=most)
    exact = target.exact
    answer = decimal_classwise.cross_entropy_gradient(soft.x, exact, soft.transform, z_loss)
    arguments = soft.x, exact.target, exact.weight
    return recomputed(gradient, suspect, answer, *arguments, classes=w.shape[1])


def _missing(target: Target) -> Exact:
    """Return by how much the targets of rows without a class fall short of 1, shape (R, 1)."""
    has_class = np.asarray(target.exact.target.any(axis=1))
    return column(where(has_class, constant(has_class.shape, 0.0), target.per_target[0, 0]))


def loss_gradient(
    case: Case, convention: Convention, soft: Softmax, target: Target, inputs: Inputs
) -> Exact:
    """Return ∂(Σ W ℓ)/∂x for the first argument x, shape (R, C)."""
    if case.contract.domain in ("logits", "hidden"):
        return _cross_entropy_gradient(case, soft, target)
    w = target.w
    zeros = constant(w.shape, 0.0)
    if case.contract.domain == "log_probs":
        return where(w.hi == 0, zeros, -w)
    # −W/p, carried back through the steps of the convention, the last one first.
    gradient = where(w.hi == 0, zeros, -w / soft.p)
    x = Exact.of(as_rows(inputs.values, case.class_axis))
    inside = np.ones(w.shape, np.bool_)
    if convention.renormalise == "after":
        within = x if convention.clip is None else clipped(x, case.dtype, convention.clip)
        gradient = _through_division(gradient, soft.p, within, target.exact, inside)
    # A clipped probability is constant, so nothing flows back through it.
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
    """Return the gradient with respect to x, given g with respect to p = x/Σx; shape (R, C).

    It is (g − Σ g p)/Σx, where g = −W/p.

    Args:
        gradient: g.
        p: the probabilities after the division.
        x: the probabilities before it.
        exact: the factors of W, for the computation in decimals.
        inside: the classes that are not clipped afterwards; g is 0 elsewhere.
    """
    inner = column(where(p.hi == 0, constant(p.shape, 0.0), gradient * p).sum())
    result = (gradient - inner) / column(x.sum())
    suspect = cancelled(gradient - inner, gradient, inner)
    y, counted = x.to_float(), inside.astype(np.float64)
    answer = decimal_classwise.divided_gradient(y, exact, counted)
    arguments = y, exact.target, exact.weight, counted
    return recomputed(result, suspect, answer, *arguments, classes=y.shape[1])
