"""Say what has become worse and better since a baseline, for the first screen of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..harness.comparing import AccuracyChange, Comparison, TimeChange, compare_runs, snapshot_of
from ..harness.runfile import RunFile
from .comparison_markdown import share
from .numbers import counted, seconds, three

_SHOWN = 5  # lines of what became worse, and of what became better


@dataclass(frozen=True)
class Changes:
    """What differs between two runs that asked the same.

    Attributes:
        base, new: their names.
        answers: the number of answers that both have.
        benchmarks: the number of benchmarks that both have.
        worse, better: one line for each function and kind of change, the most frequent first.
        worse_count, better_count: the number of answers and benchmarks that changed so.
    """

    base: str
    new: str
    answers: int
    benchmarks: int
    worse: tuple[str, ...]
    better: tuple[str, ...]
    worse_count: int
    better_count: int

    @property
    def compared(self) -> str:
        """What both runs have, in words."""
        parts = [
            counted(self.answers, "answer") if self.answers else "",
            counted(self.benchmarks, "benchmark") if self.benchmarks else "",
        ]
        return " and ".join(filter(None, parts))


def changes_of(runs: Sequence[RunFile]) -> Changes | None:
    """Return what changed from the first run to the last one; None if they share nothing.

    Args:
        runs: run files, the oldest first. Parts of one run share no answer, so that nothing is
            compared.
    """
    if len(runs) < 2:
        return None
    found = compare_runs(snapshot_of(runs[0]), snapshot_of(runs[-1]))
    return None if found.is_empty else _changes(found)


def _changes(found: Comparison) -> Changes:
    counts: Counter[bool] = Counter()
    for kind, number in found.accuracy.counts.items():
        if kind.kind != "bits changed":
            counts[kind.kind == "better"] += number
    accuracy = [change for change in found.accuracy.changes if change.kind != "bits changed"]
    slower = [change for change in found.times.benchmarks if change.verdict == "slower"]
    faster = [change for change in found.times.benchmarks if change.verdict == "faster"]
    base, new = found.names
    return Changes(
        base,
        new,
        found.answers,
        found.times.compared,
        _lines((change for change in accuracy if change.kind != "better"), slower),
        _lines((change for change in accuracy if change.kind == "better"), faster),
        counts[False] + len(slower),
        counts[True] + len(faster),
    )


def _lines(accuracy: Iterable[AccuracyChange], times: Iterable[TimeChange]) -> tuple[str, ...]:
    """Return the first lines: changed answers by function and verdict, then changed times."""
    groups: dict[tuple[str, ...], list[AccuracyChange]] = {}
    for change in accuracy:
        key = (change.answer.implementation, change.answer.mode, change.before, change.after)
        groups.setdefault(key, []).append(change)
    ordered = sorted(groups.values(), key=len, reverse=True)
    lines = [*map(_answer_line, ordered), *map(_time_line, times)]
    return tuple(lines[:_SHOWN])


def _answer_line(group: Sequence[AccuracyChange]) -> str:
    first = group[0]
    words = f"{first.before} → {first.after}"
    if first.before == first.after:
        sizes = (three(first.before_ulp), three(first.after_ulp))
        words = f"{first.before}, {sizes[0]} → {sizes[1]} ulp"
    return (
        f"{first.answer.implementation}, {first.answer.mode}: {words} "
        f"({counted(len(group), 'answer')}, such as {first.answer.case})"
    )


def _time_line(change: TimeChange) -> str:
    operation = f"{change.key.case.partition('/')[0]} " if change.key else ""
    return (
        f"{change.who.implementation}, {change.who.mode}: {operation}{change.what} "
        f"{share(change.change)}, {seconds(change.base)} → {seconds(change.new)}"
    )
