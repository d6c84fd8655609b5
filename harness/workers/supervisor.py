"""One worker process, and what becomes of questions whose worker dies.

A cell is a pebble pool of one process. The process marks in shared memory which question it is
at. When it dies, that question is asked once more, alone, and only if it ends a second process
it gets the verdict: a process may also be killed from outside, or by what an earlier question
left behind. Everything else that was sent along is asked again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psutil
from pebble import ProcessExpired, ProcessPool

from ...backends.base import DeviceAbsentError
from ...cases.model import Case
from ..answers import Failure, Observation, one_line
from .messages import START_TIMEOUT, Answers, Asked, Catalogue, Setup
from .process import ask, catalogue, start
from .progress import SharedProgress
from .watchdog import Ended, InFlightBatch, Limits

_DEATHS = (ProcessExpired, FutureTimeoutError, CancelledError, BrokenProcessPool)
_STARTS = 3  # in vain, one after the other, before a worker is given up


class LostError(Exception):
    """A process ended without a word: with status 0, or in the middle of its answer."""


@dataclass(frozen=True)
class Incident:
    """A death: what was asked, if that is known, how it ended, and what came of the question."""

    asked: Asked | None
    ended: Ended
    outcome: str


@dataclass(frozen=True)
class BatchResult:
    """What came of a group that was sent.

    Attributes:
        answered: the cases, with what was observed.
        again: groups that have to be asked again.
        incidents: deaths on the way.
        seconds: how long the framework itself took.
    """

    answered: list[tuple[Case, Observation]] = field(default_factory=list)
    again: list[list[Asked]] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    seconds: float = 0.0


Report = Callable[["WorkerHandle", int, Any], None]  # cell, ticket, and a future or a LostError


class WorkerHandle:
    """One worker process; a fresh one takes its place when it dies.

    Attributes:
        capacity: how many groups it is sent ahead, so that it never idles.
    """

    capacity = 3

    def __init__(self, setup: Setup, limits: Limits, report: Report) -> None:
        """Start the process; `report` is told of each ticket, 0 for the catalogue.

        Args:
            setup: what the process is started with.
            limits: of one question, and of the process.
            report: called from other threads, with what `catalogue_from` and `settle` want.
        """
        self._setup, self._limits, self._report = setup, limits, report
        self._context = multiprocessing.get_context("spawn")
        self._mark = SharedProgress(self._context)
        self._loads = self._context.Event()  # set once the framework has been imported
        self._sent: dict[int, InFlightBatch] = {}
        self._tickets = self._starts = 0
        self._suspects: set[tuple[str, str, str]] = set()
        self._deadly: set[tuple[str, str]] = set()
        self._ending: list[threading.Thread] = []
        self._pool = self._new_pool()
        self._schedule(0, [])

    def _new_pool(self) -> ProcessPool:
        initargs = [self._setup, self._loads, self._mark]
        return ProcessPool(1, context=self._context, initializer=start, initargs=initargs)

    def send(self, group: list[Asked]) -> None:
        """Have a group asked; `settle` says what came of it."""
        self._tickets += 1
        self._schedule(self._tickets, group)

    def _schedule(self, ticket: int, group: list[Asked]) -> None:
        self._mark.expect(ticket)
        with _interrupts_blocked():
            if ticket:
                future = self._pool.schedule(ask, args=[ticket, group])
            else:
                future = self._pool.schedule(catalogue, args=[ticket], timeout=START_TIMEOUT)
        self._sent[ticket] = InFlightBatch(group, future)
        future.add_done_callback(partial(self._report, self, ticket))

    def look(self) -> None:
        """Look after the process; called from the watch's thread."""
        for ticket, sent in list(self._sent.items()):
            if sent.future.done():
                continue
            where = self._mark.taker(ticket), self._mark.reached(ticket)
            if not sent.told and sent.is_lost(*where, self._limits):
                sent.told = True
                self._report(self, ticket, LostError("its process ended without a word"))
            return  # one after the other

    def catalogue_from(self, future: Any) -> Catalogue:
        """Return what the worker offers, or raise why it did not start."""
        self._sent.pop(0, None)
        if isinstance(future, LostError):
            raise future
        found: Catalogue = future.result()
        self._loads.set()
        return found

    def resolve(self, ticket: int, future: Any) -> BatchResult | None:
        """Return what came of a group; None for old news of a process that was given up."""
        sent = self._sent.get(ticket)
        lost = isinstance(future, LostError)
        if sent is None or (sent.future.done() if lost else sent.future is not future):
            return None
        del self._sent[ticket]
        error = future if lost else future.exception()
        if error is None:
            self._starts = 0
            answers: Answers = future.result()
            cases = [case for _, _, case in sent.group]
            answered = list(zip(cases, answers.observations, strict=True))
            return BatchResult(answered, seconds=answers.seconds)
        if lost or isinstance(error, _DEATHS):
            _kill(self._mark.taker(ticket))
        if lost or (isinstance(error, _DEATHS) and not isinstance(error, ProcessExpired)):
            self._replace()  # pebble has no process any more, or does not know that it has none
        return self._blame(sent.group, self._mark.reached(ticket), sent.ended or _ended(error))

    def _replace(self) -> None:
        """Give up the pool, and send what waits to a new one."""
        self.stop()
        self._pool = self._new_pool()
        for ticket, sent in list(self._sent.items()):
            self._schedule(ticket, sent.group)

    def _blame(self, group: list[Asked], at: int, ended: Ended) -> BatchResult:
        """Find the question that did it: the one at the mark, if it does so twice."""
        if not 0 <= at < len(group):
            return self._not_begun(group, ended)
        name, mode, case = suspect = group[at]
        others = [part for part in (group[:at] + group[at + 1 :],) if part]
        known = (name, mode) in self._deadly or (name, mode, case.id) in self._suspects
        if known:
            self._deadly.add((name, mode))
            return BatchResult(
                [_failed(suspect, ended)], others, [Incident(suspect, ended, "judged")]
            )
        self._suspects.add((name, mode, case.id))
        return BatchResult(
            [], [[suspect], *others], [Incident(suspect, ended, "asked again, alone")]
        )

    def _not_begun(self, group: list[Asked], ended: Ended) -> BatchResult:
        self._starts += 1
        if self._starts <= _STARTS:
            return BatchResult(again=[group], incidents=[Incident(None, ended, "asked again")])
        given_up = Ended("crashed", f"the worker does not start again: {ended.message}")
        answered = [_failed(asked, given_up) for asked in group]
        return BatchResult(answered, incidents=[Incident(None, given_up, "given up")])

    def stop(self) -> None:
        """End the process now, whatever it does; `join` waits until it has ended."""
        self._pool.stop()
        for pid in {self._mark.process, *map(self._mark.taker, self._sent)}:
            _kill(pid)
        # One of the pool's threads may wait for the rest of an answer for ever.
        ending = threading.Thread(target=self._pool.join, daemon=True)
        ending.start()
        self._ending.append(ending)

    def join(self, seconds: float) -> None:
        """Wait until what was stopped has ended, but not for ever."""
        for ending in self._ending:
            ending.join(seconds)


