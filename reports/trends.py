"""Draw the trend of each benchmark over several runs as a small chart with its change point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..harness.comparing import Trend, history, snapshot_of
from ..harness.runfile import PassRow, RunFile
from .comparison_markdown import share
from .numbers import seconds

_WIDTH, _HEIGHT, _EDGE = 140, 40, 6
# The height of a chart is at least a change of 25%: scaled to its own range alone, noise would look
# like a change.
_LEAST = math.log(1.25)


@dataclass(frozen=True)
class Dot:
    """One run in a small chart.

    Attributes:
        x, y: its position in the chart.
        text: the run and its time.
        is_step: whether the run is a change point.
    """

    x: float
    y: float
    text: str
    is_step: bool


@dataclass(frozen=True)
class TrendLine:
    """One benchmark over the runs.

    Attributes:
        trend: its trend.
        dots: one dot for each run that timed it.
        first, last: its times in the first and the last of these runs.
        at: the run of its change point; empty without one.
        by: the change there, with the common-mode drift taken out.
    """

    trend: Trend
    dots: tuple[Dot, ...]
    first: str
    last: str
    at: str
    by: str

    @property
    def operation(self) -> str:
        """The operation that was timed."""
        return self.trend.key.case.partition("/")[0]

    @property
    def points(self) -> str:
        """The line through the dots, as the attribute `points` of an SVG polyline."""
        return " ".join(f"{dot.x:g},{dot.y:g}" for dot in self.dots)


@dataclass(frozen=True)
class Trends:
    """Some runs, the oldest first.

    Attributes:
        names: the names of the runs.
        stepped: the benchmarks with a change point, the largest change first.
        steady: the other benchmarks.
        width, height: the size of a chart.
    """

    names: tuple[str, ...]
    stepped: tuple[TrendLine, ...]
    steady: tuple[TrendLine, ...]
    width: int = _WIDTH
    height: int = _HEIGHT


def trends_of(runs: Sequence[RunFile]) -> Trends | None:
    """Return the trends over the runs with timings; None if no two runs timed the same."""
    timed = [run for run in runs if run.count(PassRow)]
    if len(timed) < 2:
        return None
    found = history([snapshot_of(run) for run in timed])
    # A single time has no trend.
    lines = [
        _line(trend, found.names)
        for trend in found.trends
        if sum(it is not None for it in trend.medians) > 1
    ]
    if not lines:
        return None
    # The largest change comes first, whether it is slower or faster.
    stepped = [line for line in lines if line.at]
    stepped.sort(key=lambda line: abs(line.trend.changes[line.trend.step or 0] or 0))
    return Trends(found.names, tuple(stepped[::-1]), tuple(it for it in lines if not it.at))


def _line(trend: Trend, names: Sequence[str]) -> TrendLine:
    times = [(n, time) for n, time in enumerate(trend.medians) if time is not None]
    at, by = "", ""
    if trend.step is not None:
        at, by = names[trend.step], share(trend.changes[trend.step])
    first, last = times[0][1], times[-1][1]
    dots = _dots(times, trend.step, names)
    return TrendLine(trend, dots, seconds(first), seconds(last), at, by)


def _dots(
    times: Sequence[tuple[int, float]], step: int | None, names: Sequence[str]
) -> tuple[Dot, ...]:
    """Return the dots of the runs from left to right, on a logarithmic scale of their own."""
    # The middle of the range is in the middle of the chart, and the range fills its height.
    logs = [math.log(time) for _, time in times]
    middle, span = (max(logs) + min(logs)) / 2, max(max(logs) - min(logs), _LEAST)
    wide, high = _WIDTH - 2 * _EDGE, _HEIGHT - 2 * _EDGE
    return tuple(
        Dot(
            round(_EDGE + wide * number / (len(names) - 1), 1),
            round(_HEIGHT / 2 - high * (log - middle) / span, 1),
            f"{names[number]}: {seconds(time)}",
            number == step,
        )
        for (number, time), log in zip(times, logs, strict=True)
    )
