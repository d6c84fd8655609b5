"""Draw the domain of validity: a bar for each implementation, as far as it is right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .axis import LogAxis, between
from .domain import Domain, DomainLine, by_way, shown, start
from .numbers import magnitude
from .survey import TEXTBOOK, dtype_order

_AFTER = 0.35  # decades shown beyond the last failure
_TICKS = 6
_FIRST = ("softmax", "spread", "float32")


def domain_charts(domain: Domain) -> dict[str, Any]:
    """Return the charts by operation, sweep and dtype, and the name of the first to show.

    Args:
        domain: the searches to show.

    Returns:
        `charts`, what `domain_chart` returns by `OPERATION/SWEEP/DTYPE`; `first`, the name of one
        of them; `meanings`, the text for each sweep.
    """
    charts: dict[tuple[str, str, str], list[Any]] = {}
    for row in domain.rows:
        charts.setdefault((row.operation, row.sweep, row.dtype), []).append(row)
    # The menus of the page list the charts in this order; the first chart need not be the first in
    # it, but the one that differs least from the preferred one.
    sweeps = list(domain.sweeps)
    ordered = sorted(
        charts, key=lambda chart: (chart[0], sweeps.index(chart[1]), dtype_order(chart[2]))
    )
    first = min(ordered, key=_unlike_first) if ordered else ()
    return {
        "first": "/".join(first),
        "meanings": domain.sweeps,
        "charts": {"/".join(chart): domain_chart(by_way(charts[chart])) for chart in ordered},
    }


def domain_chart(lines: Sequence[DomainLine]) -> dict[str, Any]:
    """Return the chart of one operation, sweep and dtype.

    Args:
        lines: the implementations to show, from top to bottom; those that never break come last.

    Returns:
        `ticks`, pairs of a place in percent and a text; `never`, how far those were asked that
        never break, empty if there are none; `bars`, a list for each implementation: its name and
        modes, its framework, whether it is a textbook formula, the places in percent where it
        leaves the bound and where it breaks, the magnitude at which it breaks (empty for never),
        and what was found.
    """
    scale = _axis(lines)
    names = Counter(line.row.implementation for line in lines)
    never = [line for line in lines if line.row.breaks_at is None]
    sweep = lines[0].row.sweep
    reached = sorted({largest for line in never for largest in line.asked_to})
    return {
        "ticks": [[tick.at, tick.text] for tick in scale.ticks],
        "never": f"never, to {' or '.join(shown(sweep, largest) for largest in reached)}"
        if never
        else "",
        "bars": [_bar(line, scale, names[line.row.implementation] > 1) for line in lines],
    }


def _bar(line: DomainLine, scale: LogAxis, modes_differ: bool) -> list[Any]:
    # The solid part of a bar ends where the answer leaves the sound bound, the pale part where the
    # answer is wrong. A search without a wrong answer extends to the edge of the chart.
    row = line.row
    end = 100.0 if row.breaks_at is None else scale.at(row.breaks_at)
    sound = end if row.leaves_bound_at is None else scale.at(row.leaves_bound_at)
    name = row.implementation + (f" · {', '.join(line.ways)}" if modes_differ else "")
    broken = "" if row.breaks_at is None else line.broken
    return [name, row.framework, row.kind == TEXTBOOK, sound, end, broken, _found(line)]


def _found(line: DomainLine) -> str:
    row, found = line.row, []
    if row.leaves_bound_at is not None and row.leaves_bound_at != row.breaks_at:
        found.append(f"leaves the bound at {line.left}: {row.left_by}")
    if row.breaks_at is None:
        found.append(f"never breaks, to {line.asked}")
    else:
        quantity = row.quantity.replace("_", " ")
        found.append(f"breaks at {line.broken}: {row.broken_by}, {quantity}")
    return "; ".join(found)


def _axis(lines: Sequence[DomainLine]) -> LogAxis:
    """Return the axis of a chart.

    It ends a little after the last failure and not at the last tested magnitude, which may be many
    decades further.
    """
    # A failure at the smallest magnitude has a bar of length 0 and does not need room.
    least = start(lines[0].row.sweep)
    finite = [
        limit
        for line in lines
        for limit in (line.row.leaves_bound_at, line.row.breaks_at)
        if limit is not None and limit > least
    ]
    asked = max((largest for line in lines for largest in line.asked_to), default=10 * least)
    end = math.log10(max(finite)) + _AFTER if finite else math.log10(max(asked, 10 * least))
    return between(math.log10(least), end, _text, most=_TICKS)


def _text(value: float) -> str:
    return f"{value:g}" if value < 1e4 else magnitude(value)


def _unlike_first(chart: tuple[str, str, str]) -> tuple[bool, ...]:
    """Return which parts of a chart's name differ from those of the preferred first chart."""
    return tuple(mine != best for mine, best in zip(chart, _FIRST, strict=True))
