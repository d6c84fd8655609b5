"""A process that one step of a command leaves idle is taken over by the next one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.workers import (
    Caller,
    Limits,
    Question,
    Setup,
    Spares,
    Watchdog,
    introduce,
)
from lossdiff.harness.workers.child import Child
from lossdiff.harness.workers.messages import CandidatesRequest

from .test_supervisor import Asked, values

LIMITS = Limits(60.0)
CASE = Case.parse("softmax/float32/4x10/normal/-/0")
MINE = """
import numpy as np

def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)

def softmax_spoils_when_asked(x, axis=-1):
    if x.shape == (5, 7):
        np.arctan2 = None
    return softmax(x, axis)
"""


@pytest.fixture
def spares() -> Iterator[Spares]:
    with Spares() as made:
        yield made


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    (tmp_path / "mine.py").write_text(MINE)
    return Setup("numpy", extra=(str(tmp_path / "mine.py"),), learnt=())


def met(setup: Setup, spares: Spares) -> Setup:
    """Return the settings with what is learnt of the functions, in a process that is kept."""
    return replace(setup, learnt=introduce(setup, LIMITS, spares=spares).learnt)


def idle(spares: Spares) -> list[Child]:
    return list(spares._idle.values())


def test_questions_go_to_the_process_that_got_to_know_the_functions(
    setup: Setup, spares: Spares
) -> None:
    known = met(setup, spares)
    (child,) = idle(spares)

    asked = Asked(known, spares)
    with Watchdog(asked.handle.poll):
        result = asked.results("mine.softmax")
    asked.handle.stop()

    assert asked.handle._child is child
    assert values(result) == {"softmax": "array"}
    assert idle(spares) == [child]  # for the step after that


def test_what_a_function_spoils_there_is_said_only_after_a_process_in_which_it_was_the_first(
    setup: Setup, spares: Spares
) -> None:
    known = met(setup, spares)
    asked = Asked(known, spares)
    case = replace(CASE, shape=(5, 7))
    first = asked.handle._child

    with Watchdog(asked.handle.poll):
        asked.handle.send([Question("mine.softmax_spoils_when_asked", "eager", case)])
        once = asked.result()
        asked.handle.send(once.again[0])
        twice = asked.result()
    asked.handle.stop()

    assert (once.answered, asked.handle._child is first) == ([], False)
    assert values(twice) == {"softmax_spoils_when_asked": "numpy.arctan2"}


def test_a_process_that_dies_idle_is_replaced(setup: Setup, spares: Spares) -> None:
    known = met(setup, spares)
    (child,) = idle(spares)
    os.kill(child.pid, signal.SIGKILL)

    asked = Asked(known, spares)
    with Watchdog(asked.handle.poll):
        result = asked.results("mine.softmax")
    asked.handle.stop()

    assert asked.handle._child is not child
    assert values(result) == {"softmax": "array"}


def test_a_call_that_ends_a_kept_process_is_repeated_in_a_fresh_one(
    setup: Setup, spares: Spares
) -> None:
    met(setup, spares)
    (child,) = idle(spares)
    os.kill(child.pid, signal.SIGSTOP)  # so that the call is sent before it dies

    with Caller(setup, spares=spares) as caller:
        os.kill(child.pid, signal.SIGKILL)
        found = caller.call(CandidatesRequest(), 60.0)

    assert "mine.softmax" in found.operations


def test_a_process_that_is_spoiled_is_not_kept(setup: Setup, spares: Spares) -> None:
    question = Question("mine.softmax_spoils_when_asked", "eager", replace(CASE, shape=(5, 7)))

    with Caller(met(setup, Spares(is_open=False)), spares=spares) as caller:
        caller.observations([question], 60.0)

    assert idle(spares) == []


def test_a_process_that_has_grown_is_not_kept(
    setup: Setup, spares: Spares, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lossdiff.harness.workers.spares.share_of_memory", lambda _: 2**20)

    met(setup, spares)

    assert idle(spares) == []


def test_processes_that_would_take_too_much_together_are_not_all_kept(
    setup: Setup, spares: Spares, monkeypatch: pytest.MonkeyPatch
) -> None:
    met(setup, spares)
    (child,) = idle(spares)
    most = int(1.5 * child.memory)
    monkeypatch.setattr("lossdiff.harness.workers.spares.share_of_memory", lambda _: most)

    with Caller(Setup("numpy"), spares=spares) as caller:
        caller.catalogue()

    assert idle(spares) == [child]


def test_a_process_with_other_settings_is_not_taken(setup: Setup, spares: Spares) -> None:
    known = met(setup, spares)
    (child,) = idle(spares)

    for other in (
        replace(known, cache="elsewhere"),
        replace(known, extra=()),
        replace(known, learnt=None),
    ):
        assert spares.take(other, lambda _: None) is None
    assert idle(spares) == [child]


def test_none_is_kept_where_each_step_has_its_own(setup: Setup) -> None:
    with Spares(is_open=False) as closed:
        met(setup, closed)
        closed.start(setup)

        assert idle(closed) == []


def test_all_end_with_the_command(setup: Setup) -> None:
    with Spares() as spares:
        met(setup, spares)
        spares.start(Setup("numpy"))
        children = idle(spares)

    for child in children:
        child.join(60.0)
    assert len(children) == 2
    assert not any(child.is_alive for child in children)
