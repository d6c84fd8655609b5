"""Come here for `lossdiff bench`: which benchmarks there are, how they are timed and kept.

`schedule` plans processes, `bench` starts them, `child` runs each under limits, and `blame` decides
what is timed after one has died. `pytest_suite` is the file that pytest-benchmark runs in each of
them, `recorder` tells `bench` how far it is, and `results` turns its output into rows of the run
file.
"""

from __future__ import annotations

from .bench import Side, require_pytest_benchmark, time_passes, time_sides
from .benchmarks import BENCH_SUITES, THREADS, bench_suite, is_timed
from .schedule import Timing

__all__ = [
    "BENCH_SUITES",
    "THREADS",
    "Side",
    "Timing",
    "bench_suite",
    "is_timed",
    "require_pytest_benchmark",
    "time_passes",
    "time_sides",
]
