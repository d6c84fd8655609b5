"""Ask a worker process one thing at a time, and wait for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from ...errors import LostError
from ..answers import Observation
from .child import Child, Received
from .messages import (
    START_TIMEOUT,
    AnswerRequest,
    BatchRequest,
    Candidates,
    CandidatesRequest,
    Catalogue,
    CatalogueRequest,
    Definitions,
    DefinitionsRequest,
    Learning,
    LearnRequest,
    Question,
    Request,
    Setup,
    SourceRequest,
)
from .source_text import Source
from .spares import NO_SPARES, Spares
from .supervisor import why_no_start_after
from .watchdog import Ended, Limits, Watch
from .wire import BatchReply, PackedAnswer, result_of, unpack_observation

_EVERY = 0.1  # seconds between two looks at the limits
_KINDS: dict[type[Request], Any] = {
    CatalogueRequest: Catalogue,
    AnswerRequest: PackedAnswer,
    BatchRequest: BatchReply,
    SourceRequest: Source,
    CandidatesRequest: Candidates,
    LearnRequest: Learning,
    DefinitionsRequest: Definitions,
}


class Caller:
    """A worker process that is asked one thing at a time; use it in a `with` statement."""

    def __init__(self, setup: Setup, memory: int = 0, spares: Spares = NO_SPARES) -> None:
        """Take the settings of the process, which starts with the first call.

        Args:
            setup: the settings of the worker.
            memory: the resident bytes that it may take; 0 for no limit.
            spares: has a process of an earlier step, perhaps, and keeps this one for a later step.
        """
        self._setup, self._memory, self._spares = setup, memory, spares
        self._received: SimpleQueue[Received] = SimpleQueue()
        self._child: Child | None = None
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None and self._child and self._spares.keep(self._setup, self._child):
            self._child = None
        self.close()

    def close(self) -> None:
        """End the process; the next call starts another one."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def catalogue(self) -> Catalogue:
        """Return what the framework offers.

        Raises:
            LostError: the framework does not start.
            UserFileError: a file of implementations cannot be used.
            DeviceAbsentError: the framework does not find the device.
        """
        found = self.call(CatalogueRequest(self._setup.learnt), START_TIMEOUT)
        if isinstance(found, Ended):
            raise LostError(why_no_start_after(found))
        catalogue: Catalogue = found
        return catalogue

    def observations(self, batch: Sequence[Question], timeout: float) -> list[Observation] | Ended:
        """Return the answers to some questions; an `Ended` if one of them ends the process.

        Args:
            batch: the questions.
            timeout: the seconds that all of them together may take.

        Raises:
            LossdiffError: the process sent something else.
        """
        reply = self.call(BatchRequest(tuple(batch)), timeout)
        if isinstance(reply, Ended):
            return reply
        pairs = zip(reply.observations, batch, strict=True)
        return [unpack_observation(packed, question) for packed, question in pairs]

    def call(self, request: Request, timeout: float) -> Any:
        """Return the result of a request; the process is replaced if the request ends it.

        Args:
            request: the request.
            timeout: the seconds that it may take once the framework has been imported.

        Returns:
            The result as the worker encoded it; an `Ended` if there is none.

        Raises:
            LossdiffError: the request ended with an error.
        """
        spare = None
        if self._child is None or not self._child.is_alive:
            spare = self._spares.take(self._setup, self._received.put)
            self._child = spare or Child(self._setup, self._received.put, warm=self._number > 0)
        child = self._child
        self._number = max(self._number, child.last) + 1
        child.send(self._number, request)
        received = self._awaited(child, Watch(child, Limits(timeout, self._memory)))
        if isinstance(received, Ended):
            self.close()
            # What has ended a process of an earlier step may have been left behind there.
            return self.call(request, timeout) if spare else received
        try:
            result = result_of(received.data, _KINDS[type(request)])
        except LostError:
            self.close()  # its process may be spoiled
            raise
        if isinstance(result, BatchReply | Learning) and result.changes:
            self.close()
        return result

    def ended(self, timeout: float) -> Ended:
        """Return how the process ends that has answered its last request.

        Args:
            timeout: the seconds that it may take.
        """
        assert self._child is not None  # noqa: S101 -- it has been called
        self._number += 1
        found = self._awaited(self._child, Watch(self._child, Limits(timeout, self._memory)))
        assert isinstance(found, Ended)  # noqa: S101 -- nothing is left to answer
        return found

    def _awaited(self, child: Child, watch: Watch) -> Received | Ended:
        while True:
            try:
                received = self._received.get(timeout=_EVERY)
            except Empty:
                watch.poll(self._number)
                continue
            if received.child is not child:
                continue  # a process that was replaced has ended
            if received.status is not None:
                return watch.ended or Ended.of_status(received.status)
            return received
