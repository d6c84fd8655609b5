"""One thread against many: the second answer is compared with the bits of the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Failure, Observation
from lossdiff.harness.relations import RelationCheck
from lossdiff.harness.relations.determinism import (
    THREADS,
    ThreadDeterminism,
    needs_single_thread_run,
)
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.resume_rows import BlobRow, CompletedRow, PendingRow

CASE = "softmax/float32/64x1000/grid/-/0"
ANSWER = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


class Pairs:
    """Compares answers as a recorder does: what is to be kept is written."""

    def __init__(self, run: RunFile) -> None:
        self.run, self.repeats = run, ThreadDeterminism(run)

    def see(self, observation: Observation) -> list[RelationCheck]:
        found, rows = self.repeats.see(observation)
        self.run.add(rows)
        self.repeats.committed()
        return found


@pytest.fixture
def repeats(tmp_path: Path) -> Iterator[Pairs]:
    with RunFile.create(tmp_path / "run.sqlite") as run:
        yield Pairs(run)


def observed(value: Any, *, by: str = "a.b", mode: str = "eager", **others: Any) -> Observation:
    """Return one answer to the case."""
    return Observation(CASE, by, mode, {"value": value, **others})


def test_the_first_answer_waits_for_the_second(repeats: Pairs) -> None:
    assert repeats.see(observed(ANSWER)) == []


def test_the_same_bits_hold(repeats: Pairs) -> None:
    repeats.see(observed(ANSWER))
    (found,) = repeats.see(observed(ANSWER.copy()))

    assert (found.relation, found.quantity, found.holds) == (THREADS, "value", True)
    assert (found.difference, found.note) == (0.0, "")


def test_other_bits_do_not_hold_and_the_difference_is_told(repeats: Pairs) -> None:
    other = ANSWER.copy()
    other[1, 2] += np.float32(0.25)

    repeats.see(observed(ANSWER))
    (found,) = repeats.see(observed(other))

    assert not found.holds
    assert found.difference == 0.25
    assert found.note == "with one thread"


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (np.where(ANSWER == 0, np.float32(-0.0), ANSWER), 0.0),
        (ANSWER[:2], np.inf),
        (ANSWER.T, np.inf),
        (ANSWER.astype(np.float64), 0.0),
    ],
    ids=["another sign", "another shape", "turned", "another dtype"],
)
def test_what_is_equal_as_numbers_may_be_other_bits(
    repeats: Pairs, other: Any, difference: float
) -> None:
    repeats.see(observed(ANSWER))
    (found,) = repeats.see(observed(other))

    assert (found.holds, found.difference) == (False, difference)


def test_nan_of_the_same_bits_holds(repeats: Pairs) -> None:
    answer = np.array([np.nan, np.inf])

    repeats.see(observed(answer))

    assert [found.holds for found in repeats.see(observed(answer))] == [True]


def test_each_quantity_is_compared_with_its_own(repeats: Pairs) -> None:
    repeats.see(observed(ANSWER, gradient_logits=ANSWER * 2))
    found = repeats.see(observed(ANSWER, gradient_logits=ANSWER * 3))

    assert {item.quantity: item.holds for item in found} == {
        "value": True, "gradient_logits": False
    }  # fmt: skip


def test_failures_are_not_compared(repeats: Pairs) -> None:
    failure = Failure("raised", "ValueError: no")

    repeats.see(observed(ANSWER, gradient_logits=failure))
    found = repeats.see(observed(failure, gradient_logits=ANSWER))

    assert found == []


@pytest.mark.parametrize("other", [{"by": "a.c"}, {"mode": "function"}])
def test_somebody_elses_answer_is_not_the_second(repeats: Pairs, other: Any) -> None:
    repeats.see(observed(ANSWER))

    assert repeats.see(observed(ANSWER * 2, **other)) == []


def test_a_pair_is_compared_once(repeats: Pairs) -> None:
    for number in range(4):
        assert len(repeats.see(observed(ANSWER))) == number % 2


def test_what_waits_is_in_the_run_file_once_and_nothing_is_left(repeats: Pairs) -> None:
    repeats.see(observed(ANSWER))
    repeats.see(observed(ANSWER, by="an.alias"))

    assert [repeats.run.count(row) for row in (PendingRow, BlobRow)] == [2, 1]
    repeats.repeats.close()
    assert [repeats.run.count(row) for row in (PendingRow, BlobRow)] == [0, 0]


def test_what_waited_before_an_interruption_is_compared_after_it(repeats: Pairs) -> None:
    repeats.see(observed(ANSWER, mode="done"))
    repeats.see(observed(ANSWER, mode="done"))
    repeats.see(observed(ANSWER))
    asked = [("done", 0), ("done", 1), ("eager", 0)]
    repeats.run.add(
        [CompletedRow("", "a.b", mode, CASE, "cpu", threads) for mode, threads in asked]
    )

    again = Pairs(repeats.run)
    again.repeats.recall()

    assert [found.difference for found in again.see(observed(ANSWER * 3))] == [2.0]
    assert again.see(observed(ANSWER, mode="done")) == []


@pytest.mark.parametrize(
    ("name", "threaded"),
    [
        (CASE, True),
        ("softmax/float32/4x50257/grid/-/0", True),
        ("softmax/float32/4x10/grid/-/0", False),  # one thread anyway
        ("softmax/bfloat16/64x1000/grid/-/0", False),
        ("softmax/float32/64x1000/normal/-/0", False),
    ],
)
def test_large_probed_cases_of_the_everyday_dtype_are_asked_with_one_thread(
    name: str, threaded: bool
) -> None:
    assert needs_single_thread_run(Case.parse(name)) == threaded
