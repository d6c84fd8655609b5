"""Keep idle worker processes for the next step of a command: the framework is imported there.

`check` gets to know a user's functions, asks them, compares their findings with the framework, and
shrinks what is left. Each step takes over the process of the one before, if nothing has spoiled it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from ...errors import LostError
from .child import Child, Received
from .messages import Setup
from .watchdog import share_of_memory

_PART = 4  # the processes that are kept take no more than this part of the memory together


class Spares:
    """The idle processes of a command, at most one of a kind; use it in a `with` statement."""

    def __init__(self, *, is_open: bool = True) -> None:
        """Begin with none.

        Args:
            is_open: whether any are kept; otherwise each step has processes of its own.
        """
        self._is_open = is_open
        self._idle: dict[Setup, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that nobody has taken."""
        while self._idle:
            self._idle.popitem()[1].end()

    def start(self, setup: Setup) -> None:
        """Start a process that imports its framework until it is needed, if none is kept.

        Args:
            setup: the settings of the worker.
        """
        if self._is_open and _key(setup) not in self._idle:
            with suppress(LostError):  # whoever needs it will say so
                self._idle[_key(setup)] = Child(setup, _drop, warm=True)

    def keep(self, setup: Setup, child: Child) -> bool:
        """Keep a process for a later step, and return whether it is kept.

        Args:
            setup: the settings that it was started with.
            child: the process. It has answered everything and nothing has spoiled it, and its
                owner does not use it any more; if it is not kept, its owner ends it.
        """
        is_wanted = self._is_open and child.is_alive and _key(setup) not in self._idle
        taken = child.memory + sum(idle.memory for idle in self._idle.values())
        if not is_wanted or taken > share_of_memory(_PART):
            return False
        self._idle[_key(setup)] = child
        return child.redirect(_drop)

    def take(self, setup: Setup, receive: Callable[[Received], None]) -> Child | None:
        """Return a process with these settings, whose owner is the caller; None if there is none.

        What is known of a user's functions may be more than the process knows; a
        `CatalogueRequest` tells it.

        Args:
            setup: the settings of the worker.
            receive: is called with each reply from now on, and with the end of the process.
        """
        if setup.extra and setup.learnt is None:
            return None  # a process that asks them by itself
        child = self._idle.pop(_key(setup), None)
        if child is None or (child.is_alive and child.redirect(receive)):
            return child
        child.end()
        return None


NO_SPARES = Spares(is_open=False)


def _key(setup: Setup) -> Setup:
    return replace(setup, learnt=None)


def _drop(received: Received) -> None:
    """Take what nobody waits for: the end of an idle process."""
