"""A third look at a change: that of the fastest of all passes.

What others take from a shared machine only adds, and where it adds, passes differ. So the fastest
of all passes moves little from run to run; how little, each benchmark says itself: where a third of
the passes lie close to the fastest, hardly anything was added to them. If what is added is
exponential, the fastest of n passes is off by 1/(n ln 1.5) of what lies between it and that third:
many passes are worth more than long ones. Processes have their own luck, too, as with where their
memory lies; one that was lucky alone is far from a third of them. A few passes tell what was added
no better than to a half; benchmarks that are alike in framework, mode and shape are disturbed
alike, and half of what is taken to be added is what is typical of them.

A slow implementation is slow in several cases, so their probabilities are joined by Fisher's
method. docs/timing.md says what came of it on real runs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .estimates import Estimates, Floats, Members, Names
from .noise import inflation_of, shift_of

_UNDISTURBED = 1 / 3  # of the passes: on a busy machine the median is not
# Of the gap over the number of passes: two runs, and a quarter more, as tails are heavier.
_SHARE = -1.25 * math.sqrt(2) / math.log1p(-_UNDISTURBED)
_FLOOR = 0.008  # what passes of the same run do not show
_BY_CHANCE = 1.5  # benchmarks are disturbed together: of the same code scores are that wide, too
# Processes may be of two kinds, and all passes of a run of one kind by luck. Only of 2 times 8 is
# an order that puts all of one run last rare enough: 1 in 12,870.
LEAST_PASSES = 8


@dataclass(frozen=True)
class Fastest:
    """The change of the fastest pass of each benchmark.

    Attributes:
        change: as a logarithm, the machine's shift taken out.
        error: its standard error.
        cases: the case of each; hot and cold inputs of one are one kernel.
        degrees: of freedom of the error.
    """

    change: Floats
    error: Floats
    cases: Names
    degrees: float

    def over(self, members: Sequence[Members]) -> Estimates:
        """Return what each of some groups of benchmarks says together."""
        columns = np.array([self._joined(member) for member in members]).reshape(-1, 3).T
        return Estimates(columns[0], columns[1], self.degrees, columns[2])

    def _joined(self, member: Members) -> tuple[float, float, float]:
        """Change, error and probability over the cases of a group."""
        kernels = [member & (self.cases == case) for case in np.unique(self.cases[member])]
        moved, error = (
            np.array([values[kernel].mean() for kernel in kernels])
            for values in (self.change, self.error)
        )
        known = ~np.isnan(moved) & ~np.isnan(error)
        if not known.any():
            return np.nan, np.nan, 1.0
        moved, error = moved[known], error[known]
        weight = error**-2.0
        change = float((weight * moved).sum() / weight.sum())
        chances = stats.t.sf(np.sign(change) * moved / error, self.degrees)
        return change, float(weight.sum() ** -0.5), float(stats.combine_pvalues(chances).pvalue)


def fastest(
    before: Floats, after: Floats, cases: Names, frameworks: Names, alike: Names, clock: float
) -> Fastest:
    """Compare the fastest passes of two runs.

    Args:
        before: logarithms of times, shape (benchmarks, passes); NaN where missing.
        after: the same of the other run.
        cases: the case of each benchmark.
        frameworks: the framework of each benchmark.
        alike: what benchmarks have in common that are disturbed alike.
        clock: by how much the fixed kernel says that the machine has changed, as a logarithm.
    """
    change, error = _changes(before, after, alike)
    change -= shift_of(change[:, None], frameworks, clock)[0]
    wider = inflation_of(change / error)
    error *= wider if wider > _BY_CHANCE else 1.0
    return Fastest(change, error, cases, before.shape[1] + after.shape[1] - 2.0)


def _changes(before: Floats, after: Floats, alike: Names) -> tuple[Floats, Floats]:
    """The change of the fastest of all passes, and its standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what is missing: NaN, as it should be
        old, new = np.nanmin(before, axis=1), np.nanmin(after, axis=1)
        third = [np.nanquantile(times, _UNDISTURBED, axis=1) for times in (before, after)]
        gap = np.maximum(third[0] - old, third[1] - new)
        names, place = np.unique(alike, return_inverse=True)
        typical = np.array([np.nanmedian(gap[alike == name]) for name in names])[place]
    passes = np.minimum(*(np.sum(~np.isnan(times), axis=1) for times in (before, after)))
    share = _SHARE / np.maximum(passes, 1)
    return new - old, np.hypot(_FLOOR, share * np.sqrt((gap**2 + typical**2) / 2))
