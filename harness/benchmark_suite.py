"""The file that pytest-benchmark runs, in a process with one framework; see `harness.bench`.

An environment variable names the file that holds the plan. Inputs are on the device before the
clock starts, every round waits for its result, and the first call, which compiles, is measured
apart.
"""

from __future__ import annotations

import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lossdiff.backends.base import Backend, call_for
from lossdiff.cases.model import Case
from lossdiff.harness.bench import PLAN_VARIABLE, Benchmark
from lossdiff.harness.worker import Setup, load

_PLAN = json.loads(Path(os.environ[PLAN_VARIABLE]).read_text())
_BENCHMARKS = [Benchmark(**item) for item in _PLAN["benchmarks"]]


@cache
def _backend() -> Backend:
    return load(Setup(_PLAN["framework"], _PLAN["device"], tuple(_PLAN["extra"])))


@pytest.mark.parametrize("item", _BENCHMARKS, ids=lambda item: item.id)
def test_time(benchmark: Any, item: Benchmark) -> None:
    backend, case = _backend(), Case.parse(item.case)
    inputs = case.inputs()
    call = call_for(backend.implementations[item.implementation], case, inputs)
    arrays = [backend.to_array(getattr(inputs, name).copy()) for name in call.arguments]
    if item.direction == "forward":
        function = backend.forward(call, item.mode)
    else:
        cotangent = case.cotangent(call.shape).astype(inputs.values.dtype)
        arrays.insert(0, backend.to_array(cotangent))
        function = backend.forward_backward(call, item.mode)

    def timed() -> None:
        backend.synchronize(function(*arrays))

    begin = time.perf_counter()
    timed()
    benchmark.extra_info.update(vars(item), first_call=time.perf_counter() - begin)
    benchmark.group = f"{case.operation} {case.shape} {item.direction}"
    benchmark(timed)
