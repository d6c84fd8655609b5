"""Compare our medians with the frameworks' own timers, on the same calls in one process.

    python scripts/agreement.py

PyTorch: `torch.utils.benchmark.Timer`. JAX: `timeit` with `block_until_ready`. Both sides take
turns, so that what the machine does meanwhile hits both; `apart` is the median over the turns. A
timer's own steps are part of what it shows, and weigh most in the smallest call. Ends with 1 where
a median is more than 3% off.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import jax
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 -- as its users write it
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend, call_for
from lossdiff.cases.model import Case
from torch.utils import benchmark as torch_benchmark

TURNS, SECONDS, LIMIT = 41, 0.02, 0.03
SHAPES = ("64x10", "50000x10", "256x5000")
Clock = Callable[[int], float]  # calls → seconds for all


@dataclass(frozen=True)
class Agreement:
    """One call under both clocks; medians in seconds."""

    name: str
    ours: float
    theirs: float
    apart: float


def ours_of(backend: Backend, name: str, mode: str, case: Case) -> Clock:
    """Our clock: what `bench` times."""
    inputs = case.inputs()
    call = call_for(backend.implementations[name], case, inputs)
    arrays = [backend.to_array(getattr(inputs, argument).copy()) for argument in call.arguments]
    function, wait = backend.timed(call, mode), backend.synchronize
    return lambda calls: timeit.Timer(lambda: wait(function(*arrays))).timeit(calls)


def torch_of(case: Case) -> Clock:
    """PyTorch's own clock on the plain call."""
    x = torch.from_numpy(case.inputs().values.copy())
    timer = torch_benchmark.Timer("F.softmax(x, dim=-1)", globals={"F": F, "x": x}, num_threads=1)
    return lambda calls: timer.timeit(calls).mean * calls


def jax_of(case: Case) -> Clock:
    """What JAX's documentation says to do."""
    x, softmax = jax.device_put(case.inputs().values), jax.jit(jax.nn.softmax)
    return timeit.Timer(
        "softmax(x).block_until_ready()", globals={"softmax": softmax, "x": x}
    ).timeit


def compared(name: str, ours: Clock, theirs: Clock) -> Agreement:
    """Let both take turns; the median of each."""
    ours(3), theirs(3)  # first calls compile
    calls = max(1, int(SECONDS / (ours(3) / 3)))
    times = [(ours(calls) / calls, theirs(calls) / calls) for _ in range(TURNS)]
    mine, others = zip(*times, strict=True)
    apart = median(one / other for one, other in times) - 1
    return Agreement(name, median(mine), median(others), apart)


def main() -> int:
    """Print the table."""
    torch.set_num_threads(1)
    torch_backend, jax_backend = load_backend("torch"), load_backend("jax")
    found = []
    for shape in SHAPES:
        case = Case.parse(f"softmax/float32/{shape}/normal/-/0")
        name = "torch.nn.functional.softmax"
        ours = ours_of(torch_backend, name, "eager", case)
        found.append(compared(f"{name} {shape}", ours, torch_of(case)))
        ours = ours_of(jax_backend, "jax.nn.softmax", "jit", case)
        found.append(compared(f"jax.nn.softmax jit {shape}", ours, jax_of(case)))
    print(f"{'call':45} {'ours':>12} {'theirs':>12} {'apart':>8}")
    for it in found:
        print(f"{it.name:45} {it.ours * 1e6:9.2f} µs {it.theirs * 1e6:9.2f} µs {it.apart:+8.1%}")
    return int(np.any([abs(it.apart) > LIMIT for it in found]))


if __name__ == "__main__":
    sys.exit(main())
