"""Peak memory of one benchmark in a fresh process.

`python -m lossdiff.harness.timing.peak_memory PLAN.json` prints the bytes by which the
resident memory grew at most during the first call. Tracing and compiling are included, imports
are not.
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
    """Measure what the plan names; prints null where the system does not say."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps(measured(Benchmark(**plan["benchmark"]), plan["extra"])))  # noqa: T201


def measured(item: Benchmark, extra: list[str]) -> int | None:
    """Return the growth in bytes, at most; None off Linux."""
    if item.threads == "one":
        limit_threads(1)
    backend, case = load(Setup(item.framework, item.device, tuple(extra))), Case.parse(item.case)
    inputs = case.inputs()
    call = replace(call_for(backend.implementations[item.implementation], case, inputs),
                   wrt=("values",))  # fmt: skip
    given: list[Any] = [getattr(inputs, name) for name in ARGUMENTS]
    arrays = [backend.to_array(array.copy()) for array in given if array is not None]
    if item.direction == "forward":
        function = backend.timed(call, item.mode)
    else:
        seed = case.cotangent(call.shape).astype(inputs.values.dtype)
        arrays.insert(0, backend.to_array(seed))
        function = backend.forward_backward(call, item.mode)
    if not forget_peak():
        return None
    before, _ = resident()
    result = function(*arrays)
    backend.synchronize(result)
    return max(resident()[1] - before, 0)


if __name__ == "__main__":
    main()
