"""Follow benchmarks over many runs, and find the run at which each one changed most."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .snapshot import BenchmarkKey, RunSnapshot, names_of
from .times import EFFECT, TimeChange, TimeComparison, compare_times


@dataclass(frozen=True)
class Trend:
    """One benchmark over the runs.

    Attributes:
        key: the benchmark.
        medians: seconds in each run; None where it was not timed.
        changes: relative to the preceding run, without the common-mode drift; None where unknown.
        step: the change point, as the index of a run; None where there is none, or noise hides it.
        verdict: slower or faster at the change point; empty without one.
    """

    key: BenchmarkKey
    medians: tuple[float | None, ...]
    changes: tuple[float | None, ...]
    step: int | None
    verdict: str


@dataclass(frozen=True)
class History:
    """Some runs, the oldest first, and the trend of each benchmark.

    Attributes:
        runs: the runs.
        names: their names, which differ from each other.
        trends: the trends, one for each benchmark.
    """

    runs: tuple[RunSnapshot, ...]
    names: tuple[str, ...]
    trends: tuple[Trend, ...]


def history(runs: Sequence[RunSnapshot], *, effect: float = EFFECT) -> History:
    """Return the trend of every benchmark over some runs.

    Args:
        runs: the runs, the oldest first.
        effect: the smallest relative change of a time that counts.
    """
    steps = [
        _by_key(compare_times(before, after, effect=effect)) for before, after in pairwise(runs)
    ]
    keys = sorted({key for run in runs for key in run.times})
    trends = tuple(_trend(key, runs, steps) for key in keys)
    return History(tuple(runs), tuple(names_of(runs)), trends)


def _by_key(times: TimeComparison) -> dict[BenchmarkKey, TimeChange]:
    """Return the change of each benchmark.

    A benchmark that is unclear by itself takes the verdict of its implementation as a whole if both
    changed in the same direction: many benchmarks show together what the noise of one hides.
    """
    wholes = {whole.who: whole.verdict for whole in times.implementations}
    return {
        change.key: replace(change, verdict=wholes[change.who])
        if _is_told(change, wholes.get(change.who, ""), times.effect)
        else change
        for change in times.benchmarks
        if change.key
    }


def _is_told(change: TimeChange, whole: str, effect: float) -> bool:
    sign = {"slower": 1, "faster": -1}.get(whole, 0)
    return change.verdict == "unclear" and sign * (change.change or 0.0) > effect


def _trend(
    key: BenchmarkKey, runs: Sequence[RunSnapshot], steps: Sequence[dict[BenchmarkKey, TimeChange]]
) -> Trend:
    found = [step.get(key) for step in steps]
    clear = [
        (abs(it.change), number, it.verdict)
        for number, it in enumerate(found, 1)
        if it is not None and it.change is not None and it.verdict in ("slower", "faster")
    ]
    # Several steps may be clear; the largest is reported, the latest of equal ones.
    _, step, verdict = max(clear, default=(0.0, None, ""))
    return Trend(
        key,
        tuple(_median(run, key) for run in runs),
        (None, *(it.change if it else None for it in found)),
        step,
        verdict,
    )


def _median(run: RunSnapshot, key: BenchmarkKey) -> float | None:
    passes = [it.median for it in run.times.get(key, {}).values()]
    return statistics.median(passes) if passes else None
