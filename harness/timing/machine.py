"""Measure the machine: its cores and caches, and how fast it copies and computes at a moment."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

_CACHE = Path("/sys/devices/system/cpu/cpu0/cache")
_STATUS = Path("/proc/self/status")
_USUAL_CACHE = 32 * 2**20  # assumed where the system does not report one
_LEAST_COPIED, _MOST_COPIED = 2**26, 2**29
_COMPUTED = 2**15  # elements of the reference kernel: its time depends on the core, not on memory


def cache_bytes() -> int:
    """Return the size of the CPU's last-level cache in bytes, or a usual size if it is unknown."""
    sizes = [_bytes(path.read_text(encoding="ascii")) for path in _CACHE.glob("index*/size")]
    return max(sizes, default=_USUAL_CACHE)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMG]?)", text.strip())
    if found is None:
        return 0
    return int(found[1]) * 2 ** {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]


def usable() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(usable())


def load() -> float | None:
    """Return the load average of the last minute; None where there is none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def copied_bytes() -> int:
    """Return the bytes of one copy, which exceed the last-level cache unless it is huge."""
    return min(max(_LEAST_COPIED, 2 * cache_bytes()), _MOST_COPIED)


def copying(threads: int) -> tuple[Callable[[], None], int]:
    """Return a function that copies memory, and the bytes that it moves.

    Bytes are counted as by the STREAM benchmark: each byte is read and written.

    Args:
        threads: number of threads that share the work.
    """
    size = copied_bytes()
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    if threads == 1:
        return lambda: np.copyto(target, source), 2 * size
    pool = ThreadPoolExecutor(threads)  # NumPy releases the interpreter's lock while it copies

    def copy() -> None:
        list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))

    return copy, 2 * size


def computing() -> Callable[[], None]:
    """Return the reference kernel: a fixed piece of work, whose time shows how fast a core is."""
    values = np.linspace(-5, 5, _COMPUTED, dtype=np.float64)
    out = np.empty_like(values)

    def compute() -> None:
        np.exp(values, out=out)

    return compute


def resident() -> tuple[int, int]:
    """Return the resident memory of this process and its peak, in bytes; Linux only."""
    text = _STATUS.read_text(encoding="utf-8")
    found = [re.search(rf"{name}:\s+(\d+) kB", text) for name in ("VmRSS", "VmHWM")]
    now, peak = (int(match[1]) * 1024 if match else 0 for match in found)
    return now, peak


def forget_peak() -> bool:
    """Reset the peak memory of this process; return False where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        return False
    return True


def stamp() -> str:
    """Return the date and the time of day with the time zone, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
