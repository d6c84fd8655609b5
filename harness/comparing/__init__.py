"""Come here for what has changed between runs: answers, accuracy, coverage and times.

`compare_runs` compares two snapshots, `history` more than two.
"""

from __future__ import annotations

from .accuracy import AccuracyChange
from .compare import Comparison, Lost, compare_sides
from .history import Course, History, history
from .snapshot import read_side, side_of
from .times import Speed, TimeChange

__all__ = [
    "AccuracyChange",
    "Comparison",
    "Course",
    "History",
    "Lost",
    "Speed",
    "TimeChange",
    "compare_sides",
    "history",
    "read_side",
    "side_of",
]
