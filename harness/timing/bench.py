"""Run pytest-benchmark over the benchmarks, pass by pass.

In each pass each framework is timed in a fresh process, in which pytest-benchmark runs
`pytest_suite.py`. Frameworks and benchmarks come in random order, and pytest-benchmark's standard
JSON is kept next to the run file. All that is timed has been judged in the same run, on the same
inputs.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import BenchError
from ..runfile import MemoryRow, RunFile, VerdictRow
from ..workers import environment_for, quiet
from . import machine
from .benchmarks import Threads, benchmarks_of
from .plan import PLAN_VARIABLE, ProcessPlan, TimedProcess
from .results import ProcessResult, summaries

_MAX_TIME = 0.02  # seconds of measured rounds for a benchmark, beyond its least number of rounds
# glibc raises these thresholds by itself, up to these values, once large arrays have been freed.
# Until then some calls return their memory to the system and others do not, depending on addresses,
# and the former take longer. Setting the final values at the start makes all calls alike.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**26)}
_SOME_RAISED = 1  # pytest's status if some tests failed; the JSON has the others

Say = Callable[[str], None]


@dataclass(frozen=True)
class Timing:
    """How a run is timed.

    Attributes:
        passes: number of repetitions of everything, each in fresh processes.
        threads: with one thread, with all, or both in turn.
        device: `cpu` or `gpu`.
        extra: files or modules of a user's own implementations, by framework.
        seed: seed of the random order.
        memory: whether the peak memory of each benchmark is measured, in a process of its own; on
            the CPU only.
    """

    passes: int = 9
    threads: tuple[Threads, ...] = ("one",)
    device: str = "cpu"
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seed: int = 0
    memory: bool = False


def time_passes(run: RunFile, frameworks: Sequence[str], timing: Timing, say: Say) -> None:
    """Time what the run has judged, and write the rows into it.

    If it is interrupted, the rows of the processes that have ended are kept.

    Args:
        run: the run file, with its verdicts.
        frameworks: the frameworks to be timed.
        timing: how they are timed.
        say: called with one line about the progress.

    Raises:
        BenchError: pytest-benchmark is missing, or one of its processes failed.
    """
    if find_spec("pytest_benchmark") is None:
        raise BenchError("pytest-benchmark is not installed; pip install 'lossdiff[bench]'")
    processes = schedule(run, frameworks, timing)
    try:
        with tempfile.TemporaryDirectory(prefix="lossdiff-") as scratch:
            for process in processes:
                say(f"timing {process.framework}, threads: {process.threads}, pass "
                    f"{process.pass_number} of {timing.passes}")  # fmt: skip
                timed = _time(run, process, timing, Path(scratch))
                run.add([timed.process])
                run.add(timed.passes(run))
            if timing.memory and timing.device == "cpu":
                run.add(_peaks(processes, timing, Path(scratch), say))
    finally:
        run.add(summaries(run))


def schedule(run: RunFile, frameworks: Sequence[str], timing: Timing) -> list[TimedProcess]:
    """Return the processes of all passes, each pass in another random order.

    Args:
        run: the run file, with its verdicts.
        frameworks: the frameworks to be timed.
        timing: how they are timed.
    """
    # Random order turns slow drifts of the machine into noise that all benchmarks share, and fresh
    # processes vary what differs between them: addresses, and the state of the allocator.
    dice, size = random.Random(timing.seed), machine.cache_bytes()  # noqa: S311 -- no secret
    size = size if timing.device == "cpu" else 0
    found = {
        (name, threads): tuple(benchmarks_of(run, name, threads, size))
        for name in frameworks
        for threads in timing.threads
    }
    usable = machine.usable()
    processes: list[TimedProcess] = []
    for number in range(1, timing.passes + 1):
        turns = [key for key, items in found.items() if items]
        dice.shuffle(turns)
        for name, threads in turns:
            turn, items = len(processes), found[name, threads]
            core = usable[turn % len(usable)]
            processes.append(TimedProcess(turn + 1, number, name, threads, core, items))
    return processes


def plan_of(run: RunFile, process: TimedProcess, timing: Timing, scratch: Path) -> ProcessPlan:
    """Return the plan of one process.

    Args:
        run: holds the verdicts.
        process: what is timed.
        timing: how it is timed.
        scratch: a folder for answers whose bits have not been judged yet.
    """
    known = {row.fingerprint for row in run.rows(VerdictRow, "framework = ?", (process.framework,))}
    is_first = process.pass_number == 1
    return ProcessPlan(
        process,
        device=timing.device,
        extra=tuple(timing.extra.get(process.framework, ())),
        known=frozenset(known - {""}),
        scratch=scratch,
        seed=timing.seed * 1000 + process.number,
        analyses=is_first,
        # The first pass measures how long compiling takes; the later ones need not repeat it. What
        # XLA compiles for one core serves one core only, so each number of threads has a folder.
        compiled="" if is_first else str(scratch / process.threads),
        max_time=_MAX_TIME,
    )


def _time(run: RunFile, process: TimedProcess, timing: Timing, scratch: Path) -> ProcessResult:
    name = f"{process.framework}-{timing.device}-{process.threads}-pass{process.pass_number}"
    result = run.path.with_name(f"{run.path.stem}-{name}-benchmark.json")
    load, started = machine.load(), machine.stamp()
    result.unlink(missing_ok=True)  # an older file must not be taken for this run's
    plan = plan_of(run, process, timing, scratch)
    _run_pytest(plan, result)
    return ProcessResult.read(result, plan, load, started)


def _peaks(
    processes: Sequence[TimedProcess], timing: Timing, scratch: Path, say: Say
) -> list[MemoryRow]:
    """Measure the peak memory of each benchmark once: it is the same for hot and cold inputs."""
    items = {replace(item, cache="hot") for process in processes for item in process.benchmarks}
    rows = []
    for number, item in enumerate(sorted(items, key=lambda it: it.id), 1):
        say(f"memory of {item.id} ({number} of {len(items)})")
        plan = scratch / "peak.json"
        extra = timing.extra.get(item.framework, ())
        plan.write_text(json.dumps({"benchmark": vars(item), "extra": list(extra)}))
        command = [sys.executable, "-m", f"{__package__}.peak_memory", str(plan)]
        environment = {
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "",
            **quiet(),
            # Each array is mapped afresh, so that none hides in memory that was freed before.
            "MALLOC_MMAP_THRESHOLD_": "65536",
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        peak = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
        if peak is not None:
            about = {name: value for name, value in vars(item).items() if name != "cache"}
            rows.append(MemoryRow(**about, memory=peak))
    return rows


def pytest_arguments(plan: ProcessPlan, result: Path) -> list[str]:
    """Return the arguments of pytest with which it runs a plan and writes its JSON to `result`."""
    # pytest imports a file below the topmost folder with an `__init__`, which in a working copy is
    # `harness`: outside of all packages the suite is imported by its full name.
    suite = plan.scratch / "benchmarks.py"
    suite.write_text(f"from {__package__}.pytest_suite import *\n")
    return [
        str(suite), "-q", "-p", "pytest_benchmark.plugin",
        "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={result.parent}",
        f"--benchmark-json={result}", "--benchmark-disable-gc", "--benchmark-warmup=off",
        f"--benchmark-storage={plan.scratch}",  # else it creates a folder in the current one
    ]  # fmt: skip


def _run_pytest(plan: ProcessPlan, result: Path) -> None:
    plan_file = result.with_suffix(".plan")
    command = [sys.executable, "-m", "pytest", *pytest_arguments(plan, result)]
    plan_file.write_text(plan.to_json())
    environment = environment_of(plan, plan_file)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    plan_file.unlink()
    ran = done.returncode in (0, _SOME_RAISED) and result.exists()
    if not ran or not _timed_any(json.loads(result.read_text())):
        said = (done.stdout + done.stderr).strip().splitlines()
        # pytest starts the lines of an error with an E; without one, the last line is shown.
        reasons = [line[1:].strip() for line in said if line.startswith("E ")] or said[-1:]
        raise BenchError(f"timing {plan.process.framework} failed: {' '.join(reasons[-1:])}")


def _timed_any(document: dict[str, Any]) -> bool:
    return any(item["extra_info"].get("kind") == "time" for item in document["benchmarks"])


def environment_of(plan: ProcessPlan, plan_file: Path) -> dict[str, str]:
    """Return the environment variables of a process that runs a plan.

    Args:
        plan: the plan.
        plan_file: the file that has it as JSON.
    """
    # If lossdiff itself runs under pytest, that one's options (xdist) must not reach this one.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {
        **_ALLOCATOR,
        **ours,
        **environment_for(cache=plan.compiled),
        PLAN_VARIABLE: str(plan_file),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        **quiet(),
    }
    if plan.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return environment
