"""Read from a run file what a comparison needs of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from ...cases.model import Case, shape_text
from ...errors import RunFileError
from ...outputs import shown
from ..runfile import IN_TURN, PassView, ProcessRow, RunFile, WorkerRow

_MACHINE = ("cpu", "cores", "gpu")
_FEW = 3  # versions that fit into the name of a run
_FASTEST = 0.05  # quantile of the rounds: the single fastest of hundreds depends on chance


class BenchmarkKey(NamedTuple):
    """The key of a benchmark, by which two runs are matched."""

    framework: str
    implementation: str
    mode: str
    device: str
    case: str
    direction: str
    threads: str
    cache: str

    @property
    def label(self) -> str:
        """The benchmark in words, without its implementation and mode."""
        case = Case.parse(self.case)
        shape = shape_text(case.sizes)
        threads = "1 thread" if self.threads == "one" else "all threads"
        return f"{case.dtype} {shape} {self.direction}, {threads}, {self.cache}"


@dataclass(frozen=True)
class PassTime:
    """One benchmark in one pass, in seconds.

    Attributes:
        fastest: the 5% quantile of the rounds. What other programs take from a shared machine only
            adds to a time, so fast rounds vary least from run to run.
        median: median of the rounds, for people to read.
    """

    fastest: float
    median: float


Times = dict[BenchmarkKey, dict[int, PassTime]]
Bits = dict[tuple[str, ...], set[str]]
_KEY = attrgetter(*BenchmarkKey._fields)
_TIMED = attrgetter("case", "implementation", "framework", "mode", "device")


@dataclass(frozen=True)
class RunSnapshot:
    """A run as it was read, as far as comparisons need it, without its verdicts: they are many.

    Attributes:
        path: the run file.
        meta: the entries of the run file's `meta`.
        machine: processor, cores and GPU, which must be the same for times to be comparable.
        versions: versions of the packages, by framework.
        times: the times of each pass by its number, by benchmark.
        clocks: seconds of the reference kernel by the number of the pass: the machine's own speed.
        bits: fingerprints of the results of timed calls, by case, implementation, framework, mode,
            device, quantity, threads and direction.
    """

    path: Path
    meta: dict[str, str]
    machine: dict[str, Any]
    versions: dict[str, dict[str, str]]
    times: Times
    clocks: dict[int, float]
    bits: Bits

    @property
    def name(self) -> str:
        """The label of the run, or else the commit that was timed, or else the name of the file."""
        return self.meta.get("label") or self.meta.get("commit") or self.path.name

    def was_in_turn_with(self, other: RunSnapshot) -> bool:
        """Whether both runs were timed in turn, by one `bench --against`."""
        session = self.meta.get(IN_TURN, "")
        return bool(session) and session == other.meta.get(IN_TURN)

    @property
    def is_cut_off(self) -> bool:
        """Whether the run ended before all questions were answered, or all benchmarks timed."""
        return "" in (self.meta.get("finished", "not said"), self.meta.get("timed", "not said"))

    def version_of(self, framework: str) -> str:
        """The versions of a framework's packages, in one line."""
        return ", ".join(f"{name} {it}" for name, it in self.versions.get(framework, {}).items())


def names_of(runs: Sequence[RunSnapshot]) -> list[str]:
    """Return names of runs that differ from each other.

    A name is the run's label and the versions in which the runs differ, if these are few; failing
    that the commit or the file, and at last the position in the list.
    """
    packages = [
        {name: it for versions in run.versions.values() for name, it in versions.items()}
        for run in runs
    ]
    differing = [
        name
        for name in dict.fromkeys(name for found in packages for name in found)
        if len({found[name] for found in packages if name in found}) > 1
    ]
    if len(differing) > _FEW:
        differing = []
    names = []
    for run, found in zip(runs, packages, strict=True):
        versions = [f"{name} {found[name]}" for name in differing if name in found]
        own = run.meta.get("label") or ("" if versions else run.name)
        names.append(", ".join(filter(None, [own, *versions])))
    return _told_apart(_told_apart(names, [run.path.name for run in runs]))


def _told_apart(names: Sequence[str], by: Sequence[str] = ()) -> list[str]:
    """Return names, those that occur twice with an addition: from `by`, or their position."""
    given = by or [f"run {number}" for number in range(1, len(names) + 1)]
    return [
        name if names.count(name) == 1 or name == more else f"{name} ({more})"
        for name, more in zip(names, given, strict=True)
    ]


def read_snapshot(path: Path) -> RunSnapshot:
    """Read a run file.

    Args:
        path: the run file.

    Raises:
        RunFileError: it is missing, damaged, or not a run file.
    """
    with RunFile.open(path) as run:
        return snapshot_of(run)


def snapshot_of(run: RunFile) -> RunSnapshot:
    """Return the snapshot of an open run file."""
    processes = list(run.rows(ProcessRow))
    environments = [row.environment for row in run.rows(WorkerRow) if not row.absent]
    times, bits = _timed(run, {row.number: row.pass_number for row in processes})
    return RunSnapshot(
        run.path,
        run.meta,
        _machine(environments),
        _versions(run),
        times,
        _clocks(processes),
        bits,
    )


def _machine(environments: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: next((env[name] for env in environments if env.get(name)), None) for name in _MACHINE
    }


def _versions(run: RunFile) -> dict[str, dict[str, str]]:
    return {
        row.framework: row.environment.get("versions", {})
        for row in run.rows(WorkerRow)
        if not row.absent
    }


def _timed(run: RunFile, numbers: dict[int, int]) -> tuple[Times, Bits]:
    """Return the times and the fingerprints of timed calls; their rounds are not kept.

    Args:
        run: the run.
        numbers: the number of the pass of each process.
    """
    times: Times = {}
    bits: Bits = {}
    for row in run.rows(PassView):
        if row.process not in numbers:
            raise RunFileError(
                f"{shown(run.path)} is damaged: passes.process of {row.case}, {row.implementation} "
                f"is {row.process}, which is not in the table of processes"
            )
        key = BenchmarkKey(*_KEY(row))
        seconds = PassTime(_fastest(row.times), statistics.median(row.times))
        times.setdefault(key, {})[numbers[row.process]] = seconds
        for quantity, digest in row.fingerprints.items():
            bits.setdefault((*_TIMED(row), quantity, row.threads, row.direction), set()).add(digest)
    return times, bits


def _fastest(times: Sequence[float]) -> float:
    # The quantile is one of the measured rounds, not an interpolation between two of them.
    return sorted(times)[max(0, math.ceil(len(times) * _FASTEST) - 1)]


def _clocks(processes: list[ProcessRow]) -> dict[int, float]:
    """Return the seconds of the reference kernel in each pass: median over its processes."""
    found: dict[int, list[float]] = {}
    for row in processes:
        if row.compute:
            found.setdefault(row.pass_number, []).append(min(row.compute))
    return {number: statistics.median(values) for number, values in found.items()}
