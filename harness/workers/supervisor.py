"""Supervise one worker process, find the question that ended or spoiled it, and replace it.

The process records in shared memory which question it has reached. When it dies, that question is
repeated, and only a second death becomes its verdict: a process may also be killed from outside, or
by the consequences of an earlier question. All other questions of the batch are repeated too. A
process that has come into another condition ends after its batch; the answers to that batch are
discarded, and its questions are asked again, one at a time, until the one that changes the process
is known. Whatever a question is blamed for, it has done in a process in which it was the first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ...cases.model import Case
from ...errors import LossdiffError, LostError
from ..answers import Failure, Observation, one_line
from .child import Child, Received
from .messages import BatchRequest, Catalogue, CatalogueRequest, Question, Setup
from .spares import NO_SPARES, Spares
from .watchdog import Ended, Limits, Watch
from .wire import BatchReply, result_of, unpack_observation

_NEVER = -1  # stands for the first batch of a process that was asked other things before
_STARTS = 3  # consecutive failed starts after which a worker is given up


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
        again: batches that have to be sent again, in this order.
        incidents: unexpected ends of the worker.
        seconds: duration of the framework's own calls.
        batches: how many batches this is the result of; later ones come back in `again`.
    """

    answered: list[tuple[Case, Observation]] = field(default_factory=list)
    again: list[list[Question]] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    seconds: float = 0.0
    batches: int = 1


