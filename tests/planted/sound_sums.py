"""Sound ways to sum exponentials: how many passes, in which order, in which base."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import base
from .base import Array, Sound


class _Online(Sound):
    """One pass with a running maximum (Milakov and Gimelshein, arXiv 1805.02867)."""

    def parts(self, x: Array) -> tuple[Array, Array, Array]:
        m, s = np.full_like(x[..., :1], -np.inf), np.zeros_like(x[..., :1])
        for c in range(x.shape[-1]):
            column = x[..., c : c + 1]
            grown = np.maximum(m, column)
            shift = np.where(grown == -np.inf, 0, grown)
            s = s * np.exp(m - shift) + np.exp(column - shift)
            m = grown
        return m, np.exp(x - m), s


class _Blocked(Sound):
    """Blocks of 4 classes, each with a maximum of its own, combined at the end."""

    def parts(self, x: Array) -> tuple[Array, Array, Array]:
        blocks = [x[..., c : c + 4] for c in range(0, x.shape[-1], 4)]
        tops = np.concatenate([block.max(-1, keepdims=True) for block in blocks], axis=-1)
        shifts = np.where(tops == -np.inf, 0, tops)
        sums = [np.exp(b - shifts[..., k : k + 1]).sum(-1) for k, b in enumerate(blocks)]
        m = tops.max(-1, keepdims=True)
        s = (np.stack(sums, axis=-1) * np.exp(tops - m)).sum(-1, keepdims=True)
        return m, np.exp(x - m), s


class _Pairwise(Sound):
    def total(self, e: Array) -> Array:
        while e.shape[-1] > 1:
            half, odd = e.shape[-1] // 2, e[..., e.shape[-1] // 2 * 2 :]
            e = np.concatenate([e[..., :half] + e[..., half : 2 * half], odd], axis=-1)
        return e


class _Sequential(Sound):
    def total(self, e: Array) -> Array:
        s = np.zeros_like(e[..., :1])
        for c in range(e.shape[-1]):
            s = s + e[..., c : c + 1]
        return s


class _Backwards(Sound):
    """From the last class to the first, in Fortran order."""

    def total(self, e: Array) -> Array:
        return np.asfortranarray(e[..., ::-1]).sum(-1, keepdims=True)


class _Sorted(Sound):
    """From the smallest to the largest."""

    def total(self, e: Array) -> Array:
        return np.cumsum(np.sort(e, axis=-1), axis=-1)[..., -1:]


class _Kahan(Sound):
    def total(self, e: Array) -> Array:
        s, lost = np.zeros_like(e[..., :1]), np.zeros_like(e[..., :1])
        for c in range(e.shape[-1]):
            term = e[..., c : c + 1] - lost
            grown = s + term
            lost = (grown - s) - term
            s = grown
        return s


class _WiderInside(Sound):
    """float64 inside, for float64 the widest that there is; rounded once."""

    def wide(self, values: Array) -> Array:
        wider = np.longdouble if values.dtype == np.float64 else np.float64
        return values.astype(wider)


class _BaseTwo(Sound):
    """exp2 and log2, as fused kernels on GPUs have them."""

    def exp(self, x: Array) -> Array:
        return np.exp2(x * x.dtype.type(1.4426950408889634))

    def log(self, x: Array) -> Array:
        return np.log2(x) * x.dtype.type(0.6931471805599453)


class _TopLeftOut(Sound):
    """log1p of the sum over all classes but one maximal, as SciPy has it."""

    def others(self, x: Array) -> tuple[Array, Array]:
        m = self.top(x)
        is_top = np.arange(x.shape[-1]) == x.argmax(-1)[..., None]
        e = np.where(is_top, np.where(np.isfinite(m), 0, m), np.exp(x - m))
        return m, e.sum(-1, keepdims=True)

    def log_probs(self, x: Array) -> Array:
        m, s = self.others(x)
        return (x - m) - np.log1p(s)

    def lse(self, x: Array) -> Array:
        m, s = self.others(x)
        return (m + np.log1p(s))[..., 0]


class _Reciprocal(Sound):
    def probs(self, x: Array) -> Array:
        _, e, s = self.parts(x)
        return e * (1 / s)


class _ExpOfLog(Sound):
    """softmax as exp(log_softmax), as PyTorch's backward pass has it."""

    def probs(self, x: Array) -> Array:
        return np.exp(self.log_probs(x))


