"""What runs in a worker process: one framework, asked case by case.

The functions here are called by the engine in a process of their own; only plain data goes
in and out. The framework is imported on the first call, not when this module is.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import cpuinfo
import numpy as np

from ..backends import load_backend
from ..backends.base import (
    Backend,
    Call,
    Claim,
    Forward,
    ForwardBackward,
    call_for,
    implementations_of,
)
from ..cases.dtypes import format_of
from ..cases.model import Case, Inputs
from .observation import Failure, Observation

_LOST = {"values": "gradient_logits", "target": "gradient_target"}
_NO_GRADIENT = Failure("unsupported", "no gradient flows")


@dataclass(frozen=True)
class Setup:
    """What a worker is started with.

    Attributes:
        framework: a name of `backends.FRAMEWORKS`.
        device: `cpu` or `gpu`.
        extra: files or modules of a user's own implementations.
        log: where the process's output goes.
    """

    framework: str
    device: str = "cpu"
    extra: tuple[str, ...] = ()
    log: str = os.devnull


@dataclass(frozen=True)
class Catalogue:
    """What a worker offers."""

    claims: tuple[Claim, ...]
    environment: dict[str, Any] = field(default_factory=dict)


class UserFileError(Exception):
    """A user's file of implementations cannot be used; the message says why."""


_setup: Setup | None = None


def start(setup: Setup, loads: Event | None = None) -> None:
    """Prepare the process: where its output goes, and the flags that must be set early.

    Args:
        setup: what the worker is for.
        loads: if set, the framework is imported here and now. The first worker imports it in
            `catalogue`, under a time limit; one that replaces a dead worker must not spend the
            time limit of a question on it.
    """
    global _setup  # noqa: PLW0603 -- a process is started once
    _setup = setup
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if setup.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    log = os.open(setup.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    if loads is not None and loads.is_set():
        _backend()


@cache
def _backend() -> Backend:
    assert _setup is not None  # noqa: S101 -- the engine starts every worker
    return load(_setup)


def load(setup: Setup) -> Backend:
    """Return a framework's backend with a user's own implementations added.

    Raises:
        UserFileError: a file of implementations cannot be used.
        DeviceAbsentError: the framework sees no such device.
        ImportError: the framework does not import.
    """
    backend = load_backend(setup.framework, setup.device)
    for place in setup.extra:
        module = _import_user(place)
        try:
            found = list(implementations_of(module, setup.framework))
        except (TypeError, ValueError, AttributeError) as error:
            raise UserFileError(f"{place}: {_one_line(error)}") from error
        if not found:
            raise UserFileError(f"{place} holds no function named after an operation")
        backend.extra.extend(found)
    try:
        _ = backend.implementations
    except ValueError as error:
        raise UserFileError(f"{setup.extra[-1]}: {error}") from error
    return backend


def _import_user(place: str) -> Any:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        # Below a name of ours: a file called random.py must not become everyone's `random`.
        name = f"lossdiff_user.{Path(place).stem}"
        spec = importlib.util.spec_from_file_location(name, place)
        assert spec is not None  # noqa: S101 -- a .py file always has a loader
        assert spec.loader is not None  # noqa: S101
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except BaseException as error:  # sys.exit at the import, too
        raise UserFileError(f"{place} cannot be imported: {_one_line(error)}") from error
    else:
        return module


def catalogue() -> Catalogue:
    """Import the framework and return what it offers."""
    backend = _backend()
    claims = tuple(found.claim for found in backend.implementations.values())
    machine = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpu": cpuinfo.get_cpu_info().get("brand_raw", platform.processor()),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
    }
    return Catalogue(claims, {**backend.environment(), **machine})


def ask(questions: Sequence[tuple[str, str, Case]]) -> list[Observation]:
    """Ask (implementation, mode, case), one after the other."""
    backend = _backend()
    return [_ask(backend, *question) for question in questions]


def _ask(backend: Backend, name: str, mode: str, case: Case) -> Observation:
    _settle(backend, (case.dtype, case.shape))
    implementation = backend.implementations[name]
    inputs = case.inputs()
    call = call_for(implementation, case, inputs)
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answers = _answers(backend, mode, call, case, inputs)
    seconds = time.perf_counter() - begin
    said = dict.fromkeys(_one_line(str(warning.message)) for warning in caught)
    return Observation(case.id, name, mode, answers, seconds, "; ".join(said))


