"""Draw the timings with Plotly: one dot for each benchmark, on a logarithmic axis of time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, cast

import plotly.graph_objects as go

from .numbers import seconds
from .timings import TimingLine, TimingTable

_ROW, _MARGIN, _ABOVE = 44, 60, 0.2  # pixels, pixels, rows: a label is above its dots
_FORWARD = "forward"
# Okabe and Ito's colours, which all kinds of colour vision distinguish; the shapes differ as well.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_SHAPES = ("circle", "square", "diamond", "triangle-up", "pentagon", "hexagon")
_SIGNS = "●■◆▲⬟⬢"  # the same shapes as text, for the legend
CONFIG = {
    "displaylogo": False,
    "displayModeBar": False,
    "responsive": True,
    "scrollZoom": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "showTips": False,
    "topojsonURL": "",
}


def key(frameworks: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the legend: each framework with its colour and its sign.

    >>> key(["jax", "torch"])
    [('jax', '#0072B2', '●'), ('torch', '#D55E00', '■')]
    """
    looks = [number % len(_COLOURS) for number in range(len(frameworks))]
    return [(name, _COLOURS[n], _SIGNS[n]) for name, n in zip(frameworks, looks, strict=True)]


def timing_figure(table: TimingTable, frameworks: Sequence[str]) -> dict[str, Any]:
    """Return the chart of one contest as Plotly's JSON.

    Args:
        table: the timings to show.
        frameworks: all frameworks of the page, so that each has one colour in all charts.
    """
    # A trace has one colour and shape for all of its dots in the legend and in hover texts, so that
    # each framework, direction and correctness gets a trace of its own.
    labels = list(dict.fromkeys(line.label for line in table.lines))
    places = {label: -number for number, label in enumerate(labels)}
    figure = go.Figure(layout=_layout(table, places))
    for number, framework in enumerate(frameworks):
        mine = [line for line in table.lines if line.row.framework == framework]
        for like in sorted({_like(line) for line in mine}):
            some = [line for line in mine if _like(line) == like]
            figure.add_trace(_trace(some, places, number % len(_COLOURS)))
    return cast("dict[str, Any]", json.loads(figure.to_json()))


def _like(line: TimingLine) -> tuple[str, str]:
    return line.fault, line.row.direction


def _trace(lines: list[TimingLine], places: dict[str, int], look: int) -> go.Scatter:
    """Return the dots of one framework and direction, all of the same fault or of none."""
    # What takes no rank is a cross and a backward pass is hollow, in the colour of the framework:
    # each property has a channel of its own.
    row, fault = lines[0].row, lines[0].fault
    shape = "x" if fault else _SHAPES[look]
    return go.Scatter(
        name=escape(f"{row.framework}, {row.direction}{f', {fault}' if fault else ''}"),
        mode="markers+text",
        x=[line.row.median for line in lines],
        y=[places[line.label] for line in lines],
        error_x={
            "array": [line.row.high - line.row.median for line in lines],
            "arrayminus": [line.row.median - line.row.low for line in lines],
            "thickness": 1,
            "width": 0,
        },
        text=[f"<b>{line.mark.symbol}</b>" for line in lines],
        textposition="bottom center",
        hovertext=[_hover(line) for line in lines],
        hoverinfo="text",
        marker={
            "size": 11,
            "color": _COLOURS[look],
            "symbol": shape if row.direction == _FORWARD else f"{shape}-open",
            "line": {"width": 2, "color": _COLOURS[look]},
        },
    )


def _hover(line: TimingLine) -> str:
    row = line.row
    return "<br>".join(
        [
            f"<b>{escape(line.label)}</b>, {escape(row.direction)}",
            f"median {seconds(row.median)}, passes from {seconds(row.low)} to {seconds(row.high)}",
            f"IQR {seconds(row.iqr)}, {row.rounds} rounds in {row.passes} passes",
            f"first call {seconds(row.first_call)}",
            f"verdict: {escape(row.verdict)}"
            + (f", {line.fault}: out of the ranking" if line.fault else ""),
        ]
    )


def _struck(label: str, lines: Iterable[TimingLine]) -> str:
    """Return the label, struck out if nothing under it takes a rank."""
    right = any(not line.fault for line in lines if line.label == label)
    return escape(label) if right else f"<s>{escape(label)}</s>"


def _annotation(text: str, place: int) -> dict[str, Any]:
    """Return a label above its line, where it is readable at any width of the page."""
    return {
        "text": text,
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": place + _ABOVE,
        "yanchor": "bottom",
        "showarrow": False,
        "borderpad": 0,
    }


def _layout(table: TimingTable, places: dict[str, int]) -> dict[str, Any]:
    # Labels are annotations above the lines and not ticks: on a narrow screen the long names of
    # functions would leave no room for the dots.
    rows = len(places)
    low, high = _range([line.row.median for line in table.lines])
    ticks = _ticks(low, high)
    return {
        "template": go.layout.Template(),  # empty, or Plotly adds its default of several kB
        "height": _MARGIN + _ROW * rows,
        "margin": {"l": 8, "r": 24, "t": 8, "b": 40},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "xaxis": {
            "type": "log",
            "range": [low, high],
            "tickangle": 0,
            "title": {"text": "median time"},
            "tickvals": ticks,
            "ticktext": [seconds(tick) for tick in ticks],
            "fixedrange": True,
            "zeroline": False,
        },
        "annotations": [
            _annotation(_struck(label, table.lines), place) for label, place in places.items()
        ],
        "yaxis": {
            "tickvals": [place + _ABOVE for place in places.values()],
            "showticklabels": False,
            "range": [0.3 - rows, 0.9],
            "fixedrange": True,
            "zeroline": False,
        },
    }


def _range(times: list[float]) -> tuple[float, float]:
    """Return the limits of the axis of time as powers of ten, with a margin."""
    # A time of 0 cannot be placed on a logarithmic axis; a median below the clock's tick may be 0.
    positive = [math.log10(time) for time in times if time > 0] or [0.0]
    return min(positive) - 0.15, max(positive) + 0.15


def _ticks(low: float, high: float) -> list[float]:
    """Return round times between two powers of ten: the coarsest steps that give three or more."""
    # Fewer than three ticks do not show that the axis is logarithmic.
    ticks: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5)):
        powers = range(math.floor(low), math.ceil(high) + 1)
        ticks = [float(f"{step}e{power}") for power in powers for step in steps]
        ticks = [tick for tick in ticks if low <= math.log10(tick) <= high]
        if len(ticks) > 2:
            break
    return ticks
