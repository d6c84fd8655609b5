"""Algorithms of one element, each as someone would write it, and the losses made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from lossdiff.cases.model import SCALAR_COTANGENT

from .bound_questions import BoundCase
from .classwise_algorithms import off_by_two_ulp, pairwise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]


def softplus(x: Array) -> Array:
    """log(1 + e^x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def branched_softplus(x: Array) -> Array:
    """Each branch is computed everywhere, and one taken."""
    return np.where(x > 0, x + np.log1p(np.exp(-x)), np.log1p(np.exp(x)))


def sigmoid(x: Array) -> Array:
    """1/(1 + e^−x), by the sign of x."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def careless_sigmoid(x: Array) -> Array:
    """With an exp that is off by two ulp more than NumPy's."""
    e = off_by_two_ulp(np.exp(-np.abs(x)))
    return np.where(x >= 0, 1, e) / (1 + e)


def careless_softplus(x: Array) -> Array:
    """With functions that are off by two ulp more than NumPy's; log1p e is e if subnormal."""
    e = off_by_two_ulp(np.exp(-np.abs(x)))
    tail = np.where(e < np.finfo(e.dtype).tiny, e, off_by_two_ulp(np.log1p(e)))
    return np.maximum(x, 0) + tail


def sigmoid_in_base_2(x: Array) -> Array:
    """e^−x as 2^(−x log2 e)."""
    return 1 / (1 + np.exp2(-x * x.dtype.type(np.log2(np.e))))


def naive_softplus(x: Array) -> Array:
    """log(1 + e^x), as it is written."""
    return np.log(1 + np.exp(x))


def through_float64(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """In float64, rounded to A at the end."""
    return lambda x: function(x.astype(np.float64)).astype(x.dtype)


# rung, σ, softplus
PAIRS: dict[str, tuple[str, Callable[[Array], Array], Callable[[Array], Array]]] = {
    "by the sign": ("sound", sigmoid, softplus),
    "1/(1 + e^-x), logaddexp": (
        "sound", lambda x: 1 / (1 + np.exp(-x)), lambda x: np.logaddexp(0, x, dtype=x.dtype),
    ),
    "e^x/(1 + e^x), branches": (
        "sound",
        lambda x: np.where(x > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
        branched_softplus,
    ),
    "expm1": ("sound", lambda x: 1 / (2 + np.expm1(-x)), softplus),
    "reciprocal": (
        "sound", lambda x: np.exp(np.minimum(x, 0)) * (1 / (1 + np.exp(-np.abs(x)))), softplus,
    ),
    "float64 inside": ("sound", through_float64(sigmoid), through_float64(softplus)),
    "two ulp off": ("sound", careless_sigmoid, careless_softplus),
    "base 2, log(1 + e^x)": ("unshifted", sigmoid_in_base_2, naive_softplus),
}  # fmt: skip


def element_answers(
    q: BoundCase, sigma: Callable[[Array], Array], plus: Callable[[Array], Array]
) -> Iterator[tuple[str, str, str, Array]]:
    """Yield rung, way, quantity and numbers of an operation of one element, in A."""
    x, operation = q.x, q.case.operation
    if q.case.contract.is_loss:
        yield from binary_answers(q, sigma, plus)
        return
    v = q.in_a(q.case.cotangent(x.shape))
    if operation == "sigmoid":
        yield "sound", "", "value", sigma(x)
        yield "sound", "", "gradient_logits", v * (sigma(x) * sigma(-x))
        yield "formula", "s (1 - s)", "gradient_logits", v * (sigma(x) * (1 - sigma(x)))
    elif operation == "log_sigmoid":
        yield "sound", "", "value", -plus(-x)
        yield "sound", "min(x, 0) - ...", "value", np.minimum(x, 0) - plus(-np.abs(x))
        yield "sound", "", "gradient_logits", v * sigma(-x)
        yield "formula", "log s", "value", np.log(sigma(x))
        yield "formula", "x - softplus(x)", "value", x - plus(x)
        yield "formula", "1 - s", "gradient_logits", v * (1 - sigma(x))
    else:
        yield "sound", "", "value", np.exp(x)
        yield "sound", "float64 inside", "value", through_float64(np.exp)(x)
        yield "sound", "", "gradient_logits", v * np.exp(x)
        yield "unshifted", "base 2", "value", np.exp2(x * x.dtype.type(np.log2(np.e)))


def binary_answers(
    q: BoundCase, sigma: Callable[[Array], Array], plus: Callable[[Array], Array]
) -> Iterator[tuple[str, str, str, Array]]:
    """Yield the losses and gradients of a binary loss of logits or of probabilities."""
    x, z = q.x, q.z
    one, epsilon = x.dtype.type(1), x.dtype.type(q.case.options.label_smoothing)
    if epsilon:
        z = z * (one - epsilon) + epsilon / 2
    hard = bool(np.isin(z, (0, 1)).all())
    p = np.ones(x.shape[1], x.dtype) if q.inputs.pos_weight is None else q.in_a(q.inputs.pos_weight)
    w = np.ones(x.shape[1], x.dtype) if q.inputs.weight is None else q.in_a(q.inputs.weight)
    plain = q.inputs.pos_weight is None
    losses: list[tuple[str, str, Array]] = []
    slopes: list[tuple[str, str, Array]] = []
    if q.case.operation == "binary_cross_entropy":
        losses += [("sound", "log, log1p", -(z * np.log(x) + (1 - z) * np.log1p(-x)))]
        losses += [("formula", "log(1 - p)", -(z * np.log(x) + (1 - z) * np.log(1 - x)))]
        slopes += [("sound", "two terms", (1 - z) / (1 - x) - z / x)]
        slopes += [("sound", "(p - z)/(p (1 - p))", (x - z) / (x * (1 - x)))]
        by_target = np.log1p(-x) - np.log(x)
    else:
        losses += [("sound", "two softplus", p * z * plus(-x) + (1 - z) * plus(x))]
        slopes += [("sound", "two sigmoids", (1 - z) * sigma(x) - p * z * sigma(-x))]
        by_target = (p - 1) * plus(-np.abs(x)) - np.where(x > 0, x, p * x)
        if plain:
            rung = "sound" if hard else "formula"
            tail = np.log1p(np.exp(-np.abs(x)))
            losses += [(rung, "max(x, 0) - x z", np.maximum(x, 0) - x * z + tail)]
            losses += [("formula", "softplus(x) - x z", plus(x) - x * z)]
            slopes += [("formula", "s - z", sigma(x) - z)]
        if plain and hard:
            losses += [("sound", "where", np.where(z == 1, plus(-x), plus(x)))]
            losses += [("sound", "sign", plus((1 - 2 * z) * x))]
    if epsilon:
        by_target = by_target * (one - epsilon)
    none = q.case.options.reduction == "none"
    share, seed = one / x.dtype.type(x.size), x.dtype.type(SCALAR_COTANGENT)
    v = q.in_a(q.case.cotangent(x.shape)) if none else seed / x.dtype.type(x.size)
    for rung, way, loss in losses:
        if none:
            yield rung, way, "value", w * loss
        else:
            yield rung, way, "value", pairwise((w * loss).ravel())[0] * share
            yield (
                rung,
                f"{way}, by class",
                "value",
                (w * loss).sum(axis=1).sum() / x.dtype.type(x.size),
            )
    for rung, way, slope in slopes:
        yield rung, way, "gradient_logits", w * slope * v
    yield "sound", "", "gradient_target", w * by_target * v
