"""Run pytest-benchmark over the benchmarks, pass by pass.

In each pass each framework is timed in a fresh process, in which pytest-benchmark runs
`pytest_suite.py`; `schedule` says in which order. pytest-benchmark's standard JSON is kept next to
the run file. All that is timed has been judged in the same run, on the same inputs. `child` holds
each process to its limits, and `blame` decides what is timed after one has died.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from uuid import uuid4

from ...errors import BenchError, LossdiffError, SchemaError
from ..runfile import IN_TURN, MemoryRow, ProcessRow, RunFile, VerdictRow, written_operations
from ..workers import Setup, environment_for, introduce, quiet
from . import machine
from .blame import Batch, Blame
from .child import private_folder, run_child
from .keep import check_place, keep, place_beside
from .peak_memory import peak_in
from .plan import PLAN_VARIABLE, ProcessPlan, TimedProcess
from .progress import FINISHING
from .results import ProcessResult, summaries
from .schedule import Timing, in_turn, schedule

_MAX_TIME = 0.02  # seconds of measured rounds for a benchmark, beyond its least number of rounds
# glibc raises these thresholds by itself, up to these values, once large arrays have been freed.
# Until then some calls return their memory to the system and others do not, depending on addresses,
# and the former take longer. Setting the final values at the start makes all calls alike.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**26)}
_RECORDER = ("-p", f"{__package__}.recorder")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Side:
    """What is timed in one environment.

    Attributes:
        run: the run file, with its verdicts.
        frameworks: the frameworks to be timed.
        timing: how they are timed.
        name: stands before its lines of progress, if there is another side.
    """

    run: RunFile
    frameworks: tuple[str, ...]
    timing: Timing
    name: str = ""


def time_passes(run: RunFile, frameworks: Sequence[str], timing: Timing, say: Say) -> int:
    """Time what a run has judged, and write the rows into it; see `time_sides`.

    Args:
        run: the run file, with its verdicts.
        frameworks: the frameworks to be timed.
        timing: how they are timed.
        say: called with one line about the progress.
    """
    return time_sides([Side(run, tuple(frameworks), timing)], say)


def time_sides(sides: Sequence[Side], say: Say) -> int:
    """Time what the runs of some sides have judged, in turn, and write the rows into them.

    If it is interrupted, the rows of the processes that have ended are kept.

    Args:
        sides: what is timed; the processes of each pass and framework follow each other, the sides
            in random order.
        say: called with one line about the progress.

    Returns:
        How many calls could not be timed, or their memory not be measured.

    Raises:
        BenchError: pytest-benchmark is missing, or one of its processes failed.
        OutputError: a file of another kind stands where one of its files is to be.
    """
    require_pytest_benchmark()
    seed = sides[0].timing.seed
    try:
        with ExitStack() as stack:
            sessions = [_session(side, say, stack) for side in sides]
            if len(sides) > 1:
                shared = uuid4().hex
                for side in sides:
                    side.run.set_meta(**{IN_TURN: shared})
            for number, process in in_turn([it.processes for it in sessions], seed):
                session = sessions[number]
                say(f"timing {session.name}{process.framework}, threads: {process.threads}, pass "
                    f"{process.pass_number} of {session.timing.passes}")  # fmt: skip
                _time_process(session, process)
            for session in sessions:
                if session.timing.memory and session.timing.device == "cpu":
                    _measure_peaks(session, say)
    finally:
        for side in sides:
            side.run.add(summaries(side.run))
    return sum(session.blame.count for session in sessions)


def _session(side: Side, say: Say, stack: ExitStack) -> _Session:
    """Return what the processes of a side share, after a look at where they will write."""
    timing = introduced(side.timing, side.frameworks)
    processes = schedule(side.run, side.frameworks, timing)
    for process in processes:
        check_place(_place(side.run, process, timing))
    scratch = stack.enter_context(private_folder())
    name, numbers = f"{side.name} " if side.name else "", count(len(processes) + 1)
    return _Session(side.run, timing, scratch, Blame(side.run, say), numbers, processes, name)


def require_pytest_benchmark() -> None:
    """Find out that nothing can be timed before the answers are judged, which takes minutes.

    Raises:
        BenchError: pytest-benchmark is missing.
    """
    if find_spec("pytest_benchmark") is None:
        raise BenchError("pytest-benchmark is not installed; pip install 'lossdiff[bench]'")


def introduced(timing: Timing, frameworks: Sequence[str]) -> Timing:
    """Return how a run is timed with what is known of the user's own implementations.

    A timing process does not ask them plain questions: it must call nothing that is not timed.
    Files that cannot be used are reported by the process that needs them.
    """
    learnt = dict(timing.learnt)
    for name in frameworks:
        files = tuple(timing.extra.get(name, ()))
        if files and name not in learnt:
            with suppress(LossdiffError):
                setup = Setup(name, timing.device, files, python=timing.python)
                met = introduce(setup, timing.limits)
                learnt[name] = met.learnt
    return replace(timing, learnt=learnt)


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
    current = _current()
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
        timeout=timing.timeout,
        path=() if timing.python else tuple(str(Path(current, it)) for it in sys.path),
        current=current,
        learnt=timing.learnt.get(process.framework),
        operations=written_operations(),
    )


def _current() -> str:
    """Return the current folder; nothing if it has been deleted."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


