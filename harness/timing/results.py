"""Turn pytest-benchmark's JSON into rows: of one process, and of all passes together."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np
from msgspec import Meta

from ...cases.checked import checked, decoded
from ...cases.dtypes import FORMATS
from ...cases.model import Case, shape_text
from ...cases.npz import plain_array
from ..judging import judge, solved_case
from ..runfile import MemoryRow, PassRow, ProcessRow, RunFile, TimingRow, VerdictRow
from ..verdicts import is_finding, kind_of
from .benchmarks import Benchmark, work_of
from .fresh import least_time
from .plan import ProcessPlan
from .progress import content_of


class _Stats(TypedDict):
    """The rounds of a benchmark: seconds of each, and calls in each."""

    data: list[float]
    iterations: int


class _Item(TypedDict):
    """One benchmark in pytest-benchmark's JSON; `pytest_suite` writes its `extra_info`."""

    extra_info: dict[str, Any]
    stats: _Stats


class _Copy(TypedDict):
    """What is known of the copy that the bandwidth is measured with."""

    moved: Annotated[int, Meta(gt=0)]
    threads: int
    environment: dict[str, Any]


class _Turn(_Stats):
    """What is known of one turn of a benchmark; the first turn says more of it."""

    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    cache: str
    device_times: list[float]
    first_call: NotRequired[float | None]
    memory: NotRequired[int | None]
    memory_of: NotRequired[str]
    fingerprints: NotRequired[dict[str, str]]
    copied: NotRequired[float | None]


class _Document(TypedDict):
    """What is read of pytest-benchmark's JSON."""

    benchmarks: list[_Item]


_KEY = ("case", "implementation", "framework", "mode", "device", "direction", "threads", "cache")


@dataclass(frozen=True)
class ProcessResult:
    """The measurements of one process.

    Attributes:
        process: the row of the process itself.
        turns: what pytest-benchmark says of each turn of each benchmark of the plan.
        scratch: the folder of the results whose bits had not been judged.
        text: the JSON.
    """

    process: ProcessRow
    turns: dict[Benchmark, list[_Turn]]
    scratch: Path
    text: str

    @classmethod
    def read(cls, file: Path, plan: ProcessPlan, load: float | None, started: str) -> ProcessResult:
        """Read the JSON that pytest-benchmark wrote in one process.

        Args:
            file: the JSON.
            plan: the plan of the process.
            load: load average before the process began; None where there is none.
            started: when it began, ISO 8601.

        Raises:
            OSError, LookupError, ValueError, SchemaError: a user's function has changed the file.
        """
        kinds: dict[str, list[_Item]] = {"copy": [], "compute": [], "time": []}
        text = content_of(file).decode()
        for item in decoded(text, _Document, from_python=True)["benchmarks"]:
            kinds[str(item["extra_info"]["kind"])].append(item)
        copies = [time for item in kinds["copy"] for time in item["stats"]["data"]]
        fact = checked(kinds["copy"][0]["extra_info"], _Copy) if copies else None
        process = {
            "number": plan.process.number,
            "pass_number": plan.process.pass_number,
            "framework": plan.process.framework,
            "device": plan.device,
            "threads": plan.process.threads,
            "thread_count": fact["threads"] if fact else 0,
            "bandwidth": fact["moved"] / statistics.median(copies) if fact else None,
            "copies": copies,
            "compute": [time for item in kinds["compute"] for time in item["stats"]["data"]],
            "load": load,
            "started": started,
            "environment": fact["environment"] if fact else {},
            "source": file.name,
        }
        turns: dict[Benchmark, list[_Turn]] = {it: [] for it in plan.process.benchmarks}
        for item in kinds["time"]:
            turn = checked({**item["extra_info"], **item["stats"]}, _Turn)
            turns[Benchmark(**{it.name: turn[it.name] for it in fields(Benchmark)})].append(turn)  # type: ignore[literal-required]
        return cls(checked(process, ProcessRow), turns, plan.scratch, text)

    def passes(self, run: RunFile) -> list[PassRow]:
        """Return one row for each benchmark, with the verdict on the results that were timed.

        Args:
            run: the run file, with its verdicts.
        """
        judged = _Judged(run, {item.case for item in self.turns})
        # A benchmark that failed in its first turn has no verdict, and therefore no time.
        return [
            self._pass(judged, item, turns)
            for item, turns in self.turns.items()
            if turns and "fingerprints" in turns[0]
        ]

    def _pass(self, judged: _Judged, item: Benchmark, turns: Sequence[_Turn]) -> PassRow:
        first = turns[0]
        worst = max(self._verdicts(judged, item, first["fingerprints"]), key=_rank)
        events = [time for turn in turns for time in turn["device_times"]]
        row = {
            **vars(item),
            "process": self.process.number,
            "times": [time for turn in turns for time in turn["data"]],
            "iterations": [turn["iterations"] for turn in turns],
            "first_call": first["first_call"],
            "device_time": statistics.median(events) if events else None,
            "memory": first["memory"],
            "memory_of": first["memory_of"],
            "fingerprints": first["fingerprints"],
            "verdict": worst,
            "least": self._least(item, first["copied"]),
        }
        return checked(row, PassRow)

    def _least(self, item: Benchmark, copied: float | None) -> float | None:
        """Return the seconds below which a time of a benchmark is implausible; None if unknown."""
        case = Case.parse(item.case)
        read = work_of(case, "forward").read  # of the inputs, which were copied
        if copied is None and self.process.bandwidth:  # which counts each byte twice
            copied = 2 * read / self.process.bandwidth
        moved = work_of(case, item.direction).moved
        return least_time(copied, read, moved) if copied and read else None

    def _verdicts(
        self, judged: _Judged, item: Benchmark, fingerprints: dict[str, str]
    ) -> Iterator[str]:
        """Yield the verdicts on these bits; bits that the run has not judged are judged here."""
        for quantity, digest in fingerprints.items():
            if ":" in quantity:  # the fingerprint of a whole array, of which a part is judged
                continue
            # Verdicts without a fingerprint, such as that of a relation which does not hold, are
            # about the implementation and apply to all its results.
            yield from judged.words[item.case, quantity, item.implementation, item.mode]
            same = judged.words[item.case, quantity, digest]
            yield from same or [_judged(item.case, quantity, self.scratch / f"{digest}.npy")]


