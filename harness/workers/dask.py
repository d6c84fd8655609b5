"""Run batches as tasks of a Dask cluster; their answers are written to the same run file.

A task evaluates its batch in a worker process of its own (`harness.workers.supervisor`), which is
kept for the next batch. A crash there becomes a verdict, and the Dask worker survives it. The loss
of a Dask worker is not blamed on a question: the scheduler gives its tasks to another one.

A Dask worker may declare what it can run (`dask worker --resources torch=1,gpu=1`). Once any worker
declares a framework, or the GPU, only the workers that declare it are used for it.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from ...backends import FRAMEWORKS
from ...cases.checked import checked
from ...errors import ClusterError, LostError, SchemaError
from ..answers import one_line
from .child import Received
from .messages import START_TIMEOUT, Catalogue, Question, Setup
from .supervisor import BatchResult, Incident, OnAnswer, OnStart, WorkerHandle
from .watchdog import Ended, Limits, Watchdog, share_of_memory
from .wire import PackedObservation, decode, encode, pack_observation, unpack_observation

_AHEAD = 2  # batches for each thread of the cluster, so that no thread waits for the engine
_CONNECT = 10.0  # seconds
_GRACE = 1.0  # seconds in which Dask may report a failure itself
T = TypeVar("T")


class _Told(Struct, frozen=True):
    """An `Incident`, with the place of its question in the batch; None if that is unknown."""

    place: int | None
    ended: Ended
    outcome: str


class _TaskReply(Struct, frozen=True):
    """What a task returns, as plain data: a `BatchResult` whose questions are places in the batch.

    Attributes:
        answered: for each answered question its place, and its observation.
        incidents: unexpected ends of the worker process.
        seconds: duration of the framework's own calls.
    """

    answered: list[tuple[int, PackedObservation]]
    incidents: list[_Told]
    seconds: float


@dataclass(frozen=True)
class _ThreadWorker:
    """The worker process of one thread of a Dask worker."""

    handle: WorkerHandle
    answers: SimpleQueue[tuple[int, Received]]
    catalogue: Catalogue


_thread_workers: dict[tuple[Setup, int], _ThreadWorker] = {}  # by setup and thread


def offer(setup: Setup, limits: Limits) -> bytes:
    """Return the encoded catalogue of this thread's worker process, started if there is none."""
    return encode(_thread_worker(setup, limits).catalogue)


def ask_here(setup: Setup, limits: Limits, batch: list[Question]) -> bytes:
    """Evaluate a batch in this thread's worker process, which is replaced whenever it dies.

    Args:
        setup: what the process is started with.
        limits: of one question, and of the process.
        batch: the questions.

    Returns:
        The encoded answers to all questions; none is left to be repeated.
    """
    worker = _thread_worker(setup, limits)
    places = {_key(question): place for place, question in enumerate(batch)}
    answered: list[tuple[int, PackedObservation]] = []
    incidents: list[_Told] = []
    seconds = 0.0
    waiting = deque([batch])
    with Watchdog(worker.handle.poll):
        while waiting:
            worker.handle.send(waiting.popleft())
            result = None
            while result is None:
                result = worker.handle.resolve(*worker.answers.get())
            waiting.extendleft(reversed(result.again))
            for case, found in result.answered:
                place = places[found.implementation, found.mode, case.id]
                answered.append((place, pack_observation(found)))
            for it in result.incidents:
                place_or_none = places[_key(it.question)] if it.question else None
                incidents.append(_Told(place_or_none, it.ended, it.outcome))
            seconds += result.seconds
    return encode(_TaskReply(answered, incidents, seconds))


def _key(question: Question) -> tuple[str, str, str]:
    return question.implementation, question.mode, question.case.id


def _result_of(data: bytes, batch: list[Question]) -> BatchResult:
    """Return what `ask_here` has encoded.

    Raises:
        LostError: the data do not answer this batch.
    """
    reply = decode(data, _TaskReply)
    if sorted(place for place, _ in reply.answered) != list(range(len(batch))):
        raise LostError("the answers are not those to its questions")
    answered = [
        (batch[place].case, unpack_observation(packed, batch[place]))
        for place, packed in reply.answered
    ]
    by_place: dict[int | None, Question] = dict(enumerate(batch))
    incidents = [Incident(by_place.get(it.place), it.ended, it.outcome) for it in reply.incidents]
    return BatchResult(answered, [], incidents, reply.seconds)


def _thread_worker(setup: Setup, limits: Limits) -> _ThreadWorker:
    key = (setup, threading.get_ident())
    if key not in _thread_workers:
        if not _thread_workers:
            atexit.register(_end_children)
        _thread_workers[key] = _started(setup, limits)
    return _thread_workers[key]


def _started(setup: Setup, limits: Limits) -> _ThreadWorker:
    limits = replace(limits, memory=limits.memory or share_of_memory(os.cpu_count() or 1))
    starts: SimpleQueue[Received] = SimpleQueue()
    answers: SimpleQueue[tuple[int, Received]] = SimpleQueue()
    handle = WorkerHandle(
        setup,
        limits,
        on_start=lambda _, report: starts.put(report),
        on_answer=lambda _, batch_id, report: answers.put((batch_id, report)),
    )
    with Watchdog(handle.poll):
        report = starts.get()
    try:
        return _ThreadWorker(handle, answers, handle.catalogue_from(report))
    except BaseException:
        handle.stop()
        raise


def _end_children() -> None:
    for worker in _thread_workers.values():
        worker.handle.stop()


