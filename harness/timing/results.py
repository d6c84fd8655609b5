"""Turn pytest-benchmark's JSON into rows: of one process, and of all passes together."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from ...cases.checked import decoded
from ...cases.dtypes import FORMATS
from ...cases.model import Case
from ...errors import BenchError, SchemaError
from ...outputs import shown
from ..judging import judge, solved_case
from ..runfile import MemoryRow, PassRow, ProcessRow, RunFile, TimingRow, VerdictRow
from ..verdicts import is_finding, kind_of
from .benchmarks import work_of
from .fresh import least_time
from .plan import ProcessPlan


class _Stats(TypedDict):
    """The rounds of a benchmark: seconds of each, and calls in each."""

    data: list[float]
    iterations: int


class _Item(TypedDict):
    """One benchmark in pytest-benchmark's JSON; `pytest_suite` writes its `extra_info`."""

    extra_info: dict[str, Any]
    stats: _Stats


class _Document(TypedDict):
    """What is read of pytest-benchmark's JSON."""

    benchmarks: list[_Item]


_KEY = ("case", "implementation", "framework", "mode", "device", "direction", "threads", "cache")


@dataclass(frozen=True)
class ProcessResult:
    """The measurements of one process.

    Attributes:
        process: the row of the process itself.
        items: pytest-benchmark's entries of the benchmarks.
        scratch: the folder of the results whose bits had not been judged.
    """

    process: ProcessRow
    items: tuple[_Item, ...]
    scratch: Path

    @classmethod
    def read(cls, file: Path, plan: ProcessPlan, load: float | None, started: str) -> ProcessResult:
        """Read the JSON that pytest-benchmark wrote in one process.

        Args:
            file: the JSON.
            plan: the plan of the process.
            load: load average before the process began; None where there is none.
            started: when it began, ISO 8601.
        """
        kinds: dict[str, list[_Item]] = {"copy": [], "compute": [], "time": []}
        try:
            found = decoded(file.read_bytes(), _Document, from_python=True)
        except SchemaError as error:
            raise BenchError(f"{shown(file)} of pytest-benchmark is damaged: {error}") from error
        for item in found["benchmarks"]:
            kinds[item["extra_info"]["kind"]].append(item)
        copies = [time for item in kinds["copy"] for time in item["stats"]["data"]]
        fact = kinds["copy"][0]["extra_info"] if copies else {}
        process = ProcessRow(
            number=plan.process.number,
            pass_number=plan.process.pass_number,
            framework=plan.process.framework,
            device=plan.device,
            threads=plan.process.threads,
            thread_count=fact.get("threads", 0),
            bandwidth=fact["moved"] / statistics.median(copies) if copies else None,
            copies=copies,
            compute=[time for item in kinds["compute"] for time in item["stats"]["data"]],
            load=load,
            started=started,
            environment=fact.get("environment", {}),
            source=file.name,
        )
        return cls(process, tuple(kinds["time"]), plan.scratch)

    def passes(self, run: RunFile) -> list[PassRow]:
        """Return one row for each benchmark, with the verdict on the results that were timed.

        Args:
            run: the run file, with its verdicts.
        """
        turns: dict[tuple[str, ...], list[_Item]] = {}
        for item in self.items:
            turns.setdefault(tuple(item["extra_info"][name] for name in _KEY), []).append(item)
        # A benchmark that failed in its first turn has no verdict, and therefore no time.
        return [
            self._pass(run, items)
            for items in turns.values()
            if "fingerprints" in items[0]["extra_info"]
        ]

    def _pass(self, run: RunFile, items: Sequence[_Item]) -> PassRow:
        about = items[0]["extra_info"]
        worst = max(self._verdicts(run, about), key=lambda word: kind_of(word).rank)
        events = [time for item in items for time in item["extra_info"]["device_times"]]
        return PassRow(
            process=self.process.number,
            times=[time for item in items for time in item["stats"]["data"]],
            iterations=[item["stats"]["iterations"] for item in items],
            first_call=about["first_call"],
            device_time=statistics.median(events) if events else None,
            memory=about["memory"],
            memory_of=about["memory_of"],
            fingerprints=about["fingerprints"],
            verdict=worst,
            least=self._least(about),
            **{name: about[name] for name in _KEY},
        )

    def _least(self, about: dict[str, Any]) -> float | None:
        """Return the seconds below which a time of a benchmark is implausible; None if unknown."""
        case, copied = Case.parse(about["case"]), about["copied"]
        read = work_of(case, "forward").read  # of the inputs, which were copied
        if copied is None and self.process.bandwidth:  # which counts each byte twice
            copied = 2 * read / self.process.bandwidth
        moved = work_of(case, about["direction"]).moved
        return least_time(copied, read, moved) if copied and read else None

    def _verdicts(self, run: RunFile, about: dict[str, Any]) -> Iterator[str]:
        """Yield the verdicts on these bits; bits that the run has not judged are judged here."""
        case = about["case"]
        for quantity, digest in about["fingerprints"].items():
            if ":" in quantity:  # the fingerprint of a whole array, of which a part is judged
                continue
            asked = (case, quantity, about["implementation"], about["mode"])
            # Verdicts without a fingerprint, such as that of a relation which does not hold, are
            # about the implementation and apply to all its results.
            yield from _words(run, "implementation = ? AND mode = ? AND fingerprint = ''", asked)
            same = _words(run, "fingerprint = ?", (case, quantity, digest))
            yield from same or [_judged(case, quantity, self.scratch / f"{digest}.npy")]


def _words(run: RunFile, condition: str, arguments: tuple[str, ...]) -> list[str]:
    where = f'"case" = ? AND quantity = ? AND {condition}'
    return [row.verdict for row in run.rows(VerdictRow, where, arguments)]


@lru_cache(maxsize=4096)  # the same bits come back in every pass
def _judged(case_id: str, quantity: str, file: Path) -> str:
    case, array = Case.parse(case_id), np.load(file)
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
        shape="x".join(map(str, case.shape)),
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
