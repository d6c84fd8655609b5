"""Algorithms over the classes, each as someone would write it.

T is the dtype that stores, A the one that accumulates: float32 for the 16-bit dtypes, else T.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from lossdiff.cases.model import SCALAR_COTANGENT
from lossdiff.harness.bounds.algorithms import LADDER, SOUND, Algorithm

from .bound_questions import BoundCase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Sum = Callable[[Array], Array]

SEQUENTIAL = LADDER[0][1]
CANCELS = Algorithm(cancels=True)
UNSHIFTED = Algorithm(cancels=True, unshifted=True)

# --- sums ------------------------------------------------------------------------------------


def pairwise(terms: Array) -> Array:
    """Sum by halves, over the last axis."""
    while terms.shape[-1] > 1:
        half = terms.shape[-1] // 2
        summed = terms[..., :half] + terms[..., half : 2 * half]
        terms = np.concatenate([summed, terms[..., 2 * half :]], axis=-1)
    return terms


def sequential(terms: Array) -> Array:
    """Sum from first to last."""
    return np.cumsum(terms, axis=-1, dtype=terms.dtype)[..., -1:]


def numpys(terms: Array) -> Array:
    """Sum as NumPy does: blocks of 128 in eight lanes each, then pairs."""
    return terms.sum(axis=-1, keepdims=True, dtype=terms.dtype)


def blocked(terms: Array, block: int = 16) -> Array:
    """Sum blocks from first to last, and then by pairs."""
    padding = [(0, 0)] * (terms.ndim - 1) + [(0, -terms.shape[-1] % block)]
    padded = np.pad(terms, padding)
    blocks = padded.reshape(*padded.shape[:-1], -1, block)
    return pairwise(sequential(blocks)[..., 0])


def compensated(terms: Array) -> Array:
    """Sum as Kahan does, in 64 lanes at once, which are summed in the same way."""
    while terms.shape[-1] > 1:
        lanes = min(64, -(-terms.shape[-1] // 2))
        total = np.zeros((*terms.shape[:-1], lanes), terms.dtype)
        lost = np.zeros_like(total)
        for begin in range(0, terms.shape[-1], lanes):
            part = terms[..., begin : begin + lanes]
            at = np.s_[..., : part.shape[-1]]
            due = part - lost[at]
            grown = total[at] + due
            lost[at] = (grown - total[at]) - due
            total[at] = grown
        terms = total
    return terms


# --- softmax and its relatives: each returns m, log Σ exp(x − m), and p ----------------------

Parts = tuple[Any, Any, Any]


def top(x: Array) -> Array:
    """Return the maximum of each row."""
    return x.max(axis=-1, keepdims=True)


def shifted(q: BoundCase, total: Sum = pairwise) -> Parts:
    """Two passes: the maximum, then the sum."""
    e = np.exp(q.x - top(q.x))
    s = total(e)
    return top(q.x), np.log(s), e / s


def online(q: BoundCase, block: int) -> Parts:
    """One pass over blocks: the sum is scaled anew when the maximum grows."""
    x = q.x
    m = np.full((*x.shape[:-1], 1), -np.inf, x.dtype)
    s = np.zeros_like(m)
    for begin in range(0, x.shape[-1], block):
        part = x[..., begin : begin + block]
        grown = np.maximum(m, top(part))
        s = s * np.exp(m - grown) + pairwise(np.exp(part - grown))
        m = grown
    return m, np.log(s), np.exp(x - m) / s


def split(q: BoundCase, count: int = 8) -> Parts:
    """Chunks with a maximum and a sum of their own, merged at the end, as Triton kernels do."""
    chunks = [part for part in np.array_split(q.x, count, axis=-1) if part.size]
    tops = [top(part) for part in chunks]
    m = np.maximum.reduce(tops)
    sums = [
        pairwise(np.exp(part - local)) * np.exp(local - m)
        for part, local in zip(chunks, tops, strict=True)
    ]
    s = pairwise(np.concatenate(sums, axis=-1))
    return m, np.log(s), np.exp(q.x - m) / s


def doubled(q: BoundCase) -> Parts:
    """Everything in float64, rounded at the end."""
    x = q.inputs.values.astype(np.float64)
    e = np.exp(x - top(x))
    s = pairwise(e)
    return top(x), np.log(s), e / s


def by_reciprocal(q: BoundCase) -> Parts:
    """A reciprocal and a product, where others divide."""
    e = np.exp(q.x - top(q.x))
    s = pairwise(e)
    return top(q.x), np.log(s), e * (1 / s)


def by_log1p(q: BoundCase) -> Parts:
    """L = log1p of the sum over all but one maximal class, as SciPy has it."""
    e = np.exp(q.x - top(q.x))
    others = e.copy()
    np.put_along_axis(others, q.x.argmax(axis=-1)[..., None], 0, axis=-1)
    s = pairwise(others)
    return top(q.x), np.log1p(s), e / (1 + s)


def in_base_2(q: BoundCase) -> Parts:
    """Powers of 2 for exp(d), as GPUs have them: 2^(d log2 e)."""
    log2_e, log_2 = (q.x.dtype.type(number) for number in (np.log2(np.e), np.log(2)))
    e = np.exp2((q.x - top(q.x)) * log2_e)
    s = pairwise(e)
    return top(q.x), np.log2(s) * log_2, e / s


def fused_in_base_2(q: BoundCase) -> Parts:
    """2^(x log2 e − m log2 e) with a fused product, as FlashAttention has it, for p."""
    log2_e = q.x.dtype.type(np.log2(np.e))
    wide = np.longdouble if q.x.dtype == np.float64 else np.float64
    scaled = top(q.x) * log2_e
    e = np.exp2((q.x.astype(wide) * log2_e - scaled).astype(q.x.dtype))
    m, log_s, _ = in_base_2(q)
    return m, log_s, e / pairwise(e)


def off_by_two_ulp(y: Array) -> Array:
    """Move results one ulp up or down, or two, as a library's exp or log may be off."""
    steps = np.random.Generator(np.random.PCG64(9)).integers(-2, 3, y.shape).astype(y.dtype)
    return np.where(y == 0, y, y + steps * np.spacing(y)).astype(y.dtype)


