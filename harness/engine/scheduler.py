"""The engine: asks every framework in processes of its own, and judges what comes back.

Data walks one way: suite → lanes → groups of one signature → worker → observations → judge →
run file. `harness.workers.supervisor` finds out which question has killed a worker; here the
others come back as groups that are asked again.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from ...backends import FRAMEWORKS
from ...backends.base import Claim
from ..runfile import IncidentRow, RunFile, RunFileError, WorkerRow
from ..workers import (
    Asked,
    BatchResult,
    Catalogue,
    Cluster,
    Incident,
    Limits,
    Setup,
    UserFileError,
    Watchdog,
    WorkerHandle,
    share_of_memory,
    why_no_start,
)
from .batches import GROUP, Questions, WorkerPool, pools_of
from .interrupts import Interrupts
from .onnx import answer_onnx
from .plan import Plan, why_absent
from .profile import RunProfile
from .recorder import Recorder
from .shards import takes
from .validity import ValiditySearch, next_questions

Progress = Callable[[str, str, int, int], None]  # framework, state, done, total
_PATIENCE = 1.0  # seconds for workers to end, after they were told to


@dataclass(eq=False)
class _Worker:
    """A cell at work on a lane."""

    lane: WorkerPool
    cell: Any = None
    waiting: deque[list[Asked]] = field(default_factory=deque)
    share: Iterator[list[Asked]] = field(default_factory=lambda: iter(()))
    running: int = 0
    searches: list[ValiditySearch] = field(default_factory=list)  # that it has taken
    dtype: str = ""  # of the last group

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.running


@dataclass(eq=False)
class _Work:
    """What is left of a lane once its first worker has started."""

    done: int
    total: int
    shares: deque[Iterator[list[Asked]]]
    searches: deque[list[ValiditySearch]]


class Engine:
    """Runs a plan into a run file."""

    def __init__(
        self, plan: Plan, run: RunFile, progress: Progress, cluster: Cluster | None = None
    ) -> None:
        """Take a plan; with a cluster its groups are asked there, otherwise here."""
        self._plan = plan
        self._cluster = cluster
        self._make_cell: Callable[..., Any] = cluster.cell if cluster else WorkerHandle
        self._run = run
        self._progress = progress
        self._recorder = Recorder(run, plan.suite.name, plan.device)
        self._events: SimpleQueue[tuple[Any, int, Any]] = SimpleQueue()
        self._workers: list[_Worker] = []
        self._ended: list[Any] = []
        self._work: dict[WorkerPool, _Work] = {}
        self._queue: deque[WorkerPool] = deque()
        self._unproven = set(plan.extra)  # frameworks whose user's files may not import
        self._suspected: dict[str, str] = {}  # those whose user's files came with no start, and why
        self._jobs = plan.jobs or max(2, os.cpu_count() or 1)
        self._interrupts = Interrupts(lambda: self._events.put((None, 0, None)))
        memory = plan.memory if cluster else plan.memory or share_of_memory(self._jobs)
        self._limits = Limits(plan.timeout, memory)
        self.spent = RunProfile()

    def execute(self) -> Recorder:
        """Ask everything that has no verdict yet; returns what was recorded.

        Raises:
            UserFileError: a file of implementations cannot be used.
            RunFileError: verdicts cannot be written, or the run was begun with other versions.
        """
        self._recorder.recall()
        for lane in pools_of(self._plan):  # a cluster takes a lane as a whole
            self._queue.extend([lane] * (1 if self._cluster else lane.workers))
        with self._interrupts:
            try:
                with Watchdog(self._look):
                    self._loop()
            finally:
                self._stop()
            self._recorder.finish()
        return self._recorder

    def _loop(self) -> None:
        if _asks_onnx(self._plan):
            row = answer_onnx(self._plan.suite.cases, self._recorder, self._progress)
            self._introduce(row)
        while self._queue or self._workers:
            while self._queue and (self._cluster or len(self._workers) < self._jobs):
                self._start(self._queue.popleft())
            if self._workers:
                self._handle(*self._events.get())
        self._run.publish()

    def _look(self) -> None:
        for worker in list(self._workers):
            if worker.cell is not None:
                worker.cell.look()

    def _stop(self) -> None:
        """End all workers, and keep what has been judged, whatever happened."""
        for worker in list(self._workers):
            self._end(worker)
        limit = time.monotonic() + _PATIENCE
        for cell in self._ended:
            cell.join(max(0.0, limit - time.monotonic()))
        self._recorder.flush()

    # --- workers come and go -------------------------------------------------------------------

    def _start(self, lane: WorkerPool) -> None:
        framework = FRAMEWORKS[lane.framework]
        reason = why_absent(framework, self._plan, here=self._cluster is None)
        if not reason and self._cluster is not None:
            reason = self._cluster.why_absent(lane.framework, self._plan.device)
        if reason:
            self._excuse(lane, reason)
            return
        work = self._work.get(lane)
        if work and not work.shares and not work.searches:
            return  # the other workers have taken everything
        if not work and all(worker.lane != lane for worker in self._workers):
            self._progress(lane.name, "starting", 0, 0)
        setup = Setup(
            lane.framework, self._plan.device, lane.files, threads=lane.threads,
            cache=self._plan.cache,
        )  # fmt: skip
        worker = _Worker(lane)
        self._workers.append(worker)  # before its cell: the events of a cell have an owner
        worker.cell = self._make_cell(setup, self._limits, self._report)

    def _report(self, cell: Any, ticket: int, future: Any) -> None:
        self._events.put((cell, ticket, future))

    def _handle(self, cell: Any, ticket: int, future: Any) -> None:
        self._interrupts.check()
        worker = next((it for it in self._workers if it.cell is cell), None)
        if worker is None or cell is None:
            return  # news of a worker that has ended
        if ticket == 0:
            self._started(worker, future)
        elif settled := cell.resolve(ticket, future):
            worker.running -= 1
            self._record(worker, settled)
        if worker in self._workers:
            self._feed(worker)

    def _started(self, worker: _Worker, future: Any) -> None:
        lane = worker.lane
        try:
            offered: Catalogue = worker.cell.catalogue_from(future)
        except UserFileError:
            raise
        except Exception as error:  # noqa: BLE001 -- a framework may fail to import in any way
            self._end(worker)
            reason = why_no_start(error)
            if lane.files:
                self._suspected[lane.framework] = f"{', '.join(lane.files)}: {reason}"
                self._blame_files(lane.framework)
            self._excuse(lane, reason)
            return
        self.spent.imported(lane.name, offered.seconds)
        if lane not in self._work:  # the first of its workers that is ready
            if lane.files:
                self._unproven.discard(lane.framework)
                self._publish()
            elif not lane.threads:  # whose environment names its one thread
                self._introduce(WorkerRow(lane.framework, self._plan.device, offered.environment))
            self._recorder.meet(lane.framework, offered)
            self._open(lane, offered.own if lane.files else offered.claims)
            self._blame_files(lane.framework)

    def _blame_files(self, framework: str) -> None:
        """If the framework itself starts, a user's files were why a process with them did not."""
        starts = any(it.framework == framework and not it.files for it in self._work)
        if starts and framework in self._suspected:
            raise UserFileError(self._suspected[framework])

    def _open(self, lane: WorkerPool, claims: Sequence[Claim]) -> None:
        questions = Questions(self._plan, lane, claims, self._recorder)
        searches = [] if lane.threads else list(self._batches(lane, claims))
        self._work[lane] = work = _Work(
            questions.total - questions.left, questions.total,
            deque(questions.shares()), deque(searches),
        )  # fmt: skip
        self._progress(lane.name, "asking", work.done, work.total)

    def _introduce(self, row: WorkerRow) -> None:
        """Write down who answers; a run that goes on must go on with the same versions."""
        where = "framework = ? AND device = ?"
        before = list(self._run.rows(WorkerRow, where, (row.framework, row.device)))
        for old in before:
            if not old.absent and not row.absent:
                _refuse_other_versions(self._run, old, row)
        if all(old.absent for old in before):
            self._run.drop(WorkerRow, where, (row.framework, row.device))
            self._run.add([row])
        self._publish()

    def _publish(self) -> None:
        if not self._unproven:  # from here on the command line was right
            self._run.publish()

    def _excuse(self, lane: WorkerPool, reason: str) -> None:
        """Say why a framework does not take part, once none of its workers can any more."""
        others = [*(worker.lane for worker in self._workers), *self._queue, *self._work]
        if lane in others:
            return
        self._progress(lane.name, reason, 0, 0)
        if all(other.framework != lane.framework for other in others):
            self._unproven.discard(lane.framework)
            self._introduce(WorkerRow(lane.framework, self._plan.device, {}, reason))

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        if worker.cell is not None:
            worker.cell.stop()
            self._ended.append(worker.cell)

    # --- questions go out, answers come in -----------------------------------------------------

    def _feed(self, worker: _Worker) -> None:
        """Keep some groups ahead of a worker; one that has none takes the next share."""
        while worker.running < worker.cell.capacity and (group := self._next(worker)):
            worker.running += 1
            worker.dtype = group[0][2].dtype
            worker.cell.send(group)
        if worker.is_idle:
            self._end(worker)

    def _next(self, worker: _Worker) -> list[Asked]:
        """Return what a worker is to be asked next; empty at the end, or until it has answered."""
        shares = self._work[worker.lane].shares
        if worker.waiting:
            return worker.waiting.popleft()
        while True:
            if group := next(worker.share, None):
                return group
            if not shares:
                break
            worker.share = shares.popleft()
        if not worker.running:
            self._search(worker)
        return worker.waiting.popleft() if worker.waiting else []

    def _batches(self, lane: WorkerPool, claims: Sequence[Claim]) -> Iterator[list[ValiditySearch]]:
        operations = self._plan.suite.operations
        wanted = [
            claim
            for claim in claims
            if (not operations or claim.operation in operations) and self._plan.asks(claim)
        ]
        for batch in self._recorder.domains.batches(wanted, lane.modes):
            if takes(self._plan.shard, batch[0]):
                yield batch

    def _search(self, worker: _Worker) -> None:
        """Ask what the worker's searches want to know next, or give it others."""
        wanted = next_questions(worker.searches)
        while not wanted and (batch := self._batch_for(worker)):
            worker.searches = batch
            wanted = next_questions(batch)
        self._work[worker.lane].total += len(wanted)
        worker.waiting.extend(
            wanted[begin : begin + GROUP] for begin in range(0, len(wanted), GROUP)
        )

    def _batch_for(self, worker: _Worker) -> list[ValiditySearch]:
        """Searches in the dtype that the worker has compiled for, if there are any."""
        batches = self._work[worker.lane].searches
        compiled = [batch for batch in batches if batch[0].dtype == worker.dtype]
        others = any(it.lane == worker.lane and it is not worker for it in self._workers)
        if not batches or (others and not compiled and len({it[0].dtype for it in batches}) == 1):
            return []  # another worker has them compiled
        batch = (compiled or list(batches))[0]
        batches.remove(batch)
        return batch

    def _record(self, worker: _Worker, settled: BatchResult) -> None:
        worker.waiting.extendleft(reversed(settled.again))
        for incident in settled.incidents:
            self._recorder.note(self._incident(worker.lane, incident))
        record = self._recorder.repeat if worker.lane.threads else self._recorder.record
        for case, observation in settled.answered:
            record(worker.lane.framework, case, observation)
            self._interrupts.check()
        self._recorder.flush()
        self.spent.called(worker.lane.name, settled.seconds)
        work = self._work[worker.lane]
        work.done += len(settled.answered)
        state = "done" if work.done == work.total else "asking"
        self._progress(worker.lane.name, state, work.done, work.total)

    def _incident(self, lane: WorkerPool, incident: Incident) -> IncidentRow:
        name, mode, case = incident.asked or ("", "", None)
        return IncidentRow(
            lane.framework, self._plan.device, name, mode, case.id if case else "",
            incident.ended.message, incident.outcome,
        )  # fmt: skip


def _asks_onnx(plan: Plan) -> bool:
    """Whether ONNX answers its own suite: it does so on the CPU, and eagerly."""
    is_eager = not plan.modes or "eager" in plan.modes
    return plan.suite.name == "onnx" and plan.device == "cpu" and is_eager


def _refuse_other_versions(run: RunFile, old: WorkerRow, new: WorkerRow) -> None:
    before, now = (row.environment.get("versions", {}) for row in (old, new))
    for package in sorted({*before, *now}):
        if before.get(package) != now.get(package):
            raise RunFileError(
                f"{run.path} was begun with {package} {before.get(package, 'absent')}; here is "
                f"{now.get(package, 'none')}: begin a new run, or go back to that version"
            )
