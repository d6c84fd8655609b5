"""The first signal ends the command; one that comes with it changes nothing."""

from __future__ import annotations

import signal
from typing import NoReturn

import pytest

from lossdiff._cli import signals as module
from lossdiff._cli.signals import _Signals


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock whose hand the test sets."""
    hand = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: hand[0])
    return hand


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> _Signals:
    """Signals that do not really end the process at once."""

    def end(self: _Signals) -> NoReturn:
        raise SystemExit(128 + self.number)

    monkeypatch.setattr(_Signals, "_end_at_once", end)
    return _Signals()


def test_the_first_signal_raises_and_is_remembered(signals: _Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signals.handle(signal.SIGTERM)

    assert signals.number == signal.SIGTERM


def test_a_second_one_changes_nothing_for_a_while(signals: _Signals, clock: list[float]) -> None:
    with pytest.raises(KeyboardInterrupt):
        signals.handle(signal.SIGINT)
    clock[0] += 2.9
    signals.handle(signal.SIGTERM)

    assert signals.number == signal.SIGINT


def test_a_late_one_ends_what_hangs(signals: _Signals, clock: list[float]) -> None:
    with pytest.raises(KeyboardInterrupt):
        signals.handle(signal.SIGINT)
    clock[0] += 3.1

    with pytest.raises(SystemExit) as ended:
        signals.handle(signal.SIGINT)
    assert ended.value.code == 130


def test_a_signal_waits_for_the_end_of_a_block(signals: _Signals) -> None:
    done = []

    def work() -> None:
        with signals.deferred():
            with signals.deferred():
                signals.handle(signal.SIGHUP)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner", "outer"]


def test_an_interrupt_that_python_has_dropped_is_sent_again(
    signals: _Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(module._thread, "interrupt_main", sent.append)
    with pytest.raises(KeyboardInterrupt):
        signals.handle(signal.SIGTERM)

    signals.lost(KeyboardInterrupt)

    assert sent == [signal.SIGTERM]
    with pytest.raises(KeyboardInterrupt):
        signals.handle(sent[0])


def test_a_thread_that_fails_ends_the_command_as_if_by_no_signal(
    signals: _Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bool] = []
    monkeypatch.setattr(module._thread, "interrupt_main", lambda: sent.append(True))
    error = OSError(24, "Too many open files")

    signals.fail(error)
    signals.fail(ValueError("a consequence"))

    with pytest.raises(KeyboardInterrupt):
        signals.handle(signal.SIGINT)
    assert (sent, signals.failure, signals.number) == ([True], error, 0)


def test_another_exception_that_python_has_dropped_is_not_sent(
    signals: _Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module._thread, "interrupt_main", pytest.fail)

    signals.lost(ValueError)
    signals.lost(KeyboardInterrupt)  # nobody has sent a signal
