"""How far times move by themselves, learnt from the very runs that are compared.

Passes are resampled for all benchmarks at once, so that what a pass does to all of them stays
together. A benchmark's own standard error comes from few passes: it is mixed with that of all,
never trusted to be smaller, and enlarged where benchmarks differ more between the two runs than
between the passes within them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
_SAMPLES = 1000
_LEAST_FRAMEWORKS = 3  # from three on, one that has changed does not move their median
_LEAST_BENCHMARKS = 12  # from so many on, the noise between the runs can be told
_PRIOR = 8.0  # passes' worth of trust in the noise of all, beside a benchmark's own
_FLOOR = 0.005  # no clock on a shared machine is better
_WITHIN = 0.95
_TO_SIGMA = 1.4826  # from the median absolute deviation, for the normal distribution


@dataclass(frozen=True)
class Estimates:
    """Changes of logarithms of times, with what is known of their error.

    Attributes:
        change: for each, as a logarithm.
        error: standard errors, inflation included.
        degrees: of freedom of those errors.
    """

    change: Floats
    error: Floats
    degrees: float

    @property
    def p(self) -> Floats:
        """The probability of a change as large as each, on its side, from noise alone."""
        return np.asarray(stats.t.sf(np.abs(self.change) / self.error, self.degrees))

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """The ends of the 95% intervals."""
        half = stats.t.ppf((1 + _WITHIN) / 2, self.degrees) * self.error
        return self.change - half, self.change + half


@dataclass(frozen=True)
class Spread:
    """What two runs say of their difference.

    Attributes:
        each: the change of each benchmark, the shift of all taken out.
        sampled: the same in resampled passes, shape (benchmarks, samples).
        shift: what was taken out, as a logarithm.
        shift_by: how it was found.
        noise: typical standard error of a change.
        inflation: how much more benchmarks differ between the runs than between passes.
    """

    each: Estimates
    sampled: Floats
    shift: float
    shift_by: str
    noise: float
    inflation: float

    def over(self, members: Sequence[NDArray[np.bool_]]) -> Estimates:
        """Return the mean change over some benchmarks each, which share their passes."""
        draws = np.random.default_rng(1)
        changes, errors = [], []
        for member in members:
            mine, sampled = self.each.change[member], self.sampled[member]
            picks = draws.integers(len(mine), size=(len(mine), sampled.shape[1]))
            means = np.take_along_axis(sampled, picks, 0).mean(0)  # passes, then benchmarks
            # Even were its benchmarks independent, the mean is no better than this.
            least = np.sqrt((self.each.error[member] ** 2).sum()) / len(mine)
            changes.append(mine.mean())
            errors.append(max(means.std() * self.inflation, least))
        return Estimates(np.array(changes), np.array(errors), self.each.degrees)


def spread_of(before: Floats, after: Floats, frameworks: NDArray[np.str_], clock: float) -> Spread:
    """Learn from the passes of two runs.

    Args:
        before: logarithms of times, shape (benchmarks, passes); NaN where missing.
        after: the same of the other run.
        frameworks: of each benchmark.
        clock: by how much the fixed kernel says that the machine has changed, as a logarithm.
    """
    draws = np.random.default_rng(0)
    raw = np.nanmedian(after, 1) - np.nanmedian(before, 1)
    resampled = _resampled(after, draws) - _resampled(before, draws)
    groups = [frameworks == name for name in np.unique(frameworks)]
    if len(groups) >= _LEAST_FRAMEWORKS:
        shift, shifts = _shift(raw[:, None], groups), _shift(resampled, groups)
        by = f"median of {len(groups)} frameworks"
    else:  # too few to tell the machine from a framework
        shift = shifts = np.array([clock])
        by = "the fixed kernel"
    change, sampled = raw - shift[0], resampled - shifts
    degrees = before.shape[1] + after.shape[1] - 2.0
    own = sampled.std(1) * np.sqrt((degrees + 2) / degrees)  # few passes look too calm
    noise = max(float(np.median(own)), _FLOOR)
    error = np.maximum(np.sqrt((degrees * own**2 + _PRIOR * noise**2) / (degrees + _PRIOR)), noise)
    inflation = _inflation(change / error)
    each = Estimates(change, error * inflation, degrees + _PRIOR)
    return Spread(each, sampled, float(shift[0]), by, noise, inflation)


def _resampled(passes: Floats, draws: np.random.Generator) -> Floats:
    """Medians over passes drawn anew, the same ones for all benchmarks."""
    number = passes.shape[1]
    picks = draws.integers(number, size=(_SAMPLES, number))
    return np.asarray(np.nanmedian(passes[:, picks], axis=2))


def _shift(changes: Floats, groups: Sequence[NDArray[np.bool_]]) -> Floats:
    return np.asarray(np.median([np.nanmedian(changes[it], axis=0) for it in groups], axis=0))


def _inflation(scores: Floats) -> float:
    """How much wider the scores are spread than their errors say; most have no reason to move."""
    if len(scores) < _LEAST_BENCHMARKS:
        return 1.0
    return max(1.0, _TO_SIGMA * float(np.median(np.abs(scores))))


def holm(p: Floats) -> Floats:
    """Return probabilities corrected for their number, by Holm's method."""
    order = np.argsort(p)
    steps = p[order] * (len(p) - np.arange(len(p)))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
