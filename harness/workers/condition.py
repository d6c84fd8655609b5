"""Find out what a function has changed in its process, beside returning an answer.

Whatever later answers depend on is looked at before and after: how the processor rounds, what
NumPy and the framework consist of and how they are set, and what would end or disturb the process
later. A process that has come into another condition is replaced; see `supervisor`.
"""

from __future__ import annotations

import decimal
import gc
import locale
import os
import resource
import signal
import sys
import threading
from _thread import _count as running_threads
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter, is_
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from ...backends import EAGER
from ...backends.base import Backend, call_for
from ...cases.model import Case
from ..answers import fingerprint
from .evaluate import value_and_gradients
from .source_text import loaded
from .wire import Changes

_GONE = object()
_BODY = attrgetter("__code__"), attrgetter("__defaults__"), attrgetter("__kwdefaults__")
_AT_MOST = 3  # names that are listed
# The modules of the standard library that an answer passes on its way.
_STANDARD = (
    "builtins", "copy", "functools", "inspect", "io", "itertools", "json", "math", "operator",
    "os", "pickle", "random", "struct", "sys", "threading", "time", "types", "warnings",
)  # fmt: skip
# The beginnings of the names of further modules, of which some are in folders.
_PACKAGES = (
    *(f"{np.__name__}.{name}" for name in ("linalg", "random", "_core")),
    "lossdiff.cases", "lossdiff.backends",
    "lossdiff.harness.workers", "lossdiff.harness.answers", "lossdiff.harness.relations.meta",
)  # fmt: skip
# Classes whose methods an answer, or what is done with it, calls.
_CLASSES: tuple[type, ...] = (
    np.ndarray, np.ufunc, np.dtype, np.float16, np.float32, np.float64, np.int64, np.bool_,
    bool, float, str, bytes, list, tuple, dict, set,
)  # fmt: skip
_INSTALLED = f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}"
_TIMERS = signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF
_LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT_")]
# Numbers that are rounded to the nearest one, or kept below the smallest normal number, unless the
# processor is told otherwise. They are variables, since Python computes constants when it compiles.
_ONE, _HALF_ULP, _MOST_OF_ULP = 1.0, 2.0**-53, 2.0**-52 * 0.75
_NORMAL, _SUBNORMAL = 2.0**-1022, 2.0**-1074
# Answers of the framework itself, with subnormal numbers and with sums that are rounded. They need
# few operators, because some framework compiles each.
_ASKED = "exp/float32/2x5/gap_underflow/-/0", "log_softmax/float64/4x10/normal/-/0"
# What a compiler does first, with as many operators as other functions have.
_COMPILED = (
    "softmax/float32/2x5/gap_underflow/-/0",
    "cross_entropy/index.random/float64/4x10/normal/-/0",
)


@dataclass(frozen=True)
class _Namespace:
    """The attributes of a module or a class as they were; new ones do no harm.

    Attributes:
        name: its full name.
        space: the module or class.
        before: its attributes.
        functions: those that are functions of Python, with the names of the attributes.
        bodies: for each function what may be replaced in it, see `_BODY`.
    """

    name: str
    space: Any
    before: dict[str, Any]
    functions: dict[str, FunctionType]
    bodies: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, name: str, space: Any) -> _Namespace:
        before = {key: value for key, value in vars(space).items() if not _is_lazy(value)}
        functions = {key: value for key, value in before.items() if type(value) is FunctionType}
        bodies = tuple(tuple(map(part, functions.values())) for part in _BODY)
        return cls(name, space, before, functions, bodies)

    def is_whole(self) -> bool:
        now = self.space.__dict__
        return all(map(is_, map(now.get, self.before), self.before.values())) and all(
            all(map(is_, map(part, self.functions.values()), values))
            for part, values in zip(_BODY, self.bodies, strict=True)
        )

    def replaced(self) -> Iterator[str]:
        now = self.space.__dict__
        for key, value in self.before.items():
            if now.get(key, _GONE) is value or _is_by_its_package(value, now.get(key)):
                continue
            # A framework replaces a function of Python's own when it is imported.
            if self.name not in _STANDARD or not _is_installed(now.get(key)):
                yield f"{self.name}.{key}"
        for values, part in ((self.bodies[place], _BODY[place]) for place in (0, 1, 2)):
            place = 0
            for key, function in self.functions.items():
                if part(function) is not values[place]:
                    yield f"the body of {self.name}.{key}"
                place += 1  # noqa: SIM113 -- `enumerate` may be replaced, too


