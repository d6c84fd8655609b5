"""How far times move by themselves, learnt from the very runs that are compared.

Passes are resampled for all benchmarks at once, so that what a pass does to all of them stays
together. A benchmark's own standard error comes from few passes: it is mixed with that of all,
never trusted to be smaller, and enlarged where benchmarks differ more between the two runs than
between the passes within them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .estimates import Estimates, Floats, Members, Names

_SAMPLES = 1000
_LEAST_FRAMEWORKS = 3  # from three on, one that has changed does not move their median
_LEAST_BENCHMARKS = 12  # from so many on, the noise between the runs can be told
_LEAST_OTHERS = 6  # benchmarks that tell what a process did to all of its own
_PRIOR = 8.0  # passes' worth of trust in the noise of all, beside a benchmark's own
_FLOOR = 0.005  # no clock on a shared machine is better
_TO_SIGMA = 1.4826  # from the median absolute deviation, for the normal distribution


@dataclass(frozen=True)
class Changes:
    """Every benchmark's change.

    Attributes:
        each: with its error.
        sampled: in resampled passes, shape (benchmarks, samples).
        noise: typical standard error.
        inflation: how much more benchmarks differ between the runs than between passes.
    """

    each: Estimates
    sampled: Floats
    noise: float
    inflation: float

    def over(self, members: Sequence[Members]) -> Estimates:
        """Return the mean change over some benchmarks each, which share their passes."""
        draws = np.random.default_rng(1)
        change = np.array([self.each.change[member].mean() for member in members])
        error = np.array([self._error_over(member, draws) for member in members])
        return Estimates(change, error * inflation_of(change / error), self.each.degrees)

    def _error_over(self, member: Members, draws: np.random.Generator) -> float:
        """The largest of three: none of them sees all that can go wrong."""
        sampled, number = self.sampled[member], int(member.sum())
        if np.isnan(self.each.error[member]).any():
            return np.nan
        picks = draws.integers(number, size=sampled.shape)
        passes_and_benchmarks = np.nanstd(np.take_along_axis(sampled, picks, 0).mean(0))
        passes = np.nanstd(sampled.mean(0)) * self.inflation
        independent = np.sqrt((self.each.error[member] ** 2).sum()) / number
        return float(np.max([passes_and_benchmarks, passes, independent]))


@dataclass(frozen=True)
class Spread:
    """What two runs say of their difference.

    Attributes:
        alone: each benchmark's change, the shift of all taken out.
        beside: its change beside the others of its process, whatever the process did to all.
        shift: what was taken out, as a logarithm.
        shift_by: how it was found.
    """

    alone: Changes
    beside: Changes
    shift: float
    shift_by: str


@dataclass(frozen=True)
class Whose:
    """Whose each benchmark is.

    Attributes:
        frameworks: its framework.
        processes: what ran in one process in each pass.
        implementations: of all modes together.
    """

    frameworks: Names
    processes: Names
    implementations: Names


def spread_of(before: Floats, after: Floats, whose: Whose, clock: float) -> Spread:
    """Learn from the passes of two runs.

    Args:
        before: logarithms of times, shape (benchmarks, passes); NaN where missing.
        after: the same of the other run.
        whose: whose each benchmark is.
        clock: by how much the fixed kernel says that the machine has changed, as a logarithm.
    """
    raw, resampled = _change(before, after)
    shift, shifts = (
        shift_of(found, whose.frameworks, clock) for found in (raw[:, None], resampled)
    )
    number = len(np.unique(whose.frameworks))
    is_told = number >= _LEAST_FRAMEWORKS
    by = f"median of {number} frameworks" if is_told else "the fixed kernel"
    degrees = before.shape[1] + after.shape[1] - 2.0
    alone = _changes(raw - shift[0], resampled - shifts, degrees)
    beside = _changes(*_change(*_beside(before, after, whose)), degrees)
    return Spread(alone, beside, float(shift[0]), by)


def _change(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """The change of each benchmark, as it is and in resampled passes."""
    draws = np.random.default_rng(0)
    change = _medians(after) - _medians(before)
    return change, _resampled(after, draws) - _resampled(before, draws)


def _changes(change: Floats, sampled: Floats, degrees: float) -> Changes:
    known = ~np.isnan(change)
    own = np.full_like(change, np.nan)
    own[known] = np.nanstd(sampled[known], axis=1)
    own *= np.sqrt((degrees + 2) / degrees)  # few passes look too calm
    noise = max(float(np.median(own[known])), _FLOOR) if known.any() else _FLOOR
    error = np.maximum(np.sqrt((degrees * own**2 + _PRIOR * noise**2) / (degrees + _PRIOR)), noise)
    inflation = inflation_of(change / error)
    each = Estimates(change, error * inflation, degrees + _PRIOR)
    return Changes(each, sampled, noise, inflation)


def _beside(before: Floats, after: Floats, whose: Whose) -> tuple[Floats, Floats]:
    """Times beside those of the other implementations in the same process; NaN without enough."""
    level = (_medians(before) + _medians(after))[:, None] / 2
    left = np.full_like(before, np.nan), np.full_like(after, np.nan)
    for name in np.unique(whose.implementations):
        mine = whose.implementations == name
        for process in np.unique(whose.processes[mine]):
            here = whose.processes == process
            others, own = here & ~mine, here & mine
            if others.sum() >= _LEAST_OTHERS:
                for out, times in zip(left, (before, after), strict=True):
                    out[own] = times[own] - _medians((times - level)[others].T)
    return left


def _resampled(passes: Floats, draws: np.random.Generator) -> Floats:
    """Medians over passes drawn anew, the same ones for all benchmarks."""
    number = passes.shape[1]
    picks = draws.integers(number, size=(_SAMPLES, number))
    return _medians(passes[:, picks])


def _medians(times: Floats) -> Floats:
    """Over the last axis, of what there is; a run that was cut off lacks some passes."""
    found = np.asarray(np.median(times, axis=-1))
    lacking = np.isnan(found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing at all: NaN, as it should be
        found[lacking] = np.nanmedian(times[lacking], axis=-1)
    return found


def shift_of(changes: Floats, frameworks: Names, clock: float) -> Floats:
    """Return by how much the machine has changed: what all frameworks share.

    Args:
        changes: logarithms, shape (benchmarks, samples).
        frameworks: the framework of each benchmark.
        clock: what the fixed kernel says; taken where the frameworks are too few to tell the
            machine from one of them.
    """
    names = np.unique(frameworks)
    if len(names) < _LEAST_FRAMEWORKS:
        return np.array([clock])
    return _medians(np.array([_medians(changes[frameworks == name].T) for name in names]).T)


def inflation_of(scores: Floats) -> float:
    """Return how much wider scores are spread than their errors say; most must not move."""
    scores = scores[~np.isnan(scores)]
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
