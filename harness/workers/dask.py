"""Past one machine: batches are tasks of a Dask cluster, and come back into the one run file.

A task asks its batch in a worker process of its own (`harness.workers.supervisor`), which stays
warm for the next: what crashes there is a verdict, and does not take the Dask worker with it. A
Dask worker that is lost is not the fault of a question: the scheduler gives its tasks to another.

A worker may declare what it can do (`dask worker --resources torch=1,gpu=1`). A framework, or
the GPU, that any worker declares is asked of such workers alone.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from ...backends import FRAMEWORKS
from ...errors import ClusterError
from .messages import START_TIMEOUT, Catalogue, Question, Setup
from .supervisor import BatchResult, OnAnswer, OnStart, WorkerHandle
from .watchdog import Limits, Watchdog, share_of_memory

_AHEAD = 2  # batches for each thread of the cluster, so that none waits for us
_CONNECT = 10.0  # seconds


@dataclass(frozen=True)
class _ThreadWorker:
    """A worker process on a Dask worker; each of its threads has its own."""

    handle: WorkerHandle
    answers: SimpleQueue[tuple[int, Any]]
    catalogue: Catalogue


_thread_workers: dict[tuple[Setup, int], _ThreadWorker] = {}  # of this Dask worker, by thread


def offer(setup: Setup, limits: Limits) -> Catalogue:
    """Start a worker process here, unless there is one, and return what it offers."""
    return _thread_worker(setup, limits).catalogue


def ask_here(setup: Setup, limits: Limits, batch: list[Question]) -> BatchResult:
    """Ask a batch in a process on this Dask worker, whatever it does to the process."""
    worker = _thread_worker(setup, limits)
    answered, incidents, seconds = [], [], 0.0
    waiting = deque([batch])
    with Watchdog(worker.handle.poll):
        while waiting:
            worker.handle.send(waiting.popleft())
            result = None
            while result is None:
                result = worker.handle.resolve(*worker.answers.get())
            waiting.extendleft(reversed(result.again))
            answered += result.answered
            incidents += result.incidents
            seconds += result.seconds
    return BatchResult(answered, [], incidents, seconds)


def _thread_worker(setup: Setup, limits: Limits) -> _ThreadWorker:
    key = (setup, threading.get_ident())
    if key not in _thread_workers:
        if not _thread_workers:
            _allow_children()
        _thread_workers[key] = _started(setup, limits)
    return _thread_workers[key]


def _started(setup: Setup, limits: Limits) -> _ThreadWorker:
    limits = replace(limits, memory=limits.memory or share_of_memory(os.cpu_count() or 1))
    starts: SimpleQueue[Any] = SimpleQueue()
    answers: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    handle = WorkerHandle(
        setup,
        limits,
        on_start=lambda _, future: starts.put(future),
        on_answer=lambda _, batch_id, future: answers.put((batch_id, future)),
    )
    with Watchdog(handle.poll):
        future = starts.get()
    try:
        return _ThreadWorker(handle, answers, handle.catalogue_from(future))
    except BaseException:
        handle.stop()
        raise


def _allow_children() -> None:
    """Dask starts its workers as daemons, which Python lets have no children."""
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # noqa: SLF001
    atexit.register(_end_children)  # runs before Python waits for them


def _end_children() -> None:
    for worker in _thread_workers.values():
        worker.handle.stop()


# --- on this machine -------------------------------------------------------------------------


class Cluster:
    """A Dask cluster; `handle` makes a `Worker` of it."""

    def __init__(self, address: str) -> None:
        """Connect.

        Raises:
            ClusterError: distributed is missing, nobody answers, or there are no workers.
        """
        try:
            from distributed import Client
            from distributed.comm import connect
        except ImportError as error:
            raise ClusterError(
                f"{error.name} is not installed; pip install 'lossdiff[cluster]'"
            ) from error
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # we say it in one line

        async def reach() -> None:
            """A client that reaches nobody says so again, at length, when it is collected."""
            await (await connect(address, timeout=_CONNECT)).close()

        try:
            asyncio.run(reach())
            self._client = Client(address, timeout=_CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(f"no Dask scheduler answers at {address}") from error
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            self.close()
            raise ClusterError(f"the scheduler at {address} has no workers")
        self._declared = [dict(worker.get("resources", {})) for worker in workers.values()]
        self._threads = [int(worker["nthreads"]) for worker in workers.values()]

    def why_absent(self, framework: str, device: str) -> str:
        """Return why no worker can be asked; empty if one can, as far as they say."""
        declared = sorted({name for it in self._declared for name in it})
        names = [framework, *(["gpu"] if device == "gpu" else [])]
        # Who declares no framework at all may have each of them.
        says_which = any(name in FRAMEWORKS for name in declared)
        missing = [name for name in names if name not in declared]
        if "gpu" in missing or (says_which and framework in missing):
            found = ", ".join(declared) or "no resources at all"
            return f"no Dask worker declares {' and '.join(missing)}; they declare {found}"
        return ""

    def _wanted(self, setup: Setup) -> dict[str, float]:
        names = [setup.framework, *(["gpu"] if setup.device == "gpu" else [])]
        return {name: 1.0 for name in names if any(name in it for it in self._declared)}

    def handle(
        self, setup: Setup, limits: Limits, on_start: OnStart, on_answer: OnAnswer
    ) -> ClusterHandle:
        """Return the cluster as a worker; arguments as of `WorkerHandle`."""
        wanted = self._wanted(setup)
        threads = sum(
            number
            for number, declared in zip(self._threads, self._declared, strict=True)
            if wanted.keys() <= declared.keys()
        )
        setup = replace(setup, cache=None)  # a folder of this machine
        handle = ClusterHandle(self._client, setup, limits, wanted, max(1, threads) * _AHEAD)
        handle.begin(on_start, on_answer)
        return handle

    def close(self) -> None:
        """Disconnect."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.close()


