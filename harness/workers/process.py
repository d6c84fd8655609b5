"""Run in a worker process, and evaluate one framework case by case.

The judging process starts this one (`harness.workers.child`), and sends it requests through a pipe;
each reply goes back as plain data. The framework is imported by the first request, not by the
import of this module.
"""

from __future__ import annotations

import gc
import os
import pickle
import platform
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

# A function that is evaluated may replace what `os` holds under these names.
from os import _exit, getpid
from queue import SimpleQueue
from typing import Any, NoReturn

import numpy as np

from ...backends import EAGER, FRAMEWORKS, dialect_of, load_backend
from ...backends.base import ARGUMENTS, POSITIONAL, Backend, Call, call_for
from ...errors import LossdiffError
from ..answers import Observation, one_line
from ..own import Learnt, Left, define_from, learnt_of
from ..progress import SharedProgress
from .condition import Condition
from .environment import environment_for, processor, quiet
from .evaluate import CALLS, asked_without_fault, evaluate, evaluate_quantity, wrt_for
from .frames import read_frame, write_frame
from .messages import (
    IMPORTED,
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
from .other_calls import with_other_calls
from .probe import probe
from .source_text import Source, loaded, module_and_name, source_of
from .users import UsersFunctions
from .users_source import users_source, with_classes
from .wire import BatchReply, Raised, Reply, encode, pack, pack_observation


@dataclass(frozen=True)
class WorkerProcess:
    """The state of this process.

    Attributes:
        setup: the settings that it was started with.
        is_own: whether it is a process of its own, and not that of a user of this package.
        early: the framework's backend, if it was imported before the settings came.
    """

    setup: Setup
    is_own: bool = False
    early: Backend | None = None
    _spoiled: list[str] = field(default_factory=list)

    @cached_property
    def backend(self) -> Backend:
        """The framework's backend with the user's implementations, imported when first needed."""
        return self._loaded[0]

    @cached_property
    def users(self) -> UsersFunctions:
        """The user's functions."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[Backend, UsersFunctions]:
        setup = self.setup
        backend = self.early or load_backend(setup.framework, setup.device, setup.mode)
        if self.is_own:
            gc.freeze()  # what is imported stays; no collection has to go through it
        before = Condition(backend, whole=bool(setup.extra))
        users = UsersFunctions.of(setup.extra, setup.framework)
        users = users.learn(backend) if setup.learnt is None else users.know(setup.learnt)
        users.add_to(backend)
        self._spoiled.extend(before.changes().spoiled)
        return backend, users

    @cached_property
    def condition(self) -> Condition:
        """The condition in which the process was after its imports."""
        return Condition(self.backend, whole=bool(self.setup.extra))

    def catalogue(self, learnt: tuple[Learnt, ...] | None = None) -> Catalogue:
        """Import the framework and return what it offers.

        Args:
            learnt: what is known of the user's functions, if more than in the settings.
        """
        begin = time.perf_counter()
        backend = self.backend
        if learnt is not None:
            self.users.learn_of(learnt, backend)
        seconds = time.perf_counter() - begin
        claims = tuple(found.claim for found in backend.implementations.values())
        machine = {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "cpu": processor(),
            "cores": os.cpu_count(),
            "platform": platform.platform(),
        }
        own = tuple(found.claim for found in backend.extra)
        environment = {**backend.environment(), **machine}
        known, spoiled = tuple(self.users.learnt), tuple(self._spoiled)
        return Catalogue(claims, environment, seconds, own, known, self.users.left, spoiled)

    def learn(self, name: str) -> Learning:
        """Ask one of the user's functions its plain questions."""
        condition = self.condition
        found = learnt_of(self.users.candidates[name], self.backend)
        changes = str(condition.changes())
        if isinstance(found, Left):
            return Learning(left=found, changes=changes)
        return Learning(found, changes=changes)

    def tried(
        self, request: LearnRequest | DefinitionsRequest, reach: Callable[[int], None]
    ) -> Learning | Definitions:
        """Learn a user's function, or import a file that defines operations."""
        if isinstance(request, LearnRequest):
            _ = self.condition  # the time limit is that of the calls
            reach(1)
            return self.learn(request.name)
        condition = Condition(self.backend, whole=True)
        condition.prepare({EAGER})
        reach(1)
        define_from(request.place)
        return Definitions(str(condition.changes()))

    def answered(self, question: Question) -> Observation:
        """Evaluate one question."""
        return answered(self.backend, question)

    def batch(self, request: BatchRequest, reach: Callable[[int], None]) -> BatchReply:
        """Evaluate the questions of a batch in order.

        Args:
            request: the batch.
            reach: called with the number of each question, from 1, before it is evaluated.
        """
        condition, before, packed = self.condition, CALLS.seconds, []
        condition.prepare({question.mode for question in request.batch})
        for number, question in enumerate(request.batch, 1):
            reach(number)
            # An answer is copied at once: its memory may be a file that another question removes.
            packed.append(pack_observation(self.answered(question)))
        return BatchReply(packed, CALLS.seconds - before, condition.changes())

    def source(self, request: SourceRequest) -> Source:
        """Return the program text of an implementation and of its call for a case.

        In the call the arrays have the names that the contract gives them.

        Raises:
            SourceError: the source of the implementation cannot be read.
        """
        backend, case, selector = self.backend, request.case, request.selector
        implementation = backend.implementations[selector.implementation]
        call = call_for(implementation, case, case.inputs())
        by_hand = implementation.vjp is not None and backend.description.has_handwritten_gradients
        wanted = wrt_for(selector.quantity, by_hand=by_hand)
        needs_gradient = bool(wanted or (selector.all_gradients and call.wrt)) and by_hand
        names = {name: name for name in ARGUMENTS} | {"values": case.contract.domain}
        own = self.users.candidates.get(selector.implementation)
        if own is not None and implementation.calling is not None:
            return users_source(
                own,
                implementation.calling,
                {name: names[name] for name in call.arguments},
                dict(call.options),
                dialect_of(backend.framework),
                with_classes=with_classes(implementation.calling, case),
                wants_gradient=needs_gradient,
            )
        modules = loaded(backend.module_names())
        module, attribute = module_and_name(
            modules, implementation.function, selector.implementation
        )
        gradient = "cotangent" if needs_gradient else ""
        return source_of(module, attribute, *_written(names, call), gradient)


def answered(backend: Backend, question: Question) -> Observation:
    """Return all that an implementation answers to one question, its extra calls included.

    Args:
        backend: the framework, with the implementation.
        question: the implementation, the mode and the case.
    """
    name, mode, case = question
    observation = with_other_calls(backend, case, evaluate(backend, name, mode, case))
    if backend.implementations[name].claim.kind == "user":
        observation = asked_without_fault(backend, case, observation)
    return probe(backend, mode, case, observation) if case.is_probed else observation


def start(setup: Setup) -> None:
    """Set the flags that the import of a framework reads.

    Args:
        setup: the settings of the worker.
    """
    for name, text in quiet().items():
        os.environ.setdefault(name, text)
    # Workers share the cores: a thread that spins while it waits takes one from the others.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if setup.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if setup.threads:
        limit_threads(setup.threads)
    os.environ.update(environment_for(cache=setup.cache))
    os.environ.update(FRAMEWORKS[setup.framework].mode(setup.mode).variables)


def limit_threads(threads: int) -> None:
    """Limit the threads that frameworks imported later will use, and the cores of this process.

    Each framework reads variables of its own, and all of them count the cores they may use.
    """
    os.environ.update(environment_for(threads))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def load(setup: Setup) -> Backend:
    """Return a framework's backend with a user's own implementations added.

    Args:
        setup: framework, device and the user's files.

    Raises:
        UserFileError: a file of implementations cannot be used.
        DeviceAbsentError: the framework does not find the device.
        ImportError: the framework cannot be imported.
    """
    return WorkerProcess(setup).backend


# --- the process -----------------------------------------------------------------------------


def main(shared: int, given: dict[str, Any] | None) -> None:
    """Answer the requests that come on standard input, until it is closed.

    Args:
        shared: the descriptor of the memory that the progress is shared in.
        given: the `Hint` of what the process is for, if it was started ahead, as plain data.
    """
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what functions print goes to the log
    os.close(nothing)
    progress = SharedProgress(shared)
    progress.seal()
    received: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
    threading.Thread(target=_receive, args=[requests, received], daemon=True).start()
    early = None if given is None else _early(Setup(**given))
    setup, is_warm = pickle.loads(received.get()[1])  # noqa: S301 -- from the judging process
    if given is None:
        start(setup)
    process = WorkerProcess(setup, is_own=True, early=early)
    if is_warm:
        with suppress(BaseException):  # the request that needs it will report the error
            _ = process.condition
    while True:
        number, data = received.get()
        progress.reach(number, 0)
        _serve(process, number, data, progress, replies)


def _early(setup: Setup) -> Backend | None:
    """Import the framework before it is known what is asked of it; None where that fails."""
    if setup.framework not in FRAMEWORKS:
        return None
    start(setup)
    with suppress(BaseException):  # the request that needs it will report the error
        return load_backend(setup.framework, setup.device, setup.mode)
    return None


def _receive(requests: int, received: SimpleQueue[tuple[int, bytes]]) -> NoReturn:
    """Receive requests; end the process, whatever it does, once the judging process has ended."""
    while (frame := read_frame(requests)) is not None:
        received.put(frame)
    _exit(1)


def _serve(
    process: WorkerProcess, number: int, data: bytes, progress: SharedProgress, replies: int
) -> None:
    """Answer one request; a process that may be spoiled ends with it."""
    pid, is_spoiled = getpid(), False
    request: Request = pickle.loads(data)  # noqa: S301 -- from the judging process

    def reach(position: int) -> None:
        if getpid() != pid:  # a function has forked, and this is the child process
            _exit(0)
        progress.reach(number, position)

    try:
        result = answer(process, request, reach)
        is_spoiled = isinstance(result, BatchReply | Learning) and bool(result.changes)
        reply = Reply(encode(result))
    except LossdiffError as error:
        shown = getattr(error, "traceback", "")
        reply = Reply(raised=Raised(type(error).__name__, str(error), shown))
    except BaseException as error:  # noqa: BLE001 -- a spoiled process may raise anything
        is_spoiled = True
        reply = Reply(raised=Raised(type(error).__name__, one_line(error)))
    last = len(request.batch) if isinstance(request, BatchRequest) else 0
    reach(last + 1)
    write_frame(replies, number, encode(reply))
    if isinstance(request, DefinitionsRequest):
        raise SystemExit(IMPORTED)  # so that what the file leaves for the end of its process runs
    if is_spoiled:
        _exit(0)


def answer(process: WorkerProcess, request: Request, reach: Callable[[int], None]) -> object:
    """Return the result of a request, as plain data.

    Args:
        process: the state of this process.
        request: the request.
        reach: called with the number of each question of a batch, from 1.
    """
    match request:
        case CatalogueRequest(learnt):
            return process.catalogue(learnt)
        case BatchRequest():
            return process.batch(request, reach)
        case SourceRequest():
            return process.source(request)
        case CandidatesRequest():
            users = process.users
            names = {name: it.operation for name, it in users.candidates.items()}
            return Candidates(names, users.left)
        case LearnRequest() | DefinitionsRequest():
            return process.tried(request, reach)
        case AnswerRequest(case, selector):
            _ = process.backend  # the time limit is that of the call
            reach(1)
            name, mode, quantity, all_gradients = vars(selector).values()
            return pack(
                evaluate_quantity(
                    process.backend, name, mode, case, quantity, all_gradients=all_gradients
                )
            )


def _written(names: dict[str, str], call: Call) -> tuple[list[str], dict[str, str]]:
    """Return the arguments of a call as text: the positional ones, and the keywords."""
    positional = [names[name] for name in POSITIONAL if name in call.arguments]
    keywords = {name: name for name in call.arguments if name not in POSITIONAL}
    return positional, keywords | {name: repr(value) for name, value in call.options}