def softmax_online(logits: Array, **options: Any) -> Array:
    return _Online().softmax(logits, **options)


softmax_online_vjp = _Online().softmax_vjp


def logsumexp_online(logits: Array, **options: Any) -> Array:
    return _Online().logsumexp(logits, **options)


logsumexp_online_vjp = _Online().logsumexp_vjp


def cross_entropy_online(logits: Array, target: Array, **options: Any) -> Array:
    return _Online().cross_entropy(logits, target, **options)


cross_entropy_online_vjp = _Online().cross_entropy_vjp


def softmax_blocked(logits: Array, **options: Any) -> Array:
    return _Blocked().softmax(logits, **options)


softmax_blocked_vjp = _Blocked().softmax_vjp


def log_softmax_blocked(logits: Array, **options: Any) -> Array:
    return _Blocked().log_softmax(logits, **options)


log_softmax_blocked_vjp = _Blocked().log_softmax_vjp


def log_softmax_pairwise(logits: Array, **options: Any) -> Array:
    return _Pairwise().log_softmax(logits, **options)


log_softmax_pairwise_vjp = _Pairwise().log_softmax_vjp


def softmax_sequential(logits: Array, **options: Any) -> Array:
    return _Sequential().softmax(logits, **options)


softmax_sequential_vjp = _Sequential().softmax_vjp


def logsumexp_backwards(logits: Array, **options: Any) -> Array:
    return _Backwards().logsumexp(logits, **options)


logsumexp_backwards_vjp = _Backwards().logsumexp_vjp


def log_softmax_sorted(logits: Array, **options: Any) -> Array:
    return _Sorted().log_softmax(logits, **options)


log_softmax_sorted_vjp = _Sorted().log_softmax_vjp


def softmax_kahan(logits: Array, **options: Any) -> Array:
    return _Kahan().softmax(logits, **options)


softmax_kahan_vjp = _Kahan().softmax_vjp


def log_softmax_wider_inside(logits: Array, **options: Any) -> Array:
    return _WiderInside().log_softmax(logits, **options)


log_softmax_wider_inside_vjp = _WiderInside().log_softmax_vjp


def cross_entropy_wider_inside(logits: Array, target: Array, **options: Any) -> Array:
    return _WiderInside().cross_entropy(logits, target, **options)


cross_entropy_wider_inside_vjp = _WiderInside().cross_entropy_vjp


def softmax_base_two(logits: Array, **options: Any) -> Array:
    return _BaseTwo().softmax(logits, **options)


softmax_base_two_vjp = _BaseTwo().softmax_vjp


def logsumexp_base_two(logits: Array, **options: Any) -> Array:
    return _BaseTwo().logsumexp(logits, **options)


logsumexp_base_two_vjp = _BaseTwo().logsumexp_vjp


def logsumexp_top_left_out(logits: Array, **options: Any) -> Array:
    return _TopLeftOut().logsumexp(logits, **options)


logsumexp_top_left_out_vjp = _TopLeftOut().logsumexp_vjp


def log_softmax_top_left_out(logits: Array, **options: Any) -> Array:
    return _TopLeftOut().log_softmax(logits, **options)


log_softmax_top_left_out_vjp = _TopLeftOut().log_softmax_vjp


def logsumexp_logaddexp(logits: Array, *, axis: int = -1) -> Array:
    """One logarithm a class, from first to last."""
    x = Sound().rows(logits, axis)
    return Sound().narrow(np.logaddexp.reduce(x, axis=-1), logits)


logsumexp_logaddexp_vjp = Sound().logsumexp_vjp


def softmax_reciprocal(logits: Array, **options: Any) -> Array:
    return _Reciprocal().softmax(logits, **options)


softmax_reciprocal_vjp = _Reciprocal().softmax_vjp


def log_softmax_exp_of_log(logits: Array, **options: Any) -> Array:
    return _ExpOfLog().log_softmax(logits, **options)


log_softmax_exp_of_log_vjp = _ExpOfLog().log_softmax_vjp


def cross_entropy_exp_of_log(logits: Array, target: Array, **options: Any) -> Array:
    return _ExpOfLog().cross_entropy(logits, target, **options)


cross_entropy_exp_of_log_vjp = _ExpOfLog().cross_entropy_vjp

targets = base.every_kind(globals())
