"""Profile a run: the time of imports, of the frameworks' own calls, and of the rest."""

from __future__ import annotations

import resource
import time
from collections import Counter
from typing import Any


class RunProfile:
    """The seconds that one run has spent, by purpose."""

    def __init__(self) -> None:
        self._begin, self._cpu = time.perf_counter(), time.process_time()
        self._ready: float | None = None
        self._imports: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()

    def imported(self, pool: str, seconds: float) -> None:
        """Add the seconds in which a worker imported its framework."""
        self._imports[pool] += seconds  # type: ignore[assignment]  # a Counter adds floats too
        self._ready = self._ready or time.perf_counter()

    def called(self, pool: str, seconds: float) -> None:
        """Add the seconds of a framework's own calls in a batch."""
        self._calls[pool] += seconds  # type: ignore[assignment]

    def figures(self) -> dict[str, Any]:
        """Return the profile as plain data.

        Returns:
            `wall` is the duration of the run and `asking` that since the first import, in seconds;
            `judging` is the CPU time of this process. `imports` and `calls` were timed in the
            workers, by pool. `memory` is the peak memory of this process in MiB.
        """
        now = time.perf_counter()
        return {
            "wall": now - self._begin,
            "asking": now - (self._ready or now),
            "judging": time.process_time() - self._cpu,
            "imports": dict(self._imports),
            "calls": dict(self._calls),
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