class _Judged:
    """The verdicts of a run on the cases that are timed, which are read once for each process.

    Attributes:
        words: by case, quantity and the fingerprint of the bits; by case, quantity, implementation
            and mode where the verdict is on no bits.
    """

    def __init__(self, run: RunFile, cases: Collection[str]) -> None:
        self.words: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        where = '"case" IN (SELECT value FROM json_each(?))'
        for row in run.rows(VerdictRow, where, (json.dumps(sorted(cases)),)):
            about = (row.fingerprint,) if row.fingerprint else (row.implementation, row.mode)
            self.words[row.case, row.quantity, *about].append(row.verdict)


def _rank(word: str) -> int:
    return kind_of(word).rank


@lru_cache(maxsize=4096)  # the same bits come back in every pass
def _judged(case_id: str, quantity: str, file: Path) -> str:
    case, array = Case.parse(case_id), plain_array(content_of(file))
    if case.dtype == "bfloat16" and array.dtype == np.uint16:
        array = array.view(FORMATS["bfloat16"].dtype)
    return judge(solved_case(case), quantity, array).word


def summaries(run: RunFile) -> list[TimingRow]:
    """Return one row for each benchmark, over all passes in the run file."""
    processes = {row.number: row for row in run.rows(ProcessRow)}
    kinds = {row.implementation: row.kind for row in run.rows(VerdictRow)}
    grouped: dict[tuple[str, ...], list[PassRow]] = {}
    for row in run.rows(PassRow):
        grouped.setdefault(tuple(getattr(row, name) for name in _KEY), []).append(row)
    peaks = {
        tuple(getattr(row, name) for name in _KEY[:-1]): row.memory for row in run.rows(MemoryRow)
    }
    found = [
        _summary(rows, kinds[rows[0].implementation], [processes[row.process] for row in rows])
        for rows in grouped.values()
    ]
    # The memory that the framework reports itself is preferred to that of the whole process.
    return [
        replace(row, memory=peak, memory_of="process")
        if row.memory is None
        and (peak := peaks.get(tuple(getattr(row, name) for name in _KEY[:-1]))) is not None
        else row
        for row in found
    ]


def _summary(rows: Sequence[PassRow], kind: str, processes: Sequence[ProcessRow]) -> TimingRow:
    # Medians over the passes are shown, since they resist a single disturbed pass. `compare` has
    # an estimator of its own and works on the `PassRow`s.
    first, case = rows[0], Case.parse(rows[0].case)
    medians = [statistics.median(row.times) for row in rows]
    work = work_of(case, first.direction)
    worst = max((row.verdict for row in rows), key=lambda word: kind_of(word).rank)
    copies = [process.bandwidth for process in processes if process.bandwidth]
    events = [row.device_time for row in rows if row.device_time is not None]
    first_calls = [row.first_call for row in rows if row.first_call is not None]
    memory = [row for row in rows if row.memory is not None]
    return TimingRow(
        **{name: getattr(first, name) for name in _KEY},
        operation=case.operation,
        kind=kind,
        dtype=case.dtype,
        shape=shape_text(case.sizes),
        median=statistics.median(medians),
        low=min(medians),
        high=max(medians),
        iqr=statistics.median(_iqr(row.times) for row in rows),
        minimum=min(min(row.times) for row in rows),
        rounds=sum(len(row.times) for row in rows),
        passes=len(rows),
        first_call=statistics.median(first_calls) if first_calls else None,
        computes=work.computes,
        moved=work.moved,
        bandwidth=statistics.median(copies) if copies else None,
        device_time=statistics.median(events) if events else None,
        memory=max(row.memory or 0 for row in memory) if memory else None,
        memory_of=memory[0].memory_of if memory else "",
        verdict=worst,
        agrees=not is_finding(worst),
        least=min((row.least for row in rows if row.least is not None), default=None),
    )


def _iqr(times: Sequence[float]) -> float:
    low, high = np.percentile(times, [25, 75])
    return float(high - low)
