"""Statistics of two runs' times: the minimum estimator, and tests over many benchmarks.

What other programs take from a shared machine only adds to a time, so the fastest of all passes
varies less from run to run than their mean or median: the minimum estimator of Chen and Revels,
"Robust benchmarking in noisy environments" (2016). All functions here work on logarithms of
times, so that a difference is a relative change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Names = NDArray[np.str_]
Numbers = NDArray[np.int_]

LEAST_PASSES = 8  # in each of the two runs; `fastest_changes` says why
_WITHIN = 0.95  # probability that a confidence interval covers the change
_UNDISTURBED = 1 / 3  # of the passes; on a busy machine the median pass is already disturbed
_SAFETY = 1.25  # on the standard error, as real delays have heavier tails than exponential ones
_FLOOR = 0.008  # differences between runs that the passes of one run do not show
_LEAST_FRAMEWORKS = 3  # one that has changed does not move the median of three
_LEAST_BENCHMARKS = 12  # fewer z-scores do not tell how widely they are spread
# Benchmarks are disturbed together, so z-scores of unchanged code are spread up to this factor.
_BY_CHANCE = 1.5


@dataclass(frozen=True)
class Estimates:
    """Changes of times with their errors, one element for each benchmark or group of benchmarks.

    Attributes:
        change: logarithm of new time over old, shape (n,).
        error: its standard error, shape (n,).
        passes: the number of passes of the run that has fewer, shape (n,).
    """

    change: Floats
    error: Floats
    passes: Floats

    @property
    def degrees(self) -> Floats:
        """Degrees of freedom of Student's t: those of two samples of equal size."""
        return 2 * self.passes - 2

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """The ends of the 95% confidence intervals, each of shape (n,)."""
        half = stats.t.ppf((1 + _WITHIN) / 2, self.degrees) * self.error
        return self.change - half, self.change + half

    def corrected(self, drift: float) -> Estimates:
        """Return the changes without the drift, their errors enlarged for over-dispersion."""
        change = self.change - drift
        excess = over_dispersion(change / self.error)
        return replace(self, change=change, error=self.error * excess)


def fastest_changes(before: Floats, after: Floats, strata: Names) -> Estimates:
    """Estimate the change of each benchmark from the fastest pass of each run.

    If the delays that a shared machine adds are exponential, the fastest of n passes lies above
    the undisturbed time by 1/(n ln 1.5) of the gap between the fastest pass and the lower third
    of the passes. Student's t with 2n - 2 degrees of freedom allows for the noise of that gap.

    A process may also be slow from start to end, by where its memory lies. With 8 passes per run,
    the chance that all slow ones fall into one run is 1/C(16, 8) = 1/12,870; with 3 it is 1/20.
    Changes from fewer than `LEAST_PASSES` passes are therefore not to be tested.

    Args:
        before: logarithms of times, shape (benchmarks, passes); NaN for a pass that is missing.
        after: the same of the other run; the number of passes may differ.
        strata: name of the stratum of each benchmark, shape (benchmarks,); those of one stratum
            are disturbed alike.
    """
    old, new = np.nanmin(before, axis=1), np.nanmin(after, axis=1)
    third = [np.nanquantile(times, _UNDISTURBED, axis=1) for times in (before, after)]
    gap = np.maximum(third[0] - old, third[1] - new)
    # The gap of a few passes is itself noisy, so it is averaged with the median of its stratum.
    names, place = np.unique(strata, return_inverse=True)
    typical = np.empty(len(names))
    for numbers, members in _by_size(place):
        typical[numbers] = np.median(gap[members], axis=1)
    typical = typical[place]
    gap = np.sqrt((gap**2 + typical**2) / 2)
    passes = np.minimum(*(np.sum(~np.isnan(times), axis=1) for times in (before, after)))
    excess = gap / (passes * -math.log1p(-_UNDISTURBED))
    error = np.hypot(_FLOOR, _SAFETY * math.sqrt(2) * excess)  # of the difference of two runs
    return Estimates(new - old, error, passes.astype(np.float64))


