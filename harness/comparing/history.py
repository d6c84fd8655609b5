"""Many runs of the same benchmarks, and where each of them stepped."""

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
        changes: against the run before, common-mode drift taken out; None where not known.
        step: the run at which the time stepped; None where it did not, or noise hides it.
        verdict: slower or faster; empty without a step.
    """

    key: BenchmarkKey
    medians: tuple[float | None, ...]
    changes: tuple[float | None, ...]
    step: int | None
    verdict: str


@dataclass(frozen=True)
class History:
    """Some runs, the oldest first, and the course of each benchmark.

    Attributes:
        sides: the runs.
        names: theirs, which tell them apart.
        courses: of each benchmark.
    """

    sides: tuple[RunSnapshot, ...]
    names: tuple[str, ...]
    courses: tuple[Trend, ...]


def history(sides: Sequence[RunSnapshot], *, effect: float = EFFECT) -> History:
    """Return the course of every benchmark over some runs, the oldest first."""
    steps = [
        _by_key(compare_times(before, after, effect=effect)) for before, after in pairwise(sides)
    ]
    keys = sorted({key for side in sides for key in side.times})
    courses = tuple(_course(key, sides, steps) for key in keys)
    return History(tuple(sides), tuple(names_of(sides)), courses)


def _by_key(times: TimeComparison) -> dict[BenchmarkKey, TimeChange]:
    """Each benchmark's change; what its own noise hides, all of its implementation's may tell."""
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


def _course(
    key: BenchmarkKey, sides: Sequence[RunSnapshot], steps: Sequence[dict[BenchmarkKey, TimeChange]]
) -> Trend:
    found = [step.get(key) for step in steps]
    clear = [
        (abs(it.change), number, it.verdict)
        for number, it in enumerate(found, 1)
        if it is not None and it.change is not None and it.verdict in ("slower", "faster")
    ]
    _, step, verdict = max(clear, default=(0.0, None, ""))
    return Trend(
        key,
        tuple(_median(side, key) for side in sides),
        (None, *(it.change if it else None for it in found)),
        step,
        verdict,
    )


def _median(side: RunSnapshot, key: BenchmarkKey) -> float | None:
    passes = [it.median for it in side.times.get(key, {}).values()]
    return statistics.median(passes) if passes else None
