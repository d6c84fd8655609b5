"""Every number of the timings can be found in the raw data: recomputed here from rounds alone.

Nothing of the harness computes what is expected; the run file is read with sqlite3.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.runfile.timing_rows import MemoryRow, PassRow, ProcessRow
from lossdiff.harness.timing.results import summaries
from lossdiff.reports.html import render

CASES = {
    "softmax/float32/50000x10/normal/-/0": {"forward": 2 * 2_000_000},
    "cross_entropy/index.random/float32/64x10/normal/-/0": {
        "forward": 2560 + 64 * 8 + 4, "forward+backward": 2560 + 64 * 8 + 4 + 4 + 2560,
    },
}  # fmt: skip
NAMES = {"torch": "torch.nn.functional.f", "jax": "jax.nn.f", "numpy": "numpy.recipes.f"}
WRONG = "numpy"
PASSES = 3
UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def processes() -> Iterator[ProcessRow]:
    draws = np.random.default_rng(5)
    for number, (turn, framework) in enumerate(itertools.product(range(PASSES), NAMES), 1):
        copies = (0.01 * draws.uniform(0.8, 1.2, 7)).tolist()
        yield ProcessRow(number, turn + 1, framework, "cpu", "one", 1, 1e8 / median(copies), copies,
                         [1e-5], 0.5, "", {}, "")  # fmt: skip


def passes() -> Iterator[PassRow]:
    draws = np.random.default_rng(6)
    for process in processes():
        name = NAMES[process.framework]
        for case, directions in CASES.items():
            states = ("hot", "cold") if "50000" in case else ("hot",)
            for direction, cache in itertools.product(directions, states):
                times = draws.uniform(1, 2) * 1e-3 * draws.uniform(1, 1.5, 7 + process.number)
                wrong = process.framework == WRONG and process.pass_number == 2
                yield PassRow(
                    process.number, case, name, process.framework, "eager", "cpu", direction,
                    "one", cache, times.tolist(), [1],
                    draws.uniform(0.1, 0.5) if process.pass_number == 1 else None,
                    draws.uniform(1e-4, 5e-4) if process.framework == "torch" else None,
                    int(draws.integers(1e5, 1e6)) if process.framework == "jax" else None,
                    "xla" if process.framework == "jax" else "", {},
                    "inaccurate" if wrong else "faithful",
                )  # fmt: skip


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traced") / "run.sqlite"
    with RunFile.create(path) as run:
        run.set_meta(suite="bench")
        raw = list(passes())
        row = VerdictRow("", "softmax", None, "normal", "64x10", "float32", {}, "", "", "native",
                         "eager", "cpu", "value", "faithful")  # fmt: skip
        asked = {(it.case, it.implementation, it.framework) for it in raw}
        run.add([replace(row, case=case, implementation=name, framework=framework)
                 for case, name, framework in sorted(asked)])  # fmt: skip
        run.add(list(processes()))
        run.add(raw)
        run.add([MemoryRow(it.case, it.implementation, "torch", "eager", "cpu", it.direction, "one",
                           4_200_000) for it in raw if it.framework == "torch"])  # fmt: skip
        run.add(summaries(run))
    return path


# --- what the page shows ---------------------------------------------------------------------


@dataclass
class Plot:
    """The dot and the bar of one row: places in percent, and what is told when one points at it."""

    told: str
    dot: float = math.nan
    range: tuple[float, float] = (math.nan, math.nan)


@dataclass
class Shown:
    """One table: its summary, and its rows, each with the heading that it stands under."""

    summary: str = ""
    rows: list[tuple[str, list[str]]] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)


class Section(HTMLParser):
    """The tables of the timings, and all text beside them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[Shown] = []
        self.beside = self.lead = ""
        self._inside, self._place, self._under = False, "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self._inside = given.get("id") == "timings"
        if not self._inside:
            return
        if tag == "details":
            self.tables.append(Shown())
            self._under = ""
        elif tag == "tr":
            self._place = "sub" if given.get("class") == "sub" else "row"
            self._under = "" if self._place == "sub" else self._under
            if self._place == "row":
                self.tables[-1].rows.append((self._under, []))
        elif self._place == "row":
            self._cell(tag, given)
        elif tag in ("summary", "thead", "p"):
            self._place = given.get("class") or "" if tag == "p" else tag

    def _cell(self, tag: str, given: dict[str, str | None]) -> None:
        table = self.tables[-1]
        if tag in ("td", "th"):
            table.rows[-1][1].append("")
            if "title" in given:
                table.plots.append(Plot(given["title"] or ""))
        elif tag == "i" and "class" in given:  # an axis has bare ones
            self._plot(given["class"] or "", given["style"] or "")
        elif tag == "small":
            table.rows[-1][1][-1] += " "

    def _plot(self, what: str, style: str) -> None:
        places = [float(it) for it in re.findall(r"[\d.]+", style)]
        if what == "range":
            self.tables[-1].plots[-1].range = (places[0], places[0] + places[1])
        else:
            self.tables[-1].plots[-1].dot = places[0]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("tr", "summary", "thead", "p"):
            self._place = ""
        if tag == "section":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside and self._place == "lead":
            self.lead += data
        elif self._inside and self._place == "sub":
            self._under += data
        elif self._inside and self._place == "summary":
            self.tables[-1].summary += data
        elif self._inside and self._place == "row" and self.tables[-1].rows[-1][1]:
            self.tables[-1].rows[-1][1][-1] += data
        elif self._inside:
            self.beside += data


