"""Which call is blamed for the death of a timing process, and what is timed next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.resume_rows import IncidentRow
from lossdiff.harness.timing.benchmarks import Benchmark
from lossdiff.harness.timing.blame import Batch, Blame
from lossdiff.harness.timing.child import ChildEnd
from lossdiff.harness.timing.plan import TimedProcess
from lossdiff.harness.timing.progress import FINISHING, STARTING

from lossdiff.errors import BenchError

SMALL, LARGE = "softmax/float32/4x10/normal/-/0", "softmax/float32/40x10/normal/-/0"


def benchmark(name: str, case: str = SMALL, cache: str = "hot") -> Benchmark:
    """Return a benchmark of NumPy."""
    return Benchmark("numpy", name, "eager", "cpu", "forward", case, "one", cache)  # type: ignore[arg-type]


A, B, C = benchmark("a"), benchmark("b"), benchmark("c")
COLD_A, LARGE_A = benchmark("a", cache="cold"), benchmark("a", LARGE)
WELL = ChildEnd(finished=True, benchmark=FINISHING, reason="", failures={})


def died(place: int) -> ChildEnd:
    """Return the end of a process that died at a benchmark."""
    return ChildEnd(finished=False, benchmark=place, reason="it died", failures={})


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "run.sqlite") as created:
        yield created


@pytest.fixture
def said() -> list[str]:
    """The lines that were said."""
    return []


@pytest.fixture
def blame(run: RunFile, said: list[str]) -> Blame:
    return Blame(run, said.append)


def process(batch: Batch) -> TimedProcess:
    """Return a process of some benchmarks."""
    return TimedProcess(1, 1, "numpy", "one", 0, batch)


def test_nobody_is_blamed_for_a_process_that_ends_well(blame: Blame) -> None:
    assert blame.settle(process((A, B)), WELL) == []
    assert blame.batches((A, B)) == [(A, B)]
    assert blame.count == 0


def test_what_was_reached_is_timed_again_alone_with_all_its_inputs(blame: Blame) -> None:
    batch = (A, B, COLD_A, LARGE_A)

    assert blame.settle(process(batch), died(2)) == [(A, COLD_A), (B, LARGE_A)]
    assert blame.count == 0


def test_what_ends_a_process_alone_is_left_out_and_named(
    blame: Blame, run: RunFile, said: list[str]
) -> None:
    assert blame.settle(process((A, COLD_A)), died(1)) == []

    assert blame.batches((A, B, COLD_A, LARGE_A)) == [(B, LARGE_A)]
    assert blame.count == 1
    assert said == [f"a eager forward is not timed: it died ({SMALL})"]
    (row,) = run.rows(IncidentRow)
    assert (row.implementation, row.case, row.what) == ("a", SMALL, "it died")
    assert row.outcome == "forward is not timed"


def test_the_next_call_of_what_was_left_out_is_blamed_at_once(blame: Blame) -> None:
    blame.settle(process((A,)), died(0))

    assert blame.settle(process((B, LARGE_A)), died(1)) == [(B,)]
    assert blame.count == 2


def test_what_comes_through_alone_is_innocent_and_all_are_timed_apart(blame: Blame) -> None:
    alone, others = blame.settle(process((A, B, C)), died(1))

    blame.settle(process(alone), WELL)

    assert (alone, others) == ((B,), (A, C))
    assert blame.batches(others) == [(A,), (C,)]
    assert blame.count == 0


def test_where_nothing_was_reached_halves_are_timed(blame: Blame) -> None:
    assert blame.settle(process((A, B, C)), died(FINISHING)) == [(A, B), (C,)]
    assert blame.settle(process((A, B)), died(FINISHING)) == [(A,), (B,)]
    assert blame.settle(process((A,)), died(FINISHING)) == []
    assert blame.count == 1


def test_what_raises_is_left_out_of_a_process_that_goes_on(blame: Blame, said: list[str]) -> None:
    end = ChildEnd(finished=True, benchmark=FINISHING, reason="", failures={1: "ValueError: no"})

    assert blame.settle(process((A, B)), end) == []

    assert blame.batches((A, B)) == [(A,)]
    assert said == [f"b eager forward is not timed: ValueError: no ({SMALL})"]


def test_what_fails_before_the_first_benchmark_is_an_error(blame: Blame) -> None:
    with pytest.raises(BenchError, match="timing numpy failed: it died"):
        blame.settle(process((A,)), died(STARTING))
