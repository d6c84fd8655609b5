"""The timings, by question; what was answered wrongly is out of the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..harness.runfile import RunFile, TimingRow
from .legend import Mark, mark_of
from .survey import way_of


class Contest(NamedTuple):
    """Timings that may be compared: same question, device, threads and state of the cache."""

    operation: str
    shape: str
    dtype: str
    device: str
    threads: str
    cache: str


@dataclass(frozen=True)
class TimingLine:
    """One timing.

    Attributes:
        row: as measured.
        rank: its place among the right answers of its direction; None for a finding.
        slower: its median over the fastest right answer's; None for a finding.
    """

    row: TimingRow
    rank: int | None
    slower: float | None

    @property
    def mark(self) -> Mark:
        """How its verdict is shown."""
        return mark_of(self.row.verdict)

    @property
    def of_copy(self) -> float | None:
        """Bytes over time in percent of what a copy moves; None where it says nothing.

        From the cache a copy is no limit, and a small call is all overhead.
        """
        share = self.row.of_copy
        return None if share is None or self.row.cache == "hot" else 100 * share

    @property
    def label(self) -> str:
        """Who, and how."""
        return f"{self.row.implementation} · {way_of(self.row.mode, self.row.device)}"


@dataclass(frozen=True)
class TimingTable:
    """The timings of one contest: forward first, right answers by speed, then the others."""

    contest: Contest
    lines: tuple[TimingLine, ...]


def timing_tables(runs: Sequence[RunFile]) -> tuple[TimingTable, ...]:
    """Return the timings; of a repeated measurement the last run's counts."""
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
        right = [row for row in here if row.agrees]
        lines += [
            TimingLine(row, place, row.median / right[0].median if right[0].median else None)
            for place, row in enumerate(right, start=1)
        ]
        lines += [TimingLine(row, None, None) for row in here if not row.agrees]
    return tuple(lines)
