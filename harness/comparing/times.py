"""Compare the times of two runs: which implementations have become slower, and by how much.

The fastest passes of the runs are compared, after the drift that all frameworks share has been
taken out. docs/timing.md describes the method, what it presumes, and how often it errs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from ...cases.model import Case
from .leading import Leading
from .snapshot import BenchmarkKey, RunSnapshot
from .statistics import (
    LEAST_PASSES,
    Estimates,
    Floats,
    Numbers,
    combine,
    common_drift,
    fastest_changes,
    holm,
)

Speed = Literal["faster", "slower", "same", "unclear", "not comparable"]
EFFECT = 0.05  # the smallest change that counts
_LEVEL = 0.02  # probability of a false alarm anywhere in a comparison
_IMPLEMENTATIONS = 0.8  # share of the level; the rest is left for the more numerous benchmarks
SINGLE = "a run with 1 pass does not show its noise; bench --passes 9 does"
FEW = f"fewer than {LEAST_PASSES} passes do not tell a change from chance; bench --passes 9 does"
_LEAST_REPEATED = 2  # passes


class Who(NamedTuple):
    """An implementation in one mode and direction: what a change is blamed on."""

    framework: str
    implementation: str
    mode: str
    device: str
    threads: str
    direction: str


@dataclass(frozen=True)
class TimeChange:
    """The change of one benchmark, or of all benchmarks of an implementation in one direction.

    Attributes:
        who: the implementation.
        key: the benchmark; None for all of the implementation's in one direction.
        verdict: one of `Speed`; docs/timing.md says what each means.
        base, new: seconds, median over the passes; None for several benchmarks.
        change: relative change of the fastest pass, a common-mode drift taken out.
        low, high: ends of its 95% confidence interval.
        p: p-value, corrected by Holm's method.
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
    reason: str = ""

    @property
    def what(self) -> str:
        """What was timed, in words."""
        return self.key.label if self.key else f"all its {self.who.direction} benchmarks"


@dataclass(frozen=True)
class TimeComparison:
    """The times of two runs.

    Attributes:
        benchmarks: the benchmarks that both runs have.
        implementations: each implementation in one direction, over all of its benchmarks.
        effect: the smallest change that counts.
        drift: common-mode drift, taken out of every change; None where nothing was compared, or
            where the runs were timed in turn.
        incomparable: why no time can be compared.
    """

    benchmarks: tuple[TimeChange, ...]
    implementations: tuple[TimeChange, ...]
    effect: float
    drift: float | None = None
    incomparable: str = ""

    @property
    def compared(self) -> int:
        """The number of benchmarks that have a verdict on their speed."""
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
        """The changes that fail the gate, one line each; the first ones where they are many."""
        leading = Leading[TimeChange]()
        for place, change in enumerate(self.slower):
            leading.add(change.who, (0, place), change)
        return tuple(
            f"{it.who.implementation} {it.who.mode}: slower by {it.change or 0:.1%} ({it.what})"
            for it in leading.items()
        )


def compare_times(old: RunSnapshot, new: RunSnapshot, *, effect: float = EFFECT) -> TimeComparison:
    """Compare the benchmarks that both runs have.

    Args:
        old: the older run.
        new: the newer run.
        effect: the smallest relative change that counts.
    """
    keys = sorted(old.times.keys() & new.times.keys())
    if not keys:
        return TimeComparison((), (), effect, incomparable="no benchmark is in both runs")
    repeated = [key for key in keys if _passes(old, new, key) >= _LEAST_REPEATED]
    reason = _other_machine(old, new) or ("" if repeated else SINGLE)
    if reason:
        every = tuple(_not_comparable(old, new, key, reason) for key in keys)
        return TimeComparison(every, (), effect, incomparable=reason)
    single = [key for key in keys if _passes(old, new, key) < _LEAST_REPEATED]
    found = _compared(old, new, repeated, effect)
    rest = (_not_comparable(old, new, key, SINGLE) for key in single)
    return replace(found, benchmarks=(*found.benchmarks, *rest))


def _passes(old: RunSnapshot, new: RunSnapshot, key: BenchmarkKey) -> int:
    return min(len(old.times[key]), len(new.times[key]))


def _other_machine(old: RunSnapshot, new: RunSnapshot) -> str:
    """Return in what the machines of two runs differ; empty if in nothing."""
    differing = ((name, it, new.machine.get(name)) for name, it in old.machine.items())
    return next(
        (
            f"another machine: {name} was {before}, is {after}"
            for name, before, after in differing
            if before != after
        ),
        "",
    )


def _not_comparable(
    old: RunSnapshot, new: RunSnapshot, key: BenchmarkKey, reason: str
) -> TimeChange:
    seconds = _median(old, key), _median(new, key)
    return TimeChange(_who(key), key, "not comparable", *seconds, reason=reason)


