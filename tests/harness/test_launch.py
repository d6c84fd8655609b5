"""A process that is started ahead is taken by what asks for just that, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue

import pytest
from lossdiff.harness.launch import Hint, Launched, end_ahead, launch_ahead, launched
from lossdiff.harness.workers.child import Child, Received
from lossdiff.harness.workers.messages import Catalogue, CatalogueRequest, Setup
from lossdiff.harness.workers.wire import result_of

HINT = Hint("numpy")
PATIENCE = 300.0  # seconds; it takes one, unless the machine is busy


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    end_ahead()


def ended(one: Launched) -> int | None:
    """End a process that nobody uses, and return its exit status."""
    one.end()
    return one.process.poll()


def test_a_process_that_was_started_ahead_answers_like_any_other() -> None:
    launch_ahead(HINT)
    received: Queue[Received] = Queue()

    child = Child(Setup("numpy"), received.put, warm=False)
    try:
        child.send(1, CatalogueRequest())
        answer = received.get(timeout=PATIENCE)
    finally:
        child.end()

    catalogue: Catalogue = result_of(answer.data, Catalogue)
    assert any(claim.name == "scipy.special.softmax" for claim in catalogue.claims)


def test_it_is_taken_once() -> None:
    launch_ahead(HINT)

    first, second = launched(HINT), launched(HINT)

    assert first.process.pid != second.process.pid
    assert ended(first) is not None
    assert ended(second) is not None


@pytest.mark.parametrize("other", [Hint("numpy", threads=1), Hint("numpy", cache="")])
def test_it_is_not_taken_for_anything_else(other: Hint) -> None:
    launch_ahead(HINT)

    another, same = launched(other), launched(HINT)

    assert "null" in another.process.args[-1]  # type: ignore[index,operator] -- a list of text
    assert '"numpy"' in same.process.args[-1]  # type: ignore[index,operator]
    assert None not in {ended(another), ended(same)}


def test_a_framework_that_there_is_not_is_refused_by_the_command_and_not_by_the_process() -> None:
    launch_ahead(Hint("nosuch"))
    process = launched(Hint("nosuch"))

    assert process.process.poll() is None
    assert ended(process) is not None
