"""Sound algorithms for scaled and capped logits and a z-loss, each as someone would write it.

What a transform gives is held in A, the accumulating dtype, and goes through the algorithms over
the classes. `answers` makes losses and gradients of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from lossdiff.cases.model import SCALAR_COTANGENT

from .bound_questions import BoundCase
from .classwise_algorithms import SOUND_ONES, Parts, numpys, off_by_two_ulp, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

# Each returns z and ∂z/∂x of x, s and c (None for no cap) in one dtype.
Step = tuple[Any, Any]


def products(x: Array, s: Any, c: Any) -> Step:
    """Return s·x and c·tanh(s·x/c); the derivative of tanh is 1 − y²."""
    scaled = x * s
    if c is None:
        return scaled, np.full_like(x, s)
    y = np.tanh(scaled / c)
    return c * y, s * (1 - y * y)


def by_temperature(x: Array, s: Any, c: Any) -> Step:
    """Divide by 1/s, and multiply by 1/c; the derivative is (1 − y)(1 + y)."""
    scaled = x / (1 / s)
    if c is None:
        return scaled, np.full_like(x, s)
    y = np.tanh(scaled * (1 / c))
    return c * y, (1 - y) * (1 + y) * s


def from_capped(x: Array, s: Any, c: Any) -> Step:
    """Find the derivative from the capped logit, as a backward pass that recomputes nothing."""
    z, slope = products(x, s, c)
    return z, slope if c is None else s * (1 - (z / c) ** 2)


def by_expm1(x: Array, s: Any, c: Any) -> Step:
    """Return tanh by expm1, and its derivative without cancellation."""
    scaled = x * s
    if c is None:
        return scaled, np.full_like(x, s)
    t = scaled / c
    q = np.exp(-2 * np.abs(t))
    y = np.sign(t) * (-np.expm1(-2 * np.abs(t)) / (1 + q))
    return c * y, 4 * q / ((1 + q) * (1 + q)) * s


def roughly(x: Array, s: Any, c: Any) -> Step:
    """Return what a tanh gives that is two ulp off."""
    scaled = x * s
    if c is None:
        return scaled, np.full_like(x, s)
    y = off_by_two_ulp(np.tanh(scaled / c))
    return c * y, s * (1 - y * y)


def in_float64(x: Array, s: Any, c: Any) -> Step:
    """Compute in float64, and round to A."""
    z, slope = products(x.astype(np.float64), np.float64(s), c if c is None else np.float64(c))
    return z.astype(x.dtype), slope.astype(x.dtype)


STEPS: dict[str, Callable[[Array, Any, Any], Step]] = {
    "s·x, 1 − y²": products,
    "x/T, (1 − y)(1 + y)": by_temperature,
    "1 − (z/c)²": from_capped,
    "expm1, sech²": by_expm1,
    "tanh two ulp off": roughly,
    "float64 inside": in_float64,
}


def transformed(q: BoundCase, step: Callable[[Array, Any, Any], Step]) -> tuple[BoundCase, Array]:
    """Return the question with z in A as its first argument, and ∂z/∂x."""
    options = q.case.options
    kind = q.accumulates.type
    cap = None if options.logit_softcap is None else kind(options.logit_softcap)
    z, slope = step(q.x, kind(options.logit_scale), cap)
    return BoundCase(q.case, replace(q.inputs, values=z), q.solution), slope


def algorithms(q: BoundCase) -> Iterator[tuple[str, BoundCase, Array, Parts]]:
    """Yield every transform with two passes, and the first with every softmax."""
    for name, step in STEPS.items():
        inner, slope = transformed(q, step)
        yield f"{name}, two passes", inner, slope, SOUND_ONES["two passes, pairwise"](inner)
    inner, slope = transformed(q, products)
    for name, parts in SOUND_ONES.items():
        yield f"s·x, 1 − y², {name}", inner, slope, parts(inner)


def answers(
    q: BoundCase, inner: BoundCase, slope: Array, parts: Parts
) -> Iterator[tuple[str, str, Array]]:
    """Yield way, quantity and numbers of the loss and its gradient."""
    m, log_s, p = parts
    kind, options = p.dtype.type, q.case.options
    z, slope = inner.inputs.values.astype(kind), slope.astype(kind)
    lse, log_p = m + log_s, (z - m) - log_s
    w, row_weights = target_of(q, np.dtype(kind))
    assert q.inputs.target is not None
    counts = (q.inputs.target != options.ignore_index).astype(kind)[:, None]
    w, z_loss = w * counts, kind(options.z_loss) * counts
    losses = numpys(w * -log_p) + z_loss * lse * lse
    pull = 2 * z_loss * lse
    by_z = p * (numpys(w) + pull) - w
    by_parts = (p * numpys(w) - w) + pull * p
    if options.reduction == "none":
        v = q.case.cotangent(losses.shape[:1]).astype(kind)[:, None]
        yield "", "value", losses[:, 0]
    else:
        divisor = kind(1)
        if options.reduction == "mean":
            divisor = numpys((row_weights * counts[:, 0])[None])[0, 0]
            divisor = divisor if options.denominator is None else kind(options.denominator)
        v = kind(SCALAR_COTANGENT) / divisor
        yield "sum / D", "value", numpys(losses.T)[0, 0] / divisor
        yield "shares first", "value", numpys((losses / divisor).T)[0, 0]
    yield "p (W + 2λ lse) − w", "gradient_logits", by_z * v * slope
    yield "p W − w + 2λ lse p", "gradient_logits", (by_parts * slope) * v
    yield "from log p", "gradient_logits", ((np.exp(log_p) * (numpys(w) + pull) - w) * v) * slope
