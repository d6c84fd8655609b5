"""Where the time of a run goes: into imports, into the frameworks' own calls, and the rest."""

from __future__ import annotations

import resource
import time
from collections import Counter
from typing import Any


class RunProfile:
    """Adds up seconds; one for each run."""

    def __init__(self) -> None:
        self._begin, self._cpu = time.perf_counter(), time.process_time()
        self._ready: float | None = None
        self._imports: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()

    def imported(self, pool: str, seconds: float) -> None:
        """Add what a worker took to import its framework."""
        self._imports[pool] += seconds  # type: ignore[assignment]  # a Counter adds up floats, too
        self._ready = self._ready or time.perf_counter()

    def called(self, pool: str, seconds: float) -> None:
        """Add what a framework itself took for a batch."""
        self._calls[pool] += seconds  # type: ignore[assignment]

    def figures(self) -> dict[str, Any]:
        """Return what took how long.

        `wall` and `asking` (since the first import) are seconds of the clock, `judging` those of
        this process's CPU; `imports` and `calls` are timed in the workers, by pool. `memory` is the
        most that this process took, in MiB.
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
