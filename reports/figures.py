"""Plotly charts of the timings: one dot for each answer, on a logarithmic axis of time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any, cast

import plotly.graph_objects as go

from .numbers import seconds
from .timings import TimingLine, TimingTable

_ROW, _MARGIN = 40, 90
_FORWARD = "forward"
# Okabe and Ito's colours, told apart by every kind of sight; shapes tell them apart too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_SHAPES = ("circle", "square", "diamond", "triangle-up", "pentagon", "hexagon")
WRONG = "x-thin"
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


def timing_figure(table: TimingTable, frameworks: tuple[str, ...]) -> dict[str, Any]:
    """Return the chart of one contest as Plotly's JSON.

    Args:
        table: what it shows.
        frameworks: all of the page, so that each keeps its colour.
    """
    labels = list(dict.fromkeys(line.label for line in table.lines))
    places = {label: -number for number, label in enumerate(labels)}
    figure = go.Figure(layout=_layout(table, places))
    for number, framework in enumerate(frameworks):
        mine = [line for line in table.lines if line.row.framework == framework]
        look = number % len(_COLOURS)
        for direction in sorted({line.row.direction for line in mine}):
            some = [line for line in mine if line.row.direction == direction]
            figure.add_trace(_trace(some, places, f"{framework}, {direction}", look))
    return cast("dict[str, Any]", json.loads(figure.to_json()))


def _trace(lines: list[TimingLine], places: dict[str, int], name: str, look: int) -> go.Scatter:
    opened = "" if lines[0].row.direction == _FORWARD else "-open"
    return go.Scatter(
        name=escape(name),
        mode="markers+text",
        x=[line.row.median for line in lines],
        y=[places[line.label] for line in lines],
        error_x={"array": [line.row.iqr / 2 for line in lines], "thickness": 1, "width": 0},
        text=[line.mark.symbol for line in lines],
        textposition="middle right",
        hovertext=[_hover(line) for line in lines],
        hoverinfo="text",
        marker={
            "size": 11,
            "color": _COLOURS[look],
            "symbol": [
                _SHAPES[look] + opened if line.row.agrees else f"{WRONG}-open" for line in lines
            ],
            "line": {"width": 2, "color": _COLOURS[look]},
        },
    )


def _hover(line: TimingLine) -> str:
    row = line.row
    return "<br>".join(
        [
            f"<b>{escape(line.label)}</b>, {escape(row.direction)}",
            f"median {seconds(row.median)}, IQR {seconds(row.iqr)}, {row.rounds} rounds",
            f"first call {seconds(row.first_call)}",
            f"verdict: {escape(row.verdict)}" + ("" if row.agrees else ": out of the ranking"),
        ]
    )


def _struck(label: str, lines: Iterable[TimingLine]) -> str:
    """Return the label, struck out where no answer under it is right."""
    right = any(line.row.agrees for line in lines if line.label == label)
    return escape(label) if right else f"<s>{escape(label)}</s>"


def _layout(table: TimingTable, places: dict[str, int]) -> dict[str, Any]:
    rows = len(places)
    return {
        "template": "none",
        "height": _MARGIN + _ROW * rows,
        "margin": {"l": 8, "r": 24, "t": 8, "b": 40},
        "legend": {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        "hovermode": "closest",
        "dragmode": False,
        "xaxis": {
            "type": "log",
            "title": {"text": "median time, s"},
            "exponentformat": "SI",
            "ticksuffix": "s",
            "fixedrange": True,
            "zeroline": False,
        },
        "yaxis": {
            "tickvals": list(places.values()),
            "ticktext": [_struck(label, table.lines) for label in places],
            "ticklabelposition": "inside top",
            "range": [0.7 - rows, 0.9],
            "fixedrange": True,
            "zeroline": False,
        },
    }
