"""Random draws that are the same bit for bit on every machine and NumPy version.

Only the raw output of Philox is used, which NumPy keeps stable (NEP 19), and only
exact arithmetic is done on it: no libm, no `Generator`, whose methods may change.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


_MOST_DRAWS = 2**20


class _Digest(ISeedSequence):
    """The key of Philox as it is: `Philox(key=...)` asks the system for entropy besides."""

    def __init__(self, key: str) -> None:
        self._bytes = hashlib.sha256(key.encode()).digest()

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        return np.frombuffer(self._bytes, np.dtype(dtype).newbyteorder("<"), n_words).astype(dtype)


class Stream:
    """Draws that depend on nothing but a key of text."""

    def __init__(self, key: str) -> None:
        self._bits = np.random.Philox(_Digest(key))  # type: ignore[arg-type]  # of any kind

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
