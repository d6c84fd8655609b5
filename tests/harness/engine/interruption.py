"""Runs that are cut short, and what they came to; used by tests only."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Observation
from lossdiff.harness.engine import judgement as judgement_module
from lossdiff.harness.engine.plan import Plan
from lossdiff.harness.engine.scheduler import Engine
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.resume_rows import CompletedRow, IncidentRow
from lossdiff.harness.runfile.schema import ROWS, Row
from lossdiff.harness.workers.evaluate import evaluate
from lossdiff.harness.workers.messages import Catalogue, Setup
from lossdiff.harness.workers.probe import probe
from lossdiff.harness.workers.supervisor import BatchResult

from lossdiff.errors import RunFileError

_COMPARED = [row for row in ROWS if row is not IncidentRow]
Rows = dict[str, list[tuple[str, ...]]]


def content(path: Path) -> Rows:
    """Return all rows of a run, times left out, in no particular order."""
    with RunFile.open(path) as run:
        return {kind.table: sorted(map(_plain, run.rows(kind))) for kind in _COMPARED}


def _plain(row: Row) -> tuple[str, ...]:
    return tuple(repr(getattr(row, field.name)) for field in fields(row) if field.name != "seconds")


class HereHandle:
    """Answers in this process, at once: what is tested is what becomes of the answers.

    Attributes:
        twice: questions that were asked although the run file holds their verdicts.
    """

    capacity = 3
    run: ClassVar[RunFile]
    twice: ClassVar[list[Any]] = []

    def __init__(
        self, setup: Setup, _limits: Any, on_start: Any, on_answer: Any, *, spares: Any = None
    ) -> None:
        del spares  # no process is left over here
        self._on_answer, self._threads = on_answer, setup.threads
        self._batches: dict[int, Any] = {}
        on_start(self, _catalogue())

    def catalogue_from(self, future: Catalogue) -> Catalogue:
        return future

    def send(self, batch: Any) -> None:
        batch_id = len(self._batches) + 1
        self._batches[batch_id] = batch
        where = 'implementation = ? AND mode = ? AND "case" = ? AND threads = ?'
        for name, mode, case in batch:
            if self.run.count(CompletedRow, where, (name, mode, case.id, self._threads)):
                self.twice.append((name, mode, case.id))
        self._on_answer(self, batch_id, None)

    def resolve(self, batch_id: int, _future: None) -> BatchResult:
        batch = self._batches[batch_id]
        return BatchResult([(case, _answer(name, case)) for name, _, case in batch])

    def poll(self) -> None: ...

    def stop(self) -> None: ...

    def join(self, seconds: float) -> None: ...


@cache
def _numpy() -> Backend:
    return load_backend("numpy")


@cache
def _catalogue() -> Catalogue:
    claims = tuple(found.claim for found in _numpy().implementations.values())
    return Catalogue(claims, _numpy().environment())


@cache
def _answer(name: str, case: Case) -> Observation:
    found = evaluate(_numpy(), name, "eager", case)
    return probe(_numpy(), "eager", case, found) if case.is_probed else found


def run_here(path: Path, plan: Plan, *, resume: bool = False) -> None:
    """Run a plan without worker processes."""
    with RunFile.reopen(path) if resume else RunFile.create(path) as run:
        HereHandle.run = run
        with patch("lossdiff.harness.engine.scheduler.WorkerHandle", HereHandle):
            Engine(plan, run, lambda *_: None).execute()


# --- ways to be cut short: each is a context in which a run fails somewhere ------------------


@contextmanager
def a_failing_commit(draw: random.Random, whole: int) -> Iterator[None]:
    """The disk fails between two commits, and at all that follow."""
    left, add = [draw.randrange(whole)], RunFile.add

    def failing(run: RunFile, rows: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RunFileError("cannot write: disk I/O error")
        add(run, rows)

    with patch.object(RunFile, "add", failing):
        yield


@contextmanager
def a_full_disk(draw: random.Random, whole: int) -> Iterator[None]:
    """SQLite finds no more room, in the middle of a transaction."""
    room, add = draw.randrange(4, 40), RunFile.add

    def bounded(run: RunFile, rows: Any) -> None:
        pages = run._connection.execute("PRAGMA page_count").fetchone()[0]
        if not getattr(run, "bounded", False):
            run._connection.execute(f"PRAGMA max_page_count = {pages + room}")
            run.bounded = True  # type: ignore[attr-defined]
        add(run, rows)

    with patch.object(RunFile, "add", bounded):
        yield


@contextmanager
def an_interrupt_while_judging(draw: random.Random, whole: int) -> Iterator[None]:
    """A second Ctrl-C comes while a question is half judged."""
    left, judge = [draw.randrange(whole * 3)], judgement_module.judge

    def interrupted(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return judge(*arguments)

    with patch.object(judgement_module, "judge", interrupted):
        yield


CUTS = (a_failing_commit, a_full_disk, an_interrupt_while_judging)
