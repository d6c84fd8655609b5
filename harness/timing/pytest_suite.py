"""The file that pytest-benchmark runs, in a process with one framework; see `harness.timing.bench`.

Inputs are on the device before the clock starts, every call waits for its result, and the first
call, which compiles, is measured separately. The results of the timed calls are compared with what
was judged. Importing this file has no effect: the plan is read when pytest collects the tests, and
the process is prepared by a session fixture.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import pytest
from lossdiff.backends.base import ARGUMENTS, Backend, call_for, result_shape
from lossdiff.cases.model import Case
from lossdiff.harness.answers import fingerprint
from lossdiff.harness.timing import machine
from lossdiff.harness.timing.benchmarks import Benchmark, copies_of, timed_gradients
from lossdiff.harness.timing.fresh import copying_time, refuse_kept_results
from lossdiff.harness.timing.plan import ProcessPlan
from lossdiff.harness.timing.progress import STARTING, TimingProgress
from lossdiff.harness.timing.under_clock import calling
from lossdiff.harness.workers.evaluate import judged_part
from lossdiff.harness.workers.messages import START_TIMEOUT
from lossdiff.harness.workers.process import limit_threads, load
from numpy.typing import NDArray

_ROUND = 1e-4  # least seconds of a round, so that reading the clock does not count
_TURNS = 3
_ROUNDS = (3, 30)  # least and most rounds in each turn
_WARM = 5e-3  # seconds until the processor's caches hold a small call again
_ON_COPY, _ON_KERNEL = 7, 25  # rounds of the copy and of the reference kernel
_SLACK = 3  # the rounds may take so much longer than the calls that were made before them
_COPIED = 0.2  # seconds in which a forked copy of this process comes to its next step


@dataclass(frozen=True)
class Calibration:
    """How a benchmark is timed in each turn, as arguments of `benchmark.pedantic`.

    Attributes:
        iterations: calls in a round.
        rounds: how many rounds are timed.
        warmup_rounds: how many rounds precede them.
        call: seconds of a call.
    """

    iterations: int
    rounds: int
    warmup_rounds: int
    call: float

    @property
    def seconds(self) -> float:
        """The seconds that all rounds take together."""
        return self.call * self.iterations * (self.rounds + self.warmup_rounds)

    def arguments(self) -> dict[str, int]:
        """Return the arguments of `benchmark.pedantic`."""
        return {name: value for name, value in vars(self).items() if name != "call"}


class LoadedFramework:
    """The framework that is timed, and what is kept of it from one benchmark to the next.

    Attributes:
        plan: the plan of this process.
        inputs: the inputs of a case, as NumPy arrays.
        compiled: the callable of an implementation, mode, case and direction. It is compiled once:
            hot and cold inputs are timed with the same program.
    """

    def __init__(self, plan: ProcessPlan) -> None:
        self.plan = plan
        self._progress = TimingProgress(plan.folder())
        self._places = {item: place for place, item in enumerate(plan.process.benchmarks)}
        self._forks = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=self._note_fork)
        self.inputs = cache(Case.inputs)
        self.compiled = cache(self._compile)
        self._copied = cache(copying_time)
        self._calibrations: dict[Benchmark, Calibration] = {}

    def prepare(self, item: Benchmark | None = None) -> None:
        """Tell `bench` that our own work comes next: for a benchmark, or before the first one."""
        self._progress.reach(STARTING if item is None else self._places[item], START_TIMEOUT)

    def reach(self, item: Benchmark, seconds: float = 0) -> None:
        """Tell `bench` that a call of a benchmark comes next; see `progress`.

        Args:
            item: the benchmark.
            seconds: what is expected beyond the time limit of one call.
        """
        self._progress.reach(self._places[item], self.plan.timeout + seconds)

    def refuse_copies(self) -> None:
        """Raise an error if a function has forked this process, and the copy goes on as well.

        Each round would double the number of copies, and nothing under the clock could stop them.
        """
        if self._forks and not self._progress.copied:
            time.sleep(_COPIED)
        self._forks = 0
        if self._progress.copied:
            raise RuntimeError("it forks, and the copy of the process goes on as well")

    def _note_fork(self) -> None:
        self._forks += 1

    @cached_property
    def backend(self) -> Backend:
        """The framework's backend, imported when it is first needed."""
        return load(self.plan.setup)

    @cached_property
    def cache_bytes(self) -> int:
        """The size of the device's last-level cache."""
        return self.backend.cache_bytes() or machine.cache_bytes()

    def _compile(self, name: str, mode: str, case: Case, direction: str) -> Any:
        call = call_for(self.backend.implementations[name], case, self.inputs(case))
        call = replace(call, wrt=tuple(timed_gradients(case)))
        make = self.backend.timed if direction == "forward" else self.backend.forward_backward
        return make(call, mode)

    def sets(self, item: Benchmark) -> list[list[Any]]:
        """Return the arguments of a benchmark on the device: for it alone, as it may write to them.

        Where they are cold, there are more copies than the cache holds.
        """
        case = Case.parse(item.case)
        given = self._given(case)
        copies = copies_of(_size(given), self.cache_bytes) if item.cache == "cold" else 1
        if item.direction != "forward":
            cotangent = case.cotangent(result_shape(case))
            given.insert(0, cotangent.astype(self.inputs(case).values.dtype))
        return [[self.backend.to_array(array.copy()) for array in given] for _ in range(copies)]

    def _given(self, case: Case) -> list[NDArray[Any]]:
        inputs = self.inputs(case)
        return [it for name in ARGUMENTS if (it := getattr(inputs, name)) is not None]

    def copying_time(self, item: Benchmark) -> float | None:
        """Return the seconds in which this process copies the inputs while the cache holds them.

        It is None where they are cold, or on a GPU: there the bandwidth says it.
        """
        if item.cache == "cold" or self.plan.device != "cpu":
            return None
        seconds = self._copied(tuple(it.nbytes for it in self._given(Case.parse(item.case))))
        return seconds / machine.cores()

    def calibration(self, item: Benchmark, timed: Callable[[], object]) -> Calibration:
        """Return the calibration of a benchmark: found in its first turn, kept for the others."""
        if item not in self._calibrations:
            fastest = min(self._one_call(item, timed) for _ in range(3))
            iterations = max(1, math.ceil(_ROUND / fastest))
            least, most = _ROUNDS
            rounds = int(self.plan.max_time / _TURNS / (fastest * iterations))
            warmup_rounds = max(1, math.ceil(_WARM / (fastest * iterations)))
            rounds = min(max(rounds, least), most)
            self._calibrations[item] = Calibration(iterations, rounds, warmup_rounds, fastest)
        return self._calibrations[item]

    def _one_call(self, item: Benchmark, timed: Callable[[], object]) -> float:
        self.reach(item)
        return _seconds(timed)


