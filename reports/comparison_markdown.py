"""Tell a comparison of runs in blocks, and write them as Markdown for a pull request.

The order is that of a reviewer's questions: does it fail, which answers changed, what was not
compared, and what became slower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..harness.comparing import (
    AccuracyChange,
    Comparison,
    CoverageChange,
    History,
    Speed,
    TimeChange,
    Trend,
)
from .markdown import table
from .numbers import counted, seconds, three


class Heading(NamedTuple):
    """A heading; the smaller its level, the more it heads."""

    level: int
    text: str


class Table(NamedTuple):
    """A table, and how many further rows it would have."""

    columns: list[str]
    rows: list[list[str]]
    left: int = 0


Block = str | Heading | Table
_SHOWN = 30  # lines of a table; the further ones are only counted
_ORDER: tuple[Speed, ...] = ("slower", "faster", "unclear", "same", "not comparable")


def markdown(found: Comparison) -> str:
    """Return a comparison as Markdown; `comparison_blocks` has its parts."""
    return written(comparison_blocks(found))


def written(blocks: Iterable[Block]) -> str:
    """Return blocks as Markdown."""
    return "\n\n".join(map(_written, blocks)) + "\n"


def _written(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, str):
        return block
    rest = f"\n\nand {block.left} more" if block.left else ""
    return table(block.columns, block.rows) + rest


def comparison_blocks(found: Comparison) -> list[Block]:
    """Return a comparison as blocks.

    Args:
        found: two runs as compared.

    Returns:
        A heading with the verdict, then sections for accuracy, coverage and times; a section
        without content is left out.
    """
    return [
        Heading(2, f"lossdiff: {verdict_line(found)}"),
        _sides(found),
        *_section("Answers", _accuracy(found)),
        *_section("Coverage", _coverage(found)),
        *_section("Times", _times(found)),
    ]


def verdict_line(found: Comparison) -> str:
    """Return the result of a comparison in one line."""
    if found.is_empty:
        return "nothing could be compared"
    number = found.regression_count
    wrong = counted(number, "regression") if number else "no regressions"
    timed = counted(found.times.compared, "benchmark")
    cut_off = "; a run is incomplete" if found.incomplete else ""
    return f"{wrong} in {counted(found.answers, 'answer')} and {timed}{cut_off}"


def _sides(found: Comparison) -> Table:
    # Versions and machines come first: most differences between runs have their cause there.
    frameworks = sorted(found.base.versions.keys() | found.new.versions.keys())
    rows = [
        ["run", *found.names],
        ["started", found.base.meta.get("started", ""), found.new.meta.get("started", "")],
        *([name, found.base.version_of(name), found.new.version_of(name)] for name in frameworks),
        *(
            [name, str(before), str(found.new.machine[name])]
            for name, before in found.base.machine.items()
            if before or found.new.machine[name]
        ),
    ]
    return Table(["", "base", "new"], rows)


def _section(title: str, parts: Iterable[Block]) -> list[Block]:
    kept = [part for part in parts if part]
    return [Heading(3, title), *kept] if kept else []


def _accuracy(found: Comparison) -> Iterable[Block]:
    accuracy = found.accuracy
    # Regressions are shown one by one. Other changes are only counted: they are many after an
    # update, and none of them fails.
    others = Counter[tuple[str, str]]()
    for change, number in accuracy.counts.items():
        if change.expected:
            others[change.kind, change.expected] += number
    if not found.answers:
        yield "No answer is in both runs."
        return
    if not accuracy.counts:
        yield f"{counted(found.answers, 'answer')}, all as they were, bit for bit."
    if accuracy.regressions:
        yield _accuracy_table(accuracy.regressions, accuracy.regression_count)
    for (kind, reason), number in sorted(others.items()):
        why = "" if reason == kind else f" ({reason})"
        yield f"{counted(number, 'answer')}: {kind}{why}; no regression."


def _accuracy_table(changes: Sequence[AccuracyChange], number: int) -> Table:
    rows = [
        [
            f"**{it.kind}**",
            it.answer.implementation,
            it.answer.mode,
            it.answer.quantity,
            it.answer.case,
            f"{it.before} → {it.after}",
            f"{three(it.before_ulp)} → {three(it.after_ulp)}",
        ]
        for it in changes[:_SHOWN]
    ]
    columns = ["", "implementation", "mode", "quantity", "case", "verdict", "ulp"]
    return _with_rest(columns, rows, number)


def _coverage(found: Comparison) -> Iterable[Block]:
    coverage = found.coverage
    if coverage.incomparable:
        yield f"Not compared: {coverage.incomparable}."
    if found.incomplete:
        yield f"Incomplete: {found.incomplete}."
    if coverage.unreached:
        yield "Not reached, which is no regression:"
        yield _lost(coverage.unreached)
    if found.is_empty:
        yield f"{_only('base', coverage.vanished)}; {_only('new run', coverage.appeared)}."
        return
    if coverage.vanished:
        yield "Vanished:"
        yield _lost(coverage.vanished)
    if coverage.appeared:
        yield "Appeared, which is no regression:"
        yield _lost(coverage.appeared)


def _only(run: str, items: Sequence[CoverageChange]) -> str:
    """Return in words what only one of two runs has, which share nothing."""
    numbers = Counter[str]()
    for it in items:
        numbers[it.what] += it.count
    if not numbers:
        return f"the {run} has nothing"
    what = " and ".join(f"{number:,} {what}" for what, number in numbers.items())
    names = counted(len({it.implementation for it in items}), "implementation")
    return f"the {run} has {what} of {names}"


def _lost(items: Sequence[CoverageChange]) -> Table:
    rows = [
        [it.implementation, it.mode, f"{it.count} {it.what}", it.example] for it in items[:_SHOWN]
    ]
    return _with_rest(["implementation", "mode", "what", "for example"], rows, len(items))


def _times(found: Comparison) -> Iterable[Block]:
    times = found.times
    if not times.benchmarks:
        return
    # Times of different machines or settings would make a table of meaningless changes.
    if times.incomparable:
        yield f"Not comparable: {times.incomparable}."
        return
    counts = Counter(change.verdict for change in times.benchmarks)
    said = ", ".join(f"{counts[word]} {word}" for word in _ORDER if counts[word])
    yield f"{counted(len(times.benchmarks), 'benchmark')}: {said}."
    reasons = Counter((it.verdict, it.reason) for it in times.benchmarks if it.reason)
    for (verdict, reason), number in reasons.items():
        yield f"{counted(number, 'benchmark')} {verdict}: {reason}."
    drift = (
        "The runs were timed in turn, so that what the machine did falls on both."
        if times.drift is None
        else f"Common-mode drift, taken out of every change: {share(times.drift)}."
    )
    yield f"{drift} The smallest change that counts is {times.effect:.1%}."
    # Implementations as a whole come before their benchmarks. What did not change is only counted.
    shown = [
        it
        for it in (*times.implementations, *times.benchmarks)
        if it.verdict in ("slower", "faster")
    ]
    if shown:
        yield time_table(shown)


def time_table(changes: Sequence[TimeChange]) -> Table:
    """Return a table of changes of times, the slower ones first."""
    # Among equal verdicts the rows of whole implementations, which have no key, come first.
    ordered = sorted(changes, key=lambda it: (_ORDER.index(it.verdict), it.key is not None))
    rows = [
        [
            f"**{it.verdict}**",
            it.who.implementation,
            it.who.mode,
            f"`{it.key.case.partition('/')[0]}` {it.what}" if it.key else it.what,
            seconds(it.base),
            seconds(it.new),
            f"**{share(it.change)}**",
            f"{share(it.low)} … {share(it.high)}",
        ]
        for it in ordered[:_SHOWN]
    ]
    columns = ["", "implementation", "mode", "benchmark", "base", "new", "change", "95%"]
    return _with_rest(columns, rows, len(changes))


def history_blocks(found: History) -> list[Block]:
    """Return a table with one line for each benchmark, those with a change point first."""
    names = found.names
    # A change point often coincides with a new version, so the versions of each run come first.
    frameworks = sorted({name for run in found.runs for name in run.versions})
    versions = [[name, *(run.version_of(name) for run in found.runs)] for name in frameworks]
    ordered = sorted(found.trends, key=lambda it: it.step is None)
    rows = [
        [
            f"{it.key.implementation} {it.key.mode}",
            f"`{it.key.case.partition('/')[0]}` {it.key.label}",
            *map(seconds, it.medians),
            _step(it, names),
        ]
        for it in ordered
    ]
    stepped = sum(it.step is not None for it in found.trends)
    title = f"lossdiff: {counted(len(found.trends), 'benchmark')} over {len(names)} runs, "
    return [
        Heading(2, f"{title}{counted(stepped, 'step')}"),
        Table(["", *names], versions),
        Table(["implementation", "benchmark", *names, "step"], rows),
    ]


def _step(trend: Trend, names: Sequence[str]) -> str:
    if trend.step is None:
        return ""
    return f"**{trend.verdict}** at {names[trend.step]}: {share(trend.changes[trend.step])}"


def _with_rest(columns: list[str], rows: list[list[str]], number: int) -> Table:
    return Table(columns, rows, max(0, number - _SHOWN))


def share(value: float | None) -> str:
    """Return a relative change in percent with its sign, `–` for None.

    >>> share(-0.0213)
    '−2.1%'
    """
    # A minus sign has the width of the plus sign; a hyphen has not.
    return "–" if value is None else f"{value:+.1%}".replace("-", "−")
