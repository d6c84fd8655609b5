"""Measure the peak memory of one benchmark in a fresh process.

The process reads its plan as `pytest_suite` does. Into the file `peak` beside the plan it writes,
as JSON, the peak growth of the resident memory during the first call, in bytes. The growth includes
tracing and compiling, but not the imports.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from ...backends.base import ARGUMENTS, call_for
from ...cases.checked import decoded
from ...cases.model import Case
from ..workers import START_TIMEOUT, limit_threads, load
from .benchmarks import timed_gradients
from .machine import forget_peak, resident
from .plan import PEAK, ProcessPlan
from .progress import (
    FINISHING,
    STARTING,
    TimingProgress,
    content_of,
    note_failure,
    silence,
)


class _Peak(TypedDict):
    """What the file holds; None where the system reports nothing."""

    bytes: Annotated[int, Meta(ge=0)] | None


def main() -> None:
    """Write the peak memory of the benchmark in the plan; null where the system reports none."""
    folder, plan = ProcessPlan.folder(), ProcessPlan.from_environment()
    progress = TimingProgress(folder)
    progress.start()
    progress.reach(STARTING, START_TIMEOUT)
    silence()
    try:
        peak = _measured(plan, progress)
        progress.reach(FINISHING, START_TIMEOUT)
        (folder / PEAK).write_text(json.dumps({"bytes": peak}), encoding="utf-8")
    except BaseException as error:  # noqa: BLE001 -- a user's function may raise anything
        note_failure(folder, progress.benchmark, error)
        os._exit(1)
    progress.finish()


def peak_in(folder: Path) -> int | None:
    """Return the peak memory that a process has written; None where the system reports none.

    Args:
        folder: the private folder of the process.

    Raises:
        OSError: a user's function has removed the file, or made it very large.
        SchemaError: it holds no number of bytes.
    """
    return decoded(content_of(folder / PEAK), _Peak)["bytes"]


def _measured(plan: ProcessPlan, progress: TimingProgress) -> int | None:
    (item,) = plan.process.benchmarks
    if item.threads == "one":
        limit_threads(1)
    plan.enter()
    backend, case = load(plan.setup), Case.parse(item.case)
    inputs = case.inputs()
    call = call_for(backend.implementations[item.implementation], case, inputs)
    call = replace(call, wrt=tuple(timed_gradients(case)))
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
    progress.reach(0, plan.timeout)
    result = function(*arrays)
    backend.synchronize(result)
    return max(resident()[1] - before, 0)


if __name__ == "__main__":
    main()