@pytest.fixture(scope="session", autouse=True)
def loaded() -> LoadedFramework:
    """Limit this process to its threads, and return the framework that it times."""
    plan = ProcessPlan.from_environment()
    if plan.process.threads == "one":
        limit_threads(1)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {plan.process.core})
    framework = LoadedFramework(plan)
    framework.prepare()
    _ = framework.backend
    return framework


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each turn of each benchmark of the plan."""
    if "turn" in metafunc.fixturenames:
        turns = turns_of(ProcessPlan.from_environment())
        metafunc.parametrize(("turn", "item"), turns, ids=_name)


def turns_of(plan: ProcessPlan) -> list[tuple[int, Benchmark]]:
    """Return all benchmarks in several turns, each in another random order.

    A busy moment of the machine then slows many benchmarks down a little, and none a lot.
    Benchmarks of one case and state of the cache stay together: they are compared.
    """
    dice, benchmarks = random.Random(plan.seed), plan.process.benchmarks  # noqa: S311 -- no secret
    turns: list[tuple[int, Benchmark]] = []
    for turn in range(_TURNS):
        cases = list(dict.fromkeys(item.case for item in benchmarks))
        dice.shuffle(cases)
        for case in cases:
            for state in dice.sample(["hot", "cold"], 2):
                same = [(turn, it) for it in benchmarks if (it.case, it.cache) == (case, state)]
                turns += dice.sample(same, len(same))
    return turns


def _name(part: int | Benchmark) -> str:
    return part.id if isinstance(part, Benchmark) else f"turn{part + 1}"


def test_copy(benchmark: Any, loaded: LoadedFramework) -> None:
    """Time a copy on this device with as many threads: the yardstick of the bandwidth."""
    if loaded.plan.device == "cpu":
        copy, moved = machine.copying(machine.cores())
    else:
        copy, moved = _copy_on_device(loaded)
    environment = loaded.backend.environment()
    benchmark.extra_info.update(
        kind="copy", moved=moved, threads=machine.cores(), environment=environment
    )
    benchmark.pedantic(copy, rounds=_ON_COPY, warmup_rounds=1)


def _copy_on_device(loaded: LoadedFramework) -> tuple[Callable[[], None], int]:
    backend, size = loaded.backend, max(2**28, 4 * loaded.cache_bytes)
    array = backend.to_array(np.ones(size // 4, np.float32))
    return lambda: backend.synchronize(backend.copied(array)), 2 * size


def test_compute(benchmark: Any) -> None:
    """Time the reference kernel: how fast the machine is at this moment, without a framework."""
    benchmark.extra_info.update(kind="compute")
    benchmark.pedantic(machine.computing(), rounds=_ON_KERNEL, warmup_rounds=2)


def test_time(benchmark: Any, loaded: LoadedFramework, turn: int, item: Benchmark) -> None:
    """Time a benchmark in one turn, and note what its calls returned."""
    backend, case = loaded.backend, Case.parse(item.case)
    loaded.prepare(item)
    sets = loaded.sets(item)
    loaded.reach(item)
    function = loaded.compiled(item.implementation, item.mode, case, item.direction)
    about = {**vars(item), "kind": "time", "copies": len(sets)}
    if turn == 0:  # in later turns nothing is compiled any more
        about |= _first_call(loaded, function, sets[0], item)
        loaded.reach(item)
        about["fingerprints"] = _fingerprints(loaded, function(*sets[-1]), item, case)
        loaded.reach(item)
        (fresh,) = loaded.sets(replace(item, cache="hot"))
        refuse_kept_results(backend, case, function, fresh, int(item.direction != "forward"))
        about["copied"] = loaded.copying_time(item)
    loaded.reach(item)
    timed = _timed(backend, function, sets)
    calibration = loaded.calibration(item, timed)
    loaded.reach(item, seconds=_SLACK * calibration.seconds)
    loaded.refuse_copies()
    benchmark.group = f"{case.operation} {case.sizes} {item.direction} {item.threads} {item.cache}"
    benchmark.pedantic(timed, **calibration.arguments())
    loaded.reach(item, seconds=_SLACK * calibration.seconds)
    on_device = backend.device_times(lambda: function(*sets[0]), calibration.rounds)
    benchmark.extra_info.update(about, device_times=on_device)


def _timed(backend: Backend, function: Any, sets: list[list[Any]]) -> Callable[[], object]:
    result = function(*sets[0])
    backend.synchronize(result)  # otherwise it would still be computed while others are timed
    return calling(function, sets, backend.wait_for(result))


def _size(arrays: Sequence[NDArray[Any]]) -> int:
    return sum(array.nbytes for array in arrays)


def _seconds(timed: Callable[[], object]) -> float:
    begin = time.perf_counter()
    timed()
    return time.perf_counter() - begin


def _first_call(
    loaded: LoadedFramework, function: Any, arrays: list[Any], item: Benchmark
) -> dict[str, Any]:
    """Make the first call; return its seconds, where it was compiled afresh, and its memory."""
    backend = loaded.backend
    backend.reset_peak()
    seconds = _seconds(lambda: backend.synchronize(function(*arrays)))
    memory, memory_of = _memory(loaded, function, arrays, item)
    first_call = None if loaded.plan.compiled else seconds
    return {"first_call": first_call, "memory": memory, "memory_of": memory_of}


def _memory(
    loaded: LoadedFramework, function: Any, arrays: list[Any], item: Benchmark
) -> tuple[int | None, str]:
    """Return the peak bytes beyond the inputs, and what measured them in this running process."""
    peak = loaded.backend.peak()
    if peak is not None:
        return peak, "allocator"
    compiler = loaded.backend.description.mode(item.mode).compiler
    if loaded.plan.analyses and compiler:
        peak = loaded.backend.compiled_memory(function, arrays)
    return peak, compiler if peak is not None else ""


def _fingerprints(
    loaded: LoadedFramework, result: Any, item: Benchmark, case: Case
) -> dict[str, str]:
    """Return the fingerprints of a result; save the arrays whose bits have not been judged yet."""
    value, gradients = (result, ()) if item.direction == "forward" else result
    names, found = ("value", *timed_gradients(case).values()), {}
    for quantity, one in zip(names, (value, *gradients), strict=False):
        whole = loaded.backend.to_numpy(one)
        array: NDArray[Any] = judged_part(whole, case)  # type: ignore[assignment]
        found[quantity] = fingerprint(array)
        file = loaded.plan.scratch / f"{found[quantity]}.npy"
        if whole.shape != array.shape:
            found[f"{quantity}:whole"] = fingerprint(whole)
        if found[quantity] not in loaded.plan.known and not file.exists():
            # `.npy` has no bfloat16; its bits are saved as integers.
            np.save(file, array.view(np.uint16) if array.dtype.kind == "V" else array)
    return found
