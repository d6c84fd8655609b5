"""The engine: asks every framework in a process of its own, and judges what comes back.

Data walks one way: suite → groups of one signature → worker → observations → judge → run
file. A group that kills its worker or runs out of time is split until the one question that
did it is alone; that question gets the verdict, and the run goes on with a fresh worker.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from multiprocessing.synchronize import Event
from queue import SimpleQueue
from typing import Any

from pebble import ProcessExpired, ProcessPool

from ..backends import FRAMEWORKS, Framework
from ..backends.base import Claim, DeviceAbsentError
from ..cases.model import Case
from ..cases.suites import Suite
from .domain import Search, next_questions
from .observation import Failure, Observation
from .onnx_reference import answer_onnx
from .recorder import Recorder
from .repeats import is_threaded
from .runfile import RunFile, WorkerRow
from .worker import Catalogue, Setup, UserFileError, ask, catalogue, start

Asked = tuple[str, str, Case]  # implementation, mode, case
DEFAULT_MODES = {
    "quick": ("eager", "jit", "function"),
    "full": ("eager", "jit", "function", "xla", "compile"),
    "worked": ("eager",),
    "fuzz": ("eager",),
    "onnx": ("eager", "jit", "function"),
}
_GROUP = 48  # questions that are sent together
_AHEAD = 3  # groups that wait at a worker, so that it never idles and memory stays bounded
START_TIMEOUT = 300.0


@dataclass(frozen=True)
class Plan:
    """What one run asks of whom.

    Attributes:
        suite: the cases.
        frameworks: names of `backends.FRAMEWORKS`.
        modes: empty for the suite's own.
        device: `cpu` or `gpu`.
        extra: for each framework the files or modules of a user's own implementations.
        jobs: how many workers run side by side.
        timeout: seconds that a group of questions may take.
        only: which implementations are asked; all, where None.
    """

    suite: Suite
    frameworks: tuple[str, ...]
    modes: tuple[str, ...] = ()
    device: str = "cpu"
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    jobs: int = 0
    timeout: float = 120.0
    only: Callable[[Claim], bool] | None = None


Progress = Callable[[str, str, int, int], None]  # framework, state, done, total


@dataclass(frozen=True)
class _Lane:
    """Work that any of some equal workers can take.

    Attributes:
        framework: whose workers.
        threads: that each may use; 0 for as many as the framework likes.
    """

    framework: str
    threads: int = 0

    @property
    def name(self) -> str:
        """As the progress shows it."""
        return f"{self.framework}, one thread" if self.threads else self.framework


@dataclass(eq=False)
class _Worker:
    """A process at work."""

    lane: _Lane
    pool: ProcessPool
    loads: Event  # set once the framework has been imported: see `worker.start`
    waiting: deque[list[Asked]] = field(default_factory=deque)
    running: int = 0
    searches: list[Search] = field(default_factory=list)  # that it has taken
    dtype: str = ""  # of the last group

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.running


@dataclass(frozen=True)
class _Event:
    """Something that a worker has finished; `group` is None for its start."""

    worker: _Worker
    group: list[Asked] | None
    future: Any


class Engine:
    """Runs a plan into a run file."""

    def __init__(self, plan: Plan, run: RunFile, progress: Progress) -> None:
        self._plan = plan
        self._run = run
        self._progress = progress
        self._recorder = Recorder(run, plan.suite.name, plan.device)
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._workers: list[_Worker] = []
        self._counts: dict[_Lane, list[int]] = {}  # done and total
        self._shares: dict[_Lane, deque[list[list[Asked]]]] = {}  # that no worker has taken yet
        self._searches: dict[_Lane, deque[list[Search]]] = {}
        self._queue: deque[_Lane] = deque()
        self._modes = {name: _modes(FRAMEWORKS[name], plan) for name in plan.frameworks}

    def execute(self) -> Recorder:
        """Ask everything; returns what was recorded. Ctrl-C keeps what is there."""
        names = self._plan.frameworks
        self._queue.extend(_Lane(name) for name in names for _ in range(FRAMEWORKS[name].lanes))
        if any(map(is_threaded, self._plan.suite.cases)):
            self._queue.extend(_Lane(name, threads=1) for name in names)
        jobs = self._plan.jobs or max(2, os.cpu_count() or 1)
        try:
            if _asks_onnx(self._plan):
                row = answer_onnx(self._plan.suite.cases, self._recorder, self._progress)
                self._run.add([row])
            while self._queue or self._workers:
                while self._queue and len(self._workers) < jobs:
                    self._start(self._queue.popleft())
                if self._workers:
                    self._handle(self._events.get())
        finally:
            for worker in self._workers:
                worker.pool.stop()
            self._recorder.close()
        self._recorder.finish()
        return self._recorder

    def _start(self, lane: _Lane) -> None:
        reason = why_absent(FRAMEWORKS[lane.framework], self._plan)
        if reason:
            self._excuse(lane, reason)
            return
        if lane in self._shares and not self._shares[lane] and not self._searches[lane]:
            return  # the other workers have taken everything
        extra = self._plan.extra.get(lane.framework, ())
        setup = Setup(lane.framework, self._plan.device, extra, threads=lane.threads)
        context = multiprocessing.get_context("spawn")
        loads = context.Event()
        initargs = [setup, loads]
        pool = ProcessPool(max_workers=1, context=context, initializer=start, initargs=initargs)
        if lane not in self._counts and all(worker.lane != lane for worker in self._workers):
            self._progress(lane.name, "starting", 0, 0)
        worker = _Worker(lane, pool, loads)
        self._workers.append(worker)
        self._schedule(worker, None, pool.schedule(catalogue, timeout=START_TIMEOUT))

    def _schedule(self, worker: _Worker, group: list[Asked] | None, future: Any) -> None:
        future.add_done_callback(partial(_report, self._events, worker, group))

    def _excuse(self, lane: _Lane, reason: str) -> None:
        """Say why a framework does not take part, once none of its workers can any more."""
        others = [*(worker.lane for worker in self._workers), *self._queue]
        if lane not in self._shares and lane not in others:
            self._progress(lane.name, reason, 0, 0)
            if not lane.threads:
                self._run.add([WorkerRow(lane.framework, self._plan.device, {}, reason)])

    def _handle(self, event: _Event) -> None:
        worker = event.worker
        if event.group is None:
            self._started(worker, event.future)
        else:
            worker.running -= 1
            self._answered(worker, event.group, event.future)
        if worker in self._workers:
            self._feed(worker)

    def _started(self, worker: _Worker, future: Any) -> None:
        lane = worker.lane
        try:
            offered: Catalogue = future.result()
        except UserFileError:
            raise
        except Exception as error:  # noqa: BLE001 -- a framework may fail to import in any way
            worker.pool.stop()
            self._workers.remove(worker)
            self._excuse(lane, _why_no_start(error))
            return
        worker.loads.set()
        if lane not in self._shares:  # the first of its workers that is ready
            if not lane.threads:
                self._run.add([WorkerRow(lane.framework, self._plan.device, offered.environment)])
            self._recorder.meet(lane.framework, offered)
            groups = list(self._groups(lane, offered))
            self._counts[lane] = [0, sum(map(len, groups))]
            self._shares[lane] = deque(_dealt(groups, FRAMEWORKS[lane.framework].lanes))
            self._searches[lane] = deque() if lane.threads else deque(self._batches(lane, offered))
            self._progress(lane.name, "asking", *self._counts[lane])

    def _batches(self, lane: _Lane, offered: Catalogue) -> Iterator[list[Search]]:
        operations, only = self._plan.suite.operations, self._plan.only
        claims = [
            claim
            for claim in offered.claims
            if (not operations or claim.operation in operations) and (not only or only(claim))
        ]
        return self._recorder.domains.batches(claims, self._modes[lane.framework])

    def _groups(self, lane: _Lane, offered: Catalogue) -> Iterator[list[Asked]]:
        suite = self._plan.suite
        for mode in self._modes[lane.framework]:
            cases = [
                case
                for case in suite.cases
                if (mode == "eager" or suite.is_compiled(case, mode))
                and (not lane.threads or is_threaded(case))
            ]
            for _, same in groupby(cases, key=lambda case: case.signature):
                asked = [
                    (claim.name, mode, case)
                    for case in same
                    for claim in offered.claims
                    if self._is_claimed(lane, claim, mode, case)
                ]
                asked.sort(key=lambda item: item[0])
                for begin in range(0, len(asked), _GROUP):
                    yield asked[begin : begin + _GROUP]

    def _is_claimed(self, lane: _Lane, claim: Claim, mode: str, case: Case) -> bool:
        if claim.operation != case.operation or (self._plan.only and not self._plan.only(claim)):
            return False
        reason = claim.unsupported(case)
        if reason and mode == "eager" and not lane.threads:
            self._recorder.unsupported(claim, case, reason)
        return not reason

    def _feed(self, worker: _Worker) -> None:
        """Keep some groups ahead of a worker; one that has none takes the next share."""
        shares = self._shares[worker.lane]
        while not worker.waiting and shares:
            worker.waiting.extend(shares.popleft())
        if worker.is_idle:
            self._search(worker)
        while worker.waiting and worker.running < _AHEAD:
            group = worker.waiting.popleft()
            worker.running += 1
            worker.dtype = group[0][2].dtype
            future = worker.pool.schedule(ask, args=[group], timeout=self._plan.timeout)
            self._schedule(worker, group, future)
        if worker.is_idle:
            worker.pool.close()
            worker.pool.join()
            self._workers.remove(worker)

    def _search(self, worker: _Worker) -> None:
        """Ask what the worker's searches want to know next, or give it others."""
        lane, wanted = worker.lane, next_questions(worker.searches)
        while not wanted and (batch := self._batch_for(worker)):
            worker.searches = batch
            wanted = next_questions(batch)
        self._counts[lane][1] += len(wanted)
        worker.waiting.extend(
            wanted[begin : begin + _GROUP] for begin in range(0, len(wanted), _GROUP)
        )

    def _batch_for(self, worker: _Worker) -> list[Search]:
        """Searches in the dtype that the worker has compiled for, if there are any."""
        batches = self._searches[worker.lane]
        compiled = [batch for batch in batches if batch[0].dtype == worker.dtype]
        others = any(it.lane == worker.lane and it is not worker for it in self._workers)
        if not batches or (others and not compiled and len({it[0].dtype for it in batches}) == 1):
            return []  # another worker has them compiled
        batch = (compiled or list(batches))[0]
        batches.remove(batch)
        return batch

    def _answered(self, worker: _Worker, group: list[Asked], future: Any) -> None:
        try:
            observations: list[Observation] = future.result()
        except FutureTimeoutError:
            message = f"no answer within {self._plan.timeout:g} s"
            observations = self._split(worker, group, "timed out", message)
        except ProcessExpired as error:
            message = f"the process died with status {error.exitcode}"
            observations = self._split(worker, group, "crashed", message)
        cases = {case.id: case for _, _, case in group}
        record = self._recorder.repeat if worker.lane.threads else self._recorder.record
        for observation in observations:
            record(cases[observation.case], observation)
        count = self._counts[worker.lane]
        count[0] += len(observations)
        self._progress(worker.lane.name, "done" if count[0] == count[1] else "asking", *count)

    def _split(
        self, worker: _Worker, group: list[Asked], verdict: Any, message: str
    ) -> list[Observation]:
        if len(group) > 1:
            half = len(group) // 2
            worker.waiting.extendleft([group[half:], group[:half]])
            return []
        (name, mode, case), failure = group[0], Failure(verdict, message)
        return [Observation(case.id, name, mode, {"value": failure})]


