"""Rank the timings of each question; implementations with wrong answers are not ranked.

A fast function whose answer is wrong is no reference for others, so it neither takes a rank nor
counts as the fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..harness.runfile import RunFile, TimingRow
from .legend import Mark, mark_of
from .survey import way_of


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
    def label(self) -> str:
        """The implementation with its mode and device."""
        return f"{self.row.implementation} · {way_of(self.row.mode, self.row.device)}"


@dataclass(frozen=True)
class TimingTable:
    """The timings of one contest: by direction, first right answers by speed, then wrong ones."""

    contest: Contest
    lines: tuple[TimingLine, ...]


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
    return tuple(TimingTable(key, _ranked(contests[key])) for key in sorted(contests))


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
