"""Compute the data of the page's scripts: the cells of the matrix and the findings, compactly.

Each text is stored once and referred to by its number, and numbers have three digits. This module
decides the size of the page, which may have thousands of findings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from ..cases.dtypes import FORMATS
from ..cases.model import forget_inputs
from ..harness.causes import label_of, labels_of, library_of, library_rank
from .excerpts import Excerpt, excerpt
from .findings import detailed, measured
from .legend import mark_of
from .survey import KINDS, TEXTBOOK, Asked, Found, Place, Survey, Tally, dtype_order
from .tables import without_traces
from .witnesses import witnesses

EXAMPLES = 9000  # cells that hold no finding show one of their answers as long as there is room
_NOTE, _TEXT = 400, 60  # characters of a note, and of another text
_LARGEST = 1e300  # errors beyond it are capped by the range of float64
_NARROW = 16  # bits of a number that is told apart from those of float32 and float64
# `</script>` and `<!--` would end the element or change its meaning. The line separators U+2028 and
# U+2029 are allowed in JSON, but were no part of strings in older JavaScript.
_SCRIPT = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
        # JSON may hold these, and whatever shows the file might obey them.
        **{chr(code): f"\\u{code:04x}" for code in range(0x7F, 0xA0)},
    }
)


class _Names:
    """A table of texts without repetition; calling it returns the number of a text."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))

    @property
    def texts(self) -> list[str]:
        return list(self._places)


class _Axes:
    """The axes of the matrix; calling it returns a place as four positions on them."""

    def __init__(self, survey: Survey) -> None:
        self.runs = list(survey.runs)
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
    """Return the data of the page's scripts.

    Args:
        survey: the surveyed runs.

    Returns:
        Lists and dictionaries of numbers and texts, which `state.js` reads by position.
    """
    # The tables of texts are complete only when everything that refers to them has been made, so
    # the cells and findings are computed before the dictionary is.
    axes, verdicts, texts = _Axes(survey), _Names(), _Names()
    details = detailed(survey)
    examples = _examples(survey)
    shown = [*details, *examples]
    cells = [
        [*axes(place), _size(tally.ratio), *_counts(tally, verdicts)]
        for place, tally in survey.places.items()
    ]
    findings = [_finding(found, axes, verdicts, texts) for found in details]
    others = [_finding(found, axes, verdicts, texts) for found in examples]
    who = _witnesses(survey, shown, verdicts, texts)
    return {
        "columns": [[column.name, column.group, column.why] for column in axes.columns],
        "asked": [[*asked, label_of(asked.name, asked.framework)] for asked in axes.asked],
        "libraries": _libraries(axes.asked),
        "kinds": KINDS,
        "dtypes": axes.dtypes,
        "ways": axes.ways,
        "cells": cells,
        "findings": findings,
        "examples": others,
        "who": who,
        "runs": [run.path.name for run in survey.runs],
        "narrow": [dtype for dtype in axes.dtypes if _is_narrow(dtype)],
        "inputs": _inputs(shown, texts),
        "texts": texts.texts,
        "verdicts": [_verdict(word) for word in verdicts.texts],
        "left_out": len(survey.findings) - len(details),
    }


def _libraries(asked: Iterable[Asked]) -> list[list[str]]:
    """Return the libraries that were asked, in their order, each with its framework."""
    found = {(library_rank(library_of(it.name, it.framework)), it.framework): it for it in asked}
    frameworks = [it.framework for _, it in sorted(found.items())]
    labels = {label_of(it.name, it.framework) for it in asked}
    return [
        [label, framework]
        for framework in dict.fromkeys(frameworks)
        for label in labels_of(framework)
        if label in labels
    ]


def _is_narrow(dtype: str) -> bool:
    return dtype in FORMATS and 8 * FORMATS[dtype].dtype.itemsize <= _NARROW


