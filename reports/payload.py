"""What the page's script works on: the cells of the matrix and the findings, compactly.

Strings are kept once and named by number; a figure keeps three digits. The size of the page
is decided here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from .excerpts import Excerpt, excerpt
from .findings import detailed, measured
from .legend import mark_of
from .survey import KINDS, Found, Place, Survey, Tally, dtype_order

_NOTE, _TEXT = 400, 60
_SCRIPT = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
)


class _Names:
    """Texts, each kept once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))

    @property
    def texts(self) -> list[str]:
        return list(self._places)


class _Axes:
    """The places of a survey, by four numbers."""

    def __init__(self, survey: Survey) -> None:
        self.asked = survey.asked
        self.columns = survey.columns
        self.dtypes = sorted({place.dtype for place in survey.places}, key=dtype_order)
        self.ways = sorted({place.way for place in survey.places})
        self._asked = {asked: number for number, asked in enumerate(self.asked)}
        self._columns = {column.name: number for number, column in enumerate(self.columns)}

    def __call__(self, place: Place) -> list[int]:
        return [
            self._asked[place.asked],
            self._columns[place.column],
            self.dtypes.index(place.dtype),
            self.ways.index(place.way),
        ]


def payload(survey: Survey) -> dict[str, Any]:
    """Return what the script gets."""
    axes, verdicts, texts = _Axes(survey), _Names(), _Names()
    details = detailed(survey)
    cells = [
        [*axes(place), _size(tally.ratio), *_counts(tally, verdicts)]
        for place, tally in survey.places.items()
    ]
    findings = [_finding(found, axes, verdicts, texts) for found in details]
    return {
        "columns": [[column.name, column.group, column.why] for column in axes.columns],
        "asked": [list(asked) for asked in axes.asked],
        "kinds": KINDS,
        "dtypes": axes.dtypes,
        "ways": axes.ways,
        "cells": cells,
        "findings": findings,
        "inputs": _inputs(details, texts),
        "texts": texts.texts,
        "verdicts": [_verdict(word) for word in verdicts.texts],
        "left_out": len(survey.findings) - len(details),
    }


def to_json(data: Any) -> str:
    """Return JSON that cannot end the script element that it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_SCRIPT)


def _counts(tally: Tally, verdicts: _Names) -> list[int]:
    """Return pairs: number of the verdict, doubled, plus 1 if known; and how often."""
    return [
        number
        for judged, count in tally.counts.items()
        for number in (2 * verdicts(judged.verdict) + judged.known, count)
    ]


def _finding(found: Found, axes: _Axes, verdicts: _Names, texts: _Names) -> list[Any]:
    row = found.row
    sized = measured(row) is not None
    return [
        *axes(found.place),
        2 * verdicts(row.verdict) + row.known,
        texts(row.case),
        texts(row.quantity),
        _size(measured(row)),
        _size(row.ulp if sized else None),
        _size(row.abs_error if sized else None),
        texts(row.where[:_TEXT]),
        row.exact[:_TEXT],
        row.got[:_TEXT],
        texts(row.note[:_NOTE]),
    ]


def _inputs(details: Sequence[Found], texts: _Names) -> dict[str, list[Any]]:
    """Return the excerpts of the inputs, by the numbers of case and place."""
    result: dict[str, list[Any]] = {}
    for found in details:
        case, where = found.row.case, found.row.where
        key = f"{texts(case)},{texts(where[:_TEXT])}"
        if key not in result:
            shown = excerpt(found.run, case, where)
            result[key] = [] if shown is None else _compact(shown, texts)
    return result


def _compact(shown: Excerpt, texts: _Names) -> list[Any]:
    numbers = texts(" ".join(shown.numbers))
    return [numbers, shown.start, shown.total, shown.worst, texts(shown.target), texts(shown.row)]


def _verdict(word: str) -> list[Any]:
    mark = mark_of(word)
    return [word, mark.symbol, mark.group, mark.severity]


def _size(value: float | None) -> float | str | None:
    """Return three digits of a size that may be missing or infinite."""
    if value is None or math.isnan(value):
        return None
    rounded = float(f"{value:.3g}")  # the largest numbers round to infinity
    return rounded if math.isfinite(rounded) else "Infinity"
