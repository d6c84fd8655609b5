"""Draw the domain of validity with Plotly: a bar for each implementation, as far as it is right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

from .domain import Domain, DomainLine, by_way, counts, shown, start
from .figures import key
from .numbers import magnitude
from .survey import TEXTBOOK, dtype_order

_ROW, _MARGIN = 32, 60  # pixels
_LABEL, _BAR = 0.28, -0.2  # in rows: a label is above its bar
_AFTER = 0.35  # decades shown beyond the last failure
_FIRST = ("softmax", "spread", "float32")


def domain_charts(domain: Domain, frameworks: Sequence[str]) -> dict[str, Any]:
    """Return the charts by operation, sweep and dtype, and the name of the first to show.

    Args:
        domain: the searches to show.
        frameworks: all frameworks of the page, so that each has one colour in all charts.

    Returns:
        `figures`, Plotly's JSON by `OPERATION/SWEEP/DTYPE`; `first`, the name of one of them;
        `meanings`, the text for each sweep.
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
    colours = {name: colour for name, colour, _ in key(frameworks)}
    return {
        "first": "/".join(first),
        "meanings": domain.sweeps,
        "figures": {
            "/".join(chart): domain_figure(by_way(charts[chart]), colours) for chart in ordered
        },
    }


def domain_figure(lines: Sequence[DomainLine], colours: dict[str, str]) -> dict[str, Any]:
    """Return the chart of one operation, sweep and dtype as Plotly's JSON.

    The JSON is made directly: a run has some hundred charts, and the checks of Plotly's classes
    would take too long. All traces have one point for each line; the page gives them the hover
    text of the first trace.

    Args:
        lines: the implementations to show, from top to bottom.
        colours: the colour of each framework.
    """
    sweep = lines[0].row.sweep
    low, high = _range(lines)
    least, edge = start(sweep), 10**high
    places = _places(lines)
    ends = [edge if line.row.breaks_at is None else line.row.breaks_at for line in lines]
    sound = [
        end if line.row.leaves_bound_at is None else line.row.leaves_bound_at
        for line, end in zip(lines, ends, strict=True)
    ]
    # The solid part of a bar ends where the answer leaves the sound bound, the pale part where the
    # answer is wrong. A search without a wrong answer extends to the edge of the chart.
    bars = [place + _BAR for place in places]
    look = {
        "color": [colours[line.row.framework] for line in lines],
        "pattern": {
            "shape": ["/" if line.row.kind == TEXTBOOK else "" for line in lines],
            "fillmode": "overlay",
            "fgcolor": "#ffffff",
            "fgopacity": 0.75,
            "size": 5,
            "solidity": 0.45,
        },
    }
    widths = [end - least for end in sound], [e - s for e, s in zip(ends, sound, strict=True)]
    return {
        "data": [
            {**_bar(bars, widths[0], least, look), "hovertext": list(map(_hover, lines))},
            {**_bar(bars, widths[1], sound, look), "opacity": 0.35},
            {
                **_signs(bars, ends),
                "marker": {
                    "size": 9,
                    "symbol": [
                        "triangle-right" if line.row.breaks_at is None else "x" for line in lines
                    ],
                },
            },
            {**_signs(places, [10**low] * len(lines)), **_labels(lines, places)},
        ],
        "layout": _layout(lines, places, low, high),
    }


def _bar(
    places: list[float], widths: list[float], base: float | list[float], look: dict[str, Any]
) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "y": places,
        "x": widths,
        "base": base,
        "width": 0.32,
        "marker": look,
        "hoverinfo": "text",
    }


def _signs(places: list[float], at: list[float]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "y": places,
        "x": at,
        "cliponaxis": False,
        "hoverinfo": "text",
    }


def _labels(lines: Sequence[DomainLine], places: list[float]) -> dict[str, Any]:
    names = Counter(line.row.implementation for line in lines)
    return {
        "mode": "text",
        "y": [place + _LABEL for place in places],
        "text": [_label(line, names[line.row.implementation] > 1) for line in lines],
        "textposition": "middle right",
    }


