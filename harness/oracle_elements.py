"""The oracle for operations of one element: sigmoid, exp and the binary losses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..cases.dtypes import Array
from ..cases.model import Case, Inputs
from .arithmetic import Exact, Floats, constant, where
from .clipping import clipped, limits
from .solution import Elements, Rules, Solution


@dataclass(frozen=True)
class _Logistic:
    """σ and softplus at x and at −x, all from one exponential, e = e^−|x|."""

    x: Exact

    @cached_property
    def e(self) -> Exact:
        return (-abs(self.x)).exp()

    @cached_property
    def smaller_softplus(self) -> Exact:
        """log1p(e^−|x|), the smaller one of softplus(x) and softplus(−x)."""
        return self.e.log1p()

    def softplus(self, sign: int = 1) -> Exact:
        """log(1 + e^±x) = max(±x, 0) + log1p(e^−|x|)."""
        x = self.x if sign > 0 else -self.x
        return where(x.hi > 0, x, constant(x.shape, 0.0)) + self.smaller_softplus

    def sigmoid(self, sign: int = 1) -> Exact:
        """1/(1 + e^∓x), as e^x/(1 + e^x) below 0; 0 and 1 at ∓inf."""
        x = self.x if sign > 0 else -self.x
        result = where(x.hi >= 0, constant(x.shape, 1.0), self.e) / (self.e + 1.0)
        return where(np.isnan(x.hi), x, result)


def _by_class(weight: Array | None, case: Case) -> Floats:
    if weight is None:
        return np.ones(case.shape)
    shape = [1] * len(case.shape)
    shape[case.class_axis] = -1
    return np.broadcast_to(weight.astype(np.float64).reshape(shape), case.shape)


def solve_elements(case: Case, inputs: Inputs, rules: Rules) -> Solution:
    """Solve an operation of one element, or a loss that sums such."""
    x = Exact.of(inputs.values.astype(np.float64))
    if case.contract.is_loss:
        return _solve_binary(case, inputs, rules, x)
    cotangent = case.cotangent(case.shape)
    v, at = Exact.of(cotangent), _Logistic(x)
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
    at = _Logistic(x)
    losses = _product(hit, at.softplus(-1)) + _product(miss, at.softplus())
    by_logits = _product(miss, at.sigmoid()) - _product(hit, at.sigmoid(-1))
    # p softplus(−x) − softplus(x), with softplus(x) = x + softplus(−x) below the larger of the two,
    # so that p = 1 leaves −x exactly, and p = 0 the smaller one
    larger = where(x.hi > 0, x, _product(pos_weight, x))
    by_target = _product(pos_weight - 1.0, at.smaller_softplus) - larger
    return losses, by_logits, by_target


def _bce(case: Case, rules: Rules, x: Exact, z: Exact) -> tuple[Exact, Exact, Exact]:
    p = x if rules.clip is None else clipped(x, case.dtype, rules.clip)
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
        low, high = limits(case.dtype, rules.clip)
        outside = (x - low).hi < 0
        outside |= (x - high).hi > 0
        by_probs = where(outside, zeros, by_probs)
    return losses, by_probs, log_rest - log_p