def _examples(survey: Survey) -> list[Found]:
    """Return the worst answer of each cell, dtype and verdict that is no finding.

    The gravest verdicts come first, and textbook formulas last, as far as there is room.
    """
    items = sorted(
        survey.examples.items(),
        key=lambda item: (item[0].asked.kind == TEXTBOOK, -mark_of(item[1].row.verdict).severity),
    )
    return [found for _, found in items[:EXAMPLES]]


def _witnesses(
    survey: Survey, shown: Sequence[Found], verdicts: _Names, texts: _Names
) -> dict[str, list[list[int]]]:
    """Return who else was asked, by the numbers of case and quantity.

    A list has the number of a verdict, then the numbers of the implementations. Textbook formulas,
    which are there to be wrong, are left out.
    """
    places = {asked: n for n, asked in enumerate(survey.asked) if asked.kind != TEXTBOOK}
    wanted = {(found.row.case, found.row.quantity) for found in shown}
    found = witnesses(survey.runs, places, wanted)
    return {
        f"{texts(case)},{texts(quantity)}": [
            [verdicts(word), *sorted(places[who] for who in members)]
            for word, members in sorted(found.get((case, quantity), {}).items())
            if mark_of(word).group != "neutral"
        ]
        for case, quantity in sorted(wanted)
    }


def to_json(data: Any) -> str:
    r"""Return compact JSON that cannot end the script element that contains it.

    >>> print(to_json(["</script>"]))
    ["\u003c/script\u003e"]
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A page is UTF-8, which has no lone surrogates; JSON writes them as escapes.
    return text.encode(errors="backslashreplace").decode().translate(_SCRIPT)


def _counts(tally: Tally, verdicts: _Names) -> list[int]:
    """Return for each verdict twice its number, plus 1 if it is known, and its count."""
    return [
        number
        for judged, count in tally.counts.items()
        for number in (2 * verdicts(judged.verdict) + judged.known, count)
    ]


def _finding(found: Found, axes: _Axes, verdicts: _Names, texts: _Names) -> list[Any]:
    # The order of the items is that in which `state.js` reads them.
    row = found.row
    sized = measured(row) is not None or mark_of(row.verdict).group != "finding"
    return [
        *axes(found.place),
        2 * verdicts(row.verdict) + row.is_settled,
        texts(row.case),
        texts(row.quantity),
        _size(row.ratio if sized else None),
        _size(row.ulp if sized else None),
        _size(row.abs_error if sized else None),
        texts(row.where[:_TEXT]),
        row.exact[:_TEXT],
        row.got[:_TEXT],
        texts(without_traces(row.note)[:_NOTE]),
        axes.runs.index(found.run),
    ]


def _inputs(details: Sequence[Found], texts: _Names) -> dict[str, list[Any]]:
    """Return the excerpts of the inputs, by the numbers of case and place.

    Findings of several implementations often share a case and a place, and then an excerpt.
    """
    result: dict[str, list[Any]] = {}
    # Drawing the inputs of a case is the slow part, and they may be large: one case at a time.
    for case, members in groupby(sorted(details, key=_case_of), _case_of):
        for found in members:
            where = found.row.where
            key = f"{texts(case)},{texts(where[:_TEXT])}"
            if key not in result:
                shown = excerpt(found.run, case, where)
                result[key] = [] if shown is None else _compact(shown, texts)
        forget_inputs()
    return result


def _case_of(found: Found) -> str:
    return found.row.case


def _compact(shown: Excerpt, texts: _Names) -> list[Any]:
    numbers = texts(" ".join(shown.numbers))
    return [numbers, shown.start, shown.total, shown.worst, texts(shown.target), texts(shown.row)]


def _verdict(word: str) -> list[Any]:
    mark = mark_of(word)
    return [word, mark.symbol, mark.group, mark.severity]


def _size(value: float | None) -> float | str | None:
    """Return a size with three digits; JSON has no infinity, which becomes a text."""
    if value is None or math.isnan(value):
        return None
    rounded = float(f"{value:.3g}")  # the largest numbers round to infinity
    return rounded if abs(rounded) < _LARGEST else "Infinity"