def _label(line: DomainLine, modes_differ: bool) -> str:
    """Return the failing magnitude and the implementation, with its modes if they differ."""
    row = line.row
    name = escape(row.implementation + (f" · {', '.join(line.ways)}" if modes_differ else ""))
    return f"<b>{line.broken}</b> {name}" if row.breaks_at is not None else name


def _places(lines: Sequence[DomainLine]) -> list[float]:
    """Return the height of each line, with a gap above the implementations that never fail."""
    # Lines are sorted, so that those that never fail are the last ones; row 0 is at the top.
    broken = sum(line.row.breaks_at is not None for line in lines)
    return [float(-n if n < broken or not broken else -n - 1) for n in range(len(lines))]


def _hover(line: DomainLine) -> str:
    row = line.row
    found = [f"<b>{escape(row.implementation)}</b> {escape(', '.join(line.ways))}"]
    if row.leaves_bound_at is not None and row.leaves_bound_at != row.breaks_at:
        found.append(f"leaves the bound at {line.left}: {escape(row.left_by)}")
    if row.breaks_at is None:
        found.append(f"never breaks, to {line.asked}")
    else:
        quantity = escape(row.quantity.replace("_", " "))
        found.append(f"breaks at {line.broken}: {escape(row.broken_by)}, {quantity}")
    return "<br>".join(found)


def _layout(
    lines: Sequence[DomainLine], places: list[float], low: float, high: float
) -> dict[str, Any]:
    # The gap between failing implementations and the others has an annotation of its own, which
    # says how far the latter were tested.
    sweep, ticks = lines[0].row.sweep, _ticks(low, high)
    never = [line for line in lines if line.row.breaks_at is None]
    rows = 1 - min(places)
    reached = sorted({largest for line in never for largest in line.asked_to})
    text = f"never, to {' or '.join(shown(sweep, largest) for largest in reached)}"
    place = places[len(lines) - len(never)] + 1 if never else 0.0
    return {
        "height": _MARGIN + _ROW * (rows + (place > 0)),
        "margin": {"l": 8, "r": 16, "t": 8, "b": 44},
        "showlegend": False,
        "barmode": "overlay",
        "hovermode": "closest",
        "dragmode": False,
        "xaxis": {
            "type": "log",
            "range": [low - 1e-6, high + 0.02 * (high - low)],
            "tickangle": 0,
            "title": {"text": f"number of {sweep}" if counts(sweep) else "magnitude"},
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" if tick < 1e4 else magnitude(tick) for tick in ticks],
            "fixedrange": True,
            "zeroline": False,
        },
        "yaxis": {
            "visible": False,
            "range": [min(places) - 0.6, max(place, 0.0) + 0.7],
            "fixedrange": True,
        },
        "annotations": [
            {
                "text": f"<b>{text}</b> ▸",
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": place + 0.1,
                "yanchor": "middle",
                "showarrow": False,
                "borderpad": 0,
            }
        ]
        if never
        else [],
    }


def _range(lines: Sequence[DomainLine]) -> tuple[float, float]:
    """Return the limits of the axis as powers of ten.

    The axis ends a little after the last failure and not at the last tested magnitude, which may
    be many decades further.
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
    low = math.log10(least)
    end = math.log10(max(finite)) + _AFTER if finite else math.log10(max(asked, 10 * least))
    return low - 0.01 * (end - low), end


def _ticks(low: float, high: float) -> list[float]:
    """Return at most eight powers of ten, with numbers between them if there are few."""
    powers = range(math.ceil(low), math.floor(high) + 1)
    step = max(1, math.ceil(len(powers) / 8))
    # Numbers are parsed from text, because 3 * 10.0**-5 is not the number nearest to 3e-5.
    steps = (1,) if len(powers) > 3 else (1, 2, 5) if len(powers) < 3 else (1, 3)
    ticks = [float(f"{n}e{power}") for power in powers if not power % step for n in steps]
    return [tick for tick in ticks if low <= math.log10(tick) <= high]


def _unlike_first(chart: tuple[str, str, str]) -> tuple[bool, ...]:
    """Return which parts of a chart's name differ from those of the preferred first chart."""
    return tuple(mine != best for mine, best in zip(chart, _FIRST, strict=True))
