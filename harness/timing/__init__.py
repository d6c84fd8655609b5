"""Come here for `lossdiff bench`: which benchmarks there are, how they are timed and kept.

`bench` plans processes, `child` runs each under limits, and `blame` decides what is timed after one
has died. `pytest_suite` is the file that pytest-benchmark runs in each of them, `recorder` tells
`bench` how far it is, and `results` turns its output into rows of the run file.
"""

from __future__ import annotations

from .bench import Timing, require_pytest_benchmark, time_passes
from .benchmarks import BENCH_SUITES, THREADS, bench_suite, is_timed

__all__ = [
    "BENCH_SUITES",
    "THREADS",
    "Timing",
    "bench_suite",
    "is_timed",
    "require_pytest_benchmark",
    "time_passes",
]
