"""The tables of the report, each a tuple of frozen rows computed from a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ..harness.runfile import RelationRow, RunFile, VerdictRow, WorkedRow, WorkerRow
from .legend import mark_of
from .survey import TEXTBOOK, Asked, Judged, Place, Question, Survey, way_of


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
    """Explained differences of one implementation: the worst, and how many."""

    asked: Asked
    way: str
    worst: VerdictRow
    symbol: str
    count: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """One answer that some implementations of a framework gave."""

    given: str
    verdict: str
    symbol: str
    by: tuple[str, ...]


@dataclass(frozen=True)
class ConventionLine:
    """One question, and what each framework answers."""

    question: Question
    case: str
    exact: str
    answers: dict[str, tuple[Answer, ...]]


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
class Broken:
    """A family where a textbook formula stops agreeing."""

    column: str
    verdict: str
    known: bool
    native_too: bool


@dataclass(frozen=True)
class TextbookLine:
    """One formula in one framework and dtype, and the native function beside it."""

    framework: str
    dtype: str
    asked: int
    broken: tuple[Broken, ...]
    native: str
    native_breaks: tuple[str, ...]


@dataclass(frozen=True)
class Formula:
    """One textbook formula."""

    name: str
    operation: str
    lines: tuple[TextbookLine, ...]


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
            asked, way, item.worst, mark_of(verdict).symbol, item.count, tuple(sorted(item.columns))
        )
        for (asked, verdict, _, _, way), item in survey.explained.items()
    ]
    return tuple(sorted(lines, key=lambda line: -(line.worst.ratio or 0.0)))


def convention_lines(survey: Survey) -> tuple[ConventionLine, ...]:
    """Return the questions without one agreed answer, each with every framework's answer."""
    chosen = {(row.case, row.quantity): q for q, row in survey.conventions.items()}
    rows: dict[Question, list[VerdictRow]] = {}
    for run in survey.runs:
        for row in _of_cases(run, sorted({case for case, _ in chosen})):
            if (row.case, row.quantity) in chosen and mark_of(row.verdict).group != "neutral":
                rows.setdefault(chosen[row.case, row.quantity], []).append(row)
    return tuple(_convention_line(question, rows[question]) for question in sorted(rows))


def _of_cases(run: RunFile, cases: list[str]) -> Iterable[VerdictRow]:
    for start in range(0, len(cases), 500):
        some = cases[start : start + 500]
        marks = ", ".join("?" * len(some))
        yield from run.rows(VerdictRow, f'"case" IN ({marks})', some)


def _convention_line(question: Question, rows: list[VerdictRow]) -> ConventionLine:
    by: dict[str, dict[tuple[str, str], list[str]]] = {}
    for row in rows:
        if row.kind == TEXTBOOK:
            continue
        agrees = mark_of(row.verdict).group == "agree"
        given = row.got or (row.exact if agrees else "") or row.note[:80]
        name = f"{row.implementation} ({way_of(row.mode, row.device)})"
        names = by.setdefault(row.framework, {}).setdefault((given, row.verdict), [])
        if name not in names:
            names.append(name)
    answers = {
        framework: tuple(
            Answer(given, verdict, mark_of(verdict).symbol, tuple(names))
            for (given, verdict), names in found.items()
        )
        for framework, found in sorted(by.items())
    }
    exact = next((row.exact for row in rows if row.exact), "")
    return ConventionLine(question, rows[0].case, exact, answers)


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


def relation_rows(runs: Sequence[RunFile]) -> tuple[RelationRow, ...]:
    """Return the relations, those that do not hold first."""
    latest = {
        (row.relation, row.framework, row.left, row.right, row.mode, row.dtype): row
        for run in runs
        for row in run.rows(RelationRow)
    }
    return tuple(
        sorted(
            latest.values(),
            key=lambda row: (row.agrees, row.relation, row.framework, row.mode, row.dtype),
        )
    )


def formulas(survey: Survey) -> tuple[Formula, ...]:
    """Return where each textbook formula breaks, and whether the native function does too."""
    worst = _worst_verdicts(survey)
    lines: dict[tuple[str, str], list[TextbookLine]] = {}
    for (asked, dtype), columns in sorted(worst.items()):
        if asked.kind == TEXTBOOK:
            name = asked.name.rpartition(".")[2]
            line = _textbook_line(asked, dtype, columns, worst)
            lines.setdefault((name, asked.operation), []).append(line)
    return tuple(Formula(*key, tuple(found)) for key, found in sorted(lines.items()))


Worst = dict[tuple[Asked, str], dict[str, Judged]]


def _worst_verdicts(survey: Survey) -> Worst:
    """Return the worst verdict by implementation and dtype, and by column."""
    worst: Worst = {}
    for place, tally in survey.places.items():
        columns = worst.setdefault((place.asked, place.dtype), {})
        before = columns.get(place.column, Judged("unsupported", known=True))
        columns[place.column] = max([before, *tally.counts], key=_severity)
    return worst


def _severity(judged: Judged) -> tuple[bool, int]:
    mark = mark_of(judged.verdict)
    return mark.group == "finding" and not judged.known, mark.severity


def _breaks(judged: Judged) -> bool:
    return mark_of(judged.verdict).group == "finding"


def _claims(judged: Judged) -> bool:
    return mark_of(judged.verdict).group != "neutral"


def _textbook_line(
    asked: Asked, dtype: str, columns: dict[str, Judged], worst: Worst
) -> TextbookLine:
    claimed = {column: judged for column, judged in columns.items() if _claims(judged)}
    native, breaks = _native(asked, dtype, claimed.keys(), worst)
    broken = tuple(
        Broken(column, *judged, column in breaks)
        for column, judged in sorted(claimed.items())
        if _breaks(judged)
    )
    return TextbookLine(asked.framework, dtype, len(claimed), broken, native, breaks)


def _native(
    asked: Asked, dtype: str, wanted: Set[str], worst: Worst
) -> tuple[str, tuple[str, ...]]:
    """Return the native function that breaks least on these columns, and where it does."""
    candidates = []
    for (other, width), columns in worst.items():
        same = (other.framework, other.operation) == (asked.framework, asked.operation)
        if same and width == dtype and other.kind == "native":
            claimed = sorted(c for c in wanted & columns.keys() if _claims(columns[c]))
            breaks = tuple(column for column in claimed if _breaks(columns[column]))
            candidates.append((-len(claimed), len(breaks), other.name, breaks))
    if not candidates:
        return "", ()
    _, _, name, breaks = min(candidates)
    return name, breaks


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
            yield from _flat(item, f"{name} {key}".strip())
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
