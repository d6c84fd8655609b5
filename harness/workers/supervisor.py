"""Supervise one worker process, and find the question that ended it.

A handle owns a pebble pool of one process. The process records in shared memory which question it
has reached. When it dies, that question is repeated in a batch of its own, and only a second death
becomes its verdict: a process may also be killed from outside, or by the consequences of an earlier
question. All other questions of the batch are repeated too.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import Event
from typing import Any, Protocol

import psutil
from pebble import ProcessExpired, ProcessPool

from ...cases.model import Case
from ...errors import DeviceAbsentError, LostError
from ..answers import Failure, Observation, one_line
from .messages import START_TIMEOUT, BatchAnswers, Catalogue, Question, Setup
from .process import ask, catalogue, start
from .progress import CATALOGUE, SharedProgress
from .watchdog import Ended, InFlightBatch, Limits

_DEATHS = (ProcessExpired, FutureTimeoutError, CancelledError, BrokenProcessPool)
_STARTS = 3  # consecutive failed starts after which a worker is given up


def process_pool(
    setup: Setup,
    context: SpawnContext,
    loads: Event | None = None,
    progress: SharedProgress | None = None,
) -> ProcessPool:
    """Return a pool of one worker process; see `process.start` for the arguments."""
    initargs = [setup, loads, progress]
    return ProcessPool(1, context=context, initializer=start, initargs=initargs)


@dataclass(frozen=True)
class Incident:
    """The unexpected end of a worker.

    Attributes:
        question: the question that it had reached; None if unknown.
        ended: how it ended.
        outcome: what was then done with the question.
    """

    question: Question | None
    ended: Ended
    outcome: str


@dataclass(frozen=True)
class BatchResult:
    """The result of a batch.

    Attributes:
        answered: the answered cases with their observations.
        again: batches that have to be sent again.
        incidents: unexpected ends of the worker.
        seconds: duration of the framework's own calls.
    """

    answered: list[tuple[Case, Observation]] = field(default_factory=list)
    again: list[list[Question]] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    seconds: float = 0.0


class Worker(Protocol):
    """Something that evaluates batches of questions: a process on this machine, or a cluster.

    Attributes:
        capacity: number of batches that are sent ahead.
    """

    capacity: int

    def send(self, batch: list[Question]) -> None:
        """Send a batch; `resolve` returns its result."""

    def catalogue_from(self, future: Any) -> Catalogue:
        """Return what the worker offers, or raise the error that kept it from starting."""

    def resolve(self, batch_id: int, future: Any) -> BatchResult | None:
        """Return the result of a batch; None if the batch has been resolved or sent again."""

    def poll(self) -> None:
        """Enforce the limits of the worker; called from a thread of its own."""

    def stop(self) -> None:
        """End the worker at once."""

    def join(self, seconds: float) -> None:
        """Wait until the stopped processes have ended, at most for some seconds each."""


# Both are called from other threads. `OnStart` receives the worker and the argument of its
# `catalogue_from`; `OnAnswer` receives the worker and the two arguments of its `resolve`.
OnStart = Callable[[Worker, Any], None]
OnAnswer = Callable[[Worker, int, Any], None]


class WorkerHandle:
    """One worker process, which is replaced by a fresh one when it dies.

    Attributes:
        capacity: number of batches that are sent ahead, so that the process never idles.
    """

    capacity = 3

    def __init__(
        self, setup: Setup, limits: Limits, on_start: OnStart, on_answer: OnAnswer
    ) -> None:
        """Start the process.

        Args:
            setup: the settings that the process is started with.
            limits: the limits of one question, and of the process.
            on_start: called once the import of the framework has succeeded or failed.
            on_answer: called when a batch has been answered or lost.
        """
        self._setup, self._limits = setup, limits
        self._on_start, self._on_answer = on_start, on_answer
        self._context = multiprocessing.get_context("spawn")
        self._progress = SharedProgress(self._context)
        self._loads = self._context.Event()  # set once the framework has been imported
        self._sent: dict[int, InFlightBatch] = {}
        self._last_id, self._starts = CATALOGUE, 0
        self._suspects: set[tuple[str, str, str]] = set()
        self._deadly: set[tuple[str, str]] = set()
        self._ending: list[threading.Thread] = []
        self._is_broken = False  # whether the pool takes no more tasks
        self._pool = process_pool(self._setup, self._context, self._loads, self._progress)
        self._schedule(CATALOGUE, [])

    def send(self, batch: list[Question]) -> None:
        """Send a batch; `resolve` returns its result."""
        self._last_id += 1
        self._schedule(self._last_id, batch)
        if self._is_broken and len(self._sent) == 1:
            self._replace()  # no other batch is in flight whose loss would do it

    def _schedule(self, batch_id: int, batch: list[Question]) -> None:
        # The slot is cleared before the process can write to it.
        self._progress.expect(batch_id)
        future: Any = Future()  # stays open where the pool takes nothing
        # A process that dies while it sends breaks the pool before its batch is reported as lost.
        # The batch then waits for the pool that replaces it, once the loss has been resolved.
        try:
            with _interrupts_blocked():
                if batch_id == CATALOGUE:
                    future = self._pool.schedule(catalogue, timeout=START_TIMEOUT)
                else:
                    future = self._pool.schedule(ask, args=[batch_id, batch])
        except RuntimeError:
            self._is_broken = True
        self._sent[batch_id] = InFlightBatch(batch, future)
        future.add_done_callback(lambda done: self._report(batch_id, done))

    def _report(self, batch_id: int, future: Any) -> None:
        if batch_id == CATALOGUE:
            self._on_start(self, future)
        else:
            self._on_answer(self, batch_id, future)

    def poll(self) -> None:
        """Enforce the limits of the process; called from the watchdog's thread."""
        for batch_id, sent in list(self._sent.items()):
            if sent.future.done():
                continue
            where = self._progress.taker(batch_id), self._progress.reached(batch_id)
            if not sent.told and sent.is_lost(*where, self._limits):
                sent.told = True
                self._report(batch_id, LostError("its process ended without a word"))
            return  # the process evaluates one batch at a time: the oldest that is unanswered

    def catalogue_from(self, future: Any) -> Catalogue:
        """Return what the worker offers, or raise the error that kept it from starting."""
        self._sent.pop(CATALOGUE, None)
        if isinstance(future, LostError):
            raise future
        found: Catalogue = future.result()
        self._loads.set()
        return found

    def resolve(self, batch_id: int, future: Any) -> BatchResult | None:
        """Return the result of a batch; None if the report is about a process that was replaced.

        Args:
            batch_id: the id of the batch.
            future: what `on_answer` was called with: pebble's future, or a `LostError`.
        """
        # A batch may be reported twice: as lost by the watchdog, and by pebble when it notices the
        # death later, or as answered just before. Only the first report that applies is used.
        sent = self._sent.get(batch_id)
        lost = isinstance(future, LostError)
        if sent is None or (sent.future.done() if lost else sent.future is not future):
            return None
        del self._sent[batch_id]
        error = future if lost else future.exception()
        if error is None:
            self._starts = 0
            if self._is_broken:
                self._replace()
            answers: BatchAnswers = future.result()
            cases = [question.case for question in sent.batch]
            answered = list(zip(cases, answers.observations, strict=True))
            return BatchResult(answered, seconds=answers.seconds)
        if lost or isinstance(error, _DEATHS):
            _kill(self._progress.taker(batch_id))
        is_unknown = isinstance(error, _DEATHS) and not isinstance(error, ProcessExpired)
        if lost or is_unknown or self._is_broken:
            # Here pebble has no process any more, or has not noticed that its process is gone.
            self._replace()
        at, ended = self._progress.reached(batch_id), sent.ended or _ended(error)
        return self._blame(sent.batch, at, ended)

    def _replace(self) -> None:
        """Stop the pool, and send the unanswered batches to a new one."""
        self.stop()
        self._is_broken = False
        self._pool = process_pool(self._setup, self._context, self._loads, self._progress)
        for batch_id, sent in list(self._sent.items()):
            self._schedule(batch_id, sent.batch)

    def _blame(self, batch: list[Question], at: int, ended: Ended) -> BatchResult:
        """Blame the question that was reached if it ended two processes; repeat the others.

        After that, an implementation is not repeated any more in this mode: its next question that
        ends the process is judged at once, so that an implementation which always crashes costs one
        process for each question, not two.
        """
        if not 0 <= at < len(batch):
            return self._not_begun(batch, ended)
        name, mode, case = suspect = batch[at]
        others = [part for part in (batch[:at] + batch[at + 1 :],) if part]
        known = (name, mode) in self._deadly or (name, mode, case.id) in self._suspects
        if known:
            self._deadly.add((name, mode))
            incidents = [Incident(suspect, ended, "judged")]
            return BatchResult([_failed(suspect, ended)], others, incidents)
        self._suspects.add((name, mode, case.id))
        incidents = [Incident(suspect, ended, "asked again, alone")]
        return BatchResult([], [[suspect], *others], incidents)

    def _not_begun(self, batch: list[Question], ended: Ended) -> BatchResult:
        """Repeat a batch that no process has begun, unless several processes did not start."""
        self._starts += 1
        if self._starts <= _STARTS:
            return BatchResult(again=[batch], incidents=[Incident(None, ended, "asked again")])
        given_up = Ended("crashed", f"the worker does not start again: {ended.message}")
        answered = [_failed(question, given_up) for question in batch]
        return BatchResult(answered, incidents=[Incident(None, given_up, "given up")])

    def stop(self) -> None:
        """End the process at once; `join` waits until it has ended."""
        self._pool.stop()
        for pid in {self._progress.process, *map(self._progress.taker, self._sent)}:
            _kill(pid)
        # A thread of the pool may wait for ever for the rest of an answer, so the pool is joined in
        # a daemon thread, which cannot keep this process alive.
        ending = threading.Thread(target=self._pool.join, daemon=True)
        ending.start()
        self._ending.append(ending)

    def join(self, seconds: float) -> None:
        """Wait until the stopped processes have ended, at most for some seconds each."""
        for ending in self._ending:
            ending.join(seconds)


