"""Define the rows of a run file that `bench` writes: times, passes, processes, memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from ...cases.dtypes import FORMATS
from ...cases.model import Case
from .numbers import Count, Finite, Ordinal, Positive

IN_TURN = "in_turn"  # the entry of `meta` that runs which were timed in turn share


@dataclass(frozen=True)
class TimingRow:
    """One benchmark over all passes. Times are in seconds; its `PassRow`s have the raw ones.

    Attributes:
        case: id of the case that is timed; the same run has its verdicts.
        operation, dtype, shape: properties of the case, for selection.
        implementation, framework, kind, mode, device: what is timed, and how it is run.
        direction: `forward` or `forward+backward`.
        threads: `one` or `all`; the `ProcessRow`s have their number.
        cache: `hot` if the same inputs are used again and again, `cold` if they come from memory.
        median: median over the passes of each pass's median.
        low, high: the smallest and the largest of the passes' medians.
        iqr: interquartile range of the rounds, median over the passes.
        minimum: shortest of all rounds.
        rounds: number of timed rounds, all passes together.
        passes: number of passes.
        first_call: seconds of compilation and first call, measured in the first pass; later passes
            find the compiled program.
        computes: what is computed, the same for all implementations that are compared.
        moved: least number of bytes to be moved: inputs read once, results written once.
        bandwidth: bytes per second that a copy moved on the same device with as many threads,
            counting reads and writes; median over the passes.
        device_time: seconds on the device by its own events; None where it has none.
        memory: peak bytes beyond the inputs; None where it was not measured.
        memory_of: what measured the memory: `process`, `allocator`, or a compiler such as `xla`.
        verdict: the worst verdict of the timed quantities on these inputs.
        agrees: whether that verdict is no finding.
        least: seconds below which the median is implausible: half of what copying as many bytes
            takes on that machine. None if unknown.
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
    median: Positive
    low: Positive
    high: Positive
    iqr: Finite
    minimum: Positive
    rounds: Ordinal
    passes: Ordinal
    first_call: Finite | None
    computes: str
    moved: Count
    bandwidth: Positive | None
    device_time: Finite | None
    memory: Count | None
    memory_of: str
    verdict: str
    agrees: bool
    least: Positive | None = None

    table: ClassVar[str] = "timings"

    @property
    def is_implausible(self) -> bool:
        """Whether no call can have computed this in so short a time."""
        return self.least is not None and self.median < self.least

    @property
    def tokens_a_second(self) -> float | None:
        """The rows of a linear loss over the median, each of which is a token; else None."""
        case = Case.parse(self.case)
        return case.shape[0] / self.median if case.contract.is_linear else None

    @property
    def logits(self) -> int | None:
        """The bytes of the logits of a linear loss, which need not be held; else None."""
        case = Case.parse(self.case)
        size = math.prod(case.shape) * FORMATS[case.dtype].dtype.itemsize
        return size if case.contract.is_linear else None

    @property
    def of_copy(self) -> float | None:
        """The bytes moved per second, as a fraction of the bandwidth of a copy."""
        return self.moved / self.median / self.bandwidth if self.bandwidth else None


@dataclass(frozen=True)
class PassRow:
    """One benchmark in one pass.

    Attributes:
        process: `number` of its `ProcessRow`.
        case, implementation, framework, mode, device, direction, threads, cache: the benchmark, as
            in `TimingRow`.
        times: seconds of one call in each round, in the order in which the rounds were timed.
        iterations: calls in a round, for each turn.
        first_call: as in `TimingRow`; None in later passes.
        device_time, memory, memory_of: as in `TimingRow`.
        fingerprints: digest of the bits of each result that was timed, by quantity. Where only a
            part of an array is judged, `value:whole` has the digest of the whole.
        verdict: the worst verdict on these results.
        least: as in `TimingRow`.
    """

    process: Ordinal
    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    cache: str
    times: Annotated[list[Positive], Meta(min_length=1)]
    iterations: list[Ordinal]
    first_call: Finite | None
    device_time: Finite | None
    memory: Count | None
    memory_of: str
    fingerprints: dict[str, str]
    verdict: str
    least: Positive | None = None

    table: ClassVar[str] = "passes"


@dataclass(frozen=True)
class ProcessRow:
    """One process that timed one framework in one pass.

    Attributes:
        number: from 1, in the order in which the processes ran.
        pass_number: from 1.
        framework, device: what was timed.
        threads: `one` or `all`.
        thread_count: their number.
        bandwidth: bytes per second that a copy moved on the device, counting reads and writes.
        copies: seconds of each copy.
        compute: seconds of each call of the reference kernel, a fixed piece of NumPy: how fast the
            machine was at that time.
        load: load average of the last minute, before the process began.
        started: when it began, ISO 8601.
        environment: versions, device and flags of the framework.
        source: name of pytest-benchmark's file, which is next to the run file.
    """

    number: Ordinal
    pass_number: Ordinal
    framework: str
    device: str
    threads: str
    thread_count: Count
    bandwidth: Positive | None
    copies: list[Finite]
    compute: list[Positive]
    load: Finite | None
    started: str
    environment: dict[str, Any]
    source: str

    table: ClassVar[str] = "processes"


@dataclass(frozen=True)
class MemoryRow:
    """Peak memory of one benchmark on the CPU, in a fresh process.

    Attributes:
        case, implementation, framework, mode, device, direction, threads: the benchmark, as in
            `TimingRow`; hot and cold inputs need the same memory.
        memory: peak growth of the process during the first call, in bytes.
    """

    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    memory: Count

    table: ClassVar[str] = "memory"
