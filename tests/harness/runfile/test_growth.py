"""Four times as many cases take no more memory in the process that judges.

What is asked and judged is a stub; windows of a fixed size are made small, so that few cases
fill them.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lossdiff.cases import packed, suites
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Failure, Observation
from lossdiff.harness.engine import judgement as judgement_module
from lossdiff.harness.engine import scheduler as engine_module
from lossdiff.harness.engine import writer as writer_module
from lossdiff.harness.engine.identity import identity
from lossdiff.harness.engine.plan import Plan
from lossdiff.harness.engine.scheduler import Engine
from lossdiff.harness.judging import Verdict
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.workers.supervisor import BatchResult
from lossdiff.reports.terminal import summary

from ..engine.interruption import HereHandle

FEW, MANY = 500, 2000
BYTES_OF_A_CASE = 200  # as an id in the list; a judged answer takes kilobytes
NOTHING = Failure("raised", "nothing")


class StubHandle(HereHandle):
    """Answers nothing, and forgets the question."""

    def send(self, batch: Any) -> None:
        batch_id = max(self._batches, default=0) + 1
        self._batches[batch_id] = batch
        self._on_answer(self, batch_id, None)

    def resolve(self, batch_id: int, _future: None) -> BatchResult:
        batch = self._batches.pop(batch_id)
        return BatchResult(
            [(case, Observation(case.id, name, "eager", {"value": NOTHING}))
             for name, _, case in batch]
        )  # fmt: skip


def stub_question(case: Case) -> Any:
    """Return a question that weighs something, and is solved at once."""
    inputs = SimpleNamespace(values=np.zeros(100))
    solution = SimpleNamespace(refusal="", quantities={"value": np.zeros(8000)})
    return SimpleNamespace(case=case, inputs=inputs, solution=solution)


@pytest.fixture
def _stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(suites, "_PART", 64)
    monkeypatch.setattr(packed, "_BLOCK", 64)
    monkeypatch.setattr(packed, "_ids", lru_cache(maxsize=4)(packed._ids.__wrapped__))
    monkeypatch.setattr(judgement_module, "_ELEMENTS", 4000)
    monkeypatch.setattr(writer_module, "_ROWS", 50)
    monkeypatch.setattr(judgement_module, "solved_case", stub_question)
    monkeypatch.setattr(judgement_module, "judge", lambda *_: Verdict("exact"))
    monkeypatch.setattr(engine_module, "WorkerHandle", StubHandle)
    yield
    packed._ids.cache_clear()


def peak_of(work: Callable[[], None]) -> int:
    """Return by how many bytes Python's objects grew at most."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def asked_all(path: Path, count: int) -> None:
    """Make a suite, say what it is, ask it, judge it."""
    suite = suites.selected(suites.suite("fuzz", count=count))
    plan = Plan(suite, ("numpy",), jobs=1)
    with RunFile.create(path) as run:
        run.set_meta(**identity(plan, suite, count=count))
        Engine(plan, run, lambda *_: None).execute()
        assert run.asked_cases() == count


@pytest.mark.usefixtures("_stubs")
def test_asking_and_judging_more_cases_takes_no_more_memory(tmp_path: Path) -> None:
    asked_all(tmp_path / "first.sqlite", 50)  # what is imported and read once

    few = peak_of(lambda: asked_all(tmp_path / "few.sqlite", FEW))
    many = peak_of(lambda: asked_all(tmp_path / "many.sqlite", MANY))

    # What grows is the packed list of cases, and caches of their options, which are bounded.
    assert many - few < BYTES_OF_A_CASE * (MANY - FEW)


def row(number: int) -> VerdictRow:
    """Return one of many findings, all of one kind."""
    return VerdictRow(
        f"softmax/float32/4x10/normal/-/{number}", "softmax", None, "normal", "4x10", "float32",
        {}, "acme.softmax", "torch", "native", "eager", "cpu", "value", "inaccurate",
        ratio=float(number),
    )  # fmt: skip


def test_summing_up_more_findings_takes_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (50, FEW, MANY):
        with RunFile.create(tmp_path / f"{count}.sqlite") as run:
            run.add([row(number) for number in range(count)])
            peaks.append(peak_of(lambda run=run: summary(run)))  # type: ignore[misc]

    # A finding that is kept takes kilobytes; how far garbage grows differs by some in all.
    assert peaks[2] - peaks[1] < BYTES_OF_A_CASE * (MANY - FEW)
