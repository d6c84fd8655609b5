"""Roundings and sums: what the bounds of all operations are made of; see `harness.bounds.bound`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...cases.dtypes import FORMATS
from ..oracle import Floats

# Relative errors of library functions, in u. Measured over float32, the worst of NumPy, PyTorch,
# JAX and TensorFlow: exp 3.6 (2.5 ulp), log 4.6 (3.8 ulp), log1p 5.4 (4.0 ulp).
C_EXP = 5.0  # exp, log
C_LOG1P = 8.0
# In 16 bits they are computed in float32 and rounded: half an ulp is 1; a whole one is allowed.
C_NARROW = 2.0
# exp(d) as 2^(d log2 e), as GPUs have it: the product and the rounded constant (0.23u).
BASE_2 = 1.25
_LONG = 0.1  # of h·u: a longer sum is taken in blocks
_BLOCKS = 17  # what NumPy's sum adds to the depth of a tree


@dataclass(frozen=True)
class Algorithm:
    """How the quantity may have been computed.

    Attributes:
        sequential: sums run from first to last (h = n − 1), not in blocks.
        cancels: forms that cancel, such as lse − x, 1 − σ(x), log(1 − p).
        unshifted: log, and the factor log2 e, meet the logits or ℓ themselves, not their distance
            from the maximum: log Σ exp(x), log(softmax x), 2^(x log2 e − m log2 e). Only where
            exp(x) neither overflows nor underflows.
        narrow: every intermediate is rounded to T, and sums run in T.
    """

    sequential: bool = False
    cancels: bool = False
    unshifted: bool = False
    narrow: bool = False


SOUND = Algorithm()
# The ladder of explanations: verdict, and the algorithms that it stands for.
LADDER: tuple[tuple[str, Algorithm], ...] = (
    ("order", Algorithm(sequential=True)),
    ("formula", Algorithm(cancels=True)),
    ("formula", Algorithm(cancels=True, sequential=True)),
    ("formula", Algorithm(cancels=True, unshifted=True)),
    ("formula", Algorithm(cancels=True, unshifted=True, sequential=True)),
    ("narrow", Algorithm(narrow=True)),
    ("narrow", Algorithm(narrow=True, sequential=True)),
    ("narrow", Algorithm(narrow=True, cancels=True)),
    ("narrow", Algorithm(narrow=True, cancels=True, sequential=True)),
)


def ladder_of(dtype: str) -> Iterator[tuple[str, Algorithm]]:
    """Yield the explanations that a dtype allows, the mildest first: a word, and an algorithm.

    Only 16-bit dtypes have a wider one to accumulate in, so that not doing so explains nothing of
    the others.
    """
    is_narrow = FORMATS[dtype].accumulator_roundoff != FORMATS[dtype].unit_roundoff
    for word, algorithm in LADDER:
        if is_narrow or not algorithm.narrow:
            yield word, algorithm


@dataclass(frozen=True)
class Precision:
    """The roundings of an algorithm in a dtype.

    Attributes:
        u: unit roundoff of the accumulating dtype.
        s: unit roundoff of the storing dtype where it differs, else 0.
        eta: one smallest subnormal of the storing dtype.
        eta_a: that of the accumulating dtype.
        c: relative error of exp and log, in u.
        c_log1p: that of log1p, and of any logarithm that log1p may stand for.
        base_2: what exp(d) loses as a power of 2, in d·u.
        reach: log of the largest number of the accumulating dtype; exp(±reach) is its last.
    """

    u: float
    s: float
    eta: float
    eta_a: float
    reach: float
    algorithm: Algorithm
    c: float = C_EXP
    c_log1p: float = C_LOG1P
    base_2: float = BASE_2

    def unshifted(self, x: Floats) -> Floats:
        """abs(x) where the algorithm has no shift and exp(x) is in range, else 0."""
        size = np.abs(x)
        return np.where(size < self.reach, size, 0.0) * self.algorithm.unshifted

    def tree(self, n: int) -> float:
        """The depth h of a sum in blocks: min(n − 1, ⌈log2 n⌉ + 17).

        NumPy's own: up to 127 terms in 8 lanes of 14 additions, 3 to join them and 7 for what is
        left over, which is 24 = ⌈log2 127⌉ + 17; longer ones in halves. Blocks or threads of 16
        terms are within it. In 16 bits ⌈log2 n⌉ + 1: by pairs.
        """
        blocks = 1 if self.algorithm.narrow else _BLOCKS
        return min(n - 1.0, float(np.ceil(np.log2(n))) + blocks) if n > 1 else 0.0

    def depth(self, n: int) -> float:
        """Return h for a sum of n terms; in blocks where hu would exceed 0.1."""
        if self.algorithm.sequential and (n - 1) * self.u <= _LONG:
            return max(n - 1.0, 0.0)
        return self.tree(n)

    def sum_of_exps(self, n: int) -> float:
        """Return hu for a sum ŝ of n terms that are not negative, with s/ŝ and ŝ/s ≤ 1 + hu.

        fl(a + b) is good to u·fl(a + b), and partial sums of such terms do not exceed ŝ, so
        s ≤ ŝ(1 + hu). The other way round is Jeannerod and Rump, "Improved error bounds for inner
        products in floating-point arithmetic", SIAM J. Matrix Anal. Appl. 34(2), 2013,
        doi 10.1137/120894488. For sums from first to last neither needs hu < 1: a sum of 16-bit
        ones that sticks at 1/u is within it. In blocks (hu)² is nothing.
        """
        return (max(n - 1.0, 0.0) if self.algorithm.sequential else self.tree(n)) * self.u


def precision_of(dtype: str, algorithm: Algorithm) -> Precision:
    """Return the roundings of an algorithm in a dtype; 16-bit sums run in float32 if not narrow."""
    form, single = FORMATS[dtype], FORMATS["float32"]
    u, eta, reach = form.unit_roundoff, form.smallest, float(np.log(form.max))
    if dtype not in ("float16", "bfloat16"):
        return Precision(u, 0.0, eta, eta, reach, algorithm)
    if algorithm.narrow:
        return Precision(u, 0.0, eta, eta, reach, algorithm, C_NARROW, C_NARROW, 0.0)
    reach = float(np.log(single.max))
    return Precision(single.unit_roundoff, u, eta, single.smallest, reach, algorithm)


def times(weights: Floats, values: Floats) -> Floats:
    """weights·values, where 0 times infinity is 0."""
    return np.where(weights == 0, 0.0, weights * values)
