"""Random draws that are the same bit for bit on every machine and NumPy version.

Only the raw output of Philox is used, which NumPy keeps stable (NEP 19), and only
exact arithmetic is done on it: no libm, no `Generator`, whose methods may change.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


_MOST_DRAWS = 2**20


class Stream:
    """Draws that depend on nothing but a key of text."""

    def __init__(self, key: str) -> None:
        digest = hashlib.sha256(key.encode()).digest()
        self._bits = np.random.Philox(key=int.from_bytes(digest[:16], "little"))

    def _raw(self, size: int) -> NDArray[np.uint64]:
        return np.asarray(self._bits.random_raw(size), np.uint64)

    def uniform(self, *shape: int) -> Floats:
        """Return multiples of 2^-53 in [0, 1)."""
        draws = (self._raw(int(np.prod(shape))) >> np.uint64(11)).astype(np.float64)
        return (draws * 2.0**-53).reshape(shape)

    def integers(self, below: int, *shape: int) -> Ints:
        """Return whole numbers in [0, below)."""
        draws = self._raw(int(np.prod(shape))) % np.uint64(max(below, 1))
        return draws.astype(np.int64).reshape(shape)

    def normal(self, *shape: int) -> Floats:
        """Return draws of mean 0 and variance 1: twelve uniform ones, summed (Irwin-Hall).

        Each is a whole number times 2^-32, so the sum is exact in any order. Beyond a million
        the draws repeat.
        """
        size = int(np.prod(shape))
        some = min(size, _MOST_DRAWS)
        draws = (self._raw(12 * some) >> np.uint64(32)).astype(np.int64).reshape(12, some)
        return np.resize((draws.sum(axis=0) - 6 * 2**32) * 2.0**-32, shape)