def _compared(
    old: RunSnapshot, new: RunSnapshot, keys: Sequence[BenchmarkKey], effect: float
) -> TimeComparison:
    """Test the changes of some benchmarks, and those of their implementations."""
    strata, frameworks, cases = (
        np.array(names)
        for names in zip(*((_stratum(it), it.framework, it.case) for it in keys), strict=True)
    )
    # The drift comes out first: over-dispersion presumes that most changes are around 0.
    raw = fastest_changes(_table(old, keys), _table(new, keys), strata)
    # Of runs that were timed in turn there is none: what the machine does falls on both.
    is_in_turn = old.was_in_turn_with(new)
    reference = _reference_change(old, new)
    drift = 0.0 if is_in_turn else common_drift(raw.change, frameworks, reference)
    each = raw.corrected(drift)
    # A change of the code shows in its kernel with hot and cold inputs alike. Kernels are tested;
    # a benchmark has its kernel's p-value where its own change has the same direction.
    kernels = _numbered((_who(key), key.case) for key in keys)
    kernel, p = combine(each, kernels, cases)
    agrees = kernel.change[kernels] * each.change > 0
    own = np.where(agrees, _corrected(kernel, p, 1 - _IMPLEMENTATIONS)[kernels], 1.0)
    timed = [(_who(key), key, _median(old, key), _median(new, key)) for key in keys]
    benchmarks = _changes(timed, each, own, effect)
    whole, p = combine(each, _numbered(map(_who, keys)), cases)
    groups = [(who, None, None, None) for who in dict.fromkeys(map(_who, keys))]
    implementations = _changes(groups, whole, _corrected(whole, p, _IMPLEMENTATIONS), effect)
    told = None if is_in_turn else math.expm1(drift)
    return TimeComparison(benchmarks, implementations, effect, told)


def _numbered(names: Iterable[Hashable]) -> Numbers:
    """Return a number for each name: 0 for the first one, equal numbers for equal names."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names])


def _corrected(found: Estimates, p: Floats, share: float) -> Floats:
    """Return p-values corrected for their number, and for a share of the level only.

    They are corrected by Holm's method, and 1 where passes are too few for a test.
    """
    is_tested, corrected = found.passes >= LEAST_PASSES, np.ones_like(p)
    corrected[is_tested] = np.minimum(holm(p[is_tested]) / share, 1.0)
    return corrected


def _changes(
    timed: Sequence[tuple[Who, BenchmarkKey | None, float | None, float | None]],
    found: Estimates,
    p: Floats,
    effect: float,
) -> tuple[TimeChange, ...]:
    """Return each change with its verdict, from estimates and corrected p-values."""
    columns = (found.change, *found.interval, p, found.passes)
    changes = []
    for (who, key, base, new), row in zip(timed, zip(*columns, strict=True), strict=True):
        change, low, high, chance, passes = map(float, row)
        reason = FEW if passes < LEAST_PASSES else ""
        verdict = "unclear" if reason else _verdict(change, low, high, chance, math.log1p(effect))
        change, low, high = map(math.expm1, (change, low, high))
        changes.append(
            TimeChange(who, key, verdict, base, new, change, low, high, p=chance, reason=reason)
        )
    return tuple(changes)


def _verdict(change: float, low: float, high: float, p: float, smallest: float) -> Speed:
    """Return the verdict on a change; all but the p-value are logarithms."""
    if p < _LEVEL and abs(change) > smallest:
        return "slower" if change > 0 else "faster"
    return "same" if -smallest <= low and high <= smallest else "unclear"


def _who(key: BenchmarkKey) -> Who:
    return Who(*(getattr(key, name) for name in Who._fields))


def _stratum(key: BenchmarkKey) -> str:
    """Return the name of a group of benchmarks that other work on the machine disturbs alike."""
    shape = Case.parse(key.case).shape
    return " ".join([key.framework, key.device, key.threads, key.mode, str(shape)])


def _table(run: RunSnapshot, keys: Sequence[BenchmarkKey]) -> Floats:
    """Return logarithms of the fast rounds, shape (benchmarks, passes); NaN for a missing pass."""
    numbers = sorted({number for key in keys for number in run.times[key]})
    table = [
        [run.times[key][n].fastest if n in run.times[key] else np.nan for n in numbers]
        for key in keys
    ]
    return np.log(np.array(table))


def _reference_change(old: RunSnapshot, new: RunSnapshot) -> float:
    """Return the reference kernel's change in its fastest pass, a logarithm; 0 if unknown."""
    if not old.clocks or not new.clocks:
        return 0.0
    return math.log(min(new.clocks.values()) / min(old.clocks.values()))


def _median(run: RunSnapshot, key: BenchmarkKey) -> float:
    return statistics.median([it.median for it in run.times[key].values()])
