"""The exit statuses of the command line."""

from __future__ import annotations

from enum import IntEnum

from ..errors import LossdiffError, ReproError


class Status(IntEnum):
    """The status with which a command ends; the table of the README has the same.

    Attributes:
        OK: nothing unexpected was found. A reader that ends before it has read everything, such as
            `head`, does not change the status.
        FINDINGS: there are findings that the ledger does not name, or regressions.
        USAGE: the command is used wrongly, or an input, an output, standard output or a resource
            of the machine cannot be used.
        NOTHING: nothing could be measured or decided.
        INTERNAL: lossdiff has a defect; `EX_SOFTWARE` of sysexits.
        HANGUP: its terminal was closed; 128 + SIGHUP, as shells report it.
        INTERRUPTED: the user interrupted it; 128 + SIGINT.
        TERMINATED: it was asked to end; 128 + SIGTERM.
    """

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOTHING = 3
    INTERNAL = 70
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


def status_of(error: LossdiffError) -> Status:
    """Return the status with which the command line ends after an error.

    >>> from lossdiff.errors import SessionError
    >>> status_of(SessionError("torch does not start")).name
    'NOTHING'
    """
    return Status.NOTHING if isinstance(error, ReproError) else Status.USAGE
