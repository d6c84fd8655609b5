"""A signal waits for the next check, and then does what its handler would have done before."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from lossdiff.harness.engine import interrupts
from lossdiff.harness.engine.interrupts import Interrupts

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """The signals that have reached the handlers of the process."""
    seen: list[int] = []

    def handle(number: int, _frame: object) -> None:
        seen.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_for_the_next_check(handled: list[int], number: int) -> None:
    woken: list[bool] = []

    def work() -> None:
        with Interrupts(lambda: woken.append(True)) as waiting:
            waiting.check()
            signal.raise_signal(number)
            assert (woken, handled) == ([True], [])
            waiting.check()
            pytest.fail("it was not heard")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert handled == [number]


def test_a_signal_after_the_last_check_is_not_lost(handled: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts(lambda: None):
        signal.raise_signal(signal.SIGTERM)

    assert handled == [signal.SIGTERM]


def test_two_that_come_together_are_one_request(handled: list[int]) -> None:
    def work() -> None:
        with Interrupts(lambda: None):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            assert handled == []

    with pytest.raises(KeyboardInterrupt):
        work()
    assert handled == [signal.SIGINT]


def test_one_that_comes_much_later_does_not_wait(
    handled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = [0.0]
    monkeypatch.setattr(interrupts.time, "monotonic", lambda: hand[0])

    def work() -> None:
        with Interrupts(lambda: None):
            signal.raise_signal(signal.SIGINT)
            hand[0] += 2.1
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("it did wait")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert handled == [signal.SIGTERM]


def test_a_signal_that_is_ignored_stays_ignored(handled: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts(lambda: None) as waiting:
        signal.raise_signal(signal.SIGHUP)
        waiting.check()

    assert handled == []


def test_without_a_handler_it_is_an_interrupt(handled: list[int]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    with pytest.raises(KeyboardInterrupt), Interrupts(lambda: None):
        signal.raise_signal(signal.SIGTERM)
