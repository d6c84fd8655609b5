"""Whether a time has changed, and by how much: a gate that does not cry wolf.

A shared machine slows all benchmarks down at once, for a pass or for a whole run. What all
frameworks share is therefore taken out first and reported on its own. What is left is judged
against the noise that the runs show themselves: between their passes, and between benchmarks
that have no reason to move.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cases.model import Case
from .estimates import Estimates, Floats
from .noise import Whose, holm, spread_of
from .noise_fastest import LEAST_PASSES, fastest
from .snapshot import BenchmarkKey, RunSnapshot

Speed = Literal["faster", "slower", "same", "unclear", "not comparable"]
EFFECT = 0.05  # the smallest change that counts
_LEVEL = 0.02  # of a false alarm anywhere in a comparison
_TRUST = 8.0  # in the fastest passes, beside 1 in the changes as they are, and beside others
SINGLE = "a run with 1 pass does not show its noise; bench --passes 9 does"
_LEAST_REPEATED = 2  # passes
_DIRECTIONS = 2  # faster and slower are two questions


class Who(NamedTuple):
    """An implementation in one mode and direction: what a change is blamed on."""

    framework: str
    implementation: str
    mode: str
    device: str
    threads: str
    direction: str


_NOBODY = Who("", "", "", "", "", "")


@dataclass(frozen=True)
class TimeChange:
    """One benchmark, or all of one implementation.

    Attributes:
        who: whose time it is.
        key: the benchmark; None for all of the implementation's in one direction.
        verdict: one of `Speed`; docs/timing.md says what each means.
        base, new: seconds, median over the passes; None for several benchmarks.
        change: share by which the time has changed, the shift of all taken out.
        low, high: ends of its 95% interval.
        beside: whether it is the change beside the others of its framework in the same processes.
        p: probability of such a change from noise alone, corrected for their number.
        reason: why it is not comparable, or unclear.
    """

    who: Who
    key: BenchmarkKey | None
    verdict: Speed
    base: float | None = None
    new: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    beside: bool = False
    reason: str = ""

    @property
    def what(self) -> str:
        """What was timed, in words, and what the change is measured against."""
        if self.key:
            return self.key.label
        others = f", beside the rest of {self.who.framework}" if self.beside else ""
        return f"all its {self.who.direction} benchmarks{others}"


@dataclass(frozen=True)
class TimeComparison:
    """The times of two runs.

    Attributes:
        benchmarks: each that both runs hold.
        implementations: each in one direction, over all of its benchmarks.
        effect: the smallest change that counts.
        shift: what all frameworks share, taken out of every change; None where unknown.
        shift_by: how it was found.
        noise: typical standard error of a change, as a share.
        inflation: how much more benchmarks differ between the runs than between passes.
        incomparable: why no time can be compared.
    """

    benchmarks: tuple[TimeChange, ...]
    implementations: tuple[TimeChange, ...]
    effect: float
    shift: float | None = None
    shift_by: str = ""
    noise: float | None = None
    inflation: float | None = None
    incomparable: str = ""

    @property
    def compared(self) -> int:
        """How many benchmarks got a verdict on their speed."""
        return sum(change.verdict != "not comparable" for change in self.benchmarks)

    @property
    def slower(self) -> tuple[TimeChange, ...]:
        """What has become slower: implementations first, then benchmarks of others."""
        whole = [change for change in self.implementations if change.verdict == "slower"]
        blamed = {change.who for change in whole}
        single = [change for change in self.benchmarks if change.verdict == "slower"]
        return (*whole, *(change for change in single if change.who not in blamed))

    @property
    def regressions(self) -> tuple[str, ...]:
        """What fails the gate, one line each."""
        return tuple(
            f"{it.who.implementation} {it.who.mode}: slower by {it.change or 0:.1%} ({it.what})"
            for it in self.slower
        )


def compare_times(old: RunSnapshot, new: RunSnapshot, *, effect: float = EFFECT) -> TimeComparison:
    """Compare the benchmarks that both runs hold."""
    keys = sorted(old.times.keys() & new.times.keys())
    if not keys:
        return TimeComparison((), (), effect, incomparable="no benchmark is in both runs")
    reason = _incomparable(old, new, keys)
    if reason:
        changes = tuple(
            TimeChange(_who(key), key, "not comparable", *_seconds(old, new, key), reason=reason)
            for key in keys
        )
        return TimeComparison(changes, (), effect, incomparable=reason)
    repeated = [key for key in keys if _is_repeated(old, new, key)]
    single = tuple(
        TimeChange(_who(key), key, "not comparable", *_seconds(old, new, key), reason=SINGLE)
        for key in keys
        if key not in repeated
    )
    found = _compared(old, new, repeated, effect)
    return replace(found, benchmarks=(*found.benchmarks, *single))


def _incomparable(old: RunSnapshot, new: RunSnapshot, keys: Sequence[BenchmarkKey]) -> str:
    for name, before in old.machine.items():
        after = new.machine.get(name)
        if before != after:
            return f"another machine: {name} was {before}, is {after}"
    if not any(_is_repeated(old, new, key) for key in keys):
        return SINGLE
    return ""


def _is_repeated(old: RunSnapshot, new: RunSnapshot, key: BenchmarkKey) -> bool:
    return min(len(old.times[key]), len(new.times[key])) >= _LEAST_REPEATED


def _compared(
    old: RunSnapshot, new: RunSnapshot, keys: Sequence[BenchmarkKey], effect: float
) -> TimeComparison:
    clock, quickest = (
        float(of(_log(new.clocks.values())) - of(_log(old.clocks.values())))
        for of in (np.mean, np.min)
    )
    before, after, whose = _passes(old, keys), _passes(new, keys), [_who(key) for key in keys]
    spread = spread_of(before, after, _whose(keys), clock)
    cases, frameworks, alike = (
        np.array([of(key) for key in keys])
        for of in (attrgetter("case"), attrgetter("framework"), _alike)
    )
    groups = list(dict.fromkeys(whose))
    members = [np.array([it == who for it in whose]) for who in groups]
    # Hot and cold inputs are for one kernel: a change of the code shows with both.
    kernel_of = list(zip(whose, cases, strict=True))
    kernels = list(dict.fromkeys(kernel_of))
    parts = [np.array([it == kernel for it in kernel_of]) for kernel in kernels]
    quick = fastest(before, after, cases, frameworks, alike, quickest)
    places = [kernels.index(kernel) for kernel in kernel_of]
    single = _verdicts([Look(_agreed(spread.alone.each, quick.over(parts).at(places)))], effect)
    alone, beside = spread.alone.over(members), spread.beside.over(members)
    looks = [Look(alone), Look(beside, itself=alone.change)]
    if min(before.shape[1], after.shape[1]) >= LEAST_PASSES:
        looks.append(Look(quick.over(members), _TRUST))
    wholes = _verdicts(looks, effect)
    benchmarks = tuple(
        replace(found, who=who, key=key, base=earlier, new=later)
        for found, who, key in zip(single, whose, keys, strict=True)
        for earlier, later in [_seconds(old, new, key)]
    )
    implementations = tuple(
        replace(found, who=who) for found, who in zip(wholes, groups, strict=True)
    )
    return TimeComparison(
        benchmarks, implementations, effect, float(np.expm1(spread.shift)), spread.shift_by,
        spread.alone.noise, spread.alone.inflation,
    )  # fmt: skip


def _alike(key: BenchmarkKey) -> str:
    """What benchmarks have in common that others on the machine disturb alike."""
    shape = Case.parse(key.case).shape
    return " ".join([key.framework, key.device, key.threads, key.mode, str(shape)])


def _whose(keys: Sequence[BenchmarkKey]) -> Whose:
    return Whose(
        frameworks=np.array([key.framework for key in keys]),
        processes=np.array([f"{key.framework} {key.device} {key.threads}" for key in keys]),
        implementations=np.array([key.implementation for key in keys]),
    )


def _agreed(alone: Estimates, quick: Estimates) -> Estimates:
    """A benchmark's change is sure where its kernel's is, too: one that jumps does so alone."""
    known = ~np.isnan(quick.error)
    same = alone.change * quick.change > 0
    p = np.where(same, np.maximum(alone.p, quick.p), 1.0)
    return replace(alone, joined=np.where(known, p, alone.p))


@dataclass(frozen=True)
class Look:
    """One way to look at changes.

    Attributes:
        found: the changes.
        weight: beside those of the other looks, its share of the chance of a false alarm.
        itself: where they are beside others: the changes as they are, which must count, too.
    """

    found: Estimates
    weight: float = 1.0
    itself: Floats | None = None


def _verdicts(looks: Sequence[Look], effect: float) -> list[TimeChange]:
    """Return verdict, change, interval and corrected p of each, as nobody's yet.

    Args:
        looks: at the same changes; the first one is not beside others.
        effect: the smallest that counts.
    """
    smallest = float(np.log1p(effect))
    judged, is_beside = _surest(looks, smallest)
    chances = np.minimum(holm(judged.p) * _DIRECTIONS, 1.0)
    columns = (judged.change, *judged.interval)
    result = []
    for place, chance in enumerate(chances):
        one, begin, end = (float(column[place]) for column in columns)
        verdict: Speed = "unclear"
        if chance < _LEVEL and abs(one) > smallest:
            verdict = "slower" if one > 0 else "faster"
        elif -smallest <= begin and end <= smallest and not is_beside[place]:
            verdict = "same"
        change, low, high = map(math.expm1, (one, begin, end))
        result.append(TimeChange(_NOBODY, None, verdict, None, None, change, low, high,
                                 float(chance), bool(is_beside[place])))  # fmt: skip
    return result


def _surest(looks: Sequence[Look], smallest: float) -> tuple[Estimates, NDArray[np.bool_]]:
    """Return of each the surest change, p for having looked so often, and whether it is `beside`.

    What a process does to all of its benchmarks is not in a change beside the others, so that it
    can be the surer one. It alone proves nothing where the others have become faster: the change
    itself must be as large as counts, too.
    """
    first, *others = looks
    total = sum(look.weight for look in looks)
    change, error, p = first.found.change, first.found.error, first.found.p * total / first.weight
    degrees, is_beside = np.broadcast_to(first.found.degrees, p.shape), np.zeros(len(p), bool)
    for look in others:
        itself = look.found.change if look.itself is None else look.itself
        counts = (itself * look.found.change > 0) & (np.abs(itself) > smallest)
        chances = np.where(counts, look.found.p, 1.0) * total / look.weight
        surer = chances < p
        change = np.where(surer, look.found.change, change)
        error = np.where(surer, look.found.error, error)
        degrees = np.where(surer, look.found.degrees, degrees)
        p = np.where(surer, chances, p)
        is_beside = np.where(surer, look.itself is not None, is_beside)
    return Estimates(change, error, degrees, np.minimum(p, 1.0)), is_beside


def _passes(side: RunSnapshot, keys: Sequence[BenchmarkKey]) -> Floats:
    """The logarithms of the fast rounds of each benchmark, by pass; NaN where it is missing."""
    numbers = sorted({number for key in keys for number in side.times[key]})
    table = [
        [side.times[key][n].fastest if n in side.times[key] else np.nan for n in numbers]
        for key in keys
    ]
    return np.log(np.array(table))


def _who(key: BenchmarkKey) -> Who:
    return Who(*(getattr(key, name) for name in Who._fields))


def _seconds(old: RunSnapshot, new: RunSnapshot, key: BenchmarkKey) -> tuple[float, float]:
    before, after = (statistics.median(it.median for it in side.times[key].values())
                     for side in (old, new))  # fmt: skip
    return before, after


def _log(values: Iterable[float]) -> Floats:
    return np.log(np.array(list(values) or [1.0]))