def careless(q: BoundCase) -> Parts:
    """Two passes, with an exp and a log that are off by two ulp more than NumPy's."""
    e = off_by_two_ulp(np.exp(q.x - top(q.x)))
    s = pairwise(e)
    return top(q.x), off_by_two_ulp(np.log(s)), e / s


SOUND_ONES: dict[str, Callable[[BoundCase], Parts]] = {
    "two passes, pairwise": shifted,
    "two passes, NumPy's sum": lambda q: shifted(q, numpys),
    "two passes, blocks of 16": lambda q: shifted(q, blocked),
    "two passes, Kahan": lambda q: shifted(q, compensated),
    "online, 16 blocks": lambda q: online(q, max(128, -(-q.x.shape[-1] // 16))),
    "split in 8": split,
    "float64 inside": doubled,
    "reciprocal": by_reciprocal,
    "log1p of the others": by_log1p,
    "base 2": in_base_2,
    "base 2, fused": fused_in_base_2,
    "exp and log two ulp off": careless,
}
ORDERED: dict[str, Callable[[BoundCase], Parts]] = {
    "two passes, first to last": lambda q: shifted(q, sequential),
    "two passes, blocks of 128": lambda q: shifted(q, lambda terms: blocked(terms, 128)),
    "online, one by one": lambda q: online(q, 1),
}

# --- forms that lose digits: each returns log Σ exp(x), log p, and p --------------------------

Forms = tuple[Any, Any, Any]


def plain(parts: Callable[[BoundCase], Parts]) -> Callable[[BoundCase], Forms]:
    """Return forms that lose nothing: m + log s, (x − m) − log s, and p."""

    def compute(q: BoundCase) -> Forms:
        m, log_s, p = parts(q)
        return m + log_s, (q.inputs.values.astype(p.dtype) - m) - log_s, p

    return compute


def by_logaddexp(q: BoundCase) -> Forms:
    """Return log(e^y + e^x) from first to last."""
    _, log_p, p = plain(shifted)(q)
    return np.logaddexp.reduce(q.x, axis=-1, keepdims=True), log_p, p


def exp_of_log(q: BoundCase) -> Forms:
    """Return p = exp(log p)."""
    lse, log_p, _ = plain(shifted)(q)
    return lse, log_p, np.exp(log_p)


def by_lse(q: BoundCase) -> Forms:
    """Return x − lse, and exp(x − lse)."""
    lse, _, _ = plain(shifted)(q)
    return lse, q.x - lse, np.exp(q.x - lse)


def unshifted(q: BoundCase) -> Forms:
    """Without a shift."""
    e = np.exp(q.x)
    s = pairwise(e)
    return np.log(s), q.x - np.log(s), e / s


def unshifted_by_lse(q: BoundCase) -> Forms:
    """Without a shift, and p from log p."""
    lse, log_p, _ = unshifted(q)
    return lse, log_p, np.exp(log_p)


def log_of_softmax(q: BoundCase) -> Forms:
    """The logarithm of the quotient."""
    lse, _, p = plain(shifted)(q)
    return lse, np.log(p), p


def wholly_in_base_2(q: BoundCase) -> Forms:
    """Scaled by log2 e first, then everything in base 2."""
    log2_e, log_2 = (q.x.dtype.type(number) for number in (np.log2(np.e), np.log(2)))
    x = q.x * log2_e
    e = np.exp2(x - top(x))
    s = pairwise(e)
    return (top(x) + np.log2(s)) * log_2, ((x - top(x)) - np.log2(s)) * log_2, e / s


Variants = dict[str, "Callable[[BoundCase], Forms]"]
RUNGS: dict[str, tuple[Algorithm, Variants]] = {
    "sound": (SOUND, {name: plain(parts) for name, parts in SOUND_ONES.items()}),
    "order": (
        SEQUENTIAL,
        {name: plain(parts) for name, parts in ORDERED.items()} | {"logaddexp": by_logaddexp},
    ),
    "formula": (CANCELS, {"exp(log p)": exp_of_log, "x - lse": by_lse}),
    "unshifted": (
        UNSHIFTED,
        {
            "no shift": unshifted,
            "no shift, exp(x - lse)": unshifted_by_lse,
            "log of softmax": log_of_softmax,
            "base 2 throughout": wholly_in_base_2,
        },
    ),
}


def answers(q: BoundCase, forms: Forms, total: Sum = pairwise) -> Iterator[tuple[str, str, Array]]:
    """Yield way, quantity and numbers of a case, made of log Σ exp(x), log p and p."""
    lse, log_p, p = forms
    case, kind = q.case, p.dtype
    if case.contract.is_loss:
        yield from losses_and_gradients(q, log_p, p, total)
        return
    stored_p, stored_log_p = (part.astype(q.stored).astype(kind) for part in (p, log_p))
    v = case.cotangent(lse.shape[:-1] if case.operation == "logsumexp" else p.shape).astype(kind)
    if case.operation == "logsumexp":
        yield "", "value", lse[..., 0]
        yield "v p", "gradient_logits", v[:, None] * p
    elif case.operation == "softmax":
        yield "", "value", p
        yield "p (v - m)", "gradient_logits", p * (v - total(p * v))
        yield "p v - p m", "gradient_logits", p * v - p * total(p * v)
        yield "stored p", "gradient_logits", stored_p * (v - total(stored_p * v))
    else:
        yield "", "value", log_p
        yield "exp(log p)", "gradient_logits", v - np.exp(log_p) * total(v)
        yield "p", "gradient_logits", v - p * total(v)
        yield "stored log p", "gradient_logits", v - np.exp(stored_log_p) * total(v)


def target_of(q: BoundCase, kind: np.dtype[Any]) -> tuple[Array, Array]:
    """Return weight · smoothed target, and the weights of the rows that `mean` divides by."""
    classes = q.case.shape[1]
    smoothing = q.case.options.label_smoothing
    weight = np.ones(classes, kind) if q.inputs.weight is None else q.inputs.weight.astype(kind)
    assert q.inputs.target is not None
    target = q.inputs.target.astype(kind)
    row_weights = np.ones(len(target), kind)
    if q.case.target_kind == "index":
        target = (np.arange(classes) == q.inputs.target[:, None]).astype(kind)
        row_weights = (weight * target).sum(axis=1)
    if smoothing:
        target = kind.type(1 - smoothing) * target + kind.type(smoothing) / kind.type(classes)
    return weight * target, row_weights


def losses_and_gradients(
    q: BoundCase, log_p: Array, p: Array, total: Sum
) -> Iterator[tuple[str, str, Array]]:
    """Yield the loss and its gradients; the backward pass may find log p in A or in T."""
    kind, reduction = log_p.dtype, q.case.options.reduction
    w, row_weights = target_of(q, kind)
    w_sum = total(w)
    losses, stored = total(w * -log_p), log_p.astype(q.stored).astype(kind)
    if reduction == "none":
        v = q.case.cotangent(losses.shape[:1]).astype(kind)[:, None]
        yield "", "value", losses[:, 0]
    else:
        divisor = total(row_weights[None])[0, 0] if reduction == "mean" else kind.type(1)
        v = kind.type(SCALAR_COTANGENT) / divisor
        yield "sum / D", "value", total(losses.T)[0, 0] / divisor
        yield "pairs / D", "value", pairwise(losses.T)[0, 0] * (1 / divisor)
        yield "shares first", "value", total((w / divisor * -log_p).reshape(1, -1))[0, 0]
        yield "stored log p", "value", total(total(w * -stored).T)[0, 0] / divisor
    yield "exp(log p) - t, then / D", "gradient_logits", (np.exp(log_p) * w_sum - w) * v
    yield "p - t, then / D", "gradient_logits", (p * w_sum - w) * v
    yield "p / D - t / D", "gradient_logits", p * (w_sum * v) - w * v
    yield "stored log p", "gradient_logits", (np.exp(stored) * w_sum - w) * v
    if q.case.target_kind == "soft":
        by_target = np.ones_like(w) if q.inputs.weight is None else q.in_a(q.inputs.weight)
        keep = kind.type(1 - q.case.options.label_smoothing)
        yield "", "gradient_target", by_target.astype(kind) * keep * -log_p * v
