"""Steps that are too long for a line of `faults` or `sound_variants`."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from .sound import Array, times

# --- sums over the classes that are not Σ exp(x − m) ------------------------------------------


def stale_sum(x: Array, e: Array) -> Array:
    """Add a first half, relative to its own maximum, to a second one relative to all."""
    half = x.shape[-1] // 2
    first = x[..., :half]
    early = np.exp(first - first.max(-1, keepdims=True, initial=-np.inf))
    return early.sum(-1, keepdims=True) + e[..., half:].sum(-1, keepdims=True)


def tail_twice(e: Array, lanes: int) -> Array:
    """Read the tail as the last full vector, which overlaps the one before."""
    whole = e.shape[-1] // lanes * lanes
    if whole in (0, e.shape[-1]):
        return e.sum(-1, keepdims=True)
    return e[..., :whole].sum(-1, keepdims=True) + e[..., -lanes:].sum(-1, keepdims=True)


def without_block_ends(e: Array, block: int) -> Array:
    """Leave out the last class of each full block but the last."""
    kept = np.ones(e.shape[-1], np.bool_)
    kept[block - 1 : -1 : block] = False
    return np.where(kept, e, 0).sum(-1, keepdims=True)


def sequential(e: Array, dtype: Any) -> Array:
    """Sum from first to last, rounding to a dtype at each step."""
    s = np.zeros_like(e[..., :1], dtype)
    for c in range(e.shape[-1]):
        s = s + e[..., c : c + 1].astype(dtype)
    return s.astype(e.dtype)


# --- other orders and forms of Σ exp(x − m) ----------------------------------------------------


def online(x: Array, block: int, *, masked: bool) -> Array:
    """One pass over blocks with a running maximum (Milakov and Gimelshein, arXiv 1805.02867).

    Without `masked`, a first block of −inf alone gives −inf − (−inf).
    """
    m, s = np.full_like(x[..., :1], -np.inf), np.zeros_like(x[..., :1])
    for c in range(0, x.shape[-1], block):
        part = x[..., c : c + block]
        grown = np.maximum(m, part.max(-1, keepdims=True))
        shift = np.where(masked & (grown == -np.inf), 0, grown)
        s = s * np.exp(m - shift) + np.exp(part - shift).sum(-1, keepdims=True)
        m = grown
    return s


def blocked(x: Array, m: Array, block: int) -> Array:
    """Sum blocks, each with a maximum of its own, and combine them at the end."""
    blocks = [x[..., c : c + block] for c in range(0, x.shape[-1], block)]
    tops = np.concatenate([part.max(-1, keepdims=True) for part in blocks], axis=-1)
    shifts = np.where(tops == -np.inf, 0, tops)
    sums = [np.exp(part - shifts[..., k : k + 1]).sum(-1) for k, part in enumerate(blocks)]
    return (np.stack(sums, axis=-1) * np.exp(tops - m)).sum(-1, keepdims=True)


def pairwise(e: Array) -> Array:
    while e.shape[-1] > 1:
        half, odd = e.shape[-1] // 2, e[..., e.shape[-1] // 2 * 2 :]
        e = np.concatenate([e[..., :half] + e[..., half : 2 * half], odd], axis=-1)
    return e


def kahan(e: Array) -> Array:
    s, lost = np.zeros_like(e[..., :1]), np.zeros_like(e[..., :1])
    for c in range(e.shape[-1]):
        term = e[..., c : c + 1] - lost
        grown = s + term
        lost = (grown - s) - term
        s = grown
    return s


def without_top(x: Array, m: Array) -> Array:
    """Sum over all classes but one that is maximal, for log1p, as SciPy has it."""
    is_top = np.arange(x.shape[-1]) == x.argmax(-1)[..., None]
    return np.where(is_top, np.where(np.isfinite(m), 0, m), np.exp(x - m)).sum(-1, keepdims=True)


# --- exponentials, results, reductions ---------------------------------------------------------


def cheap_exp(x: Array) -> Array:
    """Return an exp good to 2^-20, as a polynomial of too low a degree has it."""
    remainder = np.where(np.isfinite(x), x - np.floor(x), 0)
    wave = np.sin(remainder * x.dtype.type(2 * np.pi))
    return np.exp(x) * (1 + wave * x.dtype.type(2.0**-20))


def flushed(result: Array) -> Array:
    tiny = float(ml_dtypes.finfo(result.dtype).smallest_normal)
    return np.where(np.abs(result.astype(np.float64)) < tiny, 0, result).astype(result.dtype)


def saturated(result: Array, dtype: Any) -> Array:
    limit = float(ml_dtypes.finfo(dtype).max)
    return np.clip(result, -limit, limit)


def in_float16(losses: Array, divisor: Any) -> tuple[Any, Any]:
    """Sum float32 losses (those of 16-bit logits, too) in float16; return sum and divisor."""
    if losses.dtype != np.float32:
        return losses.sum(), divisor
    return np.float16(sequential(losses.reshape(1, -1), np.float16)[0, 0]), np.float16(divisor)


def mean_of_means(losses: Array, divisor: Any) -> Any:
    """Return the mean of each sample's mean; one row a sample is right."""
    if losses.ndim < 2:
        return losses.sum() / divisor
    means = losses.reshape(len(losses), -1).mean(1)
    counted = (losses != 0).reshape(len(losses), -1).mean(1)
    return np.where(counted == 0, 0, means / counted).mean()


# --- rows of a loss ----------------------------------------------------------------------------


def without_class(logits: Array, target: Array, ignore_index: int) -> Array:
    masked = np.array(logits)
    if 0 <= ignore_index < logits.shape[1] and target.ndim < logits.ndim:
        masked[:, ignore_index] = -np.inf
    return masked


def masked_first(logits: Array, target: Array, ignore_index: int) -> Array:
    """Replace rows that do not count by zeros before anything is computed."""
    if target.ndim == logits.ndim:
        return logits
    return np.where(np.expand_dims(target != ignore_index, 1), logits, logits.dtype.type(0))


def gathered(w: Array, x: Array) -> Array:
    """Return w·(−x) of the label of each row; only what is picked is touched."""
    labels = (w != 0).argmax(-1)[..., None]
    picked = times(np.take_along_axis(w, labels, -1), -np.take_along_axis(x, labels, -1))
    return picked[..., 0]


def in_python(w: Array, x: Array) -> Array:
    """Return Σ w·(−x) of each row, exactly summed in a loop over rows."""
    flat = zip(
        w.reshape(-1, w.shape[-1]).tolist(), x.reshape(-1, x.shape[-1]).tolist(), strict=True
    )
    losses = [math.fsum(-a * b for a, b in zip(*row, strict=True) if a) for row in flat]
    return np.array(losses, w.dtype).reshape(w.shape[:-1])