def _kill(pid: int) -> None:
    """End a worker, and the processes that its functions have left behind in its group."""
    if not pid:
        return
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    with suppress(psutil.Error):
        psutil.Process(pid).kill()


def _failed(question: Question, ended: Ended) -> tuple[Case, Observation]:
    name, mode, case = question
    failure = Failure(ended.kind, ended.message, status=ended.status)
    return case, Observation(case.id, name, mode, {"value": failure})


def _ended(error: BaseException) -> Ended:
    if isinstance(error, ProcessExpired):
        message = f"the process died with status {error.exitcode}"
        return Ended("crashed", message, error.exitcode)
    if isinstance(error, (*_DEATHS, LostError)):
        return Ended("crashed", "the process ended without an answer")
    return Ended("crashed", f"the answer was lost: {one_line(error)}")


def why_no_start(error: Exception) -> str:
    """Return the reason, in one line, for which a worker did not start."""
    if isinstance(error, DeviceAbsentError):
        return str(error)
    if isinstance(error, ProcessExpired):
        return f"its process died at the import, with status {error.exitcode}"
    if isinstance(error, FutureTimeoutError):
        return f"it was not imported within {START_TIMEOUT:g} s"
    if isinstance(error, (*_DEATHS, LostError)):  # it died before pebble noticed its start
        return "its process died at the import"
    return f"does not import: {one_line(error)}"


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in the processes and threads that are started here: the engine ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
