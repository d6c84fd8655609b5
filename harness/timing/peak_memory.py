"""Measure the peak memory of one benchmark in a fresh process.

`python -m lossdiff.harness.timing.peak_memory PLAN.json` prints the peak growth of the resident
memory during the first call, in bytes. It includes tracing and compiling, but not the imports.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...backends.base import ARGUMENTS, call_for
from ...cases.model import Case
from ..workers import Setup, limit_threads, load
from .benchmarks import Benchmark
from .machine import forget_peak, resident


def main() -> None:
    """Print the peak memory of the benchmark in the plan; null where the system reports none."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps(measured(Benchmark(**plan["benchmark"]), plan["extra"])))  # noqa: T201


def measured(item: Benchmark, extra: list[str]) -> int | None:
    """Return the peak growth of the resident memory in bytes; None where it cannot be reset.

    Args:
        item: the benchmark.
        extra: files or modules of a user's own implementations.
    """
    if item.threads == "one":
        limit_threads(1)
    backend, case = load(Setup(item.framework, item.device, tuple(extra))), Case.parse(item.case)
    inputs = case.inputs()
    call = replace(
        call_for(backend.implementations[item.implementation], case, inputs), wrt=("values",)
    )
    given: list[Any] = [getattr(inputs, name) for name in ARGUMENTS]
    arrays = [backend.to_array(array.copy()) for array in given if array is not None]
    if item.direction == "forward":
        function = backend.timed(call, item.mode)
    else:
        seed = case.cotangent(call.shape).astype(inputs.values.dtype)
        arrays.insert(0, backend.to_array(seed))
        function = backend.forward_backward(call, item.mode)
    # The peak so far is that of the imports. It is reset, and the inputs are in memory already, so
    # that only the call counts.
    if not forget_peak():
        return None
    before, _ = resident()
    result = function(*arrays)
    backend.synchronize(result)
    return max(resident()[1] - before, 0)


if __name__ == "__main__":
    main()