def common_drift(change: Floats, frameworks: Names, reference: float) -> float:
    """Return the common-mode drift: how much slower the machine itself has become.

    It is the median over the frameworks of the median change of each. The change of the reference
    kernel replaces it where there are fewer than three frameworks, as one that has changed then
    cannot be told from the machine.

    Args:
        change: logarithms, shape (benchmarks,).
        frameworks: name of the framework of each, shape (benchmarks,).
        reference: change of the reference kernel, as a logarithm.
    """
    names = np.unique(frameworks)
    if len(names) < _LEAST_FRAMEWORKS:
        return reference
    return float(np.median([np.median(change[frameworks == name]) for name in names]))


def over_dispersion(scores: Floats) -> float:
    """Return the factor by which z-scores are spread more widely than their errors explain.

    It is their robust standard deviation about 0, as in genomic control (Devlin and Roeder, 1999),
    and presumes that most benchmarks have not changed. Up to 1.5 it is taken for chance: 1.0.
    """
    if len(scores) < _LEAST_BENCHMARKS:
        return 1.0
    spread = float(np.median(np.abs(scores)) / stats.norm.ppf(0.75))
    return spread if spread > _BY_CHANCE else 1.0


def combine(each: Estimates, groups: Numbers, cases: Names) -> tuple[Estimates, Floats]:
    """Return the change of each group of benchmarks, and two-sided p-values of shape (groups,).

    Args:
        each: the estimates of all benchmarks.
        groups: number of the group of each benchmark, from 0 on, shape (benchmarks,).
        cases: name of the case of each benchmark, shape (benchmarks,).
    """
    # Hot and cold inputs of a case run the same kernel: they are not independent, so their
    # changes and errors are averaged. Different cases are independent tests of one implementation.
    names, case = np.unique(cases, return_inverse=True)
    pairs, kernel = np.unique(groups * len(names) + case, return_inverse=True)
    change, error, degrees = np.empty((3, len(pairs)))
    for numbers, members in _by_size(kernel):
        for mean, values in ((change, each.change), (error, each.error), (degrees, each.degrees)):
            mean[numbers] = values[members].mean(axis=1)
    found = np.empty((4, int(groups.max()) + 1))
    for numbers, members in _by_size(pairs // len(names)):
        found[:3, numbers] = _combined(change[members], error[members], degrees[members])
    for numbers, members in _by_size(groups):
        found[3, numbers] = each.passes[members].min(axis=1)
    mean, deviation, p, passes = found
    return Estimates(mean, deviation, passes), p


def _combined(change: Floats, error: Floats, degrees: Floats) -> tuple[Floats, Floats, Floats]:
    """Return change, error and p-value of groups of kernels, from arrays (groups, kernels)."""
    weight = error**-2.0
    total = weight.sum(axis=1)
    mean = (weight * change).sum(axis=1) / total
    # Fisher's method joins the one-sided p-values in the direction of the mean change.
    one_sided = stats.t.sf(np.sign(mean)[:, None] * change / error, degrees)
    joined = stats.combine_pvalues(one_sided, method="fisher", axis=1).pvalue
    return mean, total**-0.5, np.minimum(1.0, 2 * joined)


def _by_size(groups: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield the groups of each size: their numbers (n,), and their members' places (n, size).

    Groups of one size are one array, so that thousands of small ones take few calls of NumPy.
    """
    order, sizes = np.argsort(groups, kind="stable"), np.bincount(groups)
    first = np.cumsum(sizes) - sizes
    for size in np.unique(sizes):
        numbers = np.flatnonzero(sizes == size)
        yield numbers, order[first[numbers, None] + np.arange(size)]


def holm(p: Floats) -> Floats:
    """Return p-values corrected for their number by Holm's step-down method, shape (n,).

    >>> holm(np.array([0.5, 0.01, 0.02])).tolist()
    [0.5, 0.03, 0.04]
    """
    order = np.argsort(p)
    steps = p[order] * (len(p) - np.arange(len(p)))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
