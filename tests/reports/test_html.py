from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.resume_rows import IncidentRow
from lossdiff.harness.runfile.rows import ExampleAnswerRow, ExampleRow, VerdictRow, WorkerRow
from lossdiff.harness.verdicts import VERDICTS, kind_of
from lossdiff.reports.causes import causes
from lossdiff.reports.html import render, write_report
from lossdiff.reports.legend import MARKS
from lossdiff.reports.numbers import percent
from lossdiff.reports.payload import to_json

from lossdiff.errors import RunFileError

from . import sample

FETCHING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}
SECTIONS = [
    "summary", "matrix", "findings", "functions", "explained", "accuracy", "agreement",
    "conventions", "porting", "worked", "relations", "textbook", "timings", "trust",
]  # fmt: skip


class Reader(HTMLParser):
    """What a page holds: text by section, attributes, scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: dict[str, str] = {}
        self.tags: list[str] = []
        self._section = self._script = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
        if tag == "script":
            self._script = dict(attrs).get("id") or f"script {len(self.scripts)}"

    def handle_endtag(self, tag: str) -> None:
        if tag == "section":
            self._section = ""
        if tag == "script":
            self._script = ""

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        elif self._section:
            self.sections[self._section] = self.sections.get(self._section, "") + data

    @property
    def data(self) -> dict[str, Any]:
        """What the script works on."""
        result: dict[str, Any] = json.loads(self.scripts["data"])
        return result


@pytest.fixture(scope="session")
def page(report: Path) -> Reader:
    return Reader(report.read_text(encoding="utf-8"))


def count(run: RunFile, where: str) -> int:
    return sum(1 for _ in run.rows(VerdictRow, where))


def test_sections_stand_in_the_order_of_reading(page: Reader) -> None:
    at = SECTIONS.index("timings")
    with_domain = [*SECTIONS[:at], "domain", *SECTIONS[at:]]
    assert list(page.sections) == with_domain


def test_the_first_screen_counts_what_the_run_holds(page: Reader, run: RunFile) -> None:
    rows = [row for row in run.rows(VerdictRow) if row.kind != "textbook"]
    groups = Counter(MARKS[kind_of(row.verdict).word].group for row in rows)
    judged = groups.total() - groups["neutral"]
    found = [row for row in run.rows(VerdictRow) if kind_of(row.verdict).category == "finding"]
    new = sum(not row.known for row in found)
    text = " ".join(page.sections["summary"].split())
    assert f"answers judged{judged:,}" in text
    assert f"right{percent(groups['agree'], judged)}" in text
    assert f"explained{percent(groups['explained'], judged)}" in text
    assert f"wrong{groups['finding']:,}" in text
    assert f"{new} new found by this run, and in no ledger" in text
    assert "textbook formulas were asked as well" in text
    assert "functions of NumPy, SciPy, PyTorch, JAX, TensorFlow" in text


def test_two_runs_say_what_became_worse_and_better(sample_path: Path, tmp_path: Path) -> None:
    rows = [replace(row, verdict="exact") for row in sample.verdicts() if row.verdict == "faithful"]
    rows = [replace(rows[0], verdict="inaccurate"), *rows[1:]]
    with (
        RunFile.open(sample_path) as old,
        RunFile.create(tmp_path / "new.sqlite") as new,
    ):
        new.add(rows)
        text = " ".join(Reader(render([old, new])).sections["summary"].split())
        assert "Since" not in Reader(render([new])).sections["summary"]
    assert f"Since sample.sqlite {len(rows):,} answers in both runs." in text
    assert "1 worse" in text
    assert f"{rows[0].implementation}, {rows[0].mode}: faithful → inaccurate (1 answer" in text


def test_parts_of_one_run_are_no_comparison(tmp_path: Path) -> None:
    rows = list(sample.verdicts())
    with (
        RunFile.create(tmp_path / "a.sqlite") as one,
        RunFile.create(tmp_path / "b.sqlite") as two,
    ):
        one.add([row for row in rows if row.dtype == "float32"])
        two.add([row for row in rows if row.dtype != "float32"])
        assert "Since" not in Reader(render([one, two])).sections["summary"]


def test_every_verdict_is_counted_once_in_the_cells(page: Reader, run: RunFile) -> None:
    counted = sum(sum(cell[6::2]) for cell in page.data["cells"])
    assert count(run, "1") == counted


def test_every_finding_stands_in_the_data_with_its_inputs(page: Reader, run: RunFile) -> None:
    data = page.data
    words = {word for word, mark in MARKS.items() if mark.group == "finding"}
    expected = sum(kind_of(row.verdict).word in words for row in run.rows(VerdictRow))
    assert expected == len(data["findings"])
    for finding in data["findings"]:
        numbers, _, total, *_ = data["inputs"][f"{finding[5]},{finding[10]}"]
        assert total == 12
        assert len(data["texts"][numbers].split()) == 8


def test_legend_names_every_verdict(page: Reader) -> None:
    assert VERDICTS.keys() == MARKS.keys()
    for mark in MARKS.values():
        assert mark.word in page.sections["summary"]
    assert len({mark.symbol for mark in MARKS.values()}) == len(MARKS)


def test_explained_differences_are_ranked_by_error_over_bound(page: Reader, run: RunFile) -> None:
    explained = page.sections["explained"]
    largest = max(row.ratio or 0 for row in run.rows(VerdictRow, "verdict = 'formula'"))
    assert f"{largest:.3g}" in explained
    assert "formula" in explained


def test_conventions_stand_side_by_side(page: Reader) -> None:
    text = " ".join(page.sections["conventions"].split())
    assert "no agreed answer" in text
    assert "no agreed answer; NaN was given" in text
    assert "no agreed answer; 0 was given" in text


def test_all_worked_examples_are_shown(page: Reader) -> None:
    assert "25 values that tutorials print" in page.sections["worked"]
    assert "sigmoid(z) = softmax([0, z])" in page.sections["worked"]
    assert "3 of 4 hold" in page.sections["worked"]
    assert "shift" not in page.sections["worked"]


def test_relations_name_those_that_fail(page: Reader) -> None:
    text = " ".join(page.sections["relations"].split())
    assert "shift adding one number to all logits of a row changes nothing" in text
    assert "(of 4 textbook formulas 4 fail it)" in text
    assert "jax1 11 formula 1360 who fails 1" in text
    assert "12.5 times the bounds" in text
    assert "torch112.40×10⁻⁷260 who gives other bits 1" in text
    assert "value 1 time, 2.40×10⁻⁷ apart at most" in text


def test_calls_that_are_not_repeatable_have_no_ratio(page: Reader) -> None:
    assert "nondeterministic" not in page.sections["explained"]
    assert "∞" not in page.sections["explained"]


def test_the_domain_shows_who_breaks_and_who_never(page: Reader) -> None:
    text = " ".join(page.sections["domain"].split())
    assert "torch.textbook.softmax_unshifted textbooktorch 88.7 N nonfinitegradient logits" in text
    assert "65,520" in text
    assert "wrong from the start" in text
    assert "the largest logit, the others less than 1 below it" in text
    assert sample.HOSTILE.split(".", maxsplit=1)[0] in text


def test_a_run_without_searches_has_no_domain(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add(list(sample.verdicts())[:3])
        page = render([run])
    assert list(Reader(page).sections) == SECTIONS
    assert 'href="#domain"' not in page


def test_a_run_of_searches_alone_says_so(tmp_path: Path) -> None:
    rows = list(sample.domains())
    never = sum(row.breaks_at is None for row in rows)
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add(rows)
        only = Reader(render([run]))
    assert f"{never} of {len(rows)} searches never break." in only.sections["summary"]
    assert "It holds no verdicts" in only.sections["summary"]
    charts = json.loads(only.scripts["charts"])
    assert charts["first"] == "softmax/spread/float32"
    assert charts["first"] in charts["charts"]


def test_textbook_formulas_break_where_the_native_function_does_not(page: Reader) -> None:
    text = " ".join(page.sections["textbook"].split())
    assert "softmax_unshifted" in text
    assert "Wrong on 3 of 7 families" in text
    assert "; right on normal, neg_inf, nan" in text
    assert "none of them breaks on these" in text


def test_the_page_lists_what_bench_has_left_out(tmp_path: Path) -> None:
    """An incident of a worker is none: its question has a verdict."""
    case = "softmax/float32/4x10/normal/-/0"
    hangs, raises = (
        IncidentRow("numpy", "cpu", f"mine.{name}", "eager", case, what, outcome)
        for name, what, outcome in (
            ("softmax", "no result within 3 s", "forward is not timed"),
            ("softmax_b", "ValueError: <b>enough</b>", "forward+backward is not timed any further"),
        )
    )
    asked = replace(hangs, implementation="mine.softmax_c", outcome="asked again, alone")
    many = [replace(hangs, implementation=f"mine.softmax_{place}") for place in range(1000)]
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([hangs, raises, asked])
        few = Reader(render([run, run])).sections["timings"]
        run.add(many)
        all_ = Reader(render([run])).sections["timings"]

    text = " ".join(few.split())
    assert "Nothing was timed in this run." in text
    assert text.count("no result within 3 s") == 1
    assert "forward+backward is not timed any furtherValueError: <b>enough</b>" in text
    assert "mine.softmax_c" not in text
    assert "more, in the table" not in text
    assert "And 902 more, in the table incidents" in " ".join(all_.split())


def test_a_wrong_answer_has_no_rank_in_the_timings(page: Reader) -> None:
    text = " ".join(page.sections["timings"].split())
    title = "forward: value, at least 256 kB "
    forward = text.split(title)[1].split("forward+backward")[0]
    assert forward.startswith("1 torch")
    assert "– scipy.special.cross_entropy numpy · eager I inaccurate" in forward
    assert "% of 12 GB/s" in forward


def test_environment_says_who_was_absent(page: Reader) -> None:
    text = page.sections["trust"]
    assert "torch sees no GPU" in text
    assert "lossdiff check --suite quick" in text
    assert "0.10.2" in text


def test_nothing_is_fetched(page: Reader) -> None:
    assert not [found for found in page.attributes if found[1] in FETCHING]
    for _, name, value in page.attributes:
        assert name != "href" or value.startswith(("#", "data:,"))
    policies = [value for tag, name, value in page.attributes if (tag, name) == ("meta", "content")]
    assert any("default-src 'none'" in policy for policy in policies)


def test_hostile_strings_stay_text(page: Reader) -> None:
    assert "img" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.tags.count("script") == 3  # data, charts, ours
    assert sample.HOSTILE in page.data["texts"]
    assert "</script><script>window.hacked" in page.sections["summary"]


def test_a_page_has_no_control_characters(tmp_path: Path) -> None:
    """HTML has no place for most of them, and a terminal that shows the file would obey."""
    hostile = "a\x00\x1b[2J\x07\x9b\u202e"
    row = VerdictRow(
        "softmax/float32/4x10/normal/-/0", "softmax", None, "normal", "4x10", "float32", {},
        f"numpy.{hostile}", "numpy", "user", "eager", "cpu", "value", "inaccurate", note=hostile,
        got=hostile,
    )  # fmt: skip
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.set_meta(suite="quick", label=hostile, command=hostile)
        workers = [
            WorkerRow("numpy", "cpu", {"cpu": hostile}),
            WorkerRow("jax", "cpu", {}, hostile),
        ]
        run.add([row, *workers])
        page = render([run])

    assert not set(page) & set("\x00\x1b\x07\x9b")


def test_a_users_function_is_shown_by_its_smallest_input(tmp_path: Path) -> None:
    case = "softmax/float32/4x10/normal/-/0"
    row = VerdictRow(
        case, "softmax", None, "normal", "4x10", "float32", {}, "mine.softmax", "numpy", "user",
        "eager", "cpu", "value", "inaccurate",
    )  # fmt: skip
    (cause,) = causes([row])
    who = ("mine.softmax", "numpy", "user", "eager", "cpu")
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([
            row,
            ExampleRow(cause.id, case, case, *who, "value", "inaccurate", {"logits": "[2]"}, "[1]"),
            ExampleAnswerRow(cause.id, "yours", *who, "inaccurate", "[7.389]"),
            ExampleAnswerRow(cause.id, "NumPy", "scipy.special.softmax", "numpy", "native", "eager",
                             "cpu", "exact", "[1]"),
        ])  # fmt: skip

        told = Reader(render([run])).sections["findings"]

    assert told.index("logits") < told.index("yours") < told.index("[7.389]") < told.index("scipy.")


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "&lt;", "\u2028", '"\\'])
def test_json_cannot_leave_its_element(text: str) -> None:
    written = to_json([text])
    assert not re.search(r"[<>&\u2028\u2029]", written)
    assert [text] == json.loads(written)


@pytest.mark.parametrize("ratio", [1.7976931348623157e308, float("inf"), float("nan")])
def test_a_ratio_beyond_all_measure_is_written(tmp_path: Path, ratio: float) -> None:
    row = next(sample.verdicts())
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([replace(row, verdict="inaccurate", ratio=ratio, ulp=ratio, known=False)])
        data = Reader(render([run])).data
    expected = None if math.isnan(ratio) else "Infinity"
    assert expected == data["cells"][0][4] == data["findings"][0][7]


def test_a_page_without_data_is_small(tmp_path: Path) -> None:
    with RunFile.open(sample.empty(tmp_path / "empty.sqlite")) as run:
        assert len(render([run])) < 100_000


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    with RunFile.open(sample.empty(tmp_path / "empty.sqlite")) as run:
        empty = Reader(render([run]))
    assert "This run holds no verdicts." in empty.sections["summary"]
    assert "Nothing was timed" in empty.sections["timings"]
    assert "No worker is recorded" in empty.sections["trust"]
    assert list(empty.sections) == SECTIONS


def test_two_runs_are_shown_as_one_and_the_later_counts(sample_path: Path, tmp_path: Path) -> None:
    other = sample.make(tmp_path / "again.sqlite")
    with RunFile.open(sample_path) as one, RunFile.open(other) as two:
        both = Reader(render([one, two]))
        expected = count(one, "1")
    assert expected == sum(sum(cell[6::2]) for cell in both.data["cells"])
    assert "again.sqlite" in both.sections["trust"]


def test_the_page_stays_small_when_findings_are_many(tmp_path: Path) -> None:
    path = sample.make(tmp_path / "large.sqlite", scale=25)
    with RunFile.open(path) as run:
        data = Reader(render([run])).scripts["data"]
    assert json.loads(data)["left_out"] > 0
    assert len(data) < 3_000_000


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="there is no run file"):
        write_report([tmp_path / "none.sqlite"], tmp_path / "out.html")
    assert not (tmp_path / "out.html").exists()
