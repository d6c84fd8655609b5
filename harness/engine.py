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


@dataclass
class _Worker:
    """One framework at work."""

    framework: Framework
    pool: ProcessPool
    waiting: deque[list[Asked]] = field(default_factory=deque)
    running: int = 0
    done: int = 0
    total: int = 0

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.running


@dataclass(frozen=True)
class _Event:
    """Something that a worker has finished; `group` is None for its start."""

    framework: str
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
        self._workers: dict[str, _Worker] = {}
        self._modes = {name: _modes(FRAMEWORKS[name], plan) for name in plan.frameworks}

    def execute(self) -> Recorder:
        """Ask everything; returns what was recorded. Ctrl-C keeps what is there."""
        queue = deque(self._plan.frameworks)
        jobs = self._plan.jobs or max(2, os.cpu_count() or 1)
        try:
            while queue or self._workers:
                while queue and len(self._workers) < jobs:
                    self._start(queue.popleft())
                if self._workers:
                    self._handle(self._events.get())
        finally:
            for worker in self._workers.values():
                worker.pool.stop()
            self._recorder.flush()
        self._recorder.finish()
        return self._recorder

    def _start(self, name: str) -> None:
        framework = FRAMEWORKS[name]
        reason = why_absent(framework, self._plan)
        if reason:
            self._give_up(name, reason)
            return
        setup = Setup(name, self._plan.device, self._plan.extra.get(name, ()))
        context = multiprocessing.get_context("spawn")
        pool = ProcessPool(max_workers=1, context=context, initializer=start, initargs=[setup])
        self._workers[name] = _Worker(framework, pool)
        self._progress(name, "starting", 0, 0)
        self._schedule(name, None, pool.schedule(catalogue, timeout=START_TIMEOUT))

    def _schedule(self, name: str, group: list[Asked] | None, future: Any) -> None:
        future.add_done_callback(partial(_report, self._events, name, group))

    def _give_up(self, name: str, reason: str) -> None:
        self._run.add([WorkerRow(name, self._plan.device, {}, reason)])
        self._progress(name, reason, 0, 0)
        worker = self._workers.pop(name, None)
        if worker is not None:
            worker.pool.stop()

    def _handle(self, event: _Event) -> None:
        worker = self._workers[event.framework]
        if event.group is None:
            self._started(event.framework, worker, event.future)
        else:
            worker.running -= 1
            self._answered(worker, event.group, event.future)
        if event.framework in self._workers:
            self._feed(event.framework, worker)

    def _started(self, name: str, worker: _Worker, future: Any) -> None:
        try:
            offered: Catalogue = future.result()
        except UserFileError:
            raise
        except DeviceAbsentError as error:
            self._give_up(name, str(error))
        except (ProcessExpired, FutureTimeoutError) as error:
            self._give_up(name, f"its process died or hung at the import: {error}")
        except Exception as error:  # noqa: BLE001 -- a framework may fail to import in any way
            self._give_up(name, f"does not import: {type(error).__name__}: {error}")
        else:
            self._run.add([WorkerRow(name, self._plan.device, offered.environment)])
            self._recorder.meet(name, offered)
            worker.waiting.extend(self._groups(name, offered))
            worker.total = sum(map(len, worker.waiting))
            self._progress(name, "asking", 0, worker.total)

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

    def _feed(self, name: str, worker: _Worker) -> None:
        while worker.waiting and worker.running < _AHEAD:
            group = worker.waiting.popleft()
            worker.running += 1
            future = worker.pool.schedule(ask, args=[group], timeout=self._plan.timeout)
            self._schedule(name, group, future)
        if worker.is_idle:
            worker.pool.close()
            worker.pool.join()
            del self._workers[name]
            self._progress(name, "done", worker.done, worker.total)

    def _answered(self, worker: _Worker, group: list[Asked], future: Any) -> None:
        try:
            observations: list[Observation] = future.result()
        except FutureTimeoutError:
            observations = self._split(
                worker, group, "timed out", f"no answer within {self._plan.timeout:g} s"
            )
        except ProcessExpired as error:
            status = f"the process died with status {error.exitcode}"
            observations = self._split(worker, group, "crashed", status)
        cases = {case.id: case for _, _, case in group}
        for observation in observations:
            self._recorder.record(worker.framework.name, cases[observation.case], observation)
        worker.done += len(observations)
        self._progress(worker.framework.name, "asking", worker.done, worker.total)

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


def _report(events: SimpleQueue[_Event], name: str, group: list[Asked] | None, future: Any) -> None:
    events.put(_Event(name, group, future))
