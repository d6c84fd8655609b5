"""Solve elementwise operations: sigmoid, log_sigmoid, exp and the binary losses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...cases.dtypes import Array
from ...cases.model import Case, Inputs
from . import decimal_elementwise
from .decimal_fallback import ElementTerm, cancelled, recomputed
from .double_double import Exact, constant, unit_of, where
from .mean import Divisor, by_number, by_sum, clipped, limits
from .pairs import Floats
from .solution import Convention, ElementwiseTerms, Mask, Solution


@dataclass(frozen=True)
class Logistic:
    """The functions σ and softplus at x and at −x, all from one exponential.

    Attributes:
        x: the logits, any shape.
    """

    x: Exact

    @cached_property
    def e(self) -> Exact:
        """The exponential e^−|x|, which never overflows."""
        return (-abs(self.x)).exp()

    @cached_property
    def smaller_softplus(self) -> Exact:
        """The smaller one of softplus(x) and softplus(−x), log1p(e^−|x|)."""
        return self.e.log1p()

    def softplus(self, sign: int = 1) -> Exact:
        """Return log(1 + e^±x), computed as max(±x, 0) + log1p(e^−|x|)."""
        x = self.x if sign > 0 else -self.x
        return where(x.hi > 0, x, constant(x.shape, 0.0)) + self.smaller_softplus

    def sigmoid(self, sign: int = 1) -> Exact:
        """Return σ(±x) = 1/(1 + e^∓x), computed as e^x/(1 + e^x) below 0; 0 and 1 at ∓inf."""
        x = self.x if sign > 0 else -self.x
        # A NaN compares as below 0 and would otherwise be lost in the choice of the numerator.
        result = where(x.hi >= 0, constant(x.shape, 1.0), self.e) / (self.e + 1.0)
        return where(np.isnan(x.hi), x, result)

    def tanh_of_half(self) -> Exact:
        """Return tanh(x/2) = σ(x) − σ(−x), as (1 − e^−|x|)/(1 + e^−|x|) with the sign of x."""
        size = -(-abs(self.x)).expm1() / (self.e + 1.0)
        return where(self.x.hi < 0, -size, size)


def by_class(weight: Array | None, case: Case) -> Floats:
    """Return the weight of each element, in the shape of the case; 1 without weights.

    Weights of shape (C,) belong to the classes; others are broadcast as NumPy does it.
    """
    if weight is None:
        return np.ones(case.shape)
    if weight.ndim != 1 or weight.shape != case.shape[case.class_axis :][:1]:
        return np.broadcast_to(weight.astype(np.float64), case.shape)
    shape = [1] * len(case.shape)
    shape[case.class_axis] = -1
    return np.broadcast_to(weight.astype(np.float64).reshape(shape), case.shape)


def solve_elementwise(case: Case, inputs: Inputs, convention: Convention) -> Solution:
    """Return the right answer to a case of an elementwise operation or of a binary loss."""
    x = Exact.of(inputs.values.astype(np.float64))
    if case.contract.is_loss:
        return _solve_binary(case, inputs, convention, x)
    cotangent = case.cotangent(case.shape)
    v, at = Exact.of(cotangent), Logistic(x)
    if case.operation == "exp":
        value = x.exp()
        gradient = v * value
    elif case.operation == "sigmoid":
        value = at.sigmoid()
        gradient = v * (value * at.sigmoid(-1))
    else:
        value = -at.softplus(-1)
        gradient = v * at.sigmoid(-1)
    zero, one = np.zeros(case.shape), np.ones(case.shape)
    terms = ElementwiseTerms(x.to_float(), zero, one, one, cotangent)
    return Solution(quantities={"value": value, "gradient_logits": gradient}, terms=terms)


def _solve_binary(case: Case, inputs: Inputs, convention: Convention, x: Exact) -> Solution:
    """Return the right answer of a binary loss; x is the first argument."""
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    z = smoothed(case, Exact.of(inputs.target.astype(np.float64)))
    w_float, p_float = by_class(inputs.weight, case), by_class(inputs.pos_weight, case)
    w = Exact.of(w_float)
    if case.contract.domain == "probs":
        losses, by_values, by_target = _bce(case, convention, x, z)
    else:
        losses, by_values, by_target = _bce_with_logits(x, z, Exact.of(p_float))
    if case.options.label_smoothing:
        by_target = by_target * (1.0 - Exact.of(case.options.label_smoothing))
    # A target that is NaN leaves no agreed answer for its element, even at weight 0.
    unknown, nan = np.isnan(z.hi), constant(case.shape, np.nan)
    losses, by_values, by_target = (
        where(unknown, nan, product(w, y)) for y in (losses, by_values, by_target)
    )
    value, v, divisor = (
        losses,
        scale(case, w_float, convention),
        _divisor(case, w_float, convention),
    )
    if case.options.reduction != "none":
        total = _total(case, convention, losses, w_float, (x, z, Exact.of(p_float)))
        value = divisor.divide(total, convention)
    quantities = {
        "value": value,
        "gradient_logits": by_values * v,
        "gradient_target": by_target * v,
    }
    # Extreme weights would overflow the sums of float64 that the bounds are made of.
    unit = unit_of(w, losses)
    terms = ElementwiseTerms(
        x.to_float(), z.to_float(), w_float / unit, p_float, (v * unit).to_float()
    )
    return Solution(
        "",
        quantities,
        terms,
        (losses / unit).to_float(),
        unit=unit,
        condition=divisor.condition,
        addends=divisor.addends,
    )


def smoothed(case: Case, z: Exact) -> Exact:
    """Return the targets (1 − ε)·z + ε/2 of a binary loss with label smoothing ε."""
    if not case.options.label_smoothing:
        return z
    smoothing = Exact.of(case.options.label_smoothing)
    return z * (1.0 - smoothing) + smoothing / 2.0


def scale(case: Case, w: Floats, convention: Convention) -> Exact:
    """Return the cotangent of each loss divided by D, in the shape of the losses."""
    if case.options.reduction == "none":
        return Exact.of(case.cotangent(case.shape))
    v = _divisor(case, w, convention).divide(Exact.of(case.cotangent(())), convention)
    return v.map(lambda part: np.broadcast_to(part, case.shape))


def _divisor(case: Case, w: Floats, convention: Convention) -> Divisor:
    """Return the divisor D: the number of elements, unless a convention counts weights."""
    if case.options.reduction != "mean":
        return by_number(1.0)
    if convention.mean_over == "weights":
        return by_sum(Exact.of(w.ravel()), case.dtype)
    counted = w != 0 if convention.mean_over == "nonzero_weights" else np.ones(case.shape)
    return by_number(float(counted.sum()))


def product(z: Exact, y: Exact) -> Exact:
    """Return z·y, where 0 times infinity is 0 but 0 times NaN is NaN."""
    return where((z.hi == 0) & ~np.isnan(y.hi), constant(z.shape, 0.0), z * y)


def _bce_with_logits(x: Exact, z: Exact, pos_weight: Exact) -> tuple[Exact, Exact, Exact]:
    """Return p z softplus(−x) + (1 − z) softplus(x), and its gradients with respect to x and z."""
    miss, hit = 1.0 - z, product(pos_weight, z)
    at = Logistic(x)
    of_hit, of_miss = product(hit, at.softplus(-1)), product(miss, at.softplus())
    losses = of_hit + of_miss
    # The two terms have opposite signs where a pos_weight is negative, and may cancel.
    losses = _again(
        losses,
        cancelled(losses, of_hit, of_miss),
        decimal_elementwise.loss_of_logit,
        x,
        z,
        pos_weight,
    )
    # (1 − z)σ(x) and pzσ(−x) are equal where σ(x) meets the target.
    by_miss, by_hit = product(miss, at.sigmoid()), product(hit, at.sigmoid(-1))
    by_logits = by_miss - by_hit
    by_logits = _again(
        by_logits,
        cancelled(by_logits, by_miss, by_hit),
        decimal_elementwise.gradient_by_logit,
        x,
        z,
        pos_weight,
    )
    # p softplus(−x) − softplus(x), with the smaller softplus taken out of both terms, so that
    # p = 1 leaves −x exactly, and p = 0 leaves −softplus(x).
    larger = where(x.hi > 0, x, product(pos_weight, x))
    extra = product(pos_weight - 1.0, at.smaller_softplus)
    by_target = extra - larger
    by_target = _again(
        by_target,
        cancelled(by_target, extra, larger),
        decimal_elementwise.gradient_by_target,
        x,
        pos_weight,
    )
    return losses, by_logits, by_target


def _total(
    case: Case,
    convention: Convention,
    losses: Exact,
    w: Floats,
    arguments: tuple[Exact, Exact, Exact],
) -> Exact:
    """Return the sum of all losses, computed in decimals where negative weights make it cancel."""
    flat = losses.map(np.ravel)
    total = flat.sum()
    # The slow form knows no floor; such a sum keeps the precision of its terms.
    if (w >= 0).all() or convention.log_floor is not None:
        return total
    suspect = cancelled(total, abs(flat).sum())[None, None]
    x, z, pos_weight = arguments
    loss: ElementTerm
    numbers: tuple[Exact, ...]
    if case.contract.domain == "probs":
        p = x if convention.clip is None else clipped(x, case.dtype, convention.clip)
        loss, numbers = decimal_elementwise.loss_of_probability, (p, z)
    else:
        loss, numbers = decimal_elementwise.loss_of_logit, (x, z, pos_weight)
    slow = decimal_elementwise.total_loss(
        loss, w.ravel(), [each.to_float().ravel() for each in numbers]
    )
    return recomputed(total[None, None], suspect, slow, classes=w.size)[0, 0]


def _again(fast: Exact, suspect: Mask, slow: ElementTerm, *arguments: Exact) -> Exact:
    """Return `fast` with the suspect elements computed again by `slow`; all have one shape.

    The slow form takes numbers of float64, which smoothed targets are not. What cancels has the
    precision of its terms then, as far below their bounds as any pair.
    """
    if not suspect.any() or any(argument.lo.any() for argument in arguments):
        return fast
    flat = (argument.to_float().reshape(1, -1) for argument in arguments)
    result = recomputed(
        fast.map(lambda part: part.reshape(1, -1)), suspect.reshape(1, -1), slow, *flat
    )
    return result.map(lambda part: part.reshape(fast.shape))


def _bce(case: Case, convention: Convention, x: Exact, z: Exact) -> tuple[Exact, Exact, Exact]:
    """Return −z log p − (1 − z) log(1 − p), and its gradients with respect to p and z."""
    p = x if convention.clip is None else clipped(x, case.dtype, convention.clip)
    # 1 − p is exact in a pair; below 1/2, log1p(−p) keeps the digits that its logarithm loses.
    complement = 1.0 - p
    log_p, log_complement = p.log(), where((p - 0.5).hi < 0, (-p).log1p(), complement.log())
    zeros = constant(p.shape, 0.0)
    if convention.log_floor is not None:
        floor = constant(p.shape, convention.log_floor)
        log_p = where(log_p.to_float() < convention.log_floor, floor, log_p)
        log_complement = where(
            log_complement.to_float() < convention.log_floor, floor, log_complement
        )
    losses = -(product(z, log_p) + product(1.0 - z, log_complement))
    # (1 − z)/(1 − p) − z/p = (p − z)/(p (1 − p)), whose numerator is not rounded. At z = 0 and
    # z = 1 one term vanishes, and the other is finite at the end of the interval.
    by_probs = (p - z) / (p * complement)
    by_probs = where(z.hi == 0, 1.0 / complement, where((z - 1.0).hi == 0, -1.0 / p, by_probs))
    if convention.log_floor is not None:
        # PyTorch divides the gradient by max(p(1 − p), 1e-12), where 1e-12 is a float32 constant.
        spread, least = p * complement, float(np.float32(1e-12))
        floored = where(spread.to_float() < least, constant(p.shape, least), spread)
        by_probs = (p - z) / floored
    if convention.clip is not None:
        # A clipped probability is constant: its gradient is 0.
        low, high = limits(case.dtype, convention.clip)
        outside = (x - low).hi < 0
        outside |= (x - high).hi > 0
        by_probs = where(outside, zeros, by_probs)
    by_target = log_complement - log_p
    if convention.log_floor is None:
        # Both logarithms are equal at 1/2, so around it the quotient is formed before the log:
        # (1 − p)/p = 1 + (1 − 2p)/p.
        middle = abs(p - 0.5).to_float() < 0.125
        by_target = where(middle, ((1.0 - (p + p)) / p).log1p(), by_target)
    return losses, by_probs, by_target
