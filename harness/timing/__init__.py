"""Come here for `lossdiff bench`: which benchmarks there are, how they are timed and kept.

`pytest_suite` is run by pytest-benchmark in a process of its own, and nobody imports it.
"""

from __future__ import annotations

from .bench import Timing, time_passes
from .benchmarks import BENCH_SUITES, THREADS, bench_suite, is_timed

__all__ = [
    "BENCH_SUITES",
    "THREADS",
    "Timing",
    "bench_suite",
    "is_timed",
    "time_passes",
]
