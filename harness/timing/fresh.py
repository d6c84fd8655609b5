"""Tell a function that keeps its results from a fast one, and find out what no call can undercut.

Under the clock a function gets the same arrays again and again. If it keeps its results by the
identity or the address of its inputs, what is timed is a look-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...backends.base import Backend
from ...cases.model import Case

_KEPT = "it keeps results: it returns an old one after its inputs have changed"
_SAME = "it keeps results: two calls have returned the same object"
_ROUNDS = 5
_ROUND = 1e-4  # seconds of a round of copies, so that reading the clock does not count
# Reading alone can be faster than copying, and a copy in one place slower than in another.
_SHARE = 0.5


def refuse_kept_results(
    backend: Backend, case: Case, function: Callable[..., Any], arrays: list[Any], place: int
) -> None:
    """Raise an error if a function returns an old result for inputs that have changed.

    Args:
        backend: the framework.
        case: what is computed.
        function: the function that is timed.
        arrays: its arguments, which nothing else uses: they are overwritten.
        place: which of them has the values.

    Raises:
        RuntimeError: it keeps its results.
    """
    if not _depends_on_values(case):
        return
    values = case.inputs().values
    # Both results are held at once: otherwise the second one could be a new object at the address
    # of the first.
    results = [function(*arrays) for _ in range(2)]
    before = _bits(backend, results[1])
    if backend.overwrite(arrays[place], values * values.dtype.type(0.5)):
        after = _bits(backend, function(*arrays))
        if any(one == other for one, other in zip(before, after, strict=False)):
            raise RuntimeError(_KEPT)
    elif any(one is other for one, other in zip(*map(_parts, results), strict=False)):
        raise RuntimeError(_SAME)  # no array of such a framework is ever written again


def _depends_on_values(case: Case) -> bool:
    """Return whether the result for halved values is always another one."""
    # The softmax of a single class is 1.
    is_single = case.contract.reads_classes and case.shape[case.class_axis] == 1
    return not is_single and all(case.shape)


def _parts(result: Any) -> Sequence[Any]:
    """Return the value, and the gradients if there are any."""
    if isinstance(result, tuple):
        value, gradients = result
        return [value, *(it for it in gradients if it is not None)]
    return [result]


def _bits(backend: Backend, result: Any) -> list[bytes]:
    return [backend.to_numpy(part).tobytes() for part in _parts(result)]


def copying_time(sizes: Sequence[int]) -> float:
    """Return the seconds in which NumPy copies arrays that are in the cache: the fastest round.

    Args:
        sizes: the bytes of each array.
    """
    pairs = [(np.ones(size, np.uint8), np.empty(size, np.uint8)) for size in sizes]

    def copy_all(times: int) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            for source, target in pairs:
                np.copyto(target, source)
        return time.perf_counter() - begin

    copy_all(1)
    times = max(1, int(_ROUND / max(copy_all(1), 1e-9)))
    return min(copy_all(times) for _ in range(_ROUNDS)) / times


def least_time(copied: float, read: int, moved: int) -> float:
    """Return the seconds below which a time is implausible.

    Args:
        copied: seconds in which the inputs are copied: each byte is read and written.
        read: bytes of the inputs.
        moved: the least number of bytes that the call has to read and to write.

    >>> least_time(1e-6, read=100, moved=200)
    5e-07
    """
    return _SHARE * copied * moved / (2 * read)
