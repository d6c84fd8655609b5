"""Signals that end the command line: Ctrl-C, a request to end, a closed terminal.

The first one raises KeyboardInterrupt, and `number` says which it was. While the program ends
because of it, further ones are ignored for some seconds, so that two that come together do not
break off what is being closed; one that comes later ends the process at once.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_HEARD = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_PATIENCE = 3.0  # seconds within which a further signal is taken for the same request


class _Signals:
    """The state of the process.

    Attributes:
        number: the signal that ends the process; 0 before there is one.
        failure: what ended a thread of the process, if that ends the process.
    """

    def __init__(self) -> None:
        self.number = 0
        self.failure: BaseException | None = None
        self._since = 0.0
        self._is_due = False
        self._is_raised = False
        self._deferred = 0

    def handle(self, number: int, _frame: FrameType | None = None) -> None:
        """Raise KeyboardInterrupt, now or at the end of the block in which signals wait."""
        now = time.monotonic()
        if not self._is_due:
            self._since = now
            if self.failure is None:
                self.number = number
            self._is_due = True
            self._raise_if_due()
        elif now - self._since > _PATIENCE:
            self.number = self.number or number
            self._end_at_once()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let signals wait until the block has ended: it opens or closes something as a whole."""
        self.wait()
        try:
            yield
        finally:
            self.act()

    def wait(self) -> None:
        """Let signals wait until `act` is called."""
        self._deferred += 1

    def act(self) -> None:
        """Handle what has waited."""
        self._deferred -= 1
        self._raise_if_due()

    def lost(self, kind: type[BaseException]) -> None:
        """Raise again what Python has dropped, because it came up in a callback or a finaliser."""
        if issubclass(kind, KeyboardInterrupt) and self.number:
            number, self.number, self._is_due, self._is_raised = self.number, 0, False, False
            _thread.interrupt_main(signal.Signals(number))

    def fail(self, error: BaseException) -> None:
        """End the process because one of its threads has ended with an error."""
        if self.failure is None and not self.number:
            self.failure = error
            _thread.interrupt_main()

    def _raise_if_due(self) -> None:
        if self._is_due and not self._is_raised and not self._deferred:
            self._is_raised = True
            raise KeyboardInterrupt

    def _end_at_once(self) -> None:
        """End the process and its children although it is still closing what it has opened."""
        with suppress(Exception):
            import psutil

            for child in psutil.Process().children(recursive=True):
                child.kill()
        with suppress(OSError):
            os.write(2, b"lossdiff: interrupted again, and ended at once\n")
        os._exit(128 + self.number)


signals = _Signals()


def hear() -> None:
    """Begin to hear signals, which wait for `act`.

    One that is ignored, as under nohup, stays ignored.
    """
    signals.wait()
    for number in _HEARD:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signals.handle)
    sys.unraisablehook = _unraisable
    threading.excepthook = _thread_ended


def ignore() -> None:
    """Ignore signals from now on: the command has ended, and only the interpreter has not."""
    for number in _HEARD:
        signal.signal(number, signal.SIG_IGN)


def _unraisable(dropped: sys.UnraisableHookArgs) -> None:
    if dropped.exc_type is not None and issubclass(dropped.exc_type, KeyboardInterrupt):
        signals.lost(dropped.exc_type)
    else:
        sys.__unraisablehook__(dropped)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        signals.fail(ended.exc_value)
