"""The file that pytest-benchmark runs, in a process with one framework; see `harness.timing.bench`.

An environment variable names the file that holds the plan. Inputs are on the device before the
clock starts, every call waits for its result, and the first call, which compiles, is measured
apart. What came out under the clock is compared with what was judged.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.backends.base import ARGUMENTS, Backend, call_for, result_shape
from lossdiff.cases.model import Case, Inputs
from lossdiff.harness.answers import fingerprint
from lossdiff.harness.timing import machine
from lossdiff.harness.timing.bench import PLAN_VARIABLE
from lossdiff.harness.timing.benchmarks import Benchmark, copies_of
from lossdiff.harness.timing.under_clock import calling
from lossdiff.harness.workers.evaluate import judged_part
from lossdiff.harness.workers.messages import Setup
from lossdiff.harness.workers.process import limit_threads, load
from numpy.typing import NDArray

_PLAN = json.loads(Path(os.environ[PLAN_VARIABLE]).read_text())
_BENCHMARKS = [Benchmark(**item) for item in _PLAN["benchmarks"]]
_KNOWN = frozenset(_PLAN["known"])
_ROUND = 1e-4  # seconds that a round takes at least: a clock's own time must not count
_TURNS = 3
_ROUNDS = (3, 30)  # in each turn
_WARM = 5e-3  # seconds until the caches of a processor know a small call again
_PACES: dict[Benchmark, Pace] = {}
if _PLAN["threads"] == "one":
    limit_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {_PLAN["core"]})


@dataclass(frozen=True)
class Pace:
    """How a benchmark is timed in each turn: calls in a round, rounds, and rounds before them."""

    iterations: int
    rounds: int
    warmup_rounds: int


@cache
def _backend() -> Backend:
    return load(Setup(_PLAN["framework"], _PLAN["device"], tuple(_PLAN["extra"])))


@cache
def _inputs(case: Case) -> Inputs:
    return case.inputs()


@cache
def _compiled(name: str, mode: str, case: Case, direction: str) -> Any:
    """Compiled once: hot and cold inputs are for the same program."""
    backend = _backend()
    call = call_for(backend.implementations[name], case, _inputs(case))
    call = replace(call, wrt=("values",))  # the same gradient of all
    return (backend.timed if direction == "forward" else backend.forward_backward)(call, mode)


@cache
def _cache_bytes() -> int:
    return _backend().cache_bytes() or machine.cache_bytes()


def test_copy(benchmark: Any) -> None:
    """The yardstick: what a copy moves, on this device, with as many threads."""
    if _PLAN["device"] == "cpu":
        copy, moved = machine.copying(machine.cores())
    else:
        copy, moved = _copy_on_device()
    benchmark.extra_info.update(
        kind="copy", moved=moved, threads=machine.cores(), environment=_backend().environment()
    )
    benchmark.pedantic(copy, rounds=7, warmup_rounds=1)


def _copy_on_device() -> tuple[Callable[[], None], int]:
    backend, size = _backend(), max(2**28, 4 * _cache_bytes())
    array = backend.to_array(np.ones(size // 4, np.float32))
    return lambda: backend.synchronize(backend.copied(array)), 2 * size


def test_compute(benchmark: Any) -> None:
    """How fast the machine is just now, whatever the framework."""
    benchmark.extra_info.update(kind="compute")
    benchmark.pedantic(machine.computing(), rounds=25, warmup_rounds=2)


def _turns() -> list[tuple[int, Benchmark]]:
    """Everything in some turns, each in another order: a busy moment hits many a little.

    Those with the same inputs stay together, so that one set of them is held at a time.
    """
    dice, turns = random.Random(_PLAN["seed"]), []  # noqa: S311 -- no secret
    for turn in range(_TURNS):
        cases = list(dict.fromkeys(item.case for item in _BENCHMARKS))
        dice.shuffle(cases)
        for case in cases:
            for state in dice.sample(["hot", "cold"], 2):
                same = [(turn, it) for it in _BENCHMARKS if (it.case, it.cache) == (case, state)]
                turns += dice.sample(same, len(same))
    return turns


def _name(part: int | Benchmark) -> str:
    return part.id if isinstance(part, Benchmark) else f"turn{part + 1}"


@pytest.mark.parametrize(("turn", "item"), _turns(), ids=_name)
def test_time(benchmark: Any, turn: int, item: Benchmark) -> None:
    backend, case = _backend(), Case.parse(item.case)
    function = _compiled(item.implementation, item.mode, case, item.direction)
    sets = [given[item.direction == "forward" :] for given in _sets(case, item.cache)]
    about = {**vars(item), "kind": "time", "copies": len(sets)}
    if turn == 0:  # later on, nothing is compiled any more
        about |= _first(backend, function, sets[0], item)
        about["fingerprints"] = _kept(backend, function(*sets[-1]), item, case)
    timed = _timed(backend, function, sets)
    pace = _pace(item, timed)
    benchmark.group = f"{case.operation} {case.shape} {item.direction} {item.threads} {item.cache}"
    benchmark.pedantic(timed, **vars(pace))
    on_device = backend.device_times(lambda: function(*sets[0]), pace.rounds)
    benchmark.extra_info.update(about, device_times=on_device)


@lru_cache(maxsize=1)
def _sets(case: Case, state: str) -> list[list[Any]]:
    """The cotangent and the inputs, on the device; of cold ones more than the cache holds."""
    inputs, backend = _inputs(case), _backend()
    names = [name for name in ARGUMENTS if getattr(inputs, name) is not None]
    given = [getattr(inputs, name) for name in names]
    cold = copies_of(sum(array.nbytes for array in given), _cache_bytes())
    given.insert(0, case.cotangent(result_shape(case)).astype(inputs.values.dtype))
    copies = cold if state == "cold" else 1
    return [[backend.to_array(array.copy()) for array in given] for _ in range(copies)]


def _timed(backend: Backend, function: Any, sets: list[list[Any]]) -> Callable[[], object]:
    result = function(*sets[0])
    backend.synchronize(result)  # or it would go on beside what is timed
    return calling(function, sets, backend.wait_for(result))


def _pace(item: Benchmark, timed: Callable[[], object]) -> Pace:
    """Find the pace in the first turn, and keep it."""
    if item not in _PACES:
        fastest = min(_seconds(timed) for _ in range(3))
        iterations = max(1, math.ceil(_ROUND / fastest))
        least, most = _ROUNDS
        rounds = int(_PLAN["max_time"] / _TURNS / (fastest * iterations))
        warmup_rounds = max(1, math.ceil(_WARM / (fastest * iterations)))
        _PACES[item] = Pace(iterations, min(max(rounds, least), most), warmup_rounds)
    return _PACES[item]


def _seconds(timed: Callable[[], object]) -> float:
    begin = time.perf_counter()
    timed()
    return time.perf_counter() - begin


def _first(backend: Backend, function: Any, arrays: list[Any], item: Benchmark) -> dict[str, Any]:
    """What the first call tells: its time, where all had to be compiled, and its memory."""
    backend.reset_peak()
    seconds = _seconds(lambda: backend.synchronize(function(*arrays)))
    memory, memory_of = _memory(backend, function, arrays, item)
    first_call = None if _PLAN["compiled"] else seconds
    return {"first_call": first_call, "memory": memory, "memory_of": memory_of}


def _memory(
    backend: Backend, function: Any, arrays: list[Any], item: Benchmark
) -> tuple[int | None, str]:
    """Peak bytes beyond the inputs, by who can say so in a process that goes on."""
    peak = backend.peak()
    if peak is not None:
        return peak, "allocator"
    compiler = backend.description.mode(item.mode).compiler
    if _PLAN["analyses"] and compiler:
        peak = backend.compiled_memory(function, arrays)
    return peak, compiler if peak is not None else ""


def _kept(backend: Backend, result: Any, item: Benchmark, case: Case) -> dict[str, str]:
    """Fingerprints of what came out; bits that nobody judged yet are left for the judge."""
    value, gradients = (result, ()) if item.direction == "forward" else result
    found = {}
    for quantity, one in zip(("value", "gradient_logits"), (value, *gradients), strict=False):
        whole = backend.to_numpy(one)
        array: NDArray[Any] = judged_part(whole, case)  # type: ignore[assignment]
        found[quantity] = fingerprint(array)
        file = Path(_PLAN["scratch"]) / f"{found[quantity]}.npy"
        if whole.shape != array.shape:
            found[f"{quantity}:whole"] = fingerprint(whole)
        if found[quantity] not in _KNOWN and not file.exists():
            np.save(file, array.view(np.uint16) if array.dtype.kind == "V" else array)
    return found
