"""Layouts: the same numbers, in memory in another way.

Frameworks copy what NumPy gives them, or look at it where it lies. Either way strides, alignment
and flags must not change a result.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .dtypes import Array

Layout = Callable[[Array], Array]


def _contiguous(array: Array) -> Array:
    return array.copy(order="C")


def _transposed(array: Array) -> Array:
    return array.copy(order="F")


def _stepped(array: Array) -> Array:
    """Every second element of an array twice as long, 1e4 between them."""
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), 100, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _reversed(array: Array) -> Array:
    return array[..., ::-1].copy(order="C")[..., ::-1]


def _channels_last(array: Array) -> Array:
    """Classes are last in memory, axis 1 in the array, as images with channels have them."""
    if array.ndim < 3:
        return array.copy(order="C")
    return np.moveaxis(np.moveaxis(array, 1, -1).copy(order="C"), -1, 1)


def _read_only(array: Array) -> Array:
    copy = array.copy(order="C")
    copy.flags.writeable = False
    return copy


def _unaligned(array: Array) -> Array:
    """The first byte lies one beyond where the dtype wants it."""
    buffer = np.empty(array.nbytes + 1, np.uint8)[1:]
    shifted = buffer.view(array.dtype).reshape(array.shape)
    shifted[...] = array
    return shifted


def _expanded(array: Array) -> Array:
    """Axes along which all entries are equal have the stride 0, as `expand` makes them."""
    first = array
    for axis in range(array.ndim):
        one = first.take([0], axis) if first.shape[axis] else first
        if _same(np.broadcast_to(one, first.shape), first):
            first = one
    return np.broadcast_to(first.copy(order="C"), array.shape)


def _same(one: Array, other: Array) -> bool:
    return one.tobytes() == other.tobytes()


LAYOUTS: dict[str, Layout] = {
    "": _contiguous,
    "transposed": _transposed,
    "stepped": _stepped,
    "reversed": _reversed,
    "expanded": _expanded,
    "channels_last": _channels_last,
    "read_only": _read_only,
    "unaligned": _unaligned,
}


def laid_out(array: Array, layout: str) -> Array:
    """Return a copy of an array (any shape and dtype) in a layout; () for scalars is kept."""
    return LAYOUTS[layout](array) if array.ndim else array.copy()
