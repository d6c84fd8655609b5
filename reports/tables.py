"""The tables of the report, each a tuple of frozen rows computed from a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..harness.runfile import RunFile, VerdictRow, WorkedRow, WorkerRow
from .columns import column_of
from .legend import mark_of
from .survey import TEXTBOOK, Asked, Place, Survey, dtype_order, way_of


@dataclass(frozen=True)
class Shares:
    """How many verdicts of each class."""

    agree: int = 0
    explained: int = 0
    known: int = 0
    new: int = 0
    neutral: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.judged + self.neutral

    @property
    def judged(self) -> int:
        """Those that say something of quality."""
        return self.agree + self.explained + self.known + self.new

    def width(self, name: str) -> float:
        """Return the part of one class of what was judged, in percent."""
        part: int = getattr(self, name)
        return round(100 * part / self.judged, 3) if self.judged else 0.0


@dataclass(frozen=True)
class FrameworkLine:
    """What was asked of one framework, and how it did.

    Attributes:
        name: of the framework.
        textbook: whether the line is of the textbook formulas in it.
        versions: `torch 2.13.0`.
        ways: modes and devices.
        implementations: how many.
        shares: the verdicts.
    """

    name: str
    textbook: bool
    versions: tuple[str, ...]
    ways: tuple[str, ...]
    implementations: int
    shares: Shares


@dataclass(frozen=True)
class ExplainedLine:
    """Explained differences of one implementation: the worst, how many, and where."""

    asked: Asked
    worst: VerdictRow
    count: int
    columns: tuple[str, ...]
    dtypes: tuple[str, ...]

    @property
    def way(self) -> str:
        """How the worst one ran."""
        return way_of(self.worst.mode, self.worst.device)


@dataclass(frozen=True)
class WorkedLine:
    """One printed value, and who gives its digits."""

    example: str
    source: str
    operation: str
    printed: str
    by_framework: dict[str, tuple[tuple[WorkedRow, ...], tuple[WorkedRow, ...]]]
    note: str

    @property
    def agreeing(self) -> int:
        """How many give the digits."""
        return sum(len(agreeing) for agreeing, _ in self.by_framework.values())

    @property
    def asked(self) -> int:
        """How many were asked."""
        return self.agreeing + sum(len(others) for _, others in self.by_framework.values())


@dataclass(frozen=True)
class Worker:
    """One worker's environment, flat."""

    framework: str
    device: str
    absent: str
    facts: tuple[tuple[str, str], ...]


def shares(counts: Iterable[tuple[str, bool, int]]) -> Shares:
    """Return the classes of counted verdicts: (verdict, known, count)."""
    sums: Counter[str] = Counter()
    for verdict, known, count in counts:
        group: str = mark_of(verdict).group
        sums["known" if known and group == "finding" else group] += count
    return Shares(sums["agree"], sums["explained"], sums["known"], sums["finding"], sums["neutral"])


def shares_of(survey: Survey, places: Iterable[Place]) -> Shares:
    """Return the classes of the verdicts in some places."""
    return shares((*judged, n) for judged, n in survey.tally(places).counts.items())


def framework_lines(survey: Survey) -> tuple[FrameworkLine, ...]:
    """Return one line for each framework, and one for the textbook formulas in each."""
    versions = _versions(survey.runs)
    members: dict[tuple[bool, str], list[Place]] = {}
    for place in survey.places:
        key = (place.asked.kind == TEXTBOOK, place.asked.framework)
        members.setdefault(key, []).append(place)
    return tuple(
        FrameworkLine(
            name,
            textbook,
            versions.get(name, ()),
            tuple(sorted({place.way for place in places})),
            len({place.asked for place in places}),
            shares_of(survey, places),
        )
        for (textbook, name), places in sorted(members.items())
    )


def _versions(runs: Sequence[RunFile]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for row in run.rows(WorkerRow):
            versions = row.environment.get("versions") if not row.absent else None
            for package, version in (versions if isinstance(versions, dict) else {}).items():
                found.setdefault(row.framework, {})[f"{package} {version}"] = None
    return {framework: tuple(names) for framework, names in found.items()}


def explained_lines(survey: Survey) -> tuple[ExplainedLine, ...]:
    """Return the explained differences, the largest over the sound bound first."""
    lines = [
        ExplainedLine(
            asked,
            item.worst,
            item.count,
            tuple(sorted(item.columns, key=lambda name: column_of(name).order)),
            tuple(sorted(item.dtypes, key=dtype_order)),
        )
        for (asked, _), item in survey.explained.items()
    ]
    return tuple(sorted(lines, key=lambda line: -(line.worst.ratio or 0.0)))


def worked_lines(runs: Sequence[RunFile]) -> tuple[WorkedLine, ...]:
    """Return the worked examples; of a repeated answer the last run's counts."""
    latest = {
        (row.example, row.framework, row.implementation, row.mode, row.dtype): row
        for run in runs
        for row in run.rows(WorkedRow)
    }
    examples: dict[str, list[WorkedRow]] = {}
    for row in latest.values():
        examples.setdefault(row.example, []).append(row)
    return tuple(_worked_line(rows) for rows in examples.values())


def _worked_line(rows: list[WorkedRow]) -> WorkedLine:
    first = rows[0]
    by_framework = {
        framework: (
            tuple(row for row in rows if row.framework == framework and row.agrees),
            tuple(row for row in rows if row.framework == framework and not row.agrees),
        )
        for framework in sorted({row.framework for row in rows})
    }
    return WorkedLine(
        first.example,
        first.source,
        first.operation,
        brief(first.printed),
        by_framework,
        first.note if first.agrees else "",
    )


def brief(value: Any, limit: int = 160) -> str:
    """Return a printed or given value on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def workers(runs: Sequence[RunFile]) -> tuple[Worker, ...]:
    """Return the environment of every worker of every run, each once."""
    found = {
        Worker(row.framework, row.device, row.absent, tuple(_flat(row.environment)))
        for run in runs
        for row in run.rows(WorkerRow)
    }
    return tuple(sorted(found, key=lambda worker: (bool(worker.absent), *vars(worker).values())))


def _flat(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, key if name in ("", "versions") else f"{name} {key}")
    elif value is None or value == "":
        yield name, "–"
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
