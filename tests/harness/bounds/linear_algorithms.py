"""Sound algorithms for losses of hidden states, each as someone would write it.

Each takes a question and returns its value and gradients. Inner products, sums and exponentials are
in A, the accumulating dtype; nothing here is shared with the recipes or with `harness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossdiff.cases.model import Case
    from numpy.typing import NDArray

    Array = NDArray[Any]

Answers = dict[str, "Array"]


@dataclass(frozen=True)
class Layer:
    """The arrays of a question in A, the class weights by row, and what each row is divided by."""

    case: Case
    h: Array
    w: Array
    b: Array
    labels: Array
    counts: Array
    share: Array

    @classmethod
    def of(cls, case: Case, kind: Any) -> Layer:
        """Return the arrays of a case; a row that does not count is 0."""
        inputs, options = case.inputs(), case.options
        assert inputs.target is not None
        assert inputs.linear_weight is not None
        counts = inputs.target != options.ignore_index
        h = np.where(counts[:, None], inputs.values.astype(kind), kind(0))
        w = inputs.linear_weight.astype(kind)
        given = inputs.linear_bias
        b = np.zeros(len(w), kind) if given is None else given.astype(kind)
        if options.reduction == "none":
            share = case.cotangent(counts.shape).astype(kind)
        else:
            divisor = options.denominator or counts.sum()
            share = np.full(
                len(h), case.cotangent(()) / (1 if options.reduction == "sum" else divisor)
            )
        return cls(case, h, w, b, np.where(counts, inputs.target, 0), counts, share.astype(kind))

    def z_of(self, x: Array) -> tuple[Array, Array]:
        """Return logits after their scale and cap, and the derivative."""
        kind = self.h.dtype.type
        s, c = kind(self.case.options.logit_scale), self.case.options.logit_softcap
        if c is None:
            return x * s, np.full_like(x, s)
        y = np.tanh(x * s / kind(c))
        return kind(c) * y, s * (1 - y * y)

    def value(self, losses: Array) -> Array:
        """Return the value of losses of rows."""
        losses = np.where(self.counts, losses, 0).astype(self.h.dtype)
        options = self.case.options
        if options.reduction == "none":
            return losses
        total = losses.sum()
        return (
            total
            if options.reduction == "sum"
            else total / self.h.dtype.type(options.denominator or self.counts.sum())
        )

    def g_of(self, p: Array, slope: Array, lse: Array, classes: slice = slice(None)) -> Array:
        """Return ∂value/∂x of some classes."""
        kind = self.h.dtype.type
        places = np.arange(len(self.w))[classes]
        hot = (places == self.labels[:, None]).astype(kind)
        pull = 1 + 2 * kind(self.case.options.z_loss) * lse[:, None]
        g = (p * pull - hot) * self.share[:, None] * slope
        return np.where(self.counts[:, None], g, 0).astype(kind)

    def loss_of(self, z_label: Array, lse: Array) -> Array:
        """Return the losses of rows."""
        return lse - z_label + self.h.dtype.type(self.case.options.z_loss) * lse * lse


def _whole(q: Layer, x: Array) -> tuple[Array, Array]:
    """Return the losses and ∂/∂x, given all logits."""
    z, slope = q.z_of(x)
    top = z.max(axis=1, keepdims=True)
    e = np.exp(z - top)
    total = e.sum(axis=1, keepdims=True)
    lse = (top + np.log(total))[:, 0]
    # ℓ as a distance and a logarithm: lse − z would cancel.
    at = np.take_along_axis(top - z, q.labels[:, None], 1)[:, 0] + np.log(total)[:, 0]
    z_loss = q.h.dtype.type(q.case.options.z_loss)
    return at + z_loss * lse * lse, q.g_of(e / total, slope, lse)


def _named(q: Layer, losses: Array, dh: Array, dw: Array, db: Array) -> Answers:
    return {
        "value": q.value(losses),
        "gradient_hidden": dh,
        "gradient_linear_weight": dw,
        "gradient_linear_bias": db,
    }


def materialised(q: Layer) -> Answers:
    """Hold all logits."""
    losses, g = _whole(q, q.h @ q.w.T + q.b)
    return _named(q, losses, g @ q.w, g.T @ q.h, g.sum(axis=0))


def by_einsum(q: Layer) -> Answers:
    """Add inner products by blocks, as `einsum` does."""
    x = np.einsum("nh,ch->nc", q.h, q.w) + q.b
    losses, g = _whole(q, x)
    return _named(
        q, losses, np.einsum("nc,ch->nh", g, q.w), np.einsum("nc,nh->ch", g, q.h), g.sum(axis=0)
    )


def first_to_last(q: Layer) -> Answers:
    """Add the products of all three matrix products one after another."""

    def product(left: Array, right: Array) -> Array:
        total = np.zeros((len(left), right.shape[1]), left.dtype)
        for column, row in zip(left.T, right, strict=True):
            total = total + column[:, None] * row
        return total

    losses, g = _whole(q, product(q.h, q.w.T) + q.b)
    return _named(q, losses, product(g, q.w), product(g.T, q.h), g.sum(axis=0))


def chunks_of_rows(q: Layer, size: int = 3) -> Answers:
    """Take some rows at a time, and add to the gradients of the layer."""
    dh, dw, db = np.zeros_like(q.h), np.zeros_like(q.w), np.zeros_like(q.b)
    losses = np.zeros(len(q.h), q.h.dtype)
    for begin in range(0, len(q.h), size):
        rows = slice(begin, begin + size)
        part = Layer(q.case, q.h[rows], q.w, q.b, q.labels[rows], q.counts[rows], q.share[rows])
        losses[rows], g = _whole(part, part.h @ q.w.T + q.b)
        dh[rows] = g @ q.w
        dw = dw + g.T @ part.h
        db = db + g.sum(axis=0)
    return _named(q, losses, dh, dw, db)


def chunks_of_classes(q: Layer, size: int = 4) -> Answers:
    """Take some classes at a time: a running maximum and sum, and logits again in the backward."""
    top = np.full(len(q.h), -np.inf, q.h.dtype)
    total, at = np.zeros_like(top), np.zeros_like(top)
    for begin in range(0, len(q.w), size):
        classes = slice(begin, begin + size)
        z, _ = q.z_of(q.h @ q.w[classes].T + q.b[classes])
        higher = np.maximum(top, z.max(axis=1))
        total = total * np.exp(top - higher) + np.exp(z - higher[:, None]).sum(axis=1)
        top = higher
        hot = np.arange(len(q.w))[classes] == q.labels[:, None]
        at = at + np.where(hot, z, 0).sum(axis=1)
    lse = top + np.log(total)
    z_loss = q.h.dtype.type(q.case.options.z_loss)
    losses = (top - at) + np.log(total) + z_loss * lse * lse
    dh, dw, db = np.zeros_like(q.h), np.zeros_like(q.w), np.zeros_like(q.b)
    for begin in range(0, len(q.w), size):
        classes = slice(begin, begin + size)
        z, slope = q.z_of(q.h @ q.w[classes].T + q.b[classes])
        p = np.exp(z - top[:, None]) / total[:, None]
        g = q.g_of(p, slope, lse, classes)
        dh = dh + g @ q.w[classes]
        dw[classes], db[classes] = g.T @ q.h, g.sum(axis=0)
    return _named(q, losses, dh, dw, db)


def one_class_at_a_time(q: Layer) -> Answers:
    """Run online over single classes, from the last to the first."""
    turned = Layer(q.case, q.h, q.w[::-1], q.b[::-1], len(q.w) - 1 - q.labels, q.counts, q.share)
    found = chunks_of_classes(turned, 1)
    for name in ("gradient_linear_weight", "gradient_linear_bias"):
        found[name] = found[name][::-1]
    return found


def shards_of_classes(q: Layer) -> Answers:
    """Join the logsumexps of two shards, each of half of the classes."""
    half = (len(q.w) + 1) // 2
    parts = [slice(0, half), slice(half, None)] if len(q.w) > 1 else [slice(0, 1)]
    z = [q.z_of(q.h @ q.w[it].T + q.b[it]) for it in parts]
    tops = [it.max(axis=1) for it, _ in z]
    top = np.max(tops, axis=0)
    total = sum(np.exp(it - top[:, None]).sum(axis=1) for it, _ in z)
    lse = top + np.log(total)
    full = np.concatenate([it for it, _ in z], axis=1)
    at = np.take_along_axis(top[:, None] - full, q.labels[:, None], 1)[:, 0]
    z_loss = q.h.dtype.type(q.case.options.z_loss)
    g = [
        q.g_of(np.exp(it - top[:, None]) / total[:, None], slope, lse, part)
        for (it, slope), part in zip(z, parts, strict=True)
    ]
    return _named(
        q, at + np.log(total) + z_loss * lse * lse,
        sum(one @ q.w[it] for one, it in zip(g, parts, strict=True)),
        np.concatenate([one.T @ q.h for one in g]), np.concatenate([one.sum(axis=0) for one in g]),
    )  # fmt: skip


def biased_by_a_column(q: Layer) -> Answers:
    """Append the bias to the weights, and 1 to the hidden states."""
    h = np.concatenate([q.h, np.ones((len(q.h), 1), q.h.dtype)], axis=1)
    w = np.concatenate([q.w, q.b[:, None]], axis=1)
    losses, g = _whole(q, h @ w.T)
    dw = g.T @ h
    return _named(q, losses, (g @ w)[:, :-1], dw[:, :-1], dw[:, -1])


def scaled_after(q: Layer) -> Answers:
    """Carry gradients of plain sums on, and divide in the end, as a fused kernel does."""
    plain = Layer(q.case, q.h, q.w, q.b, q.labels, q.counts, np.ones_like(q.share))
    losses, g = _whole(plain, q.h @ q.w.T + q.b)
    g = g * q.share[:, None]
    return _named(q, losses, g @ q.w, g.T @ q.h, g.sum(axis=0))


def in_float64(q: Layer) -> Answers:
    """Compute all of it in float64, and round once."""
    arrays = (it.astype(np.float64) for it in (q.h, q.w, q.b))
    wide = Layer(q.case, *arrays, q.labels, q.counts, q.share.astype(np.float64))
    return {name: array.astype(q.h.dtype) for name, array in materialised(wide).items()}


def held_gradient(stored: Any) -> Callable[[Layer], Answers]:
    """Return an algorithm that holds ∂/∂x in T before it is multiplied."""

    def algorithm(q: Layer) -> Answers:
        losses, g = _whole(q, q.h @ q.w.T + q.b)
        g = g.astype(stored).astype(q.h.dtype)
        return _named(q, losses, g @ q.w, g.T @ q.h, g.sum(axis=0))

    return algorithm


ALGORITHMS: dict[str, Callable[[Layer], Answers]] = {
    "materialised": materialised,
    "by einsum": by_einsum,
    "first to last": first_to_last,
    "chunks of rows": chunks_of_rows,
    "chunks of classes, recomputed": chunks_of_classes,
    "online, one class at a time": one_class_at_a_time,
    "two shards": shards_of_classes,
    "a column for the bias": biased_by_a_column,
    "scaled after": scaled_after,
    "float64 inside": in_float64,
}
