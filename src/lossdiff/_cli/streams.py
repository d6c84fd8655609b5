"""The standard streams of the process, which may be closed, full, or no longer read.

Printing does not raise an error in the middle of a run: what is written to standard error may be
lost, and the first failure of standard output is remembered until the command has ended. Characters
that the encoding lacks are written as escapes.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import TextIO

from ..errors import StreamError
from ..outputs import write_all

_SIZE = 1 << 13  # characters that are written together, where nobody waits for a line


class Output(io.TextIOBase):
    """A stream to one descriptor; it has no `buffer`, so that nothing is written past it.

    Attributes:
        failure: the error of the first write that failed; None if there was none.
        stops: whether that error ends the command.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int, stream: TextIO | None) -> None:
        """Take a descriptor, and Python's own stream to it; None for one that was closed."""
        self.failure: OSError | None = None
        self.stops = False
        self._descriptor = descriptor
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        if not _can_encode(self.encoding, self.errors):
            self.encoding = "utf-8"
        self._encoder = codecs.getincrementalencoder(self.encoding)(self.errors)
        self._is_prompt = descriptor == 2 or self.isatty()
        self._pending: list[str] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, text: str) -> int:
        if not isinstance(text, str):  # click finds out in this way which kind of stream it has
            raise TypeError(f"a text is written, not {type(text).__name__}")
        self._pending.append(text)
        self._size += len(text)
        if self._size > _SIZE or (self._is_prompt and "\n" in text):
            self.flush()
        return len(text)

    def discard(self) -> None:
        """Drop what is pending."""
        self._pending.clear()
        self._size = 0

    def flush(self) -> None:
        text = "".join(self._pending)
        self.discard()
        data = self._encoder.encode(text) if text and self.failure is None else b""
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            self.failure = error
        if self.failure is not None and self.stops:
            raise StreamError(self.failure.strerror)


def _can_encode(encoding: str, errors: str) -> bool:
    """Return whether an encoding is one for any text; such as `idna` knows no escapes."""
    try:
        codecs.getincrementalencoder(encoding)(errors).encode("\u2713\n")
    except (UnicodeError, LookupError):
        return False
    return True


def prepare() -> None:
    """Replace the streams of the process by ones that bear every kind of trouble."""
    # A closed descriptor would be given to the next file that is opened, and a print would write
    # into it. Workers inherit the descriptors. Nothing can be written to one opened for reading.
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- for the process
    sys.stdout, sys.stderr = Output(1, sys.stdout), Output(2, sys.stderr)


def stop_with_output() -> None:
    """End the command as soon as nothing can be printed: it has nothing else to do."""
    if isinstance(sys.stdout, Output):
        sys.stdout.stops = True


def discard() -> None:
    """Drop what is pending on standard output."""
    if isinstance(sys.stdout, Output):
        sys.stdout.discard()


def failure_of_output() -> str:
    """Write what is pending; return why standard output has lost something, or an empty text.

    A reader that has ended before it has read everything wants no more, which is no failure.
    """
    if not isinstance(sys.stdout, Output):
        return ""
    sys.stdout.stops = False
    sys.stdout.flush()
    failure = sys.stdout.failure
    if failure is None or failure.errno == errno.EPIPE:
        return ""
    return "it is closed" if failure.errno == errno.EBADF else failure.strerror or str(failure)
