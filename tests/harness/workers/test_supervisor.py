"""A worker process seen from outside: what becomes of batches when its pool breaks."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.workers.messages import Question, Setup
from lossdiff.harness.workers.supervisor import BatchResult, WorkerHandle
from lossdiff.harness.workers.watchdog import Limits, Watchdog

SOFTMAX = Question("numpy.recipes.softmax", "eager", Case.parse("softmax/float32/4x10/normal/-/0"))
_PATIENCE = 60.0  # seconds for an answer; none is expected to take long


class Asked:
    """A worker, and the events that it reports."""

    def __init__(self) -> None:
        self.starts: SimpleQueue[Any] = SimpleQueue()
        self.answers: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self.handle = WorkerHandle(
            Setup("numpy"),
            Limits(_PATIENCE),
            on_start=lambda _, future: self.starts.put(future),
            on_answer=lambda _, batch_id, future: self.answers.put((batch_id, future)),
        )
        self.handle.catalogue_from(self.starts.get(timeout=_PATIENCE))

    def result(self) -> BatchResult:
        """Return what came of the next batch."""
        while True:
            found = self.handle.resolve(*self.answers.get(timeout=_PATIENCE))
            if found is not None:
                return found


@pytest.fixture
def asked() -> Iterator[Asked]:
    made = Asked()
    with Watchdog(made.handle.poll):
        yield made
    made.handle.stop()
    made.handle.join(_PATIENCE)


def _refuses(*_: Any, **__: Any) -> Any:
    raise RuntimeError("Unexpected error within the Pool")


def test_a_batch_that_a_broken_pool_does_not_take_goes_to_the_next_one(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked.handle._pool, "schedule", _refuses)

    asked.handle.send([SOFTMAX])

    ((case, observation),) = asked.result().answered
    assert case == SOFTMAX.case
    assert observation.answers["value"].shape == (4, 10)


def test_a_batch_that_is_in_flight_is_resolved_before_the_next_pool_takes_another(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.handle.send([SOFTMAX] * 2000)
    monkeypatch.setattr(asked.handle._pool, "schedule", _refuses)
    asked.handle.send([SOFTMAX])
    assert asked.handle._is_broken

    first, second = asked.result(), asked.result()

    assert len(first.answered) == 2000
    assert len(second.answered) == 1
