"""Off by one at the borders of blocks, lanes and unrolled loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import base
from .base import Array, Sound

full = {
    "logsumexp_tail_of_16_twice": ("5x33", "10 classes are less than 16"),
    "softmax_block_of_32_off_by_one": ("5x33", "10 classes are less than 32"),
    "cross_entropy_block_of_1024_off_by_one": ("float64/4x50257", "10 classes are less than 1024"),
    "log_softmax_one_block_only": ("float64/4x50257", "10 classes are less than 1024"),
    "nll_loss_row_255_dropped": ("300x4", "4 rows are less than 256"),
    "cross_entropy_rows_beyond_65535": ("70000x5", "4 rows fit into 16 bits"),
}


class _LastClassDropped(Sound):
    def total(self, e: Array) -> Array:
        return e[..., :-1].sum(-1, keepdims=True)


class _FirstClassDropped(Sound):
    def total(self, e: Array) -> Array:
        return e[..., 1:].sum(-1, keepdims=True)


class _TailDropped(Sound):
    lanes = 8

    def total(self, e: Array) -> Array:
        whole = e.shape[-1] // self.lanes * self.lanes
        return e[..., : whole or None].sum(-1, keepdims=True)


class _TailTwice(Sound):
    """The tail is read as the last full vector, which overlaps the one before."""

    lanes = 16

    def total(self, e: Array) -> Array:
        whole = e.shape[-1] // self.lanes * self.lanes
        if whole in (0, e.shape[-1]):
            return super().total(e)
        return e[..., :whole].sum(-1, keepdims=True) + e[..., -self.lanes :].sum(-1, keepdims=True)


class _LastOfBlockDropped(Sound):
    """Each full block but the last ends one class too early."""

    block = 32

    def total(self, e: Array) -> Array:
        kept = np.ones(e.shape[-1], np.bool_)
        kept[self.block - 1 : -1 : self.block] = False
        return np.where(kept, e, 0).sum(-1, keepdims=True).astype(e.dtype)


class _LastOf1024Dropped(_LastOfBlockDropped):
    block = 1024


class _OneBlockOnly(Sound):
    """Classes beyond one block of threads are not seen by the sum."""

    def total(self, e: Array) -> Array:
        return e[..., :1024].sum(-1, keepdims=True)


class _NarrowRowsAreNan(Sound):
    """Padding of −inf in a block of 16 with a maximum of its own: −inf − (−inf)."""

    def total(self, e: Array) -> Array:
        s = super().total(e)
        return s if e.shape[-1] >= 16 else s * e.dtype.type(np.nan)


class _PaddedWithZeros(Sound):
    def parts(self, x: Array) -> tuple[Array, Array, Array]:
        m, e, s = super().parts(x)
        padding = -x.shape[-1] % 8
        return m, e, s + padding * np.exp(-m)


class _MaximumOfFirstLanes(Sound):
    def top(self, x: Array) -> Array:
        return x[..., :8].max(-1, keepdims=True)


class _RowsByFour(Sound):
    """Rows beyond a multiple of four are left out of the sum."""

    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        if reduction == "none":
            return losses
        flat = losses.ravel()
        return super().reduced(flat[: flat.size // 4 * 4 or None], divisor, reduction)


class _LastRowOf256Dropped(Sound):
    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        if reduction == "none":
            return losses
        kept = np.where(np.arange(losses.size) % 256 == 255, 0, losses.ravel())
        return super().reduced(kept.astype(losses.dtype), divisor, reduction)


class _RowsBeyond65535(Sound):
    """The second dimension of a grid of threads ends at 65535."""

    def reduced(self, losses: Array, divisor: Any, reduction: str) -> Any:
        if reduction == "none":
            return losses
        return super().reduced(losses.ravel()[:65535], divisor, reduction)


def softmax_last_class_dropped(logits: Array, **options: Any) -> Array:
    """The loop of the sum ends one class too early."""
    return _LastClassDropped().softmax(logits, **options)


softmax_last_class_dropped_vjp = _LastClassDropped().softmax_vjp


def cross_entropy_first_class_dropped(logits: Array, target: Array, **options: Any) -> Array:
    """The sum begins after the class that gave the first maximum."""
    return _FirstClassDropped().cross_entropy(logits, target, **options)


cross_entropy_first_class_dropped_vjp = _FirstClassDropped().cross_entropy_vjp


def log_softmax_tail_of_8_dropped(logits: Array, **options: Any) -> Array:
    """What is left beyond a multiple of 8 classes is not summed."""
    return _TailDropped().log_softmax(logits, **options)


log_softmax_tail_of_8_dropped_vjp = _TailDropped().log_softmax_vjp


def logsumexp_tail_of_16_twice(logits: Array, **options: Any) -> Array:
    """The tail beyond 16 classes is read as a full vector, and overlaps."""
    return _TailTwice().logsumexp(logits, **options)


logsumexp_tail_of_16_twice_vjp = _TailTwice().logsumexp_vjp


def softmax_block_of_32_off_by_one(logits: Array, **options: Any) -> Array:
    """A warp of 32 leaves out its last class where another one follows."""
    return _LastOfBlockDropped().softmax(logits, **options)


softmax_block_of_32_off_by_one_vjp = _LastOfBlockDropped().softmax_vjp


def cross_entropy_block_of_1024_off_by_one(logits: Array, target: Array, **options: Any) -> Array:
    """A block of 1024 threads leaves out its last class where another one follows."""
    return _LastOf1024Dropped().cross_entropy(logits, target, **options)


cross_entropy_block_of_1024_off_by_one_vjp = _LastOf1024Dropped().cross_entropy_vjp


def log_softmax_one_block_only(logits: Array, **options: Any) -> Array:
    """Only the first 1024 classes are summed: one block of threads, no loop."""
    return _OneBlockOnly().log_softmax(logits, **options)


log_softmax_one_block_only_vjp = _OneBlockOnly().log_softmax_vjp


def log_softmax_narrow_row_is_nan(logits: Array, **options: Any) -> Array:
    """NaN in rows narrower than a block (gabrieldemarmiesse/torch-mojo-backend#319)."""
    return _NarrowRowsAreNan().log_softmax(logits, **options)


log_softmax_narrow_row_is_nan_vjp = _NarrowRowsAreNan().log_softmax_vjp


def softmax_padded_with_zeros(logits: Array, **options: Any) -> Array:
    """Rows are padded to a multiple of 8 classes with 0, where -inf is neutral."""
    return _PaddedWithZeros().softmax(logits, **options)


softmax_padded_with_zeros_vjp = _PaddedWithZeros().softmax_vjp


def logsumexp_maximum_of_first_lanes(logits: Array, **options: Any) -> Array:
    """The maximum is that of the first 8 classes: others may overflow."""
    return _MaximumOfFirstLanes().logsumexp(logits, **options)


logsumexp_maximum_of_first_lanes_vjp = _MaximumOfFirstLanes().logsumexp_vjp


def cross_entropy_rows_by_four(logits: Array, target: Array, **options: Any) -> Array:
    """Rows beyond a multiple of 4 are left out of the sum."""
    return _RowsByFour().cross_entropy(logits, target, **options)


def nll_loss_row_255_dropped(log_probs: Array, target: Array, **options: Any) -> Array:
    """The last row of every 256 is left out of the sum."""
    return _LastRowOf256Dropped().nll_loss(log_probs, target, **options)


def cross_entropy_rows_beyond_65535(logits: Array, target: Array, **options: Any) -> Array:
    """Rows beyond the 65535 of a grid of threads are left out of the sum."""
    return _RowsBeyond65535().cross_entropy(logits, target, **options)


targets = base.every_kind(globals())
