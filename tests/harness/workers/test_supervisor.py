"""A worker process seen from outside: what becomes of batches when it dies or is spoiled."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Failure, fingerprint
from lossdiff.harness.own import Failed, failing
from lossdiff.harness.workers.child import Received
from lossdiff.harness.workers.messages import Question, Setup
from lossdiff.harness.workers.spares import NO_SPARES, Spares
from lossdiff.harness.workers.supervisor import BatchResult, WorkerHandle
from lossdiff.harness.workers.watchdog import Limits, Watchdog

CASE = Case.parse("softmax/float32/4x10/normal/-/0")
SOFTMAX = Question("numpy.recipes.softmax", "eager", CASE)
_PATIENCE = 60.0  # seconds for an answer; none is expected to take long
MINE = """
import os, signal
import numpy as np

def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)

def softmax_spoils(logits):
    answer = softmax(logits)
    np.arctan2 = None
    return answer

def softmax_leaves(logits):
    signal.alarm(1000)
    return softmax(logits)

def softmax_writes_to_every_pipe(logits):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, bytes(4096))
        except OSError:
            pass
    return softmax(logits)

class Sent(np.ndarray):
    def __reduce__(self):
        return os._exit, (0,)

def softmax_is_a_pickle(logits):
    return softmax(logits).view(Sent)
