"""How a command ends: an exception becomes one line on standard error, and an exit status.

Nothing heavy is imported here, because the imports of the command are guarded too.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from ..errors import LossdiffError, StreamError
from ..printing import printable
from . import streams
from .signals import signals
from .status import Status, status_of

TRACEBACK = "LOSSDIFF_TRACEBACK"  # the environment variable that asks for the traceback
_NO_THREAD = "can't start new thread"  # Python raises it as a RuntimeError


def status_after(work: Callable[[], int], *passed: type[BaseException]) -> int:
    """Execute a command, and return its exit status.

    Args:
        work: the command, which returns a status.
        passed: exceptions that somebody else handles.
    """
    try:
        return work()
    except passed:
        raise
    except BaseException as error:  # noqa: BLE001 -- this is where all of them end
        return _status_after(error)


def _status_after(error: BaseException) -> int:
    """Print the line of an error, and return the exit status."""
    # An interrupt may come up as another exception, when it arrives in the middle of an import;
    # one that nobody has sent stands for the error of a thread.
    if signals.number or (isinstance(error, KeyboardInterrupt) and not signals.failure):
        say("; ".join(["interrupted", *filter(None, [str(error)])]))
        return 128 + signals.number if signals.number else Status.INTERRUPTED
    if isinstance(error, KeyboardInterrupt) and signals.failure:
        error = signals.failure
    if isinstance(error, StreamError):
        return Status.OK  # `finished` looks at the stream
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    if isinstance(error, LossdiffError):
        for line in getattr(error, "traceback", "").splitlines():  # that of a user's own error
            print(printable(line), file=sys.stderr)  # noqa: T201
        say(str(error))
        return status_of(error)
    if reason := _reason_of_machine(error):
        say(reason)
        return Status.USAGE
    said = " ".join(f"{type(error).__name__}: {error}".split())
    say(f"internal error in {_place(error)}: {said}; please report it with the traceback, which "
        f"{TRACEBACK}=1 prints")  # fmt: skip
    return Status.INTERNAL


def _reason_of_machine(error: BaseException) -> str:
    """Return what the machine refuses, if that is the cause of an error; otherwise nothing."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "the current folder has been removed"  # Python asks where it is, and names no file
    if isinstance(error, OSError):
        about = f"{error.filename}: " if error.filename is not None else ""
        return f"{about}{error.strerror or error}"
    if isinstance(error, ImportError):
        return f"cannot import {error.name or 'a module'}: {error}"
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return "no thread can be started: a limit of processes or of memory is reached"
    return ""


def _place(error: BaseException) -> str:
    """Return the last place of lossdiff's own code that an error has passed: module and line."""
    place, step = "an unknown place", error.__traceback__
    while step is not None:
        name = step.tb_frame.f_globals.get("__name__", "")
        if name.partition(".")[0] == __name__.partition(".")[0]:
            place = f"{name}, line {step.tb_lineno}"
        step = step.tb_next
    return place


def say(line: str) -> None:
    """Print one line about how the command ends on standard error."""
    print(f"lossdiff: {printable(' '.join(line.split()))}", file=sys.stderr)  # noqa: T201


def finished(status: int) -> int:
    """Return the status of the process, in view of what became of standard output."""
    if status > 128:  # whoever ends a command does not wait for a reader that is slow
        streams.discard()
    failure = streams.failure_of_output()
    if not failure or status not in (Status.OK, Status.FINDINGS):
        return status
    say(f"standard output cannot be written: {failure}")
    return Status.USAGE