class Condition:
    """What the answers of a process depend on, apart from the questions."""

    def __init__(self, backend: Backend, *, whole: bool = False) -> None:
        """Record the condition that the process is in.

        Args:
            backend: the framework that the process evaluates.
            whole: whether functions of a user's own are evaluated: all that they may change is then
                a part of the condition. Otherwise it is what decides numbers directly, since the
                framework may replace parts of itself.
        """
        self._backend, self._is_whole = backend, whole
        self._modes: set[str] = set()
        self._record()

    def prepare(self, modes: set[str]) -> None:
        """Record the condition anew if a mode is used for the first time.

        A framework may change itself when it compiles something for the first time, so it does that
        here, with functions of its own.
        """
        if self._is_whole and modes - self._modes:
            for mode in modes - self._modes:
                _ = tuple(_answers(self._backend, mode))
            self._modes |= modes
            self._record()

    def _record(self) -> None:
        backend = self._backend
        self._numbers = self._read_numbers()
        if self._is_whole:
            self._namespaces = [_Namespace.of(name, space) for name, space in _watched(backend)]
            self._modules = {it.name: sys.modules.get(it.name) for it in self._namespaces}
            # Before `prepare` not all implementations are known.
            self._answers = self._asked() if self._modes else ()
            self._around = _read_around()
            self._threads, self._running = set(threading.enumerate()), running_threads()

    def changes(self) -> Changes:
        """Return in words what has changed since."""
        spoiled, left = list[str](), list[str]()
        if self._is_whole and not self._is_untouched():
            spoiled = [*self._replaced()]
            if len(spoiled) > _AT_MOST:
                spoiled[_AT_MOST:] = [f"{len(spoiled) - _AT_MOST} more attributes"]
        # A process whose NumPy is replaced cannot even be asked for the rest.
        try:
            spoiled += _different(self._numbers, self._read_numbers())
            if self._is_whole:
                # They are asked where no cause is known: what else differs explains them.
                if not spoiled and self._modes and self._answers != self._asked():
                    spoiled = ["answers of the framework"]
                left = _different(self._around, _read_around())
                left += ["a thread that goes on"] if self._has_new_threads() else []
        except BaseException:  # noqa: BLE001 -- what is replaced may raise anything
            return Changes([*spoiled, "what an answer needs"], [])
        return Changes(spoiled, left)

    def _asked(self) -> tuple[str, ...]:
        return tuple(_answers(self._backend, EAGER))

    def _has_new_threads(self) -> bool:
        """Return whether threads were started; those of a compiler come and go."""
        modes = map(self._backend.description.mode, self._modes)
        is_more = running_threads() > self._running  # not all are known to `threading`
        is_new = is_more or bool(set(threading.enumerate()) - self._threads)
        return is_new and not any(mode.compiler for mode in modes)

    def _is_untouched(self) -> bool:
        """Return whether nothing is replaced; this runs after each batch, and is quick."""
        try:
            modules = all(map(is_, map(sys.modules.get, self._modules), self._modules.values()))
            return modules and all(it.is_whole() for it in self._namespaces)
        except BaseException:  # noqa: BLE001 -- what is replaced may raise anything
            return False

    def _replaced(self) -> Iterator[str]:
        """Yield the names of what is replaced; calls no built-in function, which may be, too."""
        for space in self._namespaces:
            yield from space.replaced()
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                yield f"the module {name}"

    def _read_numbers(self) -> dict[str, Any]:
        """Return, by its name in words, what decides the numbers of an answer."""
        state = {
            "rounding mode": _rounding(),
            "flush to zero": (_NORMAL * 0.5 > 0.0, _SUBNORMAL * 1.0 > 0.0),
            "handling of floating-point errors": np.geterr(),
        }
        state |= {f"setting {name}": value for name, value in self._backend.settings().items()}
        return state


