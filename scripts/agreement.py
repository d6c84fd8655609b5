"""Compare the medians of `lossdiff bench` with those of the frameworks' own timers.

    python scripts/agreement.py

Ours are those that `bench` writes: pytest-benchmark runs the benchmark suite in a process that is
started as `bench` starts it. In that process the framework's own timer alternates with ours on the
same core, in one block before it and in the next after it: for PyTorch
`torch.utils.benchmark.Timer`, for JAX `timeit` with `block_until_ready`. It has its own inputs and
its own way to call. Inputs are hot, or both timers cycle through the same number of copies. `apart`
is the median over all blocks of all processes, `spread` the middle half of them. The exit status is
1 if a median differs by more than 3%.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles

import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.timing import machine
from lossdiff.harness.timing.bench import (
    Timing,
    environment_of,
    plan_of,
    pytest_arguments,
    schedule,
)
from lossdiff.harness.timing.benchmarks import Benchmark, copies_of, work_of
from lossdiff.harness.timing.plan import ProcessPlan, TimedProcess

PROCESSES, SECONDS, LIMIT = 10, 0.05, 0.03
LONGER = 1.0  # seconds for each benchmark: more rounds of the largest calls
CALLS = {"torch": ("torch.nn.functional.softmax", "eager"), "jax": ("jax.nn.softmax", "jit")}
Pairs = dict[str, list[tuple[float, float]]]  # case → seconds by both timers, block by block


@dataclass(frozen=True)
class Agreement:
    """One call as timed by both timers, over all blocks.

    Attributes:
        name: implementation, mode and shape.
        ours, theirs: the median of the blocks' medians, in seconds.
        apart: the median of the blocks' relative differences.
        spread: their lower and upper quartile.
    """

    name: str
    ours: float
    theirs: float
    apart: float
    spread: tuple[float, float]


def main() -> int:
    """Print the table, or in a timed process measure one framework with both timers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=PROCESSES, help="for each framework")
    parser.add_argument("--process", nargs=2, type=Path, metavar=("PLAN", "RESULT"))
    options = parser.parse_args()
    if options.process:
        return both_clocks(*options.process)
    if options.processes < 1:
        parser.error(f"--processes {options.processes}: allowed are 1 and more")
    found = list(compared(options.processes))
    print(f"{'call':46} {'ours':>12} {'theirs':>12} {'apart':>8}   spread")
    for it in found:
        low, high = it.spread
        print(
            f"{it.name:46} {it.ours * 1e6:9.2f} µs {it.theirs * 1e6:9.2f} µs {it.apart:+8.1%}   "
            f"{low:+.1%} … {high:+.1%}"
        )
    return int(any(abs(it.apart) > LIMIT for it in found))


def compared(processes: int) -> Iterator[Agreement]:
    """Yield the agreement of both timers for each call, measured in alternating blocks."""
    with tempfile.TemporaryDirectory(prefix="lossdiff-") as scratch:
        with RunFile.open(judged_run(Path(scratch))) as run:
            timing = Timing(processes)
            todo = [picked(it) for it in schedule(run, list(CALLS), timing)]
            plans = [plan_of(run, it, timing, Path(scratch)) for it in todo]
        pairs: Pairs = {}
        for number, plan in enumerate(plans, 1):
            framework = plan.process.framework
            print(f"process {number} of {len(plans)}: {framework}", file=sys.stderr)
            for case, times in timed(replace(plan, max_time=LONGER), Path(scratch)).items():
                pairs.setdefault(f"{framework} {case}", []).extend(times)
    for name in sorted(pairs, key=lambda it: (it.split()[0], size(it.split()[1]))):
        yield agreement(*name.split(), pairs[name])


