"""Show a run on the terminal: counts by framework, then the causes of findings.

Texts of a run file are shown without control characters, which a terminal would obey.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..harness.runfile import RunFile, VerdictRow
from ..outputs import shown
from .card_lines import short_lines
from .cards import cards_of
from .cause_lines import WIDTH, CauseLine, cause_lines, claimed_of, places_of
from .causes import CauseCollector, Causes
from .domain import Domain, DomainLine, domain_of
from .grid import Cell, Grid
from .legend import mark_of
from .listing import Line
from .numbers import count, counted
from .survey import KINDS, Survey, dtype_order
from .tables import FrameworkLine, Shares, brief, framework_lines, shares_of, workers

_SEARCHES = 40  # rows of the table of the domain of validity
_STYLES = {"agree": "green", "explained": "yellow", "finding": "bold red", "neutral": "dim"}


def summary(run: RunFile) -> RenderableType:
    """Return the summary of a run: counts for each framework, then the causes.

    Args:
        run: an open run file.

    Returns:
        Tables and lines for `rich.print`; parts without content are left out.
    """
    found, own = Survey([run]), CauseCollector()
    # One pass fills the survey and the causes of users' functions while the findings are grouped.
    # It stores no rows, of which a run may have millions.
    cards = cards_of(_findings_of(run, found, own), run)
    total = shares_of(found, found.places)
    parts: list[RenderableType] = []
    if total.total:
        parts.append(_frameworks(framework_lines(found)))
    parts += [
        _text(f"{worker.framework} on {worker.device} was not asked: {worker.absent}", "yellow")
        for worker in workers([run])
        if worker.absent
    ]
    parts += _own(own.causes(claimed_of(run)), run)
    domain = domain_of([run])
    if total.total or not domain.rows:
        parts.append(_conclusion(run.asked_cases(), total))
    else:
        parts += _domain(domain, run.path)
    parts += [_line(line) for line in short_lines(cards, WIDTH)]
    if total.total and domain.rows:
        parts.append(_domain_line(domain))
    return Group(*parts)


def _frameworks(lines: Iterable[FrameworkLine]) -> Table:
    table = Table("Framework", box=None, pad_edge=False, header_style="dim")
    for name in ("Agree", "Explained", "Known", "New", "Unsupported"):
        table.add_column(name, justify="right")
    for line in lines:
        shares = line.shares
        table.add_row(
            _text(line.name + (" (textbook formulas)" if line.textbook else "")),
            count(shares.agree),
            count(shares.explained),
            count(shares.known),
            Text(count(shares.new), style="bold red" if shares.new else ""),
            Text(count(shares.neutral), style="dim"),
        )
    return table


def _findings_of(run: RunFile, found: Survey, own: CauseCollector) -> Iterator[VerdictRow]:
    """Yield the findings of a run, and count all verdicts."""
    for row in run.rows(VerdictRow):
        found.count(row)
        own.add(row)
        if mark_of(row.verdict).group == "finding":
            yield row


def _own(causes: Causes, run: RunFile) -> list[RenderableType]:
    """Return lines on users' functions: what is wrong with each, by its cause."""
    return [_line(line) for line in cause_lines(causes, shown(run.path), places=places_of(run))]


def _line(line: Line | CauseLine) -> Text:
    return Text(line.text, _STYLES[line.group] if line.group else "")


def _domain(domain: Domain, path: Path) -> list[RenderableType]:
    """Return a table of the failing magnitudes by dtype, and a line with the other searches.

    Functions that users call come before formulas that they copy, and within each kind the
    smallest magnitude comes first.
    """
    dtypes = sorted({row.dtype for row in domain.rows}, key=dtype_order)
    # The lines of the report merge dtypes with the same result; here each dtype has a column, so
    # that lines are split by sweep and joined by implementation.
    ends: dict[tuple[str, ...], dict[str, DomainLine]] = {}
    order = {kind: place for place, kind in enumerate(KINDS)}
    # The sort is stable: within each kind the order by magnitude stays.
    for line in sorted(domain.broken, key=lambda line: order.get(line.row.kind, 0)):
        for sweep, dtype in product(line.sweeps, line.dtypes):
            key = (line.row.implementation, line.row.operation, sweep, ", ".join(line.ways))
            ends.setdefault(key, {})[dtype] = line
    rows = [
        [
            *(Cell(_plain(name)) for name in names),
            *(_end(found[dtype]) if dtype in found else Cell("–") for dtype in dtypes),
        ]
        for names, found in list(ends.items())[:_SEARCHES]
    ]
    head = ("Breaks", "Operation", "As grows", "Mode")
    parts: list[RenderableType] = [Grid((*head, *dtypes), rows, len(head))] if ends else []
    if len(ends) > _SEARCHES:
        more = f"{count(len(ends) - _SEARCHES)} more, see the report: lossdiff report {shown(path)}"
        parts.append(_text(more))
    words = {line.row.broken_by: _marked(line.row.broken_by) for line in domain.broken}
    signs = Text(", ").join(words[word] for word in sorted(words))
    return [*parts, *([signs] if words else []), _domain_line(domain)]


def _end(line: DomainLine) -> Cell:
    mark = mark_of(line.row.broken_by)
    return Cell(_plain(f"{line.broken} {mark.symbol}"), _STYLES[mark.group])


def _domain_line(domain: Domain) -> Text:
    """Return a line with the number of searches that never fail, and the first that does."""
    searches = counted(len(domain.rows), "search", "searches")
    line = Text(f"domain of validity: {count(domain.never)} of {searches} never break")
    if domain.at_once:
        line.append(f"; {count(domain.at_once)} are wrong from the start")
    if first := domain.first:
        line.append("; the first to break" + (", after those: " if domain.at_once else ": "))
        line.append_text(_text(first.row.implementation))
        line.append(f" at {first.broken} ({', '.join((*first.sweeps, *first.dtypes))})")
    return line


def _conclusion(cases: int, shares: Shares) -> Text:
    # Without verdicts "no new findings" would be true and misleading.
    if not shares.total:
        return Text("No verdicts: nothing was asked, or nothing was answered.", style="yellow")
    parts = [counted(cases, "case"), counted(shares.judged, "verdict")]
    if shares.neutral:
        parts.append(f"{count(shares.neutral)} not claimed")
    found = f"{counted(shares.new, 'new finding')}" if shares.new else "no new findings"
    result = Text(", ".join(parts) + ": ")
    result.append(found, style="bold red" if shares.new else "green")
    return result.append(f", {count(shares.known)} known.")


def _marked(verdict: str, *, known: bool = False) -> Text:
    # A known finding is red but not bold: it does not fail the run.
    mark = mark_of(verdict)
    known = known and mark.group == "finding"
    text = f"{mark.symbol} {verdict}" + (" (known)" if known else "")
    return _text(text, "red" if known else _STYLES[mark.group])


def _text(text: str, style: str = "") -> Text:
    """Return text from a run file, shortened and without control characters."""
    return Text(_plain(text), style)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in brief(text))