"""


class Asked:
    """A worker, and the events that it reports."""

    def __init__(self, setup: Setup, spares: Spares = NO_SPARES) -> None:
        self.starts: SimpleQueue[Received] = SimpleQueue()
        self.answers: SimpleQueue[tuple[int, Received]] = SimpleQueue()
        self.handle = WorkerHandle(
            setup,
            Limits(_PATIENCE),
            on_start=lambda _, report: self.starts.put(report),
            on_answer=lambda _, batch_id, report: self.answers.put((batch_id, report)),
            spares=spares,
        )
        self.handle.catalogue_from(self.starts.get(timeout=_PATIENCE))

    def result(self) -> BatchResult:
        """Return what came of the next batch."""
        while True:
            found = self.handle.resolve(*self.answers.get(timeout=_PATIENCE))
            if found is not None:
                return found

    def results(self, *names: str) -> BatchResult:
        """Ask functions of the file in one batch, and again until all have answered."""
        total = BatchResult()
        waiting = [[Question(name, "eager", CASE) for name in names]]
        while waiting:
            self.handle.send(waiting.pop(0))
            found = self.result()
            total.answered.extend(found.answered)
            total.incidents.extend(found.incidents)
            waiting = [*found.again, *waiting]
        return total

    def results_ahead(self, waiting: list[list[Question]]) -> BatchResult:
        """Send batches ahead, as the engine does, and again until all have been answered."""
        total, running = BatchResult(), 0
        while waiting or running:
            while waiting and running < self.handle.capacity:
                self.handle.send(waiting.pop(0))
                running += 1
            found = self.result()
            running -= found.batches
            waiting[:0] = found.again
            total.answered.extend(found.answered)
        return total


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    (tmp_path / "mine.py").write_text(MINE)
    made = Asked(unasked(tmp_path / "mine.py"))
    with Watchdog(made.handle.poll):
        yield made
    made.handle.stop()
    made.handle.join(_PATIENCE)


def values(result: BatchResult) -> dict[str, str]:
    """Return for each function how its value came back, and what it spoils."""
    return {
        found.implementation.partition(".")[2]: found.spoils
        or (str(found.answers["value"]) if isinstance(found.answers["value"], Failure) else "array")
        for _, found in result.answered
    }


def test_who_spoils_the_process_is_named_and_the_others_are_asked_again(asked: Asked) -> None:
    first = asked.handle._child

    result = asked.results("mine.softmax_spoils", "mine.softmax")

    assert values(result) == {"softmax": "array", "softmax_spoils": "numpy.arctan2"}
    assert [it.ended.message for it in result.incidents] == ["spoils: numpy.arctan2"]
    assert asked.handle._child is not first


def test_what_a_function_leaves_in_its_process_ends_with_it(asked: Asked) -> None:
    result = asked.results("mine.softmax", "mine.softmax_leaves")

    assert values(result) == {"softmax": "array", "softmax_leaves": "array"}
    assert [it.ended.message for it in result.incidents] == ["leaves changed: timer"]


def test_a_pickle_of_a_function_is_not_loaded_here(asked: Asked) -> None:
    assert values(asked.results("mine.softmax_is_a_pickle")) == {"softmax_is_a_pickle": "array"}


def test_who_writes_to_our_pipe_has_lost_its_answer(asked: Asked) -> None:
    result = asked.results("mine.softmax_writes_to_every_pipe", "mine.softmax")

    assert values(result)["softmax"] == "array"
    assert "died" in values(result)["softmax_writes_to_every_pipe"]


def test_a_process_that_is_killed_while_it_is_idle_is_replaced(asked: Asked) -> None:
    os.kill(asked.handle._child.pid, signal.SIGKILL)
    gone = asked.answers.get(timeout=_PATIENCE)

    assert asked.handle.resolve(*gone) is None
    assert values(asked.results("mine.softmax")) == {"softmax": "array"}


def test_batches_in_flight_are_answered_by_the_next_process(asked: Asked) -> None:
    asked.handle.send([SOFTMAX] * 2000)
    asked.handle.send([SOFTMAX])
    psutil.Process(asked.handle._child.pid).kill()

    waiting, answered = 2, 0
    while waiting:
        found = asked.result()
        answered += len(found.answered)
        waiting += len(found.again) - found.batches
        for batch in found.again:
            asked.handle.send(batch)

    assert answered == 2001


# --- no function changes what is said of its neighbour -----------------------------------------

SPOILING = Path(__file__).parents[2] / "hostile/spoiling.py"
REACHING = SPOILING.with_name("reaching.py")
HOSTILE = [
    line.partition(" = ")[0]
    for line in SPOILING.read_text().splitlines()
    if line.startswith("softmax_")
]
# What decides numbers is a finding; what may only disturb the process later is not.
SPOILS = {
    "rounds_up": "rounding mode", "rounds_down": "rounding mode", "rounds_to_zero": "rounding mode",
    "flushes": "flush to zero",
    "replaces_asarray": "numpy.asarray", "multiplies_exp": "numpy.exp",
    "deletes_exp": "numpy.exp", "replaces_sum": "numpy.sum", "replaces_prod": "math.prod",
    "replaces_numpy": "the module numpy",
}  # fmt: skip


@pytest.fixture(scope="module")
def pairs() -> Iterator[Asked]:
    made = Asked(unasked(SPOILING))
    with Watchdog(made.handle.poll):
        yield made
    made.handle.stop()
    made.handle.join(_PATIENCE)


@pytest.fixture(scope="module")
def expected(pairs: Asked) -> str:
    """Return the fingerprint of what the sound function answers alone."""
    ((_, alone),) = pairs.results("spoiling.softmax").answered
    return fingerprint(alone.answers["value"])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sound_function_beside_a_hostile_one_answers_as_it_does_alone(
    pairs: Asked, expected: str, name: str
) -> None:
    result = pairs.results(f"spoiling.{name}", "spoiling.softmax")

    found = {observation.implementation: observation for _, observation in result.answered}
    assert len(result.answered) == len(found) == 2
    sound = found["spoiling.softmax"]
    assert fingerprint(sound.answers["value"]) == expected
    assert sound.spoils == ""
    due = SPOILS.get(name.removeprefix("softmax_"))
    assert due in (None, found[f"spoiling.{name}"].spoils)


def unasked(file: Path) -> Setup:
    """Return a worker of a file whose functions were asked no plain question: some end it."""
    names = re.findall(
        r"^(?:def )?(softmax\w*)(?:\(| =)", file.read_text(encoding="utf-8"), re.MULTILINE
    )
    failed = [Failed(f"{file.stem}.{name}", "softmax", "", "") for name in names]
    return Setup("numpy", extra=(str(file),), learnt=tuple(failing(it, "numpy") for it in failed))


def test_who_loses_its_answer_and_goes_on_is_blamed_and_not_the_next_ones() -> None:
    made = Asked(unasked(REACHING))
    with Watchdog(made.handle.poll):
        names = "softmax_sends_every_file_nowhere", "softmax", "softmax"
        waiting = [[Question(f"reaching.{name}", "eager", CASE)] for name in names]
        total = made.results_ahead(waiting)
    made.handle.stop()
    made.handle.join(_PATIENCE)

    assert [values(BatchResult([it])) for it in total.answered] == [
        {"softmax_sends_every_file_nowhere": "the process died with status -9"},
        {"softmax": "array"},
        {"softmax": "array"},
    ]


# --- what a function leaves behind is not held against the next one -----------------------------

LEAVING = [
    "leaves_a_process_that_kills", "leaves_a_thread_that_exits", "sets_a_timer",
    "spoils_at_the_next_collection",
]  # fmt: skip


@pytest.mark.parametrize("name", LEAVING)
def test_who_meets_what_another_one_has_left_behind_is_not_blamed(name: str) -> None:
    made = Asked(unasked(REACHING))
    culprit = Question(f"reaching.softmax_{name}", "eager", CASE)
    victims = [
        Question(f"reaching.softmax_{one}", "eager", CASE) for one in ("collects_garbage", "waits")
    ]
    with Watchdog(made.handle.poll):
        # The engine sends batches ahead: each victim is asked in a process that the culprit was in.
        waiting = [[culprit], [victims[0]], [culprit], [victims[1]], [culprit], [victims[1]]]
        total = made.results_ahead(waiting)
    made.handle.stop()
    made.handle.join(_PATIENCE)

    assert len(total.answered) == 6
    assert set(values(total).values()) == {"array"}
