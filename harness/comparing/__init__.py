"""Come here for what has changed between runs: answers, accuracy, coverage and times.

`read_snapshot` reads a run file into a snapshot. `compare_runs` compares two snapshots, and
`history` follows the times over more than two.
"""

from __future__ import annotations

from .accuracy import AccuracyChange
from .compare import Comparison, compare_runs
from .coverage import CoverageChange
from .history import History, Trend, history
from .snapshot import read_snapshot, snapshot_of
from .times import Speed, TimeChange

__all__ = [
    "AccuracyChange",
    "Comparison",
    "CoverageChange",
    "History",
    "Speed",
    "TimeChange",
    "Trend",
    "compare_runs",
    "history",
    "read_snapshot",
    "snapshot_of",
]
