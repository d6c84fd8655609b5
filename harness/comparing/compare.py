"""Compare two runs: answers, coverage and times, and decide what fails the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .accuracy import AccuracyChange, compare_accuracy
from .snapshot import AnswerKey, BenchmarkKey, RunSnapshot, names_of, read_snapshot
from .times import EFFECT, SINGLE, TimeComparison, compare_times

_ASKED = ("suite", "benchmarks", "seed", "count")  # what decides which cases there are


@dataclass(frozen=True)
class CoverageChange:
    """The answers or timings of one implementation that only one of two runs has.

    Attributes:
        what: answers or timings.
        implementation, framework, mode: the implementation, and how it was run.
        count: their number.
        example: the case of the first one.
    """

    what: Literal["answers", "timings"]
    implementation: str
    framework: str
    mode: str
    count: int
    example: str


@dataclass(frozen=True)
class Coverage:
    """The answers and timings that only one of two runs has.

    Attributes:
        vanished: those of the base.
        appeared: those of the new run.
        unreached: those that the other run lacks because it was cut off before them.
        incomparable: why coverage is not compared: the runs had different cases.
    """

    vanished: tuple[CoverageChange, ...]
    appeared: tuple[CoverageChange, ...]
    unreached: tuple[CoverageChange, ...] = ()
    incomparable: str = ""


@dataclass(frozen=True)
class Comparison:
    """The differences between two runs.

    Attributes:
        base, new: the runs.
        answers: number of answers that both runs have.
        accuracy: the answers that changed.
        coverage: the answers and timings that only one run has.
        times: the benchmarks that both runs have.
    """

    base: RunSnapshot
    new: RunSnapshot
    answers: int
    accuracy: tuple[AccuracyChange, ...]
    coverage: Coverage
    times: TimeComparison

    @property
    def names(self) -> tuple[str, str]:
        """The names of both runs, which differ from each other."""
        base, new = names_of((self.base, self.new))
        return base, new

    @property
    def regressions(self) -> tuple[str, ...]:
        """The changes that fail the gate, one line each."""
        wrong = [
            f"{change.answer.implementation} {change.answer.mode}: {change.kind} "
            f"({change.answer.quantity} of {change.answer.case})"
            for change in self.accuracy
            if change.is_regression
        ]
        lost = [
            f"{it.implementation} {it.mode}: {it.count} {it.what} vanished ({it.example})"
            for it in self.coverage.vanished
        ]
        return (*wrong, *lost, *self.times.regressions)

    @property
    def incomplete(self) -> str:
        """Which run was cut off, and what could therefore not be compared; empty if none was."""
        names = [
            name
            for name, run in zip(self.names, (self.base, self.new), strict=True)
            if run.is_cut_off
        ]
        if not names:
            return ""
        counts = Counter[str]()
        for it in self.coverage.unreached:
            counts[it.what] += it.count
        counts["timings of one pass"] = sum(it.reason == SINGLE for it in self.times.benchmarks)
        lacking = [f"{count} {what}" for what, count in counts.items() if count]
        left = f"; not compared: {', '.join(lacking)}" if lacking else ""
        return f"{' and '.join(names)} {'were' if len(names) > 1 else 'was'} cut off{left}"

    @property
    def is_empty(self) -> bool:
        """Whether the runs have nothing in common."""
        return not self.answers and not self.times.compared


def compare(base: Path, new: Path, *, effect: float = EFFECT) -> Comparison:
    """Compare two run files.

    Args:
        base: the older run file.
        new: the newer one.
        effect: the smallest relative change of a time that counts.

    Raises:
        RunFileError: one of them is missing, damaged, or not a run file.
    """
    return compare_runs(read_snapshot(base), read_snapshot(new), effect=effect)


def compare_runs(base: RunSnapshot, new: RunSnapshot, *, effect: float = EFFECT) -> Comparison:
    """Compare two runs that have been read.

    Args:
        base: the older run.
        new: the newer run.
        effect: the smallest relative change of a time that counts.
    """
    return Comparison(
        base,
        new,
        len(base.answers.keys() & new.answers.keys()),
        compare_accuracy(base, new),
        _coverage(base, new),
        compare_times(base, new, effect=effect),
    )


def _coverage(base: RunSnapshot, new: RunSnapshot) -> Coverage:
    # Runs with other cases differ in coverage by intent, and a run that was cut off has not lost
    # what it did not reach. Neither may fail the gate.
    differing = [
        f"{name} {base.meta[name]} and {new.meta[name]}"
        for name in _ASKED
        if name in base.meta
        and name in new.meta
        and base.meta[name] != new.meta[name]
        and not (name == "seed" and base.meta.get("suite") == "bench")  # it orders benchmarks only
    ]
    if differing:
        reason = f"they were asked different things: {', '.join(differing)}"
        return Coverage((), (), incomparable=reason)
    # What a run that was cut off lacks is reported, but as unreached.
    missing, more = _only(base, new), _only(new, base)
    unreached = (missing if new.is_cut_off else ()) + (more if base.is_cut_off else ())
    return Coverage(() if new.is_cut_off else missing, () if base.is_cut_off else more, unreached)


def _only(one: RunSnapshot, other: RunSnapshot) -> tuple[CoverageChange, ...]:
    answers = [
        key
        for key, rows in one.answers.items()
        if key not in other.answers and any(row.verdict != "unsupported" for row in rows)
    ]
    timings = [key for key in one.times if key not in other.times]
    return (*_lost("answers", answers), *_lost("timings", timings))


def _lost(
    what: Literal["answers", "timings"], keys: Iterable[AnswerKey | BenchmarkKey]
) -> tuple[CoverageChange, ...]:
    keys = list(keys)
    counts = Counter((key.implementation, key.framework, key.mode) for key in keys)
    examples = {(key.implementation, key.framework, key.mode): key.case for key in reversed(keys)}
    return tuple(CoverageChange(what, *who, count, examples[who]) for who, count in counts.items())