@pytest.fixture(scope="module")
def section(run_file: Path) -> Section:
    with RunFile.open(run_file) as run:
        found = Section(render([run]))
    for table in found.tables:
        table.rows = [(under, cells) for under, cells in table.rows if under]  # none of a head
    return found


def value(text: str) -> float:
    """Read a number, with its unit if it has one."""
    number, _, unit = text.strip().partition(" ")
    return float(number.replace(",", "")) * UNITS.get(unit.split("/")[0], 1.0)


def reads(text: str, expected: float | None) -> bool:
    """Whether a text says a number, to three digits."""
    if expected is None or text.strip() == "–":
        return expected is None and text.strip() == "–"
    return value(text) == pytest.approx(expected, rel=0.006)


# --- what the raw rows say -------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    """One benchmark, from its rounds."""

    rounds: tuple[tuple[float, ...], ...]
    first_calls: tuple[float, ...]
    device_times: tuple[float, ...]
    copies: tuple[float, ...]
    memory: int | None
    wrong: bool

    @property
    def medians(self) -> list[float]:
        return [median(one) for one in self.rounds]

    @property
    def time(self) -> float:
        return median(self.medians)


def raw_of(path: Path, framework: str, case: str, direction: str, cache: str) -> Raw:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute(
            'SELECT passes.*, processes.copies FROM passes JOIN processes ON process = number '
            'WHERE passes.framework = ? AND "case" = ? AND direction = ? AND cache = ?',
            (framework, case, direction, cache),
        ).fetchall()  # fmt: skip
        of_process = connection.execute(
            'SELECT memory FROM memory WHERE framework = ? AND "case" = ? AND direction = ?',
            (framework, case, direction),
        ).fetchone()
    connection.close()
    memory = [row["memory"] for row in rows if row["memory"] is not None]
    return Raw(
        tuple(tuple(json.loads(row["times"])) for row in rows),
        tuple(row["first_call"] for row in rows if row["first_call"] is not None),
        tuple(row["device_time"] for row in rows if row["device_time"] is not None),
        tuple(1e8 / median(json.loads(row["copies"])) for row in rows),
        max(memory) if memory else of_process[0] if of_process else None,
        any(row["verdict"] == "inaccurate" for row in rows),
    )


def contests(section: Section) -> Iterator[tuple[str, str, str, int, list[list[str]]]]:
    """Case, direction, cache, bytes moved, and the rows of each contest that is shown."""
    for table in section.tables:
        case = next(it for it in CASES if it.partition("/")[0] == table.summary.split()[0])
        cache = "cold" if " cold," in table.summary else "hot"
        for under, rows in itertools.groupby(table.rows, key=lambda it: it[0]):
            direction = under.partition(":")[0]
            moved = CASES[case][direction]
            assert reads(under.rpartition("at least ")[2], moved)
            yield case, direction, cache, moved, [cells for _, cells in rows]


# --- the two together ------------------------------------------------------------------------


def test_all_benchmarks_are_there_and_no_number_stands_beside_them(section: Section) -> None:
    shown = [(case, direction, cache) for case, direction, cache, _, _ in contests(section)]

    assert len(shown) == len(set(shown)) == 4
    assert not re.search(r"\d", section.beside)
    for table in section.tables:
        size = re.sub(r"float32", "", table.summary)
        counted = int(size.rpartition(",")[2].split()[0])
        shape = [int(it) for it in re.findall(r"\d+", size.rpartition(",")[0])]
        assert (counted, shape) == (len(table.rows), [50000, 10] if "50000" in size else [64, 10])


