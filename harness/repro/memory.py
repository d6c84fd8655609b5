"""Keep what `repro` starts within a limit of memory, and refuse a case that would not fit."""

from __future__ import annotations

import math
import os
from contextlib import suppress

import psutil

from ...cases.model import Case
from ...errors import NothingToShowError, RunFileError
from ..workers import GIB

# Bytes for each element of a case: values, target and gradient as they are drawn and judged, in
# float64, and the framework's own copies.
_EACH = 48
_HELPER = "multiprocessing.resource_tracker"


def check_fits(case: Case, limit: int) -> None:
    """Refuse a case whose inputs would not fit, before anything is allocated.

    Args:
        case: the case.
        limit: the bytes that are allowed.

    Raises:
        NothingToShowError: the inputs would take more.
    """
    needed = math.prod(case.shape) * _EACH
    if needed > limit:
        raise NothingToShowError(
            f"{case.id} would take about {needed / GIB:.3g} GiB, more than the "
            f"{limit / GIB:.3g} GiB that are allowed; --memory GIB sets another limit"
        )


def check_inputs(case: Case) -> None:
    """Refuse a case that an id can describe, and nobody can draw.

    Raises:
        RunFileError: there are no such inputs, or they need more memory than there is.
    """
    try:
        case.inputs()
    except (LookupError, TypeError, ValueError, OverflowError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise RunFileError(f"{case.id} has no inputs: {reason.splitlines()[0][:200]}") from error


class MemoryGuard:
    """Ends child processes of this process that take more memory than is allowed.

    Attributes:
        limit: the resident bytes of each process.
        ended: the ids of the processes that were ended.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.ended: set[int] = set()

    def poll(self) -> None:
        """Look at all processes once."""
        with suppress(psutil.Error):
            for process in psutil.Process(os.getpid()).children(recursive=True):
                self._check(process)

    def _check(self, process: psutil.Process) -> None:
        with suppress(psutil.Error):
            # Python's own helper is no function of anybody, and others wait for it.
            is_over = process.memory_info().rss > self.limit
            if is_over and _HELPER not in " ".join(process.cmdline()):
                self.ended.add(process.pid)
                process.kill()

    @property
    def reason(self) -> str:
        """What is said of a process that was ended; empty if none was since the last time."""
        ended, self.ended = self.ended, set()
        return f"the process took more than {self.limit / GIB:.3g} GiB of memory" if ended else ""
