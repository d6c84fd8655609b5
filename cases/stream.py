"""Draw random numbers that are the same bit for bit on every machine and NumPy version.

Only the raw output of the bit generator Philox is used, which NumPy keeps stable (NEP 19), and
only exact arithmetic is done on it: no libm, and no `Generator`, whose methods may change.
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
    """The SHA-256 of a text as the seed of Philox.

    `Philox(key=...)` would ask the system for entropy in addition.
    """

    def __init__(self, key: str) -> None:
        self._bytes = hashlib.sha256(key.encode()).digest()

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        # Read in little-endian order, so that machines of the other order draw the same numbers.
        return np.frombuffer(self._bytes, np.dtype(dtype).newbyteorder("<"), n_words).astype(dtype)


class Stream:
    """A sequence of draws that depends on nothing but a text.

    >>> Stream("example").integers(10, 5).tolist()
    [1, 6, 9, 4, 0]
    """

    def __init__(self, key: str) -> None:
        self._bits = np.random.Philox(_Digest(key))  # type: ignore[arg-type]  # of any kind

    def _raw(self, size: int) -> NDArray[np.uint64]:
        return np.asarray(self._bits.random_raw(size), np.uint64)

    def uniform(self, *shape: int) -> Floats:
        """Return float64 numbers of a shape: multiples of 2^-53 in [0, 1)."""
        # float64 has 53 bits: the upper ones of the 64 that are drawn make an exact number.
        draws = (self._raw(int(np.prod(shape))) >> np.uint64(11)).astype(np.float64)
        return (draws * 2.0**-53).reshape(shape)

    def integers(self, below: int, *shape: int) -> Ints:
        """Return int64 numbers of a shape in [0, below)."""
        # The remainder favours small numbers by less than below / 2^64, which no case can notice.
        draws = self._raw(int(np.prod(shape))) % np.uint64(max(below, 1))
        return draws.astype(np.int64).reshape(shape)

    def normal(self, *shape: int) -> Floats:
        """Return float64 numbers of a shape with mean 0 and variance 1, within [-6, 6].

        Each is the sum of twelve uniform draws (the Irwin-Hall distribution), because the usual
        transformations need log or cos, whose last bits depend on the platform. The uniform
        draws are whole numbers times 2^-32, so that their sum is exact in any order. Beyond a
        million the draws repeat, which saves time where many rows are summed.
        """
        size = int(np.prod(shape))
        some = min(size, _MOST_DRAWS)
        draws = (self._raw(12 * some) >> np.uint64(32)).astype(np.int64).reshape(12, some)
        return np.resize((draws.sum(axis=0) - 6 * 2**32) * 2.0**-32, shape)
