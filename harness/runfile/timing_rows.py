"""The rows of a run file that `lossdiff bench` writes: times, passes, processes, memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class TimingRow:
    """One benchmark over all passes; times in seconds, the raw ones in its `PassRow`s.

    Attributes:
        case: id of the case that is timed; its verdicts are in the same run.
        direction: `forward` or `forward+backward`.
        threads: `one` or `all`; how many that were is in the `ProcessRow`s.
        cache: `hot`, the same inputs again and again, or `cold`, inputs from memory.
        median: median over the passes of each pass's median.
        low, high: the smallest and the largest of the passes' medians.
        iqr: interquartile range of the rounds, median over the passes.
        minimum: of all rounds.
        rounds: how many were timed, all passes together.
        passes: how many there were.
        first_call: seconds of compilation and first call, in the first pass; later ones find what
            was compiled.
        computes: what comes out, the same for all who are compared.
        moved: bytes that must be moved at least: inputs read once, results written once.
        bandwidth: bytes per second that a copy moved on the same device with as many threads,
            reading and writing counted; median over the passes.
        device_time: seconds on the device by its own events; None where there are none.
        memory: peak bytes beyond the inputs; None where it was not measured.
        memory_of: by what: `process`, `allocator`, or a compiler such as `xla`.
        verdict: the worst verdict of the timed quantities on these inputs.
        agrees: whether that verdict is no finding.
    """

    case: str
    operation: str
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    dtype: str
    shape: str
    direction: str
    threads: str
    cache: str
    median: float
    low: float
    high: float
    iqr: float
    minimum: float
    rounds: int
    passes: int
    first_call: float | None
    computes: str
    moved: int
    bandwidth: float | None
    device_time: float | None
    memory: int | None
    memory_of: str
    verdict: str
    agrees: bool

    table: ClassVar[str] = "timings"

    @property
    def of_copy(self) -> float | None:
        """Bytes over time, as a share of what a copy moves."""
        return self.moved / self.median / self.bandwidth if self.bandwidth else None


@dataclass(frozen=True)
class PassRow:
    """One benchmark in one pass.

    Attributes:
        process: `number` of its `ProcessRow`.
        times: seconds of each round, of one call; in the order in which they were timed.
        iterations: how many calls a round had, in each turn.
        first_call: as in `TimingRow`; None in later passes.
        device_time, memory, memory_of: as in `TimingRow`.
        fingerprints: quantity and digest of the bits that came out while it was timed; of the whole
            array, too, where a part of it is judged (`value:whole`).
        verdict: the worst verdict on what came out.
    """

    process: int
    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    cache: str
    times: list[float]
    iterations: list[int]
    first_call: float | None
    device_time: float | None
    memory: int | None
    memory_of: str
    fingerprints: dict[str, str]
    verdict: str

    table: ClassVar[str] = "passes"


@dataclass(frozen=True)
class ProcessRow:
    """One process that timed one framework in one pass.

    Attributes:
        number: in the order in which they ran.
        pass_number: from 1.
        threads: `one` or `all`.
        thread_count: how many that were.
        bandwidth: bytes per second that a copy moved on the device, reading and writing counted.
        copies: seconds of each copy.
        compute: seconds of a fixed NumPy kernel: how fast the machine was just then.
        load: load average of the last minute, before the process began.
        started: ISO 8601.
        environment: versions, device and flags of the framework.
        source: the file of pytest-benchmark, beside the run file.
    """

    number: int
    pass_number: int
    framework: str
    device: str
    threads: str
    thread_count: int
    bandwidth: float | None
    copies: list[float]
    compute: list[float]
    load: float | None
    started: str
    environment: dict[str, Any]
    source: str

    table: ClassVar[str] = "processes"


@dataclass(frozen=True)
class MemoryRow:
    """Peak memory of one benchmark on the CPU, in a fresh process.

    Attributes:
        memory: bytes by which the process grew at most during the first call.
    """

    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    memory: int

    table: ClassVar[str] = "memory"