class Worker(Protocol):
    """Something that evaluates batches of questions: a process on this machine, or a cluster.

    Attributes:
        capacity: number of batches that are sent ahead.
    """

    capacity: int

    def send(self, batch: list[Question]) -> None:
        """Send a batch; `resolve` returns its result."""

    def catalogue_from(self, report: Any) -> Catalogue:
        """Return what the worker offers, or raise the error that kept it from starting."""

    def resolve(self, batch_id: int, report: Any) -> BatchResult | None:
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
    """One worker process, which is replaced by a fresh one when it dies or is spoiled.

    Attributes:
        capacity: number of batches that are sent ahead, so that the process never idles.
    """

    capacity = 3

    def __init__(
        self,
        setup: Setup,
        limits: Limits,
        on_start: OnStart,
        on_answer: OnAnswer,
        spares: Spares = NO_SPARES,
    ) -> None:
        """Start the process.

        Args:
            setup: the settings that the process is started with.
            limits: the limits of one question, and of the process.
            on_start: called once the import of the framework has succeeded or failed.
            on_answer: called when a batch has been answered or lost.
            spares: has a process of an earlier step, perhaps, and keeps one for a later step.
        """
        self._setup, self._limits, self._spares = setup, limits, spares
        self._on_start, self._on_answer = on_start, on_answer
        self._beginning, self._is_stopped = threading.Lock(), False
        self._has_started = False  # whether the framework has been imported
        self._has_replied = False  # whether the first request has been answered
        self._sent: dict[int, list[Question]] = {}  # unanswered batches, the oldest first
        self._starts = 0
        self._first_id = 0  # the first batch of the process; 0 before it
        self._suspects: set[tuple[str, str, str]] = set()
        self._deadly: set[tuple[str, str]] = set()
        self._spoilers: set[tuple[str, str]] = set()
        self._ended: list[Child] = []
        with self._beginning:  # a process may end as soon as it is taken
            spare = spares.take(setup, self._report_of_spare)
            if spare is not None:
                self._first_id = _NEVER
            self._begin(spare)

    def _begin(self, spare: Child | None = None) -> None:
        self._child, self._watch = self._started(spare)
        self._last_id = self._catalogue_id = self._child.last + 1
        self._child.send(self._catalogue_id, CatalogueRequest(self._setup.learnt))

    def _report_of_spare(self, received: Received) -> None:
        """Pass on what a process of an earlier step sends; start another one if it has ended."""
        with self._beginning:
            is_lost = received.status is not None and not self._has_replied
            if is_lost and not self._is_stopped:
                self._first_id = 0
                with suppress(LostError):
                    self._begin()
                    return
        self._report(received)

    def _started(self, spare: Child | None = None) -> tuple[Child, Watch]:
        # A worker that replaces another one imports the framework at once: the time limit of a
        # question must not be spent on it.
        child = spare or Child(self._setup, self._report, warm=self._has_started)
        return child, Watch(child, self._limits)

    def _report(self, received: Received) -> None:
        is_first = not self._has_replied
        self._has_replied = True
        if is_first:
            self._on_start(self, received)
        else:
            self._on_answer(self, received.request, received)

    def send(self, batch: list[Question]) -> None:
        """Send a batch; `resolve` returns its result."""
        self._last_id += 1
        self._first_id = self._first_id or self._last_id
        self._sent[self._last_id] = batch
        self._child.send(self._last_id, BatchRequest(tuple(batch)))

    def poll(self) -> None:
        """Enforce the limits of the process; called from the watchdog's thread."""
        # The process evaluates one batch at a time: the oldest that is unanswered.
        oldest = next(iter(list(self._sent)), 0 if self._has_started else self._catalogue_id)
        if oldest:
            self._watch.poll(oldest)

    def catalogue_from(self, report: Received) -> Catalogue:
        """Return what the worker offers, or raise the error that kept it from starting."""
        if report.status is not None:
            raise LostError(why_no_start_after(self._watch.ended or Ended.of_status(report.status)))
        try:
            found: Catalogue = result_of(report.data, Catalogue)
        except LostError as error:
            raise LostError(f"does not import: {error}") from error
        self._has_started = True
        return found

    def resolve(self, batch_id: int, report: Received) -> BatchResult | None:
        """Return the result of a batch; None if the report is about a process that was replaced.

        Args:
            batch_id: the id of the batch; 0 if the process has ended.
            report: what `on_answer` was called with.
        """
        if report.child is not self._child:
            return None
        if report.status is not None:
            return self._lost(self._watch.ended or Ended.of_status(report.status))
        batch = self._sent.get(batch_id)
        if batch is None:
            return None
        try:
            reply: BatchReply = result_of(report.data, BatchReply)
            observations = [
                unpack_observation(packed, question)
                for packed, question in zip(reply.observations, batch, strict=True)
            ]
        except (LossdiffError, ValueError) as error:
            return self._lost(Ended("crashed", f"the answer was lost: {one_line(error)}"))
        del self._sent[batch_id]
        self._starts = 0
        if reply.changes:
            is_first = batch_id == self._first_id
            result = self._spoiled(batch, observations, reply, is_first=is_first)
            return self._replaced(result)
        self._suspects -= {(name, mode, case.id) for name, mode, case in batch}
        cases = [question.case for question in batch]
        return BatchResult(list(zip(cases, observations, strict=True)), seconds=reply.seconds)

    def _lost(self, ended: Ended) -> BatchResult | None:
        """Replace a process that is lost, and blame a question of its batch."""
        request, position = self._child.progress.reached
        oldest = next(iter(self._sent), 0)
        batch = self._sent.pop(oldest, [])
        if request != oldest:  # it has not begun the batch, or it went on and the answer is lost
            position = 0 if request < oldest else len(batch) + 1
        is_first = oldest == self._first_id
        result = self._blame(batch, position, ended, is_first=is_first) if batch else BatchResult()
        result = self._replaced(result)
        return result if batch else None

    def _replaced(self, result: BatchResult) -> BatchResult:
        """Replace the process; add the batches that are unanswered to those to be repeated.

        They come last: what is repeated first must be the first that the new process is asked.
        """
        left = list(self._sent.values())
        self._sent.clear()
        self._end()
        self._child, self._watch = self._started()
        self._first_id = 0
        return replace(result, again=[*result.again, *left], batches=1 + len(left))

    def _blame(
        self, batch: list[Question], position: int, ended: Ended, *, is_first: bool
    ) -> BatchResult:
        """Blame the question that was reached if it ended two processes; repeat the others.

        After that, an implementation is not repeated any more in this mode: its next question that
        ends the process is judged at once, so that an implementation which always crashes costs one
        process for each question, not two.

        Args:
            batch: the questions.
            position: the number of the question that was reached, from 1; 0 before the first, and
                more than there are once all were answered.
            ended: how the process ended.
            is_first: whether the batch is the first of its process.
        """
        if position == 0:
            return self._not_begun(batch, ended)
        if position > len(batch) > 1:  # it died while it sent the answers
            again = [[question] for question in batch]
            return BatchResult(again=again, incidents=[Incident(None, ended, "asked one by one")])
        at = min(position, len(batch)) - 1
        name, mode, case = suspect = batch[at]
        others = [part for part in (batch[:at] + batch[at + 1 :],) if part]
        is_alone = is_first and at == 0  # nothing that came before can have ended the process
        is_twice = is_alone and (name, mode, case.id) in self._suspects
        if is_twice or (name, mode) in self._deadly:
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

    def _spoiled(
        self,
        batch: list[Question],
        observations: list[Observation],
        reply: BatchReply,
        *,
        is_first: bool,
    ) -> BatchResult:
        """Name the question that has changed the process; repeat a batch that may hold several.

        Those of implementations that are known to do so are repeated one by one, and the others
        together. One that is not known, and was not the first in its process, is asked again: an
        earlier one may have left behind what has made the change.
        """
        if len(batch) > 1:
            known = [it for it in batch if (it.implementation, it.mode) in self._spoilers]
            others = [it for it in batch if it not in known]
            again = [*([others] if known and others else []), *([it] for it in known or batch)]
            return BatchResult(again=again)
        (question,), (observation,) = batch, observations
        key = question.implementation, question.mode
        if not is_first and key not in self._spoilers:
            return BatchResult(again=[batch])
        self._spoilers.add(key)
        incident = Incident(question, Ended("crashed", str(reply.changes)), "process replaced")
        spoils = ", ".join(reply.changes.spoiled)
        answered = [(question.case, replace(observation, spoils=spoils))]
        return BatchResult(answered, incidents=[incident], seconds=reply.seconds)

    def stop(self) -> None:
        """End the process at once, unless it is idle and kept; `join` waits until it has ended."""
        with self._beginning:
            self._is_stopped = True
        if self._has_started and not self._sent and self._spares.keep(self._setup, self._child):
            return
        self._end()

    def _end(self) -> None:
        self._child.end()
        self._ended.append(self._child)

    def join(self, seconds: float) -> None:
        """Wait until the stopped processes have ended, at most for some seconds each."""
        for child in self._ended:
            child.join(seconds)


def _failed(question: Question, ended: Ended) -> tuple[Case, Observation]:
    name, mode, case = question
    failure = Failure(ended.kind, ended.message, status=ended.status)
    return case, Observation(case.id, name, mode, {"value": failure})


def why_no_start_after(ended: Ended) -> str:
    """Return the reason, in one line, for which a process ended before it had started."""
    if ended.kind == "timed out":
        return f"it was not imported: {ended.message}"
    if ended.status is None:
        return f"its process died at the import: {ended.message}"
    return f"its process died at the import, with status {ended.status}"


def why_no_start(error: Exception) -> str:
    """Return the reason, in one line, for which a worker did not start."""
    return str(error) if isinstance(error, LossdiffError) else f"does not import: {one_line(error)}"