def _asks_onnx(plan: Plan) -> bool:
    """Whether ONNX answers its own suite: it does so on the CPU, and eagerly."""
    is_eager = not plan.modes or "eager" in plan.modes
    return plan.suite.name == "onnx" and plan.device == "cpu" and is_eager


def why_absent(framework: Framework, plan: Plan) -> str:
    """Return why a framework cannot take part; empty if it can, as far as is known."""
    if framework.missing:
        missing = " and ".join(framework.missing)
        return f"{missing} not installed; pip install 'lossdiff[{framework.extra}]'"
    if not _modes(framework, plan):
        return f"has no such mode; it has {', '.join(framework.modes)}"
    return ""


def _modes(framework: Framework, plan: Plan) -> list[str]:
    wanted = plan.modes or DEFAULT_MODES.get(plan.suite.name, DEFAULT_MODES["quick"])
    return [mode for mode in framework.modes if mode in wanted]


def _why_no_start(error: Exception) -> str:
    if isinstance(error, DeviceAbsentError):
        return str(error)
    if isinstance(error, ProcessExpired | FutureTimeoutError):
        return f"its process died or hung at the import: {error}"
    return f"does not import: {type(error).__name__}: {error}"


def _dealt(groups: list[list[Asked]], lanes: int) -> list[list[list[Asked]]]:
    """Deal groups out to workers, those of one dtype and shape together, the longest last.

    What is compiled for the longest is then still there for the searches that follow.
    """
    buckets: dict[Any, list[list[Asked]]] = {}
    for group in groups:
        case = group[0][2]
        buckets.setdefault((case.dtype, case.shape), []).append(group)
    dealt: list[list[list[Asked]]] = [[] for _ in range(lanes)]
    for bucket in sorted(buckets.values(), key=len, reverse=True):
        place = min(dealt, key=lambda lane: sum(map(len, lane)))
        place[:0] = bucket
    return dealt


def _report(
    events: SimpleQueue[_Event], worker: _Worker, group: list[Asked] | None, future: Any
) -> None:
    events.put(_Event(worker, group, future))
