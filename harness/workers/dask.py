"""Past one machine: groups are tasks of a Dask cluster, and come back into the one run file.

A task asks its group in a worker process of its own (`harness.workers.supervisor`), which stays
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
from functools import partial
from queue import SimpleQueue
from typing import Any

from ...backends import FRAMEWORKS
from .messages import START_TIMEOUT, Asked, Catalogue, Setup
from .supervisor import BatchResult, WorkerHandle
from .watchdog import Limits, Watchdog, share_of_memory

_AHEAD = 2  # groups for each thread of the cluster, so that none waits for us
_CONNECT = 10.0  # seconds


class ClusterError(RuntimeError):
    """A cluster cannot be used; the message says why."""


@dataclass
class _ThreadWorker:
    """A cell on a Dask worker; each of its threads has its own."""

    cell: WorkerHandle
    events: SimpleQueue[tuple[int, Any]]
    catalogue: Catalogue


_thread_workers: dict[tuple[Setup, int], _ThreadWorker] = {}  # of this Dask worker, by thread


def offer(setup: Setup, limits: Limits) -> Catalogue:
    """Start a worker process here, unless there is one, and return what it offers."""
    return _thread_worker(setup, limits).catalogue


def ask_here(setup: Setup, limits: Limits, group: list[Asked]) -> BatchResult:
    """Ask a group in a process on this Dask worker, whatever it does to the process."""
    worker = _thread_worker(setup, limits)
    answered, incidents, seconds = [], [], 0.0
    waiting = deque([group])
    with Watchdog(worker.cell.look):
        while waiting:
            worker.cell.send(waiting.popleft())
            settled = None
            while settled is None:
                settled = worker.cell.resolve(*worker.events.get())
            waiting.extendleft(reversed(settled.again))
            answered += settled.answered
            incidents += settled.incidents
            seconds += settled.seconds
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
    events: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    cell = WorkerHandle(setup, limits, lambda _, ticket, future: events.put((ticket, future)))
    with Watchdog(cell.look):
        _, future = events.get()
    try:
        return _ThreadWorker(cell, events, cell.catalogue_from(future))
    except BaseException:
        cell.stop()
        raise


def _allow_children() -> None:
    """Dask starts its workers as daemons, which Python lets have no children."""
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # noqa: SLF001
    atexit.register(_end_children)  # runs before Python waits for them


def _end_children() -> None:
    for worker in _thread_workers.values():
        worker.cell.stop()


# --- on this machine -------------------------------------------------------------------------


class Cluster:
    """A Dask cluster; `cell` has the shape of `isolation.WorkerHandle`."""

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

    def cell(self, setup: Setup, limits: Limits, report: Callable[..., None]) -> ClusterHandle:
        """Return the cluster as a worker."""
        wanted = self._wanted(setup)
        threads = sum(
            number
            for number, declared in zip(self._threads, self._declared, strict=True)
            if wanted.keys() <= declared.keys()
        )
        setup = replace(setup, cache=None)  # a folder of this machine
        return ClusterHandle(self._client, setup, limits, report, wanted, max(1, threads) * _AHEAD)

    def close(self) -> None:
        """Disconnect."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.close()


class ClusterHandle:
    """What `isolation.WorkerHandle` is, but on a cluster: groups go to whoever has room."""

    def __init__(
        self,
        client: Any,
        setup: Setup,
        limits: Limits,
        report: Callable[..., None],
        resources: Mapping[str, float],
        capacity: int,
    ) -> None:
        self.capacity = capacity
        self._client, self._report, self._resources = client, report, dict(resources)
        self._setup, self._limits = setup, limits
        self._futures: dict[int, Any] = {}
        self._tickets = 0
        self._schedule(0, offer)

    def send(self, group: list[Asked]) -> None:
        """Have a group asked; `settle` says what came of it."""
        self._tickets += 1
        self._schedule(self._tickets, ask_here, group)

    def _schedule(self, ticket: int, function: Callable[..., Any], *arguments: Any) -> None:
        future = self._client.submit(
            function, self._setup, self._limits, *arguments,
            pure=False, resources=self._resources or None,
        )  # fmt: skip
        self._futures[ticket] = future
        future.add_done_callback(partial(_tell, self._report, self, ticket))

    def look(self) -> None:
        """The watch is on the Dask worker."""

    def catalogue_from(self, future: Any) -> Catalogue:
        """Return what the workers offer, or raise why they did not start."""
        self._futures.pop(0, None)
        found: Catalogue = future.result(timeout=START_TIMEOUT)
        return found

    def resolve(self, ticket: int, future: Any) -> BatchResult | None:
        """Return what came of a group.

        Raises:
            ClusterError: the cluster has lost it for good.
        """
        if self._futures.pop(ticket, None) is None:
            return None
        try:
            settled: BatchResult = future.result()
        except (Exception, CancelledError) as error:
            raise ClusterError(f"the cluster lost a group of questions: {error}") from error
        return settled

    def stop(self) -> None:
        """Take back what has not been asked."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel(list(self._futures.values()), force=True)
        self._futures.clear()

    def join(self, seconds: float) -> None:
        """Nothing here has to end: the workers stay warm for the next run."""


def _tell(report: Callable[..., None], cell: ClusterHandle, ticket: int, future: Any) -> None:
    report(cell, ticket, future)