class ClusterHandle:
    """What `WorkerHandle` is, but on a cluster: batches go to whichever worker has room.

    Attributes:
        capacity: how many batches it is sent ahead.
    """

    def __init__(
        self,
        client: Any,
        setup: Setup,
        limits: Limits,
        resources: Mapping[str, float],
        capacity: int,
    ) -> None:
        self.capacity = capacity
        self._client, self._resources = client, dict(resources)
        self._setup, self._limits = setup, limits
        self._start: Any = None
        self._batches: dict[int, Any] = {}  # futures by the ids of batches
        self._last_id = 0

    def begin(self, on_start: OnStart, on_answer: OnAnswer) -> None:
        """Have a worker process started somewhere; see `WorkerHandle` for the arguments."""
        self._on_answer = on_answer
        self._start = self._submit(offer)
        self._start.add_done_callback(lambda future: on_start(self, future))

    def send(self, batch: list[Question]) -> None:
        """Have a batch asked; `resolve` says what came of it."""
        self._last_id += 1
        batch_id = self._last_id
        future = self._batches[batch_id] = self._submit(ask_here, batch)
        future.add_done_callback(lambda done: self._on_answer(self, batch_id, done))

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._client.submit(
            function, self._setup, self._limits, *arguments,
            pure=False, resources=self._resources or None,
        )  # fmt: skip

    def poll(self) -> None:
        """Nothing is done here: the watchdog is on the Dask worker."""

    def catalogue_from(self, future: Any) -> Catalogue:
        """Return what the workers offer, or raise why they did not start."""
        self._start = None
        found: Catalogue = future.result(timeout=START_TIMEOUT)
        return found

    def resolve(self, batch_id: int, future: Any) -> BatchResult | None:
        """Return what came of a batch.

        Raises:
            ClusterError: the cluster has lost it for good.
        """
        if self._batches.pop(batch_id, None) is None:
            return None
        try:
            result: BatchResult = future.result()
        except (Exception, CancelledError) as error:
            raise ClusterError(f"the cluster lost a group of questions: {error}") from error
        return result

    def stop(self) -> None:
        """Take back what has not been asked."""
        futures = [*self._batches.values(), *([self._start] if self._start else [])]
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel(futures, force=True)
        self._batches.clear()

    def join(self, seconds: float) -> None:
        """Nothing here has to end: the workers stay warm for the next run."""
