"""Build the timed region of a benchmark: one call, the wait for its result, and its release."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, starmap
from typing import Any


def calling(
    function: Callable[..., Any],
    sets: Sequence[Sequence[Any]],
    wait: Callable[[Any], Any] | None = None,
) -> Callable[[], object]:
    """Return the timed region: a callable that calls the function once and waits for the result.

    Args:
        function: the function that is timed.
        sets: sets of arguments, which take turns.
        wait: waits for a result; None where a call returns only after it has been computed.

    >>> region = calling(print, [["hot"], ["cold"]])
    >>> for _ in range(3):
    ...     _ = region()
    hot
    cold
    hot
    """
    # The region consists of iterators that are written in C. A Python function around the call
    # would add some tenths of a microsecond to each time, and the smallest calls of PyTorch and JAX
    # take 10 to 20. `__next__` of the outermost iterator is the whole region: `cycle` supplies the
    # next arguments, `starmap` makes the call, and `map` waits for its result.

    results = starmap(function, cycle(map(tuple, sets)))
    there = results if wait is None else map(wait, results)
    # `id` drops the only reference to the result, so that freeing it is timed too, as every user
    # pays for it sooner or later; the integer that it returns keeps no array alive.
    return map(id, there).__next__
