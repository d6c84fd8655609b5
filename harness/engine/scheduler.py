"""Run the engine: evaluate every framework in processes of its own, and pass the answers on.

Data flows one way: suite → worker pools → batches → worker → answers → `Flow`,
which judges them and writes rows. `harness.workers.supervisor` finds the question that has ended a
worker; the other questions of its batch return here and are sent again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any

from ...backends import EAGER, FRAMEWORKS
from ...backends.claim import Claim
from ...errors import LostError, UserFileError
from ..runfile import IncidentRow, RunFile, WorkerRow
from ..workers import (
    NO_SPARES,
    BatchResult,
    Catalogue,
    Cluster,
    Incident,
    Limits,
    Setup,
    Spares,
    Watchdog,
    Worker,
    WorkerHandle,
    jobs_by_default,
    share_of_memory,
    why_no_start,
)
from .batches import BATCH_SIZE, Batch, Partition, Questions, Unclaimed, WorkerPool, pools_of
from .findings import Findings
from .flow import Flow
from .identity import refuse_other_versions
from .interrupts import Interrupts
from .introductions import introduced
from .onnx import answer_onnx, asks_onnx
from .plan import Plan, why_absent
from .profile import RunProfile
from .shards import takes
from .sharing import share_findings, start_ahead
from .start_gate import StartGate
from .validity import ValiditySearch, next_questions

Progress = Callable[[str, str, int, int], None]  # framework, state, done, total
_PATIENCE = 1.0  # seconds within which stopped workers should have ended


@dataclass(frozen=True)
class _Started:
    """A worker has imported its framework, or has failed to."""

    handle: Worker
    future: Any


@dataclass(frozen=True)
class _Answered:
    """A batch has been answered, or its worker has died."""

    handle: Worker
    batch_id: int
    future: Any


@dataclass(frozen=True)
class _Woken:
    """A signal has arrived."""


@dataclass(eq=False)
class _Member:
    """A worker of a pool.

    Attributes:
        pool: the pool whose questions it answers.
        handle: handle of the process; None while it is made.
        waiting: batches that are sent next.
        partition: its partition of the pool.
        running: number of batches that are sent and unanswered.
        searches: the searches for the domain of validity that it makes.
        dtype: dtype of the last batch, which the worker has compiled for.
    """

    pool: WorkerPool
    handle: Worker | None = None
    waiting: deque[Batch] = field(default_factory=deque)
    partition: Partition = field(default_factory=lambda: iter(()))
    running: int = 0
    searches: list[ValiditySearch] = field(default_factory=list)
    dtype: str = ""

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.running


@dataclass(eq=False)
class _Work:
    """The remaining work of a pool whose first worker has started."""

    done: int
    total: int
    partitions: deque[Partition]
    searches: deque[list[ValiditySearch]]


class Engine:
    """The execution of a plan, whose results go to a run file.

    Attributes:
        profile: the time that is spent, by purpose.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunFile,
        progress: Progress,
        cluster: Cluster | None = None,
        spares: Spares = NO_SPARES,
    ) -> None:
        """Take a plan.

        Args:
            plan: the questions.
            run: receives the rows.
            progress: is told how far it is.
            cluster: executes the plan; None for this machine.
            spares: the processes of earlier steps, and for later ones.
        """
        self._plan, self._run, self._progress, self._cluster = plan, run, progress, cluster
        self._spares = spares
        self._flow = Flow(run, plan.suite.name, plan.device, plan.expected, plan.conventions)
        self._gate = StartGate(run, plan.extra)
        self._events: SimpleQueue[_Started | _Answered | _Woken] = SimpleQueue()
        self._members: list[_Member] = []
        self._ended: list[Worker] = []
        self._work: dict[WorkerPool, _Work] = {}
        self._queue: deque[WorkerPool] = deque()
        self._jobs = plan.jobs or jobs_by_default()
        self._limits = Limits(plan.timeout, plan.memory)
        self._interrupts = Interrupts(lambda: self._events.put(_Woken()))
        self.profile = RunProfile()

    def execute(self) -> Findings:
        """Evaluate all questions that have no verdicts yet, and return the findings.

        Raises:
            UserFileError: a file of implementations cannot be used.
            RunFileError: verdicts cannot be written, or the run was begun with other versions.
        """
        if self._cluster is None:
            self._plan, _ = introduced(self._plan, self._spares)
        self._flow.recall()
        for pool in pools_of(self._plan):  # a cluster takes a pool as a whole
            self._queue.extend([pool] * (1 if self._cluster else pool.workers))
        if not self._cluster and not self._plan.memory:
            share = share_of_memory(max(1, min(self._jobs, len(self._queue))))
            self._limits = Limits(self._plan.timeout, share)
        with self._interrupts:
            try:
                with Watchdog(self._poll):
                    self._loop()
            finally:
                self._stop()
            if self._plan.only_own and not self._cluster:
                flow = self._flow
                flow.findings.unknown -= share_findings(
                    self._plan, self._run, flow.judge, self._progress, self._spares
                )
            self._flow.finish()
        return self._flow.findings

    def _loop(self) -> None:
        if asks_onnx(self._plan):
            self._introduce(answer_onnx(self._plan.suite.cases, self._flow, self._progress))
        while self._queue or self._members:
            while self._queue and (self._cluster or len(self._members) < self._jobs):
                self._start(self._queue.popleft())
            if self._members:
                self._handle(self._events.get())
        self._run.publish()

    def _poll(self) -> None:
        for member in list(self._members):
            if member.handle is not None:
                member.handle.poll()

    def _stop(self) -> None:
        """End all workers, and commit what has been judged, whatever happened."""
        for member in list(self._members):
            self._end(member)
        limit = time.monotonic() + _PATIENCE
        for handle in self._ended:
            handle.join(max(0.0, limit - time.monotonic()))
        self._flow.flush()

    # --- workers start and end -----------------------------------------------------------------

    def _start(self, pool: WorkerPool) -> None:
        framework = FRAMEWORKS[pool.framework]
        reason = why_absent(framework, self._plan, here=self._cluster is None)
        if not reason and self._cluster is not None:
            reason = self._cluster.why_absent(pool.framework, self._plan.device)
        if reason:
            self._excuse(pool, reason)
            return
        work = self._work.get(pool)
        if work and not work.partitions and not work.searches:
            return  # the other workers have taken everything
        if not work and all(member.pool != pool for member in self._members):
            self._progress(pool.name, "starting", 0, 0)
        setup = Setup(
            pool.framework,
            self._plan.device,
            pool.files,
            self._plan.learnt.get(pool.framework) if pool.files else None,
            threads=pool.threads,
            cache=self._plan.cache,
            mode=pool.mode,
            python=self._plan.python,
        )
        member = _Member(pool)
        # The member comes before its handle, which may report an event as soon as it is made.
        self._members.append(member)
        # Later steps ask nothing on one thread, and nothing in a mode alone.
        spares = NO_SPARES if pool.threads or pool.mode != EAGER else self._spares
        make = self._cluster.handle if self._cluster else partial(WorkerHandle, spares=spares)
        try:
            member.handle = make(setup, self._limits, self._report_start, self._report_answer)
        except LostError as error:  # the machine has no room for another process
            self._absent(member, str(error))

    def _report_start(self, handle: Worker, future: Any) -> None:
        self._events.put(_Started(handle, future))

    def _report_answer(self, handle: Worker, batch_id: int, future: Any) -> None:
        self._events.put(_Answered(handle, batch_id, future))

    def _handle(self, event: _Started | _Answered | _Woken) -> None:
        self._interrupts.check()
        if isinstance(event, _Woken):
            return
        member = next((it for it in self._members if it.handle is event.handle), None)
        if member is None:
            return  # the event of a worker that has ended
        if isinstance(event, _Started):
            self._started(member, event)
        elif result := event.handle.resolve(event.batch_id, event.future):
            member.running -= result.batches
            self._take(member, result)
        if member in self._members:
            self._feed(member, event.handle)

    def _started(self, member: _Member, event: _Started) -> None:
        pool = member.pool
        try:
            catalogue = event.handle.catalogue_from(event.future)
        except UserFileError:
            raise
        except Exception as error:  # noqa: BLE001 -- a framework may fail to import in any way
            self._absent(member, why_no_start(error))
            return
        self.profile.imported(pool.name, catalogue.seconds)
        if pool not in self._work:  # the first of its workers that is ready
            self._open(pool, catalogue)

    def _absent(self, member: _Member, reason: str) -> None:
        """End a worker that has not started, and record why."""
        self._end(member)
        self._gate.did_not_start(member.pool, reason)
        self._excuse(member.pool, reason)

    def _open(self, pool: WorkerPool, catalogue: Catalogue) -> None:
        """Determine the questions of a pool, now that its claims are known."""
        # With one thread the environment is another.
        if not pool.threads and (not pool.files or self._plan.only_own):
            self._introduce(WorkerRow(pool.framework, self._plan.device, catalogue.environment))
        if catalogue.spoiled:
            what = f"{', '.join(pool.files)} spoils at its import: {', '.join(catalogue.spoiled)}"
            self._progress(pool.name, what, 0, 0)
            about = (pool.framework, self._plan.device, "", "", "", what)
            self._flow.record_incident(IncidentRow(*about, "kept"))
        self._flow.findings.meet(pool.framework, catalogue)
        claims = catalogue.own if pool.files else catalogue.claims
        failed = {it.claim.name for it in catalogue.learnt if it.failed}
        questions = Questions(self._plan, pool, claims, self._flow.writer.has, failed)
        answering = [claim for claim in claims if claim.name not in failed]
        searches = [] if pool.threads else list(self._searches(pool, answering))
        self._work[pool] = work = _Work(
            questions.total - questions.left,
            questions.total,
            deque(questions.partitions()),
            deque(searches),
        )
        self._progress(pool.name, "asking", work.done, work.total)
        self._gate.started(pool)

    def _introduce(self, row: WorkerRow) -> None:
        """Write the environment of a framework; a resumed run must have the same versions."""
        where = "framework = ? AND device = ?"
        before = list(self._run.rows(WorkerRow, where, (row.framework, row.device)))
        for old in before:
            if not old.absent and not row.absent:
                refuse_other_versions(self._run, old, row)
        if all(old.absent for old in before):
            self._run.drop(WorkerRow, where, (row.framework, row.device))
            self._run.add([row])
        self._gate.publish()

    def _excuse(self, pool: WorkerPool, reason: str) -> None:
        """Record why a framework is absent, once no other worker can still start."""
        # Another worker of the pool may still start, or may have done the work of this one.
        others = [*(member.pool for member in self._members), *self._queue, *self._work]
        if pool in others:
            return
        self._progress(pool.name, reason, 0, 0)
        if all(other.framework != pool.framework for other in others):
            self._gate.settle(pool.framework)
            self._introduce(WorkerRow(pool.framework, self._plan.device, {}, reason))

    def _end(self, member: _Member) -> None:
        self._members.remove(member)
        if member.handle is not None:
            member.handle.stop()
            self._ended.append(member.handle)

    # --- questions are sent, answers are recorded ----------------------------------------------

    def _feed(self, member: _Member, handle: Worker) -> None:
        """Send batches ahead of a worker; one that has nothing left to do is ended."""
        while member.running < handle.capacity and (batch := self._next(member)):
            member.running += 1
            member.dtype = batch[0].case.dtype
            handle.send(batch)
        if member.is_idle:
            self._end(member)

    def _next(self, member: _Member) -> Batch:
        """Return the next batch of a worker; empty at the end, or until it has answered."""
        # Batches to be repeated come first, then the worker's partition and further ones, and last
        # the searches, whose next questions depend on the answers to the previous ones.
        partitions = self._work[member.pool].partitions
        if member.waiting:
            return member.waiting.popleft()
        while True:
            for item in member.partition:
                if not isinstance(item, Unclaimed):
                    return item
                self._flow.record_unclaimed(item.claim, item.case, item.reason)
            if not partitions:
                break
            member.partition = partitions.popleft()
        if not member.running:
            self._search(member)
        return member.waiting.popleft() if member.waiting else []

    def _take(self, member: _Member, result: BatchResult) -> None:
        """Record the result of a batch, and queue the questions that have to be repeated."""
        pool = member.pool
        member.waiting.extendleft(reversed(result.again))
        for incident in result.incidents:
            self._flow.record_incident(self._incident(pool, incident))
        self._flow.record(pool.framework, result.answered, pool.threads, self._interrupts.check)
        self._flow.flush()
        self.profile.called(pool.name, result.seconds)
        if self._plan.only_own and len(self._members) + len(self._queue) < self._jobs:
            start_ahead(self._plan, self._flow.findings, pool.framework, self._spares)
        work = self._work[pool]
        work.done += len(result.answered)
        state = "done" if work.done == work.total else "asking"
        self._progress(pool.name, state, work.done, work.total)

    def _incident(self, pool: WorkerPool, incident: Incident) -> IncidentRow:
        name, mode, case = incident.question or ("", "", None)
        return IncidentRow(
            pool.framework,
            self._plan.device,
            name,
            mode,
            case.id if case else "",
            incident.ended.message,
            incident.outcome,
        )

    # --- searches for the domain of validity ------------------------------------------------------

    def _searches(
        self, pool: WorkerPool, claims: Sequence[Claim]
    ) -> Iterator[list[ValiditySearch]]:
        """Yield the searches that one worker makes together."""
        operations = self._plan.suite.operations
        wanted = [
            claim
            for claim in claims
            if (not operations or claim.operation in operations) and self._plan.asks(claim)
        ]
        for together in self._flow.searches.together(wanted, pool.modes):
            if takes(self._plan.shard, together[0]):
                yield together

    def _search(self, member: _Member) -> None:
        """Queue the next questions of the worker's searches, or those of other searches."""
        wanted = next_questions(member.searches)
        while not wanted and (together := self._searches_for(member)):
            member.searches = together
            wanted = next_questions(together)
        self._work[member.pool].total += len(wanted)
        member.waiting.extend(
            wanted[begin : begin + BATCH_SIZE] for begin in range(0, len(wanted), BATCH_SIZE)
        )

    def _searches_for(self, member: _Member) -> list[ValiditySearch]:
        """Return searches for a worker, preferably in the dtype that it has compiled for."""
        left = self._work[member.pool].searches
        compiled = [together for together in left if together[0].dtype == member.dtype]
        others = any(it.pool == member.pool and it is not member for it in self._members)
        if not left or (others and not compiled and len({it[0].dtype for it in left}) == 1):
            return []  # another worker has compiled for their dtype
        together = (compiled or list(left))[0]
        left.remove(together)
        return together