def _answers(
    backend: Backend,
    mode: str,
    call: Call,
    case: Case,
    inputs: Inputs,
) -> dict[str, Any]:
    quantities = ["value", *(_LOST[name] for name in call.wrt)]
    arrays = _arrays(backend, call, inputs)
    if not call.wrt:
        return _value_only(backend, mode, call, case, inputs, quantities, None)
    cotangent = backend.to_array(case.cotangent(call.shape).astype(inputs.values.dtype))
    function = _differentiated(backend, mode, call)
    try:  # around the framework alone: a defect of ours must not look like an answer
        value, gradients = function(cotangent, *arrays)
    except BaseException as error:  # noqa: BLE001 -- whatever it raises is an answer
        return _value_only(backend, mode, call, case, inputs, quantities, error)
    results = [value, *gradients]
    answers = {
        quantity: _NO_GRADIENT if result is None else _converted(backend, result, case)
        for quantity, result in zip(quantities, results, strict=True)
    }
    return {**answers, "value": _converted(backend, value, case)}


@lru_cache(maxsize=256)
def _differentiated(backend: Backend, mode: str, call: Call) -> ForwardBackward:
    """Compiled functions are kept: cases of one signature follow each other."""
    return backend.forward_backward(call, mode)


@lru_cache(maxsize=1)
def _settle(backend: Backend, dtype_and_shape: tuple[str, tuple[int, ...]]) -> None:  # noqa: ARG001
    """Drop what was compiled for others; runs once for each dtype and shape, as they come."""
    _plain.cache_clear()
    _differentiated.cache_clear()
    backend.forget()


@lru_cache(maxsize=256)
def _plain(backend: Backend, mode: str, call: Call) -> Forward:
    return backend.forward(call, mode)


def _arrays(backend: Backend, call: Call, inputs: Inputs) -> list[Any]:
    return [backend.to_array(getattr(inputs, name)) for name in call.arguments]


def _value_only(
    backend: Backend,
    mode: str,
    call: Call,
    case: Case,
    inputs: Inputs,
    quantities: list[str],
    error: BaseException | None,
) -> dict[str, Any]:
    """Ask for the value; `error` says why the gradients, if any, could not be had."""
    failure = Failure("raised", _one_line(error))
    answers: dict[str, Any] = dict.fromkeys(quantities, failure)
    try:
        value = _plain(backend, mode, call)(*_arrays(backend, call, inputs))
    except BaseException as again:  # noqa: BLE001 -- whatever it raises is an answer
        if isinstance(error, NotImplementedError) and not isinstance(again, NotImplementedError):
            answers = dict.fromkeys(quantities, Failure("unsupported", failure.message))
        return {**answers, "value": Failure("raised", _one_line(again))}
    if isinstance(error, NotImplementedError):
        answers = dict.fromkeys(quantities, Failure("unsupported", failure.message))
    answers["value"] = _converted(backend, value, case)
    due = _judged(call.shape, case)
    if isinstance(answers["value"], np.ndarray) and answers["value"].shape != due:
        for quantity in quantities[1:]:
            shape = f"shape {answers['value'].shape}, where {due} is due"
            answers[quantity] = Failure("mismatched", f"no gradient of a value of {shape}")
    return answers


def _judged(shape: tuple[int, ...], case: Case) -> tuple[int, ...]:
    """The shape of the part of an array that is sent back to be judged."""
    is_long = bool(shape) and shape[0] == case.shape[0]
    return (case.judged_rows, *shape[1:]) if is_long else shape


def _converted(backend: Backend, value: Any, case: Case) -> Any:
    try:
        array = backend.to_numpy(value)
        if array.dtype.kind not in "biuf" and format_of(array.dtype) is None:
            return Failure("mismatched", f"dtype {array.dtype.name}, which holds no real numbers")
        return array[: case.judged_rows] if _judged(array.shape, case) != array.shape else array
    except Exception as error:  # noqa: BLE001 -- a user's function may return anything
        return Failure("mismatched", _one_line(error))


def _one_line(error: Any) -> str:
    try:
        said = str(error)
    except BaseException:  # noqa: BLE001 -- a user's exception may do anything
        said = "its message cannot be read"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = lines[0] if lines else "no message"
    if isinstance(error, BaseException):
        text = f"{type(error).__name__}: {text}"
    return text[:300]
