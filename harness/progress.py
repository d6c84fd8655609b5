"""Share the progress of a worker, so that the engine can read it after the worker's death."""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from contextlib import suppress
from typing import Self

_SIZE = 16  # bytes: two integers, the progress and the id of the process
_BITS = 32  # of the progress are the position; the others are the number of the request
# What has been mapped stays writable; nothing else can write to the memory or cut it off. A process
# that reads memory which has been cut off dies.
_SEALS = getattr(fcntl, "F_SEAL_SHRINK", 0) | getattr(fcntl, "F_SEAL_GROW", 0)
_SEAL_FUTURE_WRITE = 0x10


class SharedProgress:
    """The request that a worker has reached, and its position in it.

    This is plain shared memory without a lock: a process that dies while it holds a lock would
    block the engine. One integer is written at a time, so it is never read half-written.
    """

    def __init__(self, descriptor: int) -> None:
        """Share the memory of an open file of at least sixteen bytes.

        Args:
            descriptor: the file's descriptor, which this object closes.
        """
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _SIZE)
        self._number = memoryview(self._memory).cast("q")

    @classmethod
    def create(cls) -> Self:
        """Return new shared memory, which no request has reached.

        Raises:
            OSError: there is no room for sixteen bytes.
        """
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("lossdiff-progress", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        # Memory without room on the disk would end the process that writes to it.
        os.write(descriptor, bytes(_SIZE))
        return cls(descriptor)

    def reach(self, request: int, position: int) -> None:
        """Record what the worker does next.

        Args:
            request: the number of the request, from 1.
            position: 0 before its first question, then the number of the question from 1, and one
                more while the answers are sent.
        """
        self._number[0] = request << _BITS | position

    def seal(self) -> None:
        """Record that this is the worker, and keep its functions from writing to the memory."""
        self._number[1] = os.getpid()
        with suppress(OSError, AttributeError):  # memory that is a file, or an older kernel
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS | _SEAL_FUTURE_WRITE)

    @property
    def process(self) -> int:
        """The id of the worker; 0 before it has started."""
        return int(self._number[1])

    @property
    def reached(self) -> tuple[int, int]:
        """The request and the position that were recorded last; zeros before the first."""
        number = int(self._number[0])
        return number >> _BITS, number & (1 << _BITS) - 1

    def close(self) -> None:
        """Give the memory back; `reached` must not be read any more."""
        self._number.release()
        self._memory.close()
        os.close(self.descriptor)
