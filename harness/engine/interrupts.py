"""Receive Ctrl-C, a closed terminal or a request to end, and act on it between two questions."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

_HEARD = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


_PATIENCE = 2.0  # seconds within which a further signal is taken for the same request


class Interrupts:
    """A context in which signals wait for the next `check`; use it in a `with` statement.

    A question is therefore judged and written completely or not at all. What a signal then does is
    decided by the handler that was there before. A signal that comes when another has waited for
    two seconds ends the run at once: a large case may take longer to judge.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """Take a function that the signal's handler calls; it must not block.

        Args:
            wake: makes the engine's loop call `check`.
        """
        self._wake = wake
        self._pending: int | None = None
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _HEARD:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None:  # it came after the last question
            self.check()

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self._pending is None:
            self._pending, self._since = number, time.monotonic()
            self._wake()
        elif time.monotonic() - self._since > _PATIENCE:
            self._pass_on(number)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come."""
        if self._pending is not None:
            self._pass_on(self._pending)

    def _pass_on(self, number: int) -> None:
        before = self._before.get(number)
        if not callable(before):  # without a handler the signal would end the process
            raise KeyboardInterrupt
        before(number, None)