@dataclass(frozen=True)
class _Session:
    """What all processes of one side share."""

    run: RunFile
    timing: Timing
    scratch: Path
    blame: Blame
    numbers: Iterator[int]  # of processes beyond the schedule
    processes: Sequence[TimedProcess]
    name: str = ""  # stands before the framework in lines of progress


def _time_process(session: _Session, process: TimedProcess) -> None:
    """Time one framework in one pass; what ends a process is left out, the rest is timed again."""
    batches, number = [process.benchmarks], process.number
    while batches:
        parts = session.blame.batches(batches.pop(0))
        batches[:0] = parts[1:]
        if parts:
            one = replace(process, number=number, benchmarks=parts[0])
            batches[:0] = _time(session, one)
            number = next(session.numbers)


def _time(session: _Session, process: TimedProcess) -> list[Batch]:
    """Time benchmarks in one process, and add their rows; return what is timed next instead."""
    run, blame = session.run, session.blame
    place = _place(run, process, session.timing)
    load, started = machine.load(), machine.stamp()
    plan = plan_of(run, process, session.timing, session.scratch)
    result, rows = None, []
    with _started(plan) as plan_file:
        written = plan_file.with_name(place.name)
        # Of two plugins the later one is asked first.
        command = ["-m", "pytest", *pytest_arguments(plan, written), *_RECORDER]
        environment = environment_of(plan, plan_file)
        timing = session.timing
        end = run_child(command, plan_file.parent, environment, timing.limits, timing.python)
        if end.finished:
            try:
                result = ProcessResult.read(written, plan, load, started)
                rows = result.passes(run)
            except (OSError, ValueError, LookupError, SchemaError):
                reason = "the times of its process cannot be read"
                end = replace(end, finished=False, benchmark=FINISHING, reason=reason)
        spoiled = blame.is_spoiled(process, rows)
        if end.finished and result is not None and not spoiled:
            keep(result.text, place)
    again = blame.apart(process) if spoiled else blame.settle(process, end)
    if end.finished and result is not None and not spoiled:
        run.add([result.process, *blame.cleared(process, rows)])
    return again


def _place(run: RunFile, process: TimedProcess, timing: Timing) -> Path:
    """Return where the JSON of a process is kept."""
    name = f"{process.framework}-{timing.device}-{process.threads}-pass{process.pass_number}"
    place = place_beside(run.path, name)
    if run.count(ProcessRow, "source = ?", (place.name,)):  # another part of the same pass
        place = place_beside(run.path, f"{name}-{process.number}")
    return place


@contextmanager
def _started(plan: ProcessPlan) -> Iterator[Path]:
    """Yield the file of a plan, in a folder for its process, which is removed afterwards."""
    folder = plan.scratch / f"process-{plan.process.number}"
    try:
        folder.mkdir()
        file = folder / "plan.json"
        file.write_text(plan.to_json(), encoding="utf-8")
        yield file
    except OSError as error:  # no room for the files, or for a process
        framework = plan.process.framework
        raise BenchError(f"timing {framework} failed: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure_peaks(session: _Session, say: Say) -> None:
    """Measure the peak memory of each benchmark once: it is the same for hot and cold inputs."""
    items = {
        replace(item, cache="hot"): process
        for process in session.processes
        for item in process.benchmarks
    }
    for number, (item, process) in enumerate(sorted(items.items(), key=lambda it: it[0].id), 1):
        if not session.blame.batches([item]):
            continue
        say(f"memory of {item.id} ({number} of {len(items)})")
        one = replace(process, number=next(session.numbers), benchmarks=(item,))
        plan = plan_of(session.run, one, session.timing, session.scratch)
        with _started(plan) as file:
            command = ["-m", f"{__package__}.peak_memory"]
            limits, python = session.timing.limits, session.timing.python
            end = run_child(command, file.parent, _environment_of_peak(file), limits, python)
            peak = None
            if end.finished:
                try:
                    peak = peak_in(file.parent)
                except (OSError, SchemaError):
                    end = replace(end, finished=False, reason="its memory cannot be read")
        if not end.finished:
            session.blame.leave_out(item, end.reason, "measured for its memory")
        elif peak is not None:
            about = {name: value for name, value in vars(item).items() if name != "cache"}
            session.run.add([MemoryRow(**about, memory=peak)])


def _environment_of_peak(plan_file: Path) -> dict[str, str]:
    return {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "",
        **quiet(),
        PLAN_VARIABLE: str(plan_file),
        # Each array is mapped afresh, so that none hides in memory that was freed before.
        "MALLOC_MMAP_THRESHOLD_": "65536",
    }


def pytest_arguments(plan: ProcessPlan, result: Path) -> list[str]:
    """Return the arguments of pytest with which it runs a plan and writes its JSON to `result`."""
    # pytest imports a file below the topmost folder with an `__init__`, which in a working copy is
    # `harness`: outside of all packages the suite is imported by its full name.
    suite = plan.scratch / "benchmarks.py"
    suite.write_text(f"from {__package__}.pytest_suite import *\n", encoding="utf-8")
    return [
        str(suite), "-q", "-p", "pytest_benchmark.plugin",
        # Nothing of the current folder, and no conftest.py of any other, takes part.
        "-c", os.devnull, f"--rootdir={plan.scratch}", "--noconftest", "--import-mode=importlib",
        "-p", "no:cacheprovider", "--capture=no",
        f"--benchmark-json={result}", "--benchmark-disable-gc", "--benchmark-warmup=off",
        f"--benchmark-storage={plan.scratch}",  # else it creates a folder in the current one
    ]  # fmt: skip


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
