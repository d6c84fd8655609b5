"""Decide when a run may be published: not before its command line is known to be right.

A file that is given with `--impl` may end the process that imports it, and so may a framework that
is only partly installed. From outside both look the same; they differ in whether the framework
starts without the file.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import UserFileError
from ..runfile import RunFile
from .batches import WorkerPool


class StartGate:
    """A gate that a run file passes once every user's file has been imported or found wrong."""

    def __init__(self, run: RunFile, frameworks: Iterable[str]) -> None:
        """Wait for the user's files of some frameworks."""
        self._run = run
        self._waited_for = set(frameworks)
        self._suspected: dict[str, str] = {}  # why a framework did not start with its files
        self._started: set[str] = set()  # frameworks that start without a user's files

    def started(self, pool: WorkerPool) -> None:
        """Record that a worker of a pool has started.

        Raises:
            UserFileError: the framework starts without the files, but not with them.
        """
        if pool.files:
            self.settle(pool.framework)
        else:
            self._started.add(pool.framework)
            self._blame(pool.framework)

    def did_not_start(self, pool: WorkerPool, reason: str) -> None:
        """Record that a worker of a pool has not started.

        Raises:
            UserFileError: the framework starts without the files, but not with them.
        """
        if pool.files:
            self._suspected[pool.framework] = f"{', '.join(pool.files)}: {reason}"
            self._blame(pool.framework)

    def settle(self, framework: str) -> None:
        """Stop waiting for the files of a framework: they are imported, or it is absent."""
        self._waited_for.discard(framework)
        self.publish()

    def publish(self) -> None:
        """Publish the run, unless a user's file may still turn out to be wrong."""
        if not self._waited_for:
            self._run.publish()

    def _blame(self, framework: str) -> None:
        if framework in self._started and framework in self._suspected:
            raise UserFileError(self._suspected[framework])
