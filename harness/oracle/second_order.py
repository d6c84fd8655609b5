"""Compute Hessian-vector products: d/dε of `gradient_logits` at x + ε·t, ε = 0.

The direction t is fixed for each case (`Case.direction`). With q_j(t) = t_j − Σ p t, the
deviation from the mean, and V the sum of the cotangents v:

| operation | product with t |
|---|---|
| `softmax` | p_j (c_j − Σ p c), c = q(t)·q(v) |
| `log_softmax` | −V p_j q_j(t) |
| `logsumexp` | v p_j q_j(t) |
| `cross_entropy` | ΣW/D · p_j q_j(t) |
| `nll_loss` | 0 |
| `cross_entropy_probs` | W/x² · t/D |
| `exp`, `sigmoid`, `log_sigmoid` | v t e^x, −v t σ(x) σ(−x) tanh(x/2), −v t σ(x) σ(−x) |
| `binary_cross_entropy_with_logits` | w (1 − z + pz) σ(x) σ(−x) t/D |
| `binary_cross_entropy` | w (z/x² + (1 − z)/(1 − x)²) t/D |

Elements are NaN where `gradient_logits` has no agreed answer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...cases.model import Case, Inputs
from . import decimal_classwise
from .classwise import part_of
from .decimal_fallback import MOST_LOST, cancelled, recomputed
from .double_double import ZERO_EXPONENT, Exact, constant, where
from .elementwise import Logistic, by_class, product, scale
from .losses import Target, divisor_of, given_losses, row_scale, settled, targets
from .mean import limits
from .pairs import Floats
from .softmax import (
    Softmax,
    as_rows,
    back,
    column,
    deviations,
    from_mean,
    of_top,
    softmax,
    undefine,
)
from .solution import CONTRACT, Convention, Mask

_ROUNDINGS = 2  # bits that a product of two deviations is worse than one of them


def solve_second(case: Case, inputs: Inputs, convention: Convention = CONTRACT) -> Exact | None:
    """Return the derivative of `gradient_logits` along `Case.direction`.

    Args:
        case: the operation, dtype, shape and options; its right answer is not an error.
        inputs: the arrays of the case, in their dtypes.
        convention: the choices that the answer follows; the contract by default.

    Returns:
        The Hessian-vector product, in the shape of `gradient_logits`; None under conventions that
        change the logarithm of a probability, as no implementation differentiates those twice.

    >>> from lossdiff.cases.model import Case
    >>> case = Case.parse("exp/float64/3/normal/-/0")
    >>> product = solve_second(case, case.inputs())
    >>> product.shape
    (3,)
    """
    if convention.renormalise or convention.log_floor is not None:
        return None
    with np.errstate(all="ignore"):
        return (_of_rows if case.contract.reads_classes else _of_elements)(case, inputs, convention)


def _of_rows(case: Case, inputs: Inputs, convention: Convention) -> Exact:
    """Return the product of an operation over classes, for large arrays in the first rows only."""
    if not case.shape or case.judged_rows >= case.shape[0]:
        return _rows(case, inputs, convention)
    part, of_part = part_of(case, inputs, 0, case.judged_rows)
    if not case.contract.is_loss or case.options.reduction == "none":
        return _rows(part, of_part, convention)
    # The divisor of a mean belongs to the whole batch, not to the first rows.
    summed = replace(part, options=replace(case.options, reduction="sum"))
    return divisor_of(case, inputs, convention).divide(
        _rows(summed, of_part, convention), convention
    )


def _rows(case: Case, inputs: Inputs, convention: Convention) -> Exact:
    """Return the product of an operation over classes, in the shape of the first argument."""
    axis = case.class_axis
    rest = case.shape[:axis] + case.shape[axis + 1 :]
    x, t = as_rows(inputs.values, axis), as_rows(case.direction(), axis)
    if case.contract.is_loss:
        return back(_of_loss(case, inputs, convention, x, t), rest, axis)
    soft = softmax(x)
    if case.operation == "softmax":
        along = _of_softmax(soft, t, as_rows(case.cotangent(case.shape), axis))
    else:
        if case.operation == "logsumexp":
            v = case.cotangent(rest).reshape(-1)
        else:
            v = -as_rows(case.cotangent(case.shape), axis).sum(axis=1)  # of eighths, so exact
        along = soft.p * deviations(soft, t).exact * column(Exact.of(v))
    return back(undefine(along, soft.undefined), rest, axis)


def _of_softmax(soft: Softmax, t: Floats, v: Floats) -> Exact:
    """Return p_j (c_j − Σ p c) with c = q(t)·q(v), shape (R, C)."""
    left, right = deviations(soft, t), deviations(soft, v)
    c = left.exact * right.exact
    top = c.map(lambda part: of_top(soft, part))
    # Cancellation is counted from the terms of the factors, not from c: c has lost the bits of its
    # worse factor already, two more to its roundings, and c_j − c_top may lose further ones.
    size = c.exponent + np.maximum(left.lost, right.lost) + _ROUNDINGS
    size = np.maximum(size, of_top(soft, size)[:, None])
    is_top = np.arange(t.shape[1]) == soft.top[:, None]
    inner, bits = from_mean(soft, c - column(top), np.where(is_top, ZERO_EXPONENT, size))
    gaps = t - of_top(soft, t)[:, None], v - of_top(soft, v)[:, None]
    slow = decimal_classwise.second_deviation(soft.x, *gaps)
    return soft.p * recomputed(inner, bits > MOST_LOST, slow, *gaps, classes=t.shape[1])


def _of_loss(case: Case, inputs: Inputs, convention: Convention, x: Floats, t: Floats) -> Exact:
    """Return the derivative of the gradient of Σ W ℓ / D along t, shape (R, C)."""
    rows, classes = x.shape
    axis = case.class_axis
    target = targets(case, inputs, convention, (rows, classes))
    zeros = constant(x.shape, 0.0)
    if case.contract.domain == "logits":
        soft = softmax(x)
        along = soft.p * deviations(soft, t).exact * _total_weight(target)
    else:
        soft, along = given_losses(case, x, convention), zeros
        if case.contract.domain == "probs":
            along = target.w / (soft.p * soft.p) * Exact.of(t)
            along = where((target.w.hi == 0) | _outside(case, convention, x), zeros, along)
    rest = case.shape[:axis] + case.shape[axis + 1 :]
    along = along * column(row_scale(case, convention, target, rest))
    return settled(convention, soft, target, along)


def _total_weight(target: Target) -> Exact:
    """Return ΣW of each row, shape (R, 1)."""
    total = column(target.w.sum())
    if not (target.w.hi < 0).any():
        return total
    suspect = cancelled(total, column(abs(target.w).sum()))
    slow = decimal_classwise.weights_sum(target.exact)
    return recomputed(total, suspect, slow, classes=target.w.shape[1])


def _outside(case: Case, convention: Convention, x: Floats) -> Mask:
    """Return the elements whose probability is clipped, so that its derivative is 0."""
    if convention.clip is None:
        return np.zeros(x.shape, np.bool_)
    low, high = limits(case.dtype, convention.clip)
    return np.asarray((x < low) | (x > high))


def _of_elements(case: Case, inputs: Inputs, convention: Convention) -> Exact:
    """Return the product of an elementwise operation: its Hessian is diagonal."""
    x, t = inputs.values.astype(np.float64), Exact.of(case.direction())
    if case.contract.is_loss:
        return _of_binary(case, inputs, convention, x) * t
    at, v = Logistic(Exact.of(x)), Exact.of(case.cotangent(case.shape))
    if case.operation == "exp":
        slope = at.x.exp()
    else:
        slope = -(at.sigmoid() * at.sigmoid(-1))
        if case.operation == "sigmoid":
            slope = slope * at.tanh_of_half()
    return slope * v * t


def _of_binary(case: Case, inputs: Inputs, convention: Convention, x: Floats) -> Exact:
    """Return the diagonal of a binary loss's Hessian: the second derivative of each loss over D."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    z = Exact.of(inputs.target.astype(np.float64))
    w = by_class(inputs.weight, case)
    # Both terms of each sum have one sign, so nothing cancels unless a pos_weight is negative.
    miss, of_x = 1.0 - z, Exact.of(x)
    if case.contract.domain == "logits":
        at = Logistic(of_x)
        hit = Exact.of(by_class(inputs.pos_weight, case)) * z
        slope = product(miss + hit, at.sigmoid() * at.sigmoid(-1))
    else:
        complement = 1.0 - of_x
        slope = product(z, 1.0 / (of_x * of_x)) + product(miss, 1.0 / (complement * complement))
        slope = where(_outside(case, convention, x), constant(x.shape, 0.0), slope)
    return product(Exact.of(w), slope) * scale(case, w, convention)
