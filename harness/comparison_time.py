"""Whether a time has changed, and by how much: a gate that does not cry wolf.

A shared machine slows all benchmarks down at once, for a pass or for a whole run. What all
frameworks share is therefore taken out first and reported on its own. What is left is judged
against the noise that the runs show themselves: between their passes, and between benchmarks
that have no reason to move.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from .noise import Estimates, Floats, holm, spread_of
from .sides import Side, TimeKey

Speed = Literal["faster", "slower", "same", "unclear", "not comparable"]
SPEEDS: dict[Speed, str] = {
    "faster": "less time, beyond the smallest effect and the noise",
    "slower": "more time, beyond the smallest effect and the noise",
    "same": "no change as large as the smallest effect",
    "unclear": "the noise does not tell a change from none",
    "not comparable": "another machine, or too few passes",
}
EFFECT = 0.05  # the smallest change that counts
_LEVEL = 0.02  # of a false alarm anywhere in a comparison
_LEAST_PASSES = 2
_SINGLE = "a run with 1 pass does not show its noise; bench --passes 3 does"
_DIRECTIONS = 2  # faster and slower are two questions


class Who(NamedTuple):
    """An implementation in one mode: what a change is blamed on."""

    framework: str
    implementation: str
    mode: str
    device: str
    threads: str


_NOBODY = Who("", "", "", "", "")


@dataclass(frozen=True)
class TimeChange:
    """One benchmark, or all of one implementation.

    Attributes:
        who: whose time it is.
        key: the benchmark; None for all of the implementation's.
        verdict: a word of `SPEEDS`.
        base, new: seconds, median over the passes; None for several benchmarks.
        change: share by which the time has changed, the shift of all taken out.
        low, high: ends of its 95% interval.
        p: probability of such a change from noise alone, corrected for their number.
        reason: why it is not comparable, or unclear.
    """

    who: Who
    key: TimeKey | None
    verdict: Speed
    base: float | None = None
    new: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class TimeComparison:
    """The times of two runs.

    Attributes:
        benchmarks: each that both runs hold.
        implementations: each, over all of its benchmarks.
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
            f"{it.who.implementation} {it.who.mode}: slower by {it.change or 0:.1%}"
            f" ({it.key.label if it.key else 'all its benchmarks'})"
            for it in self.slower
        )


def compare_times(old: Side, new: Side, *, effect: float = EFFECT) -> TimeComparison:
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
        TimeChange(_who(key), key, "not comparable", *_seconds(old, new, key), reason=_SINGLE)
        for key in keys
        if key not in repeated
    )
    found = _compared(old, new, repeated, effect)
    return replace(found, benchmarks=(*found.benchmarks, *single))


def _incomparable(old: Side, new: Side, keys: Sequence[TimeKey]) -> str:
    for name, before in old.machine.items():
        after = new.machine.get(name)
        if before != after:
            return f"another machine: {name} was {before}, is {after}"
    if not any(_is_repeated(old, new, key) for key in keys):
        return _SINGLE
    return ""


def _is_repeated(old: Side, new: Side, key: TimeKey) -> bool:
    return min(len(old.times[key]), len(new.times[key])) >= _LEAST_PASSES


def _compared(old: Side, new: Side, keys: Sequence[TimeKey], effect: float) -> TimeComparison:
    frameworks = np.array([key.framework for key in keys])
    clock = _log(new.clocks.values()).mean() - _log(old.clocks.values()).mean()
    spread = spread_of(_passes(old, keys), _passes(new, keys), frameworks, float(clock))
    whose = [_who(key) for key in keys]
    single = _verdicts(spread.each, effect)
    benchmarks = tuple(
        replace(found, who=who, key=key, base=before, new=after)
        for found, who, key in zip(single, whose, keys, strict=True)
        for before, after in [_seconds(old, new, key)]
    )
    groups = list(dict.fromkeys(whose))
    members = [np.array([it == who for it in whose]) for who in groups]
    wholes = _verdicts(spread.over(members), effect)
    implementations = tuple(
        replace(found, who=who) for found, who in zip(wholes, groups, strict=True)
    )
    return TimeComparison(
        benchmarks, implementations, effect, float(np.expm1(spread.shift)), spread.shift_by,
        spread.noise, spread.inflation,
    )  # fmt: skip


def _verdicts(found: Estimates, effect: float) -> list[TimeChange]:
    """Return verdict, change, interval and corrected p of each, as nobody's yet."""
    chances = np.minimum(holm(found.p) * _DIRECTIONS, 1.0)
    low, high = found.interval
    smallest = float(np.log1p(effect))
    result = []
    for one, begin, end, chance in zip(found.change, low, high, chances, strict=True):
        verdict: Speed = "unclear"
        if chance < _LEVEL and abs(one) > smallest:
            verdict = "slower" if one > 0 else "faster"
        elif -smallest <= begin and end <= smallest:
            verdict = "same"
        change, lowest, highest = (float(np.expm1(it)) for it in (one, begin, end))
        result.append(TimeChange(_NOBODY, None, verdict, None, None, change, lowest, highest,
                                 float(chance)))  # fmt: skip
    return result


def _passes(side: Side, keys: Sequence[TimeKey]) -> Floats:
    """The logarithms of the fastest rounds of each benchmark, by pass; NaN where it is missing."""
    numbers = sorted({number for key in keys for number in side.times[key]})
    table = [
        [side.times[key][n].fastest if n in side.times[key] else np.nan for n in numbers]
        for key in keys
    ]
    return np.log(np.array(table))


def _who(key: TimeKey) -> Who:
    return Who(key.framework, key.implementation, key.mode, key.device, key.threads)


def _seconds(old: Side, new: Side, key: TimeKey) -> tuple[float, float]:
    before, after = (statistics.median(it.median for it in side.times[key].values())
                     for side in (old, new))  # fmt: skip
    return before, after


def _log(values: Iterable[float]) -> Floats:
    return np.log(np.array(list(values) or [1.0]))