def test_every_number_of_a_line_is_made_of_its_rounds(section: Section, run_file: Path) -> None:
    for case, direction, cache, moved, lines in contests(section):
        for cells in lines:
            framework = cells[1].split()[-3]
            raw = raw_of(run_file, framework, case, direction, cache)
            rounds, bandwidth = sum(map(len, raw.rounds)), median(raw.copies)
            time, _, device = cells[4].partition("device")
            low, _, high = cells[8].partition(" – ")
            of_copy, _, by = cells[9].partition("%")
            assert reads(time, raw.time)
            assert reads(device or "–", median(raw.device_times) if raw.device_times else None)
            assert reads(low, min(raw.medians))
            assert reads(high, max(raw.medians))
            if cache == "cold":
                assert reads(of_copy, 100 * moved / raw.time / bandwidth)
                assert reads(by.removeprefix(" of ").strip().removeprefix("of "), bandwidth)
            else:
                assert cells[9].strip() == "–"
            assert reads(cells[10], rounds)
            assert reads(cells[7], median(raw.first_calls))
            assert reads(re.sub("xla|process", "", cells[6]), raw.memory)
            assert len(cells) == 11


def test_ranks_and_ratios_are_those_of_the_right_answers(section: Section, run_file: Path) -> None:
    for case, direction, cache, _, lines in contests(section):
        raws = {name: raw_of(run_file, name, case, direction, cache) for name in NAMES}
        right = sorted(raw.time for raw in raws.values() if not raw.wrong)
        for cells in lines:
            raw = raws[cells[1].split()[-3]]
            assert ("inaccurate" in cells[2]) == raw.wrong
            assert reads(cells[0], None if raw.wrong else right.index(raw.time) + 1)
            assert reads(cells[5], None if raw.wrong else raw.time / right[0])


def test_dots_and_bars_stand_where_their_times_are(section: Section, run_file: Path) -> None:
    for table, found in itertools.groupby(contests(section), key=lambda it: (it[0], it[2])):
        plots = iter(next(it for it in section.tables if _is_of(it, *table)).plots)
        places: list[tuple[float, float]] = []
        for case, direction, cache, _, lines in found:
            for cells, plot in zip(lines, plots, strict=False):
                raw = raw_of(run_file, cells[1].split()[-3], case, direction, cache)
                _told(plot.told, raw)
                ends = (min(raw.medians), max(raw.medians))
                places += zip(
                    map(math.log, (raw.time, *ends)), (plot.dot, *plot.range), strict=True
                )
        (one, at), (other, end) = min(places), max(places)
        for log, place in places:
            assert place == pytest.approx(at + (log - one) / (other - one) * (end - at), abs=0.05)


def _is_of(table: Shown, case: str, cache: str) -> bool:
    return table.summary.split()[0] == case.partition("/")[0] and f" {cache}," in table.summary


def _told(told: str, raw: Raw) -> None:
    said = r"median (.*), passes from (.*) to (.*), IQR (.*), (\d+) rounds in (\d+) passes"
    match = re.fullmatch(said, told)
    assert match
    time, low, high, iqr, rounds, number = match.groups()
    spreads = [quantiles(one, n=4, method="inclusive") for one in raw.rounds]
    assert reads(time, raw.time)
    assert reads(low, min(raw.medians))
    assert reads(high, max(raw.medians))
    assert reads(iqr, median(three - one for one, _, three in spreads))
    assert (int(rounds), int(number)) == (sum(map(len, raw.rounds)), len(raw.rounds))


def test_cross_entropy_comes_first_and_its_story_is_that_of_its_rows(
    section: Section, run_file: Path
) -> None:
    case = next(it for it in CASES if it.startswith("cross_entropy"))
    assert section.tables[0].summary.startswith("cross_entropy")
    for direction in CASES[case]:
        slow, fast = (raw_of(run_file, name, case, direction, "hot") for name in ("torch", "jax"))
        slow, fast = sorted((slow, fast), key=lambda raw: -raw.time)
        told = re.search(
            rf"(\w+) takes (\S+) times as long as (\w+) for {re.escape(direction)},", section.lead
        )
        assert told
        assert float(told[2]) == pytest.approx(slow.time / fast.time, rel=0.006)
        assert {told[1], told[3]} == {"PyTorch", "JAX"}
    assert "one thread" in section.beside
