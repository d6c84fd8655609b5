"""A third look at a change: the fastest call of all passes, beside benchmarks that are alike.

What others take from a shared machine only adds, so that the fastest of all passes moves less from
run to run than what is typical of them. How much depends on the framework, its mode, the shape and
the direction: benchmarks alike in these tell it. Some jump all the same: the tails that were seen
are heavy, like those of Student's t with few degrees of freedom. A slow implementation is slow in
several cases, a jump comes alone; so the probabilities of an implementation's cases are joined by
Fisher's method.

The constants are from 21 runs of the same code on a shared machine; docs/timing.md says what came
of them on 21 others.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .estimates import Estimates, Floats, Members, Names

_DEGREES = 3.0  # the tails that were seen
_FLOOR = 0.006
_LEAST_ALIKE = 6  # kernels, from which on their spread is told
_PRIOR = 4  # kernels' worth of trust in what is typical of all
_OWN = 3.0  # trust in a benchmark's own gap, beside 1 in that of those alike


@dataclass(frozen=True)
class Fastest:
    """Changes of implementations by the fastest call of all passes.

    Attributes:
        beside: the change beside what is alike, with error and probability.
        itself: the change as it is, as a logarithm, nothing taken out.
    """

    beside: Estimates
    itself: Floats


def fastest(
    before: Floats,
    after: Floats,
    cases: Names,
    alike: Sequence[Names],
    members: Sequence[Members],
) -> Fastest:
    """Judge implementations by their fastest calls.

    Args:
        before: logarithms of times, shape (benchmarks, passes); NaN where missing.
        after: the same of the other run.
        cases: the case of each benchmark; hot and cold inputs of one are one kernel.
        alike: what benchmarks have in common that move alike, the narrowest first.
        members: the benchmarks of each implementation, in one mode and direction.
    """
    change, gap = _change(before, after)
    kernels = [
        (number, member & (cases == case))
        for number, member in enumerate(members)
        for case in np.unique(cases[member])
    ]
    whose = np.array([number for number, _ in kernels])
    first = np.array([int(np.argmax(kernel)) for _, kernel in kernels])
    moved = np.array([change[kernel].mean() for _, kernel in kernels])
    own = np.array([gap[kernel].mean() for _, kernel in kernels]) / 2
    middle, spread = _beside(moved, [names[first] for names in alike])
    error = np.maximum(np.sqrt((spread**2 + _OWN * own**2) / (1 + _OWN)), _FLOOR)
    here = [whose == it for it in range(len(members))]
    joined = [_joined((moved - middle)[mine], error[mine]) for mine in here]
    columns = np.array(joined).reshape(-1, 3).T
    itself = np.array([moved[mine].mean() for mine in here])
    return Fastest(Estimates(columns[0], columns[1], _DEGREES, columns[2]), itself)


def _change(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """The change of the fastest of all passes, and how far the next ones are from it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what is missing: NaN, as it should be
        old, new = (np.sort(times, axis=1)[:, :2] for times in (before, after))
        gap = np.nanmean([old[:, 1] - old[:, 0], new[:, 1] - new[:, 0]], axis=0)
    return new[:, 0] - old[:, 0], gap


def _beside(moved: Floats, alike: Sequence[Names]) -> tuple[Floats, Floats]:
    """What moved all alike, and their spread, of the narrowest group that is large enough."""
    middle, spread = np.full(len(moved), np.nan), np.full(len(moved), np.nan)
    for names in alike:
        unknown = np.isnan(spread)
        wider = _of_those_alike(moved, names)
        middle, spread = np.where(unknown, wider[0], middle), np.where(unknown, wider[1], spread)
    return middle, spread


def _of_those_alike(moved: Floats, group: Names) -> tuple[Floats, Floats]:
    """What moved all kernels of a group, and how far they spread; NaN for small groups."""
    names, place = np.unique(group, return_inverse=True)
    middle, spread = np.full(len(names), np.nan), np.full(len(names), np.nan)
    sizes = np.zeros(len(names))
    for number in range(len(names)):
        values = moved[(place == number) & ~np.isnan(moved)]
        sizes[number] = len(values)
        if len(values) >= _LEAST_ALIKE:
            middle[number] = np.median(values)
            deviation = stats.median_abs_deviation(values, scale="normal")
            spread[number] = deviation * (1 + 1 / len(values))  # few look too calm
    known = spread[~np.isnan(spread)]
    typical = np.median(known) if len(known) else np.nan
    mixed = np.sqrt((sizes * spread**2 + _PRIOR * typical**2) / (sizes + _PRIOR))
    return middle[place], mixed[place]


def _joined(moved: Floats, error: Floats) -> tuple[float, float, float]:
    """Change, error and probability over the cases of an implementation."""
    known = ~np.isnan(moved) & ~np.isnan(error)
    if not known.any():
        return np.nan, np.nan, 1.0
    moved, error = moved[known], error[known]
    weight = error**-2.0
    change = float((weight * moved).sum() / weight.sum())
    chances = stats.t.sf(np.sign(change) * moved / error, _DEGREES)
    return change, float(weight.sum() ** -0.5), float(stats.combine_pvalues(chances).pvalue)
