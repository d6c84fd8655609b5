"""Roundings and sums: what the bounds of all operations are made of; see `harness.bounds`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..cases.dtypes import FORMATS
from ..cases.model import Case
from .arithmetic import Floats
from .solution import Solution

C_EXP = 5.0  # twice the error of exp and of log, in ulp
C_LOG1P = 8.0  # twice the error of log1p, in ulp


@dataclass(frozen=True)
class Algorithm:
    """How the quantity may have been computed.

    Attributes:
        sequential: sums run from first to last (h = n − 1), not pairwise (h = ⌈log2 n⌉ + 1).
        cancels: forms that cancel, such as lse − x, 1 − σ(x), log(1 − p).
        narrow: every intermediate is rounded to T, and sums run in T.
    """

    sequential: bool = False
    cancels: bool = False
    narrow: bool = False


SOUND = Algorithm()
# The ladder of explanations: verdict, and the algorithms that it stands for.
LADDER: tuple[tuple[str, Algorithm], ...] = (
    ("order", Algorithm(sequential=True)),
    ("formula", Algorithm(cancels=True)),
    ("formula", Algorithm(sequential=True, cancels=True)),
    ("narrow", Algorithm(narrow=True)),
    ("narrow", Algorithm(narrow=True, cancels=True)),
    ("narrow", Algorithm(narrow=True, cancels=True, sequential=True)),
)


@dataclass(frozen=True)
class Precision:
    """The roundings of an algorithm in a dtype.

    Attributes:
        u: unit roundoff of the accumulating dtype.
        s: unit roundoff of the storing dtype where it differs, else 0.
        eta: one smallest subnormal of the storing dtype.
    """

    u: float
    s: float
    eta: float
    algorithm: Algorithm

    def depth(self, n: int) -> float:
        """Return h for a sum of n terms."""
        if n <= 1:
            return 0.0
        return float(n - 1) if self.algorithm.sequential else float(np.ceil(np.log2(n))) + 1.0

    def grown(self, bracket: Floats | float, h: float) -> Floats:
        """Return bracket·u/(1 − hu)."""
        return np.asarray(bracket * (self.u / (1.0 - min(h * self.u, 0.5))))


def precision_of(dtype: str, algorithm: Algorithm) -> Precision:
    """Return the roundings of an algorithm in a dtype; 16-bit sums run in float32 if not narrow."""
    form = FORMATS[dtype]
    u = form.unit_roundoff
    if dtype in ("float16", "bfloat16") and not algorithm.narrow:
        return Precision(FORMATS["float32"].unit_roundoff, u, form.smallest, algorithm)
    return Precision(u, 0.0, form.smallest, algorithm)


def count(solution: Solution) -> int:
    """The number of losses that the reduction sums."""
    return solution.row_losses.size


def times(weights: Floats, values: Floats) -> Floats:
    """weights·values, where 0 times infinity is 0."""
    return np.where(weights == 0, 0.0, weights * values)


def reduced(case: Case, solution: Solution, rows: Floats, v: Floats, q: Precision) -> Floats:
    """The bound of the loss from those of its rows: Σ abs(B)/D + abs(Σ)[(2h_N + h_C + 6)u + s].

    Terms of a loss are not negative, so their sum has no cancellation; where given log-probs
    are positive the sum of magnitudes stands for abs(loss).
    """
    if case.options.reduction == "none":
        return rows
    losses = np.abs(np.nan_to_num(solution.row_losses, nan=0.0, posinf=0.0, neginf=0.0))
    n = losses.size
    h = 2 * q.depth(n) + q.depth(case.shape[case.class_axis]) + 6
    scale = np.abs(np.broadcast_to(v, losses.shape))
    finite = np.where(np.isfinite(rows.reshape(losses.shape)), rows.reshape(losses.shape), 0.0)
    return np.asarray((finite * scale).sum() + (losses * scale).sum() * (h * q.u + q.s))
