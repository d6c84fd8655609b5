"""Lay arrays out in memory in different ways, with the same numbers.

Frameworks copy a NumPy array, or share its memory. Either way strides, alignment and flags must
not change a result.
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
    """Return every second element of an array that is twice as long."""
    # A kernel that ignores the stride reads the elements between them, and 100 is large enough to
    # change any result.
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), 100, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _reversed(array: Array) -> Array:
    return array[..., ::-1].copy(order="C")[..., ::-1]


def _channels_last(array: Array) -> Array:
    """Return an array with axis 1 last in memory, as image libraries store channels."""
    if array.ndim < 3:
        return array.copy(order="C")
    return np.moveaxis(np.moveaxis(array, 1, -1).copy(order="C"), -1, 1)


def _read_only(array: Array) -> Array:
    copy = array.copy(order="C")
    copy.flags.writeable = False
    return copy


def _unaligned(array: Array) -> Array:
    """Return an array whose address is one byte beyond a multiple of its item size."""
    # NumPy aligns a new buffer to 16 bytes or more, so that one byte further is always odd.
    buffer = np.empty(array.nbytes + 1, np.uint8)[1:]
    shifted = buffer.view(array.dtype).reshape(array.shape)
    shifted[...] = array
    return shifted


def _expanded(array: Array) -> Array:
    """Return an array with stride 0 on each axis whose entries are equal, as `expand` does."""
    first = array
    for axis in range(array.ndim):
        one = first.take([0], axis) if first.shape[axis] else first
        if _same(np.broadcast_to(one, first.shape), first):
            first = one
    return np.broadcast_to(first.copy(order="C"), array.shape)


def _same(one: Array, other: Array) -> bool:
    # By bits: == would take 0.0 for -0.0, and no NaN for itself.
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


def locked(array: Array) -> Array:
    """Return a copy of an array, in C order, that nobody can write to.

    The flag `writeable` alone could be set again, and says nothing of the array that a view shows.
    The memory of this one is that of a `bytes`.

    >>> locked(np.zeros(2)).flags.writeable = True
    Traceback (most recent call last):
    ValueError: cannot set WRITEABLE flag to True of this array
    """
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


def laid_out(array: Array, layout: str) -> Array:
    """Return a copy of an array in a layout.

    Args:
        array: any shape and dtype.
        layout: a name from `LAYOUTS`; the empty text stands for C order.

    Returns:
        An array of the same shape, dtype and numbers. An array without axes is only copied.

    Raises:
        KeyError: there is no such layout.

    >>> laid_out(np.zeros((2, 3)), "transposed").strides
    (8, 16)
    """
    return LAYOUTS[layout](array) if array.ndim else array.copy()
