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
from .observation import Failure, Observation
from .recorder import Recorder
from .runfile import RunFile, WorkerRow
from .worker import Catalogue, Setup, UserFileError, ask, catalogue, start

Asked = tuple[str, str, Case]  # implementation, mode, case
DEFAULT_MODES = {
    "quick": ("eager", "jit", "function"),
    "full": ("eager", "jit", "function", "xla", "compile"),
    "worked": ("eager",),
    "fuzz": ("eager",),
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


@dataclass(eq=False)
class _Worker:
    """One lane of a framework at work."""

    framework: Framework
    pool: ProcessPool
    loads: Event  # set once the framework has been imported: see `worker.start`
    waiting: deque[list[Asked]] = field(default_factory=deque)
    running: int = 0

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
        self._recorder = Recorder(run, plan.device)
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._workers: list[_Worker] = []
        self._counts: dict[str, list[int]] = {}  # done and total of each framework
        self._shares: dict[str, deque[list[list[Asked]]]] = {}  # that no lane has taken yet
        self._queue: deque[tuple[Framework, int]] = deque()
        self._modes = {name: _modes(FRAMEWORKS[name], plan) for name in plan.frameworks}

    def execute(self) -> Recorder:
        """Ask everything; returns what was recorded. Ctrl-C keeps what is there."""
        self._queue.extend(
            (FRAMEWORKS[name], lane)
            for name in self._plan.frameworks
            for lane in range(FRAMEWORKS[name].lanes)
        )
        jobs = self._plan.jobs or max(2, os.cpu_count() or 1)
        try:
            while self._queue or self._workers:
                while self._queue and len(self._workers) < jobs:
                    self._start(*self._queue.popleft())
                if self._workers:
                    self._handle(self._events.get())
        finally:
            for worker in self._workers:
                worker.pool.stop()
            self._recorder.flush()
        self._recorder.finish()
        return self._recorder

    def _start(self, framework: Framework, lane: int) -> None:
        reason = why_absent(framework, self._plan)
        if reason:
            self._excuse(framework.name, reason)
            return
        if framework.name in self._shares and not self._shares[framework.name]:
            return  # the other lanes have taken everything
        extra = self._plan.extra.get(framework.name, ())
        setup = Setup(framework.name, self._plan.device, extra)
        context = multiprocessing.get_context("spawn")
        loads = context.Event()
        initargs = [setup, loads]
        pool = ProcessPool(max_workers=1, context=context, initializer=start, initargs=initargs)
        worker = _Worker(framework, pool, loads)
        self._workers.append(worker)
        if lane == 0:
            self._progress(framework.name, "starting", 0, 0)
        self._schedule(worker, None, pool.schedule(catalogue, timeout=START_TIMEOUT))

    def _schedule(self, worker: _Worker, group: list[Asked] | None, future: Any) -> None:
        future.add_done_callback(partial(_report, self._events, worker, group))

    def _excuse(self, name: str, reason: str) -> None:
        """Say why a framework does not take part, once none of its lanes can any more."""
        others = [worker.framework.name for worker in self._workers]
        others += [framework.name for framework, _ in self._queue]
        if name not in self._shares and name not in others:
            self._run.add([WorkerRow(name, self._plan.device, {}, reason)])
            self._progress(name, reason, 0, 0)

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
        name = worker.framework.name
        try:
            offered: Catalogue = future.result()
        except UserFileError:
            raise
        except Exception as error:  # noqa: BLE001 -- a framework may fail to import in any way
            worker.pool.stop()
            self._workers.remove(worker)
            self._excuse(name, _why_no_start(error))
            return
        worker.loads.set()
        if name not in self._shares:  # the first of its lanes that is ready
            self._run.add([WorkerRow(name, self._plan.device, offered.environment)])
            self._recorder.meet(name, offered)
            groups = list(self._groups(name, offered))
            self._counts[name] = [0, sum(map(len, groups))]
            self._shares[name] = deque(_dealt(groups, worker.framework.lanes))
            self._progress(name, "asking", *self._counts[name])

    def _groups(self, name: str, offered: Catalogue) -> Iterator[list[Asked]]:
        suite = self._plan.suite
        for mode in self._modes[name]:
            cases = [case for case in suite.cases if mode == "eager" or suite.is_compiled(case)]
            for _, same in groupby(cases, key=lambda case: case.signature):
                asked = [
                    (claim.name, mode, case)
                    for case in same
                    for claim in offered.claims
                    if self._is_claimed(claim, mode, case)
                ]
                asked.sort(key=lambda item: item[0])
                for begin in range(0, len(asked), _GROUP):
                    yield asked[begin : begin + _GROUP]

    def _is_claimed(self, claim: Claim, mode: str, case: Case) -> bool:
        if claim.operation != case.operation or (self._plan.only and not self._plan.only(claim)):
            return False
        reason = claim.unsupported(case)
        if reason and mode == "eager":
            self._recorder.unsupported(claim, case, reason)
        return not reason

    def _feed(self, worker: _Worker) -> None:
        """Keep some groups ahead of a worker; one that has none takes the next share."""
        shares = self._shares[worker.framework.name]
        while not worker.waiting and shares:
            worker.waiting.extend(shares.popleft())
        while worker.waiting and worker.running < _AHEAD:
            group = worker.waiting.popleft()
            worker.running += 1
            future = worker.pool.schedule(ask, args=[group], timeout=self._plan.timeout)
            self._schedule(worker, group, future)
        if worker.is_idle:
            worker.pool.close()
            worker.pool.join()
            self._workers.remove(worker)

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
        for observation in observations:
            self._recorder.record(cases[observation.case], observation)
        name = worker.framework.name
        count = self._counts[name]
        count[0] += len(observations)
        self._progress(name, "done" if count[0] == count[1] else "asking", *count)

    def _split(
        self, worker: _Worker, group: list[Asked], verdict: Any, message: str
    ) -> list[Observation]:
        if len(group) > 1:
            half = len(group) // 2
            worker.waiting.extendleft([group[half:], group[:half]])
            return []
        (name, mode, case), failure = group[0], Failure(verdict, message)
        return [Observation(case.id, name, mode, {"value": failure})]


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
    """Deal groups out to lanes, those of one dtype and shape together, the longest first."""
    buckets: dict[Any, list[list[Asked]]] = {}
    for group in groups:
        case = group[0][2]
        buckets.setdefault((case.dtype, case.shape), []).append(group)
    dealt: list[list[list[Asked]]] = [[] for _ in range(lanes)]
    for bucket in sorted(buckets.values(), key=len, reverse=True):
        min(dealt, key=lambda lane: sum(map(len, lane))).extend(bucket)
    return dealt


def _report(
    events: SimpleQueue[_Event], worker: _Worker, group: list[Asked] | None, future: Any
) -> None:
    events.put(_Event(worker, group, future))