def _read_around() -> dict[str, Any]:
    """Return, by its name in words, what may end or disturb the process later."""
    return {
        "working folder": _folder(),
        "context of decimal": str(decimal.getcontext()),
        "locale": locale.setlocale(locale.LC_ALL),
        "garbage collection": gc.isenabled(),
        "recursion limit": sys.getrecursionlimit(),
        "trace function": (sys.gettrace(), sys.getprofile()),
        "signal handlers": tuple(map(signal.getsignal, sorted(signal.valid_signals()))),
        "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "timer": [signal.getitimer(timer)[0] > 0 for timer in _TIMERS],
        "limits of the process": tuple(map(_limit, _LIMITS)),
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "cores": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
    }


def _different(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [name for name, value in before.items() if now.get(name, _GONE) != value]


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 -- pathlib may be replaced
    except OSError:
        return ""


def _watched(backend: Backend) -> Iterator[tuple[str, Any]]:
    """Yield names and namespaces: modules and classes on which answers depend."""
    adapters = loaded(backend.module_names())
    found = [*loaded([np.__name__, *_STANDARD]), *adapters]
    found += [part for module in adapters for part in vars(module).values() if _is_module(part)]
    found += [it for name, it in sys.modules.items() if name.startswith(_PACKAGES) and it]
    for module in {id(module): module for module in found}.values():
        yield module.__name__, module
    # Python does not let classes that are written in C be changed, but `gc` and `ctypes` do.
    kind = type(backend.to_array(np.zeros(1, np.float32)))
    classes = [part for one in (kind, *_CLASSES) for part in one.__mro__]
    for one in dict.fromkeys(classes):
        yield f"{one.__module__}.{one.__qualname__}", one


def _is_module(part: Any) -> bool:
    return isinstance(part, ModuleType)


def _is_lazy(value: Any) -> bool:
    """Return whether a value stands for a module until that is needed."""
    return isinstance(value, ModuleType) and type(value) is not ModuleType


def _is_by_its_package(before: Any, now: Any) -> bool:
    """Return whether a function was wrapped by the package that it is from.

    A framework wraps functions of its own when it imports its compiler, which some derivative may
    need first.
    """
    try:
        package = sys.modules[before.__module__.partition(".")[0]].__path__[0]
        is_within = now.__code__.co_filename.startswith(package + os.sep)
    except Exception:  # noqa: BLE001 -- what is replaced may raise anything
        return False
    return bool(is_within and now.__wrapped__ is before)


def _is_installed(function: Any) -> bool:
    """Return whether a function is written in Python, in a package that is installed."""
    try:
        file = function.__code__.co_filename
        return _INSTALLED[0] in file or _INSTALLED[1] in file
    except Exception:  # noqa: BLE001 -- what is replaced may raise anything
        return False


def _rounding() -> tuple[float, ...]:
    return _ONE + _HALF_ULP, _ONE + _MOST_OF_ULP, -_ONE - _HALF_ULP, -_ONE - _MOST_OF_ULP


def _limit(name: str) -> tuple[int, int]:
    return resource.getrlimit(getattr(resource, name))


def _answers(backend: Backend, mode: str) -> Iterator[str]:
    """Yield the fingerprints of some answers of the framework's own functions."""
    is_compiled = bool(backend.description.mode(mode).compiler)
    for case in map(Case.parse, _COMPILED if is_compiled else _ASKED):
        inputs = case.inputs()
        for implementation in backend.implementations.values():
            if implementation.kind != "native" or implementation.operation != case.operation:
                continue
            if implementation.unsupported(case):
                continue
            call = call_for(implementation, case, inputs)
            found = value_and_gradients(backend, mode, call, inputs, case.cotangent(call.shape))
            yield from (fingerprint(one) for one in found.values() if isinstance(one, np.ndarray))
            break
