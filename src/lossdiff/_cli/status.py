"""The exit statuses of the command line."""

from __future__ import annotations

from enum import IntEnum

from ..errors import LossdiffError, ReproError


class Status(IntEnum):
    """The status with which a command ends.

    Attributes:
        OK: nothing unexpected was found.
        FINDINGS: there are findings that the ledger does not name, or regressions.
        USAGE: the command is used wrongly, or its input cannot be read.
        NOTHING: nothing could be measured or decided.
        INTERRUPTED: the user interrupted it; 128 + SIGINT, as shells report it.
    """

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOTHING = 3
    INTERRUPTED = 130


def status_of(error: LossdiffError) -> Status:
    """Return the status with which the command line ends after an error.

    >>> from lossdiff.errors import SessionError
    >>> status_of(SessionError("torch does not start")).name
    'NOTHING'
    """
    return Status.NOTHING if isinstance(error, ReproError) else Status.USAGE
