"""Run in a worker process, and evaluate one framework case by case.

The engine calls these functions in a process of their own; their arguments and results are plain
data. The framework is imported by the first call, not by the import of this module.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.synchronize import Event
from typing import Any

import cpuinfo
import numpy as np
from numpy.typing import NDArray

from ...backends import load_backend
from ...backends.base import ARGUMENTS, Backend, Call, call_for, implementations_of
from ...cases.model import Case
from ...errors import UserFileError
from ..answers import Failure, Observation, one_line
from .environment import environment_for, quiet
from .evaluate import CALLS, evaluate, evaluate_quantity, wrt_for
from .messages import BatchAnswers, Catalogue, Question, Setup
from .probe import probe
from .progress import CATALOGUE, SharedProgress
from .source_text import Source, loaded, module_and_name, source_of
from .user_file import import_user_file, module_name


@dataclass(frozen=True)
class WorkerProcess:
    """The state of this process.

    Attributes:
        setup: the settings that it was started with.
        progress: shared memory for the question that it has reached; None without a supervisor.
    """

    setup: Setup
    progress: SharedProgress | None = None

    @cached_property
    def backend(self) -> Backend:
        """The framework's backend, imported when it is first needed."""
        return load(self.setup)


_processes: list[WorkerProcess] = []  # one element, once the process has started


def _this() -> WorkerProcess:
    (process,) = _processes
    return process


def start(setup: Setup, loads: Event | None = None, progress: SharedProgress | None = None) -> None:
    """Prepare the process: redirect its output, and set the flags that an import reads.

    Args:
        setup: the settings of the worker.
        loads: if set, the framework is imported at once. The first worker imports it in
            `catalogue`, under a time limit of its own; a worker that replaces a dead one must not
            spend the time limit of a question on it.
        progress: shared memory for the question that the process has reached.
    """
    _processes[:] = [WorkerProcess(setup, progress)]
    if hasattr(os, "setsid"):
        # In a group of its own a function that signals its group reaches this process only, and
        # the processes that it leaves behind can be ended together.
        with suppress(PermissionError):  # the process leads a group already
            os.setsid()
    if progress is not None:
        progress.start()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name, text in quiet().items():
        os.environ.setdefault(name, text)
    # Workers share the cores: a thread that spins while it waits takes one from the others.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if setup.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if setup.threads:
        limit_threads(setup.threads)
    os.environ.update(environment_for(cache=setup.cache))
    log = os.open(setup.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    if loads is not None and loads.is_set():
        _ = _this().backend


def _end_with_parent() -> None:
    """End this process when its parent dies: an endless loop must not outlive a killed run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


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
    backend = load_backend(setup.framework, setup.device)
    for place in setup.extra:
        module = import_user_file(place)
        try:
            found = list(implementations_of(module, setup.framework))
        except (TypeError, ValueError, AttributeError) as error:
            raise UserFileError(f"{place}: {one_line(error)}") from error
        if not found:
            raise UserFileError(f"{place} holds no function named after an operation")
        backend.extra.extend(found)
    try:
        _ = backend.implementations
    except ValueError as error:
        raise UserFileError(f"{setup.extra[-1]}: {error}") from error
    return backend


def catalogue() -> Catalogue:
    """Import the framework and return what it offers."""
    process = _this()
    if process.progress is not None:
        process.progress.take(CATALOGUE)
    begin = time.perf_counter()
    backend = process.backend
    seconds = time.perf_counter() - begin
    claims = tuple(found.claim for found in backend.implementations.values())
    machine = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpu": cpuinfo.get_cpu_info().get("brand_raw", platform.processor()),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
    }
    own = tuple(found.claim for found in backend.extra)
    return Catalogue(claims, {**backend.environment(), **machine}, seconds, own)


def ask(batch_id: int, batch: Sequence[Question]) -> BatchAnswers:
    """Evaluate the questions of a batch in order, and record which one has been reached.

    Args:
        batch_id: the number of the batch.
        batch: the questions.
    """
    process, pid, before = _this(), os.getpid(), CALLS.seconds
    observations = []
    if process.progress is not None:
        process.progress.take(batch_id)
    for index, question in enumerate(batch):
        if process.progress is not None:
            process.progress.reach(batch_id, index)
        observations.append(_answered(process.backend, question))
        if os.getpid() != pid:  # a function has forked, and this is the child process
            os._exit(0)
    return BatchAnswers(observations, CALLS.seconds - before)


def _answered(backend: Backend, question: Question) -> Observation:
    name, mode, case = question
    observation = evaluate(backend, name, mode, case)
    return probe(backend, mode, case, observation) if case.is_probed else observation


def ask_quantity(
    case: Case, name: str, mode: str, quantity: str, all_gradients: bool
) -> NDArray[Any] | Failure:
    """Evaluate one quantity of an implementation; see `evaluate.evaluate_quantity`."""
    return evaluate_quantity(
        _this().backend, name, mode, case, quantity, all_gradients=all_gradients
    )


def source(case: Case, name: str, mode: str, quantity: str, all_gradients: bool) -> Source:  # noqa: ARG001
    """Return the program text of an implementation and of its call for a case.

    In the call the arrays have the names that the contract gives them.

    Raises:
        SourceError: the source of the implementation cannot be read.
    """
    process = _this()
    backend = process.backend
    implementation = backend.implementations[name]
    call = call_for(implementation, case, case.inputs())
    modules = loaded(backend.module_names())
    modules += loaded([module_name(place) for place in process.setup.extra])
    module, attribute = module_and_name(modules, implementation.function, name)
    by_hand = implementation.vjp is not None and backend.description.has_handwritten_gradients
    needs_gradient = bool(wrt_for(quantity, by_hand=by_hand) or (all_gradients and call.wrt))
    gradient = "cotangent" if by_hand and needs_gradient else ""
    return source_of(module, attribute, *_written(case, call), gradient)


def _written(case: Case, call: Call) -> tuple[list[str], dict[str, str]]:
    """Return the arguments of a call as text: the positional ones, and the keywords."""
    names = {name: name for name in ARGUMENTS} | {"values": case.contract.domain}
    positional = [names[name] for name in ("values", "target") if name in call.arguments]
    keywords = {name: name for name in call.arguments if name not in ("values", "target")}
    return positional, keywords | {name: repr(value) for name, value in call.options}
