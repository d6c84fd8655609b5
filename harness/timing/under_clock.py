"""What stands under the clock of a benchmark: one call, the wait for its result, and its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, starmap
from typing import Any


def calling(
    function: Callable[..., Any],
    sets: Sequence[Sequence[Any]],
    wait: Callable[[Any], Any] | None = None,
) -> Callable[[], object]:
    """Return a callable; each time it is called it makes one call, to its end.

    It is put together of iterators that are written in C: a Python function around the call takes
    some tenths of a microsecond more, and JAX's smallest calls take 19.

    Args:
        function: what is timed.
        sets: arguments; sets take turns.
        wait: waits for a result; None where a call has its result when it returns.
    """
    results = starmap(function, cycle(map(tuple, sets)))
    there = results if wait is None else map(wait, results)
    # `id` lets the result go, as a user does sooner or later, and hands out what takes no memory.
    return map(id, there).__next__
