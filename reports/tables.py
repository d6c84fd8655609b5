"""Compute the tables of the report, each as a tuple of frozen rows."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..harness.runfile import RunFile, VerdictRow, WorkedRow, WorkerRow
from .columns import column_of
from .legend import mark_of
from .survey import TEXTBOOK, Asked, Place, Survey, dtype_order, way_of

_TRACE = re.compile(r"\{\{[^{}]*\}\}\s*")


@dataclass(frozen=True)
class Shares:
    """The number of verdicts of each class; findings are divided in known and new ones."""

    agree: int = 0
    explained: int = 0
    known: int = 0
    new: int = 0
    neutral: int = 0

    @property
    def total(self) -> int:
        """The number of all verdicts."""
        return self.judged + self.neutral

    @property
    def judged(self) -> int:
        """The number of verdicts except `unsupported`, which says nothing about an answer."""
        return self.agree + self.explained + self.known + self.new

    def width(self, name: str) -> float:
        """Return the share of one class in the judged verdicts, in percent."""
        part: int = getattr(self, name)
        return round(100 * part / self.judged, 3) if self.judged else 0.0


@dataclass(frozen=True)
class FrameworkLine:
    """The verdicts on one framework, or on the textbook formulas written with it.

    Attributes:
        name: name of the framework.
        textbook: whether the line is about the textbook formulas.
        versions: packages with their versions, such as `torch 2.13.0`.
        ways: modes and devices.
        implementations: the number of implementations.
        shares: the number of verdicts of each class.
    """

    name: str
    textbook: bool
    versions: tuple[str, ...]
    ways: tuple[str, ...]
    implementations: int
    shares: Shares


@dataclass(frozen=True)
class ExplainedLine:
    """The differences of one implementation with one explanation: the worst, number and places."""

    asked: Asked
    worst: VerdictRow
    count: int
    columns: tuple[str, ...]
    dtypes: tuple[str, ...]

    @property
    def way(self) -> str:
        """The mode and device of the worst one."""
        return way_of(self.worst.mode, self.worst.device)


@dataclass(frozen=True)
class WorkedLine:
    """One printed value, with the answers that have its digits and those that have not."""

    example: str
    source: str
    operation: str
    printed: str
    by_framework: dict[str, tuple[tuple[WorkedRow, ...], tuple[WorkedRow, ...]]]
    note: str

    @property
    def agreeing(self) -> int:
        """The number of answers with the printed digits."""
        return sum(len(agreeing) for agreeing, _ in self.by_framework.values())

    @property
    def asked(self) -> int:
        """The number of answers."""
        return self.agreeing + sum(len(others) for _, others in self.by_framework.values())


@dataclass(frozen=True)
class Worker:
    """The environment of one worker process, as pairs of texts."""

    framework: str
    device: str
    absent: str
    facts: tuple[tuple[str, str], ...]


def shares(counts: Iterable[tuple[str, bool, int]]) -> Shares:
    """Return the sums by class of triples (verdict, known, count)."""
    sums: Counter[str] = Counter()
    for verdict, known, count in counts:
        group: str = mark_of(verdict).group
        sums["known" if known and group == "finding" else group] += count
    return Shares(sums["agree"], sums["explained"], sums["known"], sums["finding"], sums["neutral"])


def shares_of(survey: Survey, places: Iterable[Place]) -> Shares:
    """Return the number of verdicts of each class in some places."""
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
    # Dictionaries serve as ordered sets. Several runs may have several versions of a package.
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for row in run.rows(WorkerRow):
            versions = row.environment.get("versions") if not row.absent else None
            for package, version in (versions if isinstance(versions, dict) else {}).items():
                found.setdefault(row.framework, {})[f"{package} {version}"] = None
    return {framework: tuple(names) for framework, names in found.items()}


def explained_lines(survey: Survey) -> tuple[ExplainedLine, ...]:
    """Return the explained differences, the largest error over the bound first, formulas last."""
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
    return tuple(
        sorted(lines, key=lambda it: (it.asked.kind == TEXTBOOK, -(it.worst.ratio or 0.0)))
    )


def worked_lines(runs: Sequence[RunFile]) -> tuple[WorkedLine, ...]:
    """Return the worked examples; of a repeated answer, that of the last run."""
    # The order of the first run is kept, the row of the last one replaces earlier ones.
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
    """Return a value as JSON or text on one line, shortened to a limit.

    >>> brief([0.1, 0.9]), brief("abcdef", limit=4)
    ('[0.1, 0.9]', 'abc…')
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = without_traces(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def without_traces(message: str) -> str:
    """Return a message of an error without the places in a graph that some frameworks put into it.

    >>> without_traces("{{node op_device_/job:a}} Received a label value of 1")
    'Received a label value of 1'
    """
    return _TRACE.sub("", message)


def workers(runs: Sequence[RunFile]) -> tuple[Worker, ...]:
    """Return the environments of the worker processes of all runs, without repetition."""
    found = {
        Worker(row.framework, row.device, row.absent, tuple(_flat(row.environment)))
        for run in runs
        for row in run.rows(WorkerRow)
    }
    return tuple(sorted(found, key=lambda worker: (bool(worker.absent), *vars(worker).values())))


def _flat(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    # Environments differ between frameworks and versions, so they are shown whatever they contain.
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, key if name in ("", "versions") else f"{name} {key}")
    elif value is None or value == "":
        yield name, "–"
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
