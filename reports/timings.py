"""Rank the timings of each question; implementations with wrong answers are not ranked.

A fast function whose answer is wrong is no reference for others, so it neither takes a rank nor
counts as the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from ..harness.causes import library_of
from ..harness.runfile import IncidentRow, ProcessRow, RunFile, TimingRow
from .legend import Mark, mark_of
from .numbers import counted, seconds, three
from .survey import dtype_order, way_of

_FIRST = ("cross_entropy", "softmax", "log_softmax")  # what most readers come for
_EAGER = "eager"
_SHIPPED = "native"
_SHOWN = 100  # calls that were left out; a run of hostile functions may have very many


class Contest(NamedTuple):
    """What timings must have in common to be compared."""

    operation: str
    shape: str
    dtype: str
    device: str
    threads: str
    cache: str


@dataclass(frozen=True)
class TimingLine:
    """One timing with its rank.

    Attributes:
        row: the timing as measured.
        rank: its rank among the right answers of its direction; None for a wrong answer, and for
            an implausible time.
        slower: the ratio of its median to that of the fastest that has a rank; None where it has
            none.
    """

    row: TimingRow
    rank: int | None
    slower: float | None

    @property
    def fault(self) -> str:
        """Why it takes no rank, in a word; empty if it does."""
        if not self.row.agrees:
            return "wrong"
        return "implausible" if self.row.is_implausible else ""

    @property
    def mark(self) -> Mark:
        """The sign of its verdict."""
        return mark_of(self.row.verdict)

    @property
    def of_copy(self) -> float | None:
        """The share of copy bandwidth in percent; None if it is meaningless.

        Data in the cache is not limited by the bandwidth of memory, and the time of a small call
        is mostly overhead.
        """
        share = self.row.of_copy
        return None if share is None or self.row.cache == "hot" else 100 * share

    @property
    def of_logits(self) -> float | None:
        """The peak memory of a linear loss over the bytes of its logits; None if unknown."""
        row = self.row
        return row.memory / row.logits if row.memory is not None and row.logits else None

    @property
    def library(self) -> str:
        """Its library, as users name it."""
        return library_of(self.row.implementation, self.row.framework)

    @property
    def title(self) -> str:
        """The library, with the mode if the call is compiled."""
        row = self.row
        return self.library + ("" if row.mode == _EAGER else f" ({row.mode})")

    @property
    def told(self) -> str:
        """What is measured beside the median, in a sentence."""
        row = self.row
        return (
            f"median {seconds(row.median)}, passes from {seconds(row.low)} to {seconds(row.high)}, "
            f"IQR {seconds(row.iqr)}, {counted(row.rounds, 'round')} in "
            f"{counted(row.passes, 'pass', 'passes')}"
        )

    @property
    def label(self) -> str:
        """The implementation with its mode and device."""
        return f"{self.row.implementation} · {self.way}"

    @property
    def way(self) -> str:
        """The mode, with the device if it is not the CPU."""
        return way_of(self.row.mode, self.row.device)


@dataclass(frozen=True)
class TimingTable:
    """The timings of one contest: by direction, first right answers by speed, then wrong ones."""

    contest: Contest
    lines: tuple[TimingLine, ...]

    @property
    def stories(self) -> tuple[str, ...]:
        """For each direction a line that says how far apart the frameworks are."""
        found = (_story(list(lines)) for _, lines in groupby(self.lines, _direction))
        return tuple(filter(None, found))


def threads_of(runs: Sequence[RunFile]) -> str:
    """Return with how many threads each framework was timed, in words; empty if nobody was."""
    counts: dict[str, set[int]] = {}
    for run in runs:
        for row in run.rows(ProcessRow):
            counts.setdefault(row.threads, set()).add(row.thread_count)
    words = {"one": "one thread"}
    for name, numbers in counts.items():
        if name != "one":
            known = " or ".join(str(number) for number in sorted(numbers) if number)
            words[name] = f"all threads of the machine{f' ({known})' if known else ''}"
    return " and with ".join(words[name] for name in sorted(counts, reverse=True))


@dataclass(frozen=True)
class LeftOut:
    """The calls that `bench` has left out.

    Attributes:
        rows: the first of them, each with its reason.
        more: how many others there are.
    """

    rows: tuple[IncidentRow, ...]
    more: int


def left_out(runs: Sequence[RunFile]) -> LeftOut:
    """Return the calls that could not be timed, or not be measured for their memory."""
    found = [row for run in runs for row in run.rows(IncidentRow) if row.direction]
    different = list(dict.fromkeys(found))
    return LeftOut(tuple(different[:_SHOWN]), len(different[_SHOWN:]))


def timing_tables(runs: Sequence[RunFile]) -> tuple[TimingTable, ...]:
    """Return the timings by contest; of a repeated measurement, that of the last run."""
    # Measurements with an equal key repeat each other. Rows of later runs replace earlier ones.
    latest = {
        (
            row.case,
            row.framework,
            row.implementation,
            row.mode,
            row.device,
            row.direction,
            row.threads,
            row.cache,
        ): row
        for run in runs
        for row in run.rows(TimingRow)
    }
    contests: dict[Contest, list[TimingRow]] = {}
    for row in latest.values():
        contest = Contest(*(getattr(row, name) for name in Contest._fields))
        contests.setdefault(contest, []).append(row)
    return tuple(TimingTable(key, _ranked(contests[key])) for key in sorted(contests, key=_place))


def _ranked(rows: list[TimingRow]) -> tuple[TimingLine, ...]:
    lines: list[TimingLine] = []
    for direction in sorted({row.direction for row in rows}):
        here = sorted((r for r in rows if r.direction == direction), key=lambda r: r.median)
        # The list is sorted by time, so that the first right answer is the fastest.
        right = [row for row in here if row.agrees and not row.is_implausible]
        lines += [
            TimingLine(row, place, row.median / right[0].median if right[0].median else None)
            for place, row in enumerate(right, start=1)
        ]
        lines += [TimingLine(row, None, None) for row in here if row not in right]
    return tuple(lines)


def _place(contest: Contest) -> tuple[Any, ...]:
    """Return the sort key of a contest: cross-entropy first, and of each operation the largest."""
    operation = contest.operation
    known = _FIRST.index(operation) if operation in _FIRST else len(_FIRST)
    sizes = [int(part) for part in contest.shape.split("x") if part.isdigit()]
    return known, operation, dtype_order(contest.dtype), -math.prod(sizes), contest


def _direction(line: TimingLine) -> str:
    return line.row.direction


def _story(lines: Sequence[TimingLine]) -> str:
    """Return how the best of the slowest library compares with the fastest; empty for one alone.

    Functions that frameworks ship are compared, or all where there are fewer than two of them.
    """
    ranked = [line for line in lines if line.rank is not None]
    best = _best(line for line in ranked if line.row.kind == _SHIPPED)
    best = best if len(best) > 1 else _best(ranked)
    if len(best) < 2:
        return ""
    fast, *_, slow = best.values()
    times = slow.row.median / fast.row.median if fast.row.median else None
    return (
        f"{slow.title} takes {three(times)} times as long as {fast.title} for "
        f"{slow.row.direction}, {seconds(slow.row.median)} against {seconds(fast.row.median)}"
    )


def _best(lines: Iterable[TimingLine]) -> dict[str, TimingLine]:
    """Return the first line of each library, the fastest library first."""
    best: dict[str, TimingLine] = {}
    for line in lines:
        best.setdefault(line.library, line)
    return best
