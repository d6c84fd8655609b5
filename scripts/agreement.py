"""Compare the medians of `lossdiff bench` with those of the frameworks' own timers.

    python scripts/agreement.py

Ours are what `bench` writes: from pytest-benchmark, in the process that `bench` starts for it.
Theirs come from processes of their own, with one thread on the same core: for PyTorch
`torch.utils.benchmark.Timer`, for JAX `timeit` with `block_until_ready`. Both take turns, now the
one first and now the other, so that what the machine does meanwhile hits both; `apart` is the
median over the turns, `spread` the middle half of them. Inputs are hot, or larger than the cache
for both. A timer's own steps are part of what it shows, and weigh most in the smallest call. Ends
with 1 where a median is more than 3% off.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from lossdiff.cases.model import Case
from lossdiff.harness.bench import Timing, time_passes
from lossdiff.harness.runfile import RunFile
from lossdiff.harness.timing_rows import PassRow, ProcessRow, TimingRow
from lossdiff.harness.worker import limit_threads

TURNS, SECONDS, LIMIT = 21, 0.3, 0.03
CALLS = {"torch": ("torch.nn.functional.softmax", "eager"), "jax": ("jax.nn.softmax", "jit")}
Times = dict[str, float]  # case → seconds


@dataclass(frozen=True)
class Agreement:
    """One call under both clocks, over the turns; medians in seconds."""

    name: str
    ours: float
    theirs: float
    apart: float
    spread: tuple[float, float]


def main() -> int:
    """Print the table, or, as a process of its own, time one framework by its own clock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--theirs", nargs="+", metavar="FRAMEWORK CASE")
    options = parser.parse_args()
    if options.theirs:
        framework, *cases = options.theirs
        print(json.dumps(theirs_here(framework, cases)))
        return 0
    found = list(compared(options.turns))
    print(f"{'call':46} {'ours':>12} {'theirs':>12} {'apart':>8}   spread")
    for it in found:
        low, high = it.spread
        print(f"{it.name:46} {it.ours * 1e6:9.2f} µs {it.theirs * 1e6:9.2f} µs {it.apart:+8.1%}   "
              f"{low:+.1%} … {high:+.1%}")  # fmt: skip
    return int(any(abs(it.apart) > LIMIT for it in found))


def compared(turns: int) -> Iterator[Agreement]:
    """Let both clocks take turns over all calls."""
    with tempfile.TemporaryDirectory(prefix="lossdiff-") as scratch:
        judged = judged_run(Path(scratch))
        for framework in CALLS:
            cases = sorted(medians(judged, framework), key=size)
            pairs = [turn(judged, framework, cases, number) for number in range(turns)]
            for case in cases:
                yield agreement(framework, case, [(one[case], other[case]) for one, other in pairs])


def size(case: str) -> int:
    """How many logits a case has."""
    return math.prod(Case.parse(case).shape)


def turn(judged: Path, framework: str, cases: list[str], number: int) -> tuple[Times, Times]:
    """Time by both clocks; who is first changes from turn to turn."""
    print(f"{framework}, turn {number + 1}", file=sys.stderr)
    if number % 2:
        others = theirs(framework, cases)
        return ours(judged, framework, number), others
    return ours(judged, framework, number), theirs(framework, cases)


def agreement(framework: str, case: str, times: list[tuple[float, float]]) -> Agreement:
    """What the turns come to."""
    name, mode = CALLS[framework]
    shape = "x".join(map(str, Case.parse(case).shape))
    apart = [one / other - 1 for one, other in times]
    low, _, high = quantiles(apart, n=4) if len(apart) > 1 else apart * 3
    mine, other = (median(side) for side in zip(*times, strict=True))
    return Agreement(f"{name} {mode} {shape}", mine, other, median(apart), (low, high))


# --- ours ------------------------------------------------------------------------------------


def judged_run(folder: Path) -> Path:
    """Ask and judge once, as `bench` does before it times; its times are not used."""
    path = folder / "judged.sqlite"
    command = [sys.executable, "-m", "lossdiff", "bench", "--suite", "full", "--operation",
               "softmax", "--passes", "1", "-o", str(path)]  # fmt: skip
    for name, (_, mode) in CALLS.items():
        command += ["--backend", name, "--mode", mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench failed: {done.stderr.strip().splitlines()[-1]}")
    return path


def ours(judged: Path, framework: str, number: int) -> Times:
    """Time one pass, as `bench` does."""
    path = judged.with_name(f"{framework}{number}.sqlite")
    shutil.copy(judged, path)
    with RunFile.reopen(path) as run:
        for row in (PassRow, ProcessRow, TimingRow):
            run.drop(row)
        time_passes(run, [framework], Timing(1, seed=number), lambda _: None)
    return medians(path, framework)


def medians(path: Path, framework: str) -> Times:
    """Read the medians of a run with one pass: hot ones, of larger inputs than the cache cold."""
    found: Times = {}
    with RunFile.open(path) as run:
        rows = [row for row in run.rows(PassRow, "direction = 'forward'")
                if (row.implementation, row.mode) == CALLS[framework]]  # fmt: skip
    for row in sorted(rows, key=lambda row: row.cache == "hot"):
        found[row.case] = median(row.times)
    return found


# --- theirs ----------------------------------------------------------------------------------


def theirs(framework: str, cases: list[str]) -> Times:
    """Time by the framework's own clock, in a fresh process."""
    command = [sys.executable, __file__, "--theirs", framework, *cases]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: Times = json.loads(done.stdout)
    return found


def theirs_here(framework: str, cases: list[str]) -> Times:
    """Time in this process, which may use one core."""
    limit_threads(1)
    clock = {"torch": torch_clock, "jax": jax_clock}[framework]
    return {case: clock(Case.parse(case)) for case in cases}


def torch_clock(case: Case) -> float:
    """PyTorch's own, which finds its number of calls itself."""
    import torch
    from torch.utils.benchmark import Timer

    x = torch.from_numpy(case.inputs().values.copy())
    given = {"F": torch.nn.functional, "x": x}
    timer = Timer("F.softmax(x, dim=-1)", globals=given, num_threads=1)
    return float(timer.blocked_autorange(min_run_time=SECONDS).median)


def jax_clock(case: Case) -> float:
    """What JAX's documentation says to do."""
    import jax

    given = {"softmax": jax.jit(jax.nn.softmax), "x": jax.device_put(case.inputs().values)}
    timer = timeit.Timer("softmax(x).block_until_ready()", globals=given)
    timer.timeit(3)  # the first compiles
    calls = max(1, int(SECONDS / 10 / (timer.timeit(3) / 3)))
    return median(timer.repeat(10, calls)) / calls


if __name__ == "__main__":
    sys.exit(main())
