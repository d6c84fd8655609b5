"""Describe algorithms by their roundings and sums, which the bounds of all operations share.

`harness.bounds.bound` explains the notation.
"""

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
# exp(d) as 2^(d log2 e), as GPUs compute it: the product and the rounded constant (0.23u).
BASE_2 = 1.25
_LONG = 0.1  # the largest h·u of a sum from first to last; longer sums run in blocks
_BLOCKS = 17  # the depth that NumPy's sum adds to that of a tree


@dataclass(frozen=True)
class Algorithm:
    """A way in which a quantity may have been computed; without any flag it is the sound one.

    Attributes:
        sequential: sums run from first to last (h = n − 1), not in blocks.
        cancels: the formula cancels, as lse − x, 1 − σ(x) or log(1 − p).
        unshifted: log, and the factor log2 e, are applied to the logits or to ℓ themselves, not
            to their distance from the maximum: log Σ exp(x), log(softmax x),
            2^(x log2 e − m log2 e). This holds only where exp(x) neither overflows nor underflows.
        narrow: every intermediate is rounded to T, and sums run in T.
    """

    sequential: bool = False
    cancels: bool = False
    unshifted: bool = False
    narrow: bool = False


SOUND = Algorithm()
# The ladder of explanations: verdicts, each with an algorithm that it stands for. The first one
# that covers an error names it, so that a milder weakness must come before a graver one.
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
    """Yield the explanations that a dtype allows, the mildest first: a verdict and an algorithm.

    Only 16-bit dtypes are accumulated in a wider one. For the others `narrow` explains nothing.

    Args:
        dtype: the name of a floating dtype.

    >>> [word for word, _ in ladder_of("float32")]
    ['order', 'formula', 'formula', 'formula', 'formula']
    """
    is_narrow = FORMATS[dtype].accumulator_roundoff != FORMATS[dtype].unit_roundoff
    for word, algorithm in LADDER:
        if is_narrow or not algorithm.narrow:
            yield word, algorithm


@dataclass(frozen=True)
class Precision:
    """The roundings of an algorithm in a dtype.

    Attributes:
        u: the unit roundoff of the accumulating dtype.
        s: the unit roundoff of the storing dtype where it differs, else 0.
        eta: the smallest subnormal of the storing dtype.
        eta_a: the smallest subnormal of the accumulating dtype.
        reach: the logarithm of the largest number of the accumulating dtype, beyond which exp
            overflows.
        algorithm: the algorithm that has these roundings.
        c: the relative error of exp and log, in u.
        c_log1p: the relative error of log1p, and of any logarithm that may replace it, in u.
        base_2: the error of exp(d) as a power of 2, in d·u.
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
        """Return abs(x) where the algorithm has no shift and exp(x) is in range, else 0."""
        # Where exp(x) overflows, an unshifted form has no finite result that could be explained.
        size = np.abs(x)
        return np.where(size < self.reach, size, 0.0) * self.algorithm.unshifted

    def tree(self, n: int) -> float:
        """Return the depth h of a sum of n terms in blocks: min(n − 1, ⌈log2 n⌉ + 17).

        It is the depth of NumPy's sum, which adds up to 127 terms in 8 lanes of 14 additions, 3
        more to join them and 7 for the remaining terms: 24 = ⌈log2 127⌉ + 17. Longer sums are
        halved first. Blocks or threads of 16 terms are within this depth. In 16 bits it is
        ⌈log2 n⌉ + 1, that of pairwise sums.
        """
        blocks = 1 if self.algorithm.narrow else _BLOCKS
        return min(n - 1.0, float(np.ceil(np.log2(n))) + blocks) if n > 1 else 0.0

    def depth(self, n: int) -> float:
        """Return the depth h of a sum of n terms; that of blocks where hu would exceed 0.1."""
        # The bounds are first-order in hu, and at hu = 0.1 neglected terms no longer are small.
        if self.algorithm.sequential and (n - 1) * self.u <= _LONG:
            return max(n - 1.0, 0.0)
        return self.tree(n)

    def sum_of_exps(self, n: int) -> float:
        """Return hu for a sum ŝ of n terms that are not negative, with s/ŝ and ŝ/s ≤ 1 + hu.

        fl(a + b) is good to u·fl(a + b), and partial sums of such terms do not exceed ŝ, so
        s ≤ ŝ(1 + hu). The reverse, ŝ ≤ s(1 + hu), is a theorem of Jeannerod and Rump, "Improved
        error bounds for inner products in floating-point arithmetic", SIAM J. Matrix Anal. Appl.
        34(2), 2013, doi 10.1137/120894488. For sums from first to last neither needs hu < 1: a
        sum of 16-bit ones that stays at 1/u is within the bound. In blocks (hu)² is negligible.
        """
        return (max(n - 1.0, 0.0) if self.algorithm.sequential else self.tree(n)) * self.u


def precision_of(dtype: str, algorithm: Algorithm) -> Precision:
    """Return the roundings of an algorithm in a dtype; 16-bit sums run in float32 if not narrow."""
    # The storing roundoff s is 0 where T accumulates its own sums: u counts each rounding already.
    form, single = FORMATS[dtype], FORMATS["float32"]
    u, eta, reach = form.unit_roundoff, form.smallest, float(np.log(form.max))
    if dtype not in ("float16", "bfloat16"):
        return Precision(u, 0.0, eta, eta, reach, algorithm)
    if algorithm.narrow:
        return Precision(u, 0.0, eta, eta, reach, algorithm, C_NARROW, C_NARROW, 0.0)
    reach = float(np.log(single.max))
    return Precision(single.unit_roundoff, u, eta, single.smallest, reach, algorithm)


def times(weights: Floats, values: Floats) -> Floats:
    """Return weights·values, where 0 times infinity is 0."""
    # A class of weight or probability 0 contributes no error, however large its ℓ.
    return np.where(weights == 0, 0.0, weights * values)
