"""Choose the colours of frameworks, and place the timings of a contest on an axis of time."""

from __future__ import annotations

from collections.abc import Sequence

from .axis import LogAxis, axis
from .numbers import seconds
from .timings import TimingTable

# Okabe and Ito's colours, which all kinds of colour vision distinguish. The name of a function is
# always beside them.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARGIN = 0.08  # powers of ten beside the shortest and the longest time


def key(frameworks: Sequence[str]) -> dict[str, str]:
    """Return the colour of each framework.

    >>> key(["jax", "torch"])
    {'jax': '#0072B2', 'torch': '#D55E00'}
    """
    return {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(frameworks)}


def time_axis(table: TimingTable) -> LogAxis:
    """Return the axis of one contest, which all of its directions share."""
    rows = [line.row for line in table.lines]
    return axis([time for row in rows for time in (row.low, row.high)], seconds, margin=_MARGIN)
