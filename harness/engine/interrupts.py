"""Receive Ctrl-C, a closed terminal or a request to end, and act on it between two questions."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

_HEARD = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Interrupts:
    """A context in which signals wait for the next `check`; use it in a `with` statement.

    A question is therefore judged and written completely or not at all. A second signal ends the
    run at once.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """Take a function that the signal's handler calls; it must not block.

        Args:
            wake: makes the engine's loop call `check`.
        """
        self._wake = wake
        self._pending = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _HEARD:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        if self._pending:
            raise KeyboardInterrupt
        self._pending = True
        self._wake()

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come."""
        if self._pending:
            raise KeyboardInterrupt