@dataclass(frozen=True)
class _DaskWorker:
    """What the scheduler says of one of its workers."""

    nthreads: int
    resources: dict[str, float] = field(default_factory=dict)


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Return the result of a function, which is left alone if it does not return in time.

    Raises:
        TimeoutError: it does not return in time.
        Exception: what the function raises.
    """
    done: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 -- raised in the other thread
            done.put(partial(_raise, error))
        else:
            done.put(lambda: result)

    # A thread that still waits for an answer must not keep the program from ending.
    threading.Thread(target=run, daemon=True).start()
    try:
        outcome = done.get(timeout=seconds + _GRACE)
    except Empty:
        raise TimeoutError from None
    return outcome()


def _raise(error: BaseException) -> NoReturn:
    raise error


# --- on this machine -------------------------------------------------------------------------


class Cluster:
    """A connection to a Dask cluster; `handle` returns it as a `Worker`."""

    def __init__(self, address: str) -> None:
        """Connect to a scheduler.

        Args:
            address: as Dask writes it, `tcp://host:8786`.

        Raises:
            ClusterError: distributed is not installed, no scheduler answers, or it has no workers.
        """
        import asyncio

        try:
            from distributed import Client
            from distributed.comm import connect
        except ImportError as error:
            raise ClusterError(
                f"{error.name} is not installed; pip install 'lossdiff[cluster]'"
            ) from error
        # Dask logs a failure at length; the message of a `ClusterError` is one line.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)

        async def reach() -> None:
            """Try the address first: a client that fails to connect prints a traceback later on."""
            await (await connect(address, timeout=_CONNECT)).close()

        begun = time.monotonic()
        answers_not = f"no Dask scheduler answers at {one_line(address)}"
        try:
            _within(_CONNECT, lambda: asyncio.run(reach()))
            left = max(1.0, _CONNECT - (time.monotonic() - begun))
            self._client = _within(
                left, lambda: Client(address, timeout=left, set_as_default=False)
            )
            info = _within(_CONNECT, lambda: self._client.scheduler_info(n_workers=-1))
        # Nobody listens, or nobody answers in time, or it is no address.
        except (OSError, ValueError) as error:
            raise ClusterError(answers_not) from error
        # Whatever listens there may send anything: another protocol, another version, garbage.
        except Exception as error:
            raise ClusterError(f"{answers_not}: {one_line(error)}") from error
        try:
            workers = list(checked(dict(info["workers"]), dict[str, _DaskWorker]).values())
        except (LookupError, TypeError, ValueError, SchemaError) as error:
            self.close()
            raise ClusterError(
                f"{answers_not} that this version knows: {one_line(error)}"
            ) from error
        if not workers:
            self.close()
            raise ClusterError(f"the scheduler at {one_line(address)} has no workers")
        self._declared = [worker.resources for worker in workers]
        self._threads = [worker.nthreads for worker in workers]

    def why_absent(self, framework: str, device: str) -> str:
        """Return why no worker can run a framework; empty if one can, by what they declare."""
        declared = sorted({name for it in self._declared for name in it})
        names = [framework, *(["gpu"] if device == "gpu" else [])]
        # If no worker declares any framework, each of them may have all frameworks.
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
        """Return the cluster as a worker; the arguments are those of `WorkerHandle`."""
        wanted = self._wanted(setup)
        threads = sum(
            number
            for number, declared in zip(self._threads, self._declared, strict=True)
            if wanted.keys() <= declared.keys()
        )
        setup = replace(setup, cache=None)  # the folder is on this machine only
        handle = ClusterHandle(self._client, setup, limits, wanted, max(1, threads) * _AHEAD)
        handle.begin(on_start, on_answer)
        return handle

    def close(self) -> None:
        """Disconnect from the scheduler."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.close()


class ClusterHandle:
    """The counterpart of `WorkerHandle` on a cluster: batches go to any worker that has room.

    Attributes:
        capacity: number of batches that are sent ahead.
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
        self._batches: dict[int, tuple[list[Question], Any]] = {}  # with their futures, by ids
        self._last_id = 0

    def begin(self, on_start: OnStart, on_answer: OnAnswer) -> None:
        """Start a worker process on the cluster; `WorkerHandle` explains the arguments."""
        self._on_answer = on_answer
        self._start = self._submit(offer)
        self._start.add_done_callback(lambda future: on_start(self, future))

    def send(self, batch: list[Question]) -> None:
        """Send a batch; `resolve` returns its result."""
        self._last_id += 1
        batch_id = self._last_id
        future = self._submit(ask_here, batch)
        self._batches[batch_id] = batch, future
        future.add_done_callback(lambda done: self._on_answer(self, batch_id, done))

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._client.submit(
            function,
            self._setup,
            self._limits,
            *arguments,
            pure=False,
            resources=self._resources or None,
        )

    def poll(self) -> None:
        """Do nothing: the watchdog runs on the Dask worker."""

    def catalogue_from(self, report: Any) -> Catalogue:
        """Return what the workers offer, or raise the error that kept them from starting."""
        self._start = None
        return decode(report.result(timeout=START_TIMEOUT), Catalogue)

    def resolve(self, batch_id: int, report: Any) -> BatchResult | None:
        """Return the result of a batch; None if the batch was cancelled.

        Raises:
            ClusterError: the cluster has lost the batch for good.
        """
        batch, _ = self._batches.pop(batch_id, (None, None))
        if batch is None:
            return None
        try:
            return _result_of(report.result(), batch)
        except (Exception, CancelledError) as error:
            raise ClusterError(f"the cluster lost a group of questions: {error}") from error

    def stop(self) -> None:
        """Cancel the batches that have not been answered."""
        sent = [future for _, future in self._batches.values()]
        futures = [*sent, *([self._start] if self._start else [])]
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel(futures, force=True)
        self._batches.clear()

    def join(self, seconds: float) -> None:
        """Do nothing: the worker processes are kept for the next run."""