def _kill(pid: int) -> None:
    """End a worker, and whatever its functions have left behind in its group."""
    if not pid:
        return
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    with suppress(psutil.Error):
        psutil.Process(pid).kill()


def _failed(asked: Asked, ended: Ended) -> tuple[Case, Observation]:
    name, mode, case = asked
    failure = Failure(ended.kind, ended.message)
    return case, Observation(case.id, name, mode, {"value": failure})


def _ended(error: BaseException) -> Ended:
    if isinstance(error, ProcessExpired):
        return Ended("crashed", f"the process died with status {error.exitcode}")
    if isinstance(error, (*_DEATHS, LostError)):
        return Ended("crashed", "the process ended without an answer")
    return Ended("crashed", f"the answer was lost: {one_line(error)}")


def why_no_start(error: Exception) -> str:
    """Return why a worker offers nothing."""
    if isinstance(error, DeviceAbsentError):
        return str(error)
    if isinstance(error, ProcessExpired):
        return f"its process died at the import, with status {error.exitcode}"
    if isinstance(error, FutureTimeoutError):
        return f"it was not imported within {START_TIMEOUT:g} s"
    if isinstance(error, (*_DEATHS, LostError)):  # pebble had not heard yet that it had begun
        return "its process died at the import"
    return f"does not import: {one_line(error)}"


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes and threads that are started here never see Ctrl-C: the engine ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