def judged_run(folder: Path) -> Path:
    """Make a run with the verdicts that `bench` needs before it times; its times are not used."""
    path = folder / "judged.sqlite"
    command = [
        sys.executable,
        "-m",
        "lossdiff",
        "bench",
        "--suite",
        "full",
        "--operation",
        "softmax",
        "--passes",
        "1",
        "-o",
        str(path),
    ]
    for name, (_, mode) in CALLS.items():
        command += ["--backend", name, "--mode", mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench failed: {done.stderr.strip().splitlines()[-1]}")
    return path


def picked(process: TimedProcess) -> TimedProcess:
    """Return the process with one benchmark for each case, with hot inputs if there is such."""
    # Hot benchmarks are sorted last, so that they replace the cold ones of their case.
    found: dict[str, Benchmark] = {}
    for it in sorted(process.benchmarks, key=lambda it: it.cache == "hot"):
        if it.direction == "forward" and (it.implementation, it.mode) == CALLS[it.framework]:
            found[it.case] = it
    return replace(process, benchmarks=tuple(found.values()))


def timed(plan: ProcessPlan, scratch: Path) -> Pairs:
    """Start a process as `bench` does, in which both timers alternate."""
    files = scratch / "plan.json", scratch / "result.json"
    files[0].write_text(plan.to_json())
    command = [sys.executable, __file__, "--process", *map(str, files)]
    environment = environment_of(plan, files[0])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"timing failed: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    ours, theirs = (json.loads(it.read_text()) for it in (files[1], files[1].with_suffix(".other")))
    # Both lists are in the order of the blocks, so that their entries are paired one by one.
    pairs: Pairs = {}
    for entry in ours["benchmarks"]:
        if entry["extra_info"]["kind"] == "time":
            case = entry["extra_info"]["case"]
            pairs.setdefault(case, []).append((entry["stats"]["median"], theirs[case].pop(0)))
    return pairs


def agreement(framework: str, case: str, times: list[tuple[float, float]]) -> Agreement:
    """Return the agreement over the blocks of one case."""
    name, mode = CALLS[framework]
    shape = "x".join(map(str, Case.parse(case).shape))
    # Differences are taken within blocks, because drift of the machine affects both times of one.
    apart = [one / other - 1 for one, other in times]
    low, middle, high = quantiles(apart, n=4)
    mine, other = (median(side) for side in zip(*times, strict=True))
    return Agreement(f"{name} {mode} {shape}", mine, other, middle, (low, high))


def size(case: str) -> int:
    """Return the number of logits of a case."""
    return math.prod(Case.parse(case).shape)


# --- in the process that is timed --------------------------------------------------------------


def both_clocks(plan_file: Path, result: Path) -> int:
    """Run the benchmark suite with the framework's own timer between its blocks."""
    plan = ProcessPlan.from_json(plan_file.read_text(encoding="utf-8"))
    timer_of = {"torch": torch_timer, "jax": jax_timer}[plan.process.framework]
    other = OtherClock(timer_of, first_turn=plan.seed % 2)
    status = pytest.main(pytest_arguments(plan, result), plugins=[other])
    result.with_suffix(".other").write_text(json.dumps(other.times))
    return int(status)


class OtherClock:
    """A pytest plugin that times before the benchmark suite in one block and after it in the next.

    Otherwise one timer would always profit from caches that the other one has filled. A process
    has an odd number of blocks, so that the order is reversed in every second process.

    Attributes:
        times: for each case its times in seconds, block by block.
    """

    def __init__(
        self, timer_of: Callable[[Case, int], Callable[[], float]], first_turn: int = 0
    ) -> None:
        self._first_turn = first_turn
        self.times: dict[str, list[float]] = {}
        self._timer_of = timer_of
        self._timers: dict[str, Callable[[], float]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Time the benchmark's call before or after pytest runs it."""
        told = item.callspec.params if hasattr(item, "callspec") else None
        is_first = bool(told and (told["turn"] + self._first_turn) % 2)
        if told and is_first:
            self._time(told["item"])
        yield
        if told and not is_first:
            self._time(told["item"])

    def _time(self, item: Benchmark) -> None:
        if item.case not in self._timers:
            # As many copies as `bench` uses, so that cold inputs are as cold here.
            case, copies = Case.parse(item.case), 1
            if item.cache == "cold":
                copies = copies_of(work_of(case, item.direction).read, machine.cache_bytes())
            self._timers[item.case] = self._timer_of(case, copies)
        self.times.setdefault(item.case, []).append(self._timers[item.case]())


def torch_timer(case: Case, copies: int) -> Callable[[], float]:
    """Return PyTorch's own timer, which chooses its number of calls itself."""
    import torch
    from torch.utils.benchmark import Timer

    # Copies, because a tensor made from a NumPy array shares its memory.
    xs = [torch.from_numpy(case.inputs().values.copy()) for _ in range(copies)]
    given = {"F": torch.nn.functional, "x": xs[0], "xs": cycle(xs)}
    timer = Timer(f"F.softmax({argument(copies)}, dim=-1)", globals=given, num_threads=1)
    return lambda: float(timer.blocked_autorange(min_run_time=SECONDS).median)


def argument(copies: int) -> str:
    """Return the argument of the call in the timed code: one array, or the next copy."""
    return "x" if copies == 1 else "next(xs)"


def jax_timer(case: Case, copies: int) -> Callable[[], float]:
    """Return the timer that JAX's documentation recommends."""
    import jax

    xs = [jax.device_put(case.inputs().values) for _ in range(copies)]
    given = {"softmax": jax.jit(jax.nn.softmax), "x": xs[0], "xs": cycle(xs)}
    timer = timeit.Timer(f"softmax({argument(copies)}).block_until_ready()", globals=given)
    timer.timeit(3)  # the first call compiles
    # Ten repetitions have a tenth of the time each; their median ignores interruptions.
    calls = max(1, int(SECONDS / 10 / (timer.timeit(3) / 3)))
    return lambda: median(timer.repeat(10, calls)) / calls


if __name__ == "__main__":
    sys.exit(main())
