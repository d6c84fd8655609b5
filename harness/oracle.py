"""The right answers: values and gradients of every operation, good to about 2^-90.

`solve` computes from the arrays of a case, already rounded to their dtype, and knows no
framework. `Rules` states the choices of the contract; a convention is other rules, see
`harness.conventions`. In a `Solution`, NaN stands where there is no agreed answer.

Formulas (a = max x, d = a − x ≥ 0, S = Σ exp(−d) over all classes but one maximal, L = log1p S,
ℓ = d + L, p = exp(−d)/(1 + S)): every loss is Σ W ℓ / D with W = weight · target ≥ 0, and its
gradient by logits is (p ΣW − W)/D, written without cancellation as (p (ΣW − W) − W (1 − p))/D.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from ..cases.dtypes import FORMATS, Array
from ..cases.model import Case, Inputs
from .arithmetic import Exact, Floats, constant, where

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rules:
    """The choices on which frameworks differ; the defaults are the contract.

    Attributes:
        mean_over_rows: `mean` of an index loss divides by the number of rows, not by Σ w.
        nothing_counts_is_zero: the mean of a loss in which no row counts is 0, not 0/0.
        bad_index: what a label out of range does: `error`, `zeros` (no class is meant),
            `wrap` (negative ones count from the end) or `nan`.
        clip: probabilities are first clipped to [clip, 1 − clip], both rounded to the dtype.
        renormalise: probabilities are divided by their sum over the classes, `before` or
            `after` they are clipped; empty for not at all.
        log_floor: a logarithm of a probability is never below this number.
    """

    mean_over_rows: bool = False
    nothing_counts_is_zero: bool = False
    bad_index: str = "error"
    clip: float | None = None
    renormalise: str = ""
    log_floor: float | None = None


CONTRACT = Rules()


@dataclass(frozen=True)
class Rows:
    """What the bounds need to know of operations over classes; shape (R, C) or (R,).

    Attributes:
        d, l, p: a − x, ℓ and p of each element; l is −log p of given probabilities.
        lse: a + L of each row.
        log_sum: L of each row.
        entropy_gap: E = Σ p d of each row, in [0, ln C].
        w: the effective weights W = weight · target.
        v: cotangents times 1/D: of each row (R,) for losses, of each element otherwise.
    """

    d: Floats
    l: Floats
    p: Floats
    lse: Floats
    log_sum: Floats
    entropy_gap: Floats
    w: Floats = field(default_factory=lambda: np.zeros(()))
    v: Floats = field(default_factory=lambda: np.zeros(()))

    def head(self, rows: int) -> Rows:
        """Return the terms of the first rows."""
        parts = {item.name: getattr(self, item.name) for item in fields(self)}
        return Rows(**{name: part[:rows] if part.ndim else part for name, part in parts.items()})


@dataclass(frozen=True)
class Elements:
    """What the bounds need to know of operations of one element; any shape.

    Attributes:
        x: the first argument.
        z: the target, 0 where there is none.
        w, pos_weight: the weights of each element.
        v: cotangents times 1/D.
    """

    x: Floats
    z: Floats
    w: Floats
    pos_weight: Floats
    v: Floats


@dataclass(frozen=True)
class Solution:
    """The right answer to a case under some rules.

    Attributes:
        refusal: why the right answer is an error; then there is nothing else.
        quantities: `value`, `gradient_logits`, and `gradient_target` for soft targets.
        terms: what the bounds are made of.
        row_losses: the losses before they are reduced, shape (R,) or that of the elements.
        rules: under which this is the answer.
    """

    refusal: str = ""
    quantities: dict[str, Exact] = field(default_factory=dict)
    terms: Rows | Elements | None = None
    row_losses: Floats = field(default_factory=lambda: np.zeros(0))
    rules: Rules = CONTRACT


def solve(case: Case, inputs: Inputs, rules: Rules = CONTRACT) -> Solution:
    """Return the right answer to a case.

    Args:
        case: the question.
        inputs: its arrays, in their dtypes.
        rules: the contract, or those of a convention.
    """
    refusal = _refusal(case, inputs, rules)
    if refusal:
        return Solution(refusal=refusal)
    with np.errstate(all="ignore"):
        return replace(_solver(case)(case, inputs, rules), rules=rules)


def _solver(case: Case) -> Callable[[Case, Inputs, Rules], Solution]:
    if not case.contract.reads_classes:
        return _solve_elements
    is_large = case.shape and case.judged_rows < case.shape[0]
    return _solve_large if is_large else _solve_rows


def _refusal(case: Case, inputs: Inputs, rules: Rules) -> str:
    values, target = inputs.values.astype(np.float64), inputs.target
    if case.contract.domain == "probs" and _outside(values):
        return "a probability outside [0, 1]"
    if target is None:
        return ""
    if case.target_kind == "index":
        bad = _bad_labels(target, case)
        return "an index target out of range" if bad.any() and rules.bad_index == "error" else ""
    if _outside(target.astype(np.float64)):
        return "a target probability outside [0, 1]"
    return ""


def _outside(values: Floats) -> bool:
    return bool(((values < 0) | (values > 1)).any())


def _bad_labels(target: Array, case: Case) -> Mask:
    classes = case.shape[case.class_axis]
    ignored = target == case.options.ignore_index
    return np.asarray(~ignored & ((target < 0) | (target >= classes)))


# --- operations over classes ---------------------------------------------------------------


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


def _solve_rows(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    axis = case.class_axis
    rest = case.shape[:axis] + case.shape[axis + 1 :]
    x = _as_rows(inputs.values, axis)
    if not case.contract.is_loss:
        return _solve_array(case, x, rest, axis)
    soft = _softmax(x) if case.contract.domain == "logits" else _given_losses(case, x, rules)
    return _solve_loss(case, inputs, rules, soft, rest, axis)


def _solve_large(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    """Arrays are solved in their first rows, a reduced loss in all, part by part.

    Beyond the first part float64 will do for narrower dtypes: it is good to 2^-20 of their ulp.
    """
    n = case.judged_rows
    if not case.contract.is_loss or case.options.reduction == "none":
        return _solve_rows(*_part(case, inputs, 0, n), rules)
    summed = replace(case, options=replace(case.options, reduction="sum"))
    solver = _solve_rows if case.dtype == "float64" else _solve_plainly
    parts = [
        (solver if begin else _solve_rows)(*_part(summed, inputs, begin, begin + n), rules)
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
        return _solve_rows(case, inputs, rules)
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
        p = _clipped(p, dtype, rules.clip)
    return p / _column(p.sum()) if rules.renormalise == "after" else p


def _limits(dtype: str, clip: float) -> tuple[float, float]:
    form = FORMATS[dtype]
    return float(form.round(clip)), float(form.round(1.0 - clip))


def _clipped(p: Exact, dtype: str, clip: float) -> Exact:
    low, high = _limits(dtype, clip)
    p = where((p - low).hi < 0, constant(p.shape, low), p)
    return where((p - high).hi > 0, constant(p.shape, high), p)


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
        clipped = x if rules.clip is None else _clipped(x, case.dtype, rules.clip)
        gradient = _through_division(gradient, soft.p, clipped)
    if rules.clip is not None:
        divided = x / _column(x.sum()) if rules.renormalise == "before" else x
        low, high = _limits(case.dtype, rules.clip)
        outside = ((divided - low).hi < 0) | ((divided - high).hi > 0)
        gradient = where(outside, zeros, gradient)
    if rules.renormalise == "before":
        gradient = _through_division(gradient, x / _column(x.sum()), x)
    return gradient


def _through_division(gradient: Exact, p: Exact, x: Exact) -> Exact:
    """The gradient by x of what depends on p = x/Σx: (g − Σ g p)/Σx."""
    inner = where(p.hi == 0, constant(p.shape, 0.0), gradient * p).sum()
    return (gradient - _column(inner)) / _column(x.sum())


# --- operations of one element -------------------------------------------------------------


def _softplus(x: Exact) -> Exact:
    """log(1 + e^x) = max(x, 0) + log1p(e^−|x|)."""
    return where(x.hi > 0, x, constant(x.shape, 0.0)) + (-abs(x)).exp().log1p()


def _sigmoid(x: Exact) -> Exact:
    """1/(1 + e^−x), as e^x/(1 + e^x) below 0; 0 and 1 at ∓inf."""
    e = (-abs(x)).exp()
    result = where(x.hi >= 0, constant(x.shape, 1.0), e) / (e + 1.0)
    return where(np.isnan(x.hi), x, result)


def _by_class(weight: Array | None, case: Case) -> Floats:
    if weight is None:
        return np.ones(case.shape)
    shape = [1] * len(case.shape)
    shape[case.class_axis] = -1
    return np.broadcast_to(weight.astype(np.float64).reshape(shape), case.shape)


def _solve_elements(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    x = Exact.of(inputs.values.astype(np.float64))
    if case.contract.is_loss:
        return _solve_binary(case, inputs, rules, x)
    cotangent = case.cotangent(case.shape)
    v = Exact.of(cotangent)
    if case.operation == "exp":
        value = x.exp()
        gradient = v * value
    elif case.operation == "sigmoid":
        value = _sigmoid(x)
        gradient = v * (value * _sigmoid(-x))
    else:
        value = -_softplus(-x)
        gradient = v * _sigmoid(-x)
    zero, one = np.zeros(case.shape), np.ones(case.shape)
    terms = Elements(x.to_float(), zero, one, one, cotangent)
    return Solution(quantities={"value": value, "gradient_logits": gradient}, terms=terms)


def _solve_binary(case: Case, inputs: Inputs, rules: Rules, x: Exact) -> Solution:
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    z = Exact.of(inputs.target.astype(np.float64))
    w_float, p_float = _by_class(inputs.weight, case), _by_class(inputs.pos_weight, case)
    w = Exact.of(w_float)
    if case.contract.domain == "probs":
        losses, by_values, by_target = _bce(case, rules, x, z)
    else:
        losses, by_values, by_target = _bce_with_logits(x, z, Exact.of(p_float))
    losses, by_values, by_target = (_product(w, y) for y in (losses, by_values, by_target))
    if case.options.reduction == "none":
        cotangent = case.cotangent(case.shape)
        value, v = losses, Exact.of(cotangent)
    else:
        mean = case.options.reduction == "mean"
        divisor = Exact.of(float(np.prod(case.shape)) if mean else 1.0)
        value = losses.map(np.ravel).sum() / divisor
        v = (Exact.of(1.0) / divisor).map(lambda part: np.broadcast_to(part, case.shape))
    quantities = {
        "value": value,
        "gradient_logits": by_values * v,
        "gradient_target": by_target * v,
    }
    terms = Elements(x.to_float(), z.to_float(), w_float, p_float, v.to_float())
    return Solution("", quantities, terms, losses.to_float())


def _product(z: Exact, y: Exact) -> Exact:
    """z·y, where 0 times infinity is 0; NaN stays."""
    return where((z.hi == 0) & ~np.isnan(y.hi), constant(z.shape, 0.0), z * y)


def _bce_with_logits(x: Exact, z: Exact, pos_weight: Exact) -> tuple[Exact, Exact, Exact]:
    miss, hit = 1.0 - z, _product(pos_weight, z)
    losses = _product(hit, _softplus(-x)) + _product(miss, _softplus(x))
    by_logits = _product(miss, _sigmoid(x)) - _product(hit, _sigmoid(-x))
    # p softplus(−x) − softplus(x), with softplus(x) = x + softplus(−x) below the larger of the two,
    # so that p = 1 leaves −x exactly, and p = 0 the smaller one
    smaller = (-abs(x)).exp().log1p()
    by_target = _product(pos_weight - 1.0, smaller) - where(x.hi > 0, x, _product(pos_weight, x))
    return losses, by_logits, by_target


def _bce(case: Case, rules: Rules, x: Exact, z: Exact) -> tuple[Exact, Exact, Exact]:
    p = x if rules.clip is None else _clipped(x, case.dtype, rules.clip)
    rest = 1.0 - p
    log_p, log_rest = p.log(), where((p - 0.5).hi < 0, (-p).log1p(), rest.log())
    zeros = constant(p.shape, 0.0)
    if rules.log_floor is not None:
        floor = constant(p.shape, rules.log_floor)
        log_p = where(log_p.to_float() < rules.log_floor, floor, log_p)
        log_rest = where(log_rest.to_float() < rules.log_floor, floor, log_rest)
    losses = -(_product(z, log_p) + _product(1.0 - z, log_rest))
    by_probs = _product(1.0 - z, 1.0 / rest) - _product(z, 1.0 / p)
    if rules.log_floor is not None:
        # PyTorch's max(p(1 − p), 1e-12) under the gradient; its 1e-12 is a float32 constant
        product, least = p * rest, float(np.float32(1e-12))
        floored = where(product.to_float() < least, constant(p.shape, least), product)
        by_probs = (p - z) / floored
    if rules.clip is not None:
        low, high = _limits(case.dtype, rules.clip)
        outside = (x - low).hi < 0
        outside |= (x - high).hi > 0
        by_probs = where(outside, zeros, by_probs)
    return losses, by_probs, log_rest - log_p
