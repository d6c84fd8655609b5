"""Compare two runs: answers, coverage and times, and decide what fails the gate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..runfile import RunFile, cases_of, matched, matched_cases
from .accuracy import AccuracyComparison, AccuracyTally
from .coverage import Coverage, CoverageTally
from .snapshot import RunSnapshot, names_of, read_snapshot
from .times import EFFECT, SINGLE, TimeComparison, compare_times


@dataclass(frozen=True)
class Comparison:
    """The differences between two runs.

    Attributes:
        base, new: the runs.
        accuracy: the answers that both runs have, and how they changed.
        coverage: the answers and timings that only one run has.
        times: the benchmarks that both runs have.
    """

    base: RunSnapshot
    new: RunSnapshot
    accuracy: AccuracyComparison
    coverage: Coverage
    times: TimeComparison

    @property
    def names(self) -> tuple[str, str]:
        """The names of both runs, which differ from each other."""
        base, new = names_of((self.base, self.new))
        return base, new

    @property
    def answers(self) -> int:
        """The number of answers that both runs have."""
        return self.accuracy.compared

    @property
    def regression_count(self) -> int:
        """The number of changes that fail the gate."""
        lost, slower = len(self.coverage.vanished), len(self.times.slower)
        return self.accuracy.regression_count + lost + slower

    @property
    def regressions(self) -> tuple[str, ...]:
        """The changes that fail the gate, one line each; the first ones where they are many."""
        wrong = [
            f"{change.answer.implementation} {change.answer.mode}: {change.kind} "
            f"({change.answer.quantity} of {change.answer.case})"
            for change in self.accuracy.regressions
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
    """Compare two runs whose snapshots were taken; their answers are read from their files.

    Args:
        base: the older run.
        new: the newer run.
        effect: the smallest relative change of a time that counts.

    Raises:
        RunFileError: a run file is missing, damaged, or not a run file.
    """
    accuracy, coverage = AccuracyTally(base, new), CoverageTally(base, new)
    with RunFile.open(base.path) as one, RunFile.open(new.path) as other:
        for before, after in matched_cases(cases_of(one), cases_of(other)):
            if before is not None and after is not None and before.said == after.said:
                accuracy.add_equal(before)
                continue
            for pair in matched(before, after):
                accuracy.add(*pair)
                coverage.add(*pair)
    times = compare_times(base, new, effect=effect)
    return Comparison(base, new, accuracy.result(), coverage.result(), times)
