"""`lossdiff report` as a command; what is on the page is tested in `tests/reports`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lossdiff._cli.status import Status

from .command import write


def test_a_report_is_one_file(lossdiff: Any, run_file: Path) -> None:
    pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")

    ended = lossdiff("report", run_file, "-o", "deep/page.html")

    assert ended.status == Status.OK
    assert ended.out.endswith("deep/page.html\n")
    assert "</html>" in Path("deep/page.html").read_text(encoding="utf-8")


def test_without_its_extra_a_report_says_what_to_install(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "lossdiff.reports.html", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)  # type: ignore[arg-type]

    ended = lossdiff("report", run_file)

    assert ended.status == Status.USAGE
    assert "jinja2 is not installed; pip install 'lossdiff[report]'" in ended.error


def test_a_report_that_cannot_be_written_ends_with_2(lossdiff: Any, run_file: Path) -> None:
    pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    file = write("file", "")

    ended = lossdiff("report", run_file, "-o", f"{file}/page.html")

    assert ended.status == Status.USAGE
    assert "cannot write file/page.html" in ended.error


@pytest.mark.parametrize(
    ("style", "usual", "begins"),
    [("markdown", "report.md", "## lossdiff: "), ("junit", "report.xml", "<?xml ")],
)
def test_a_summary_of_a_run_is_written_for_a_job_or_a_server(
    lossdiff: Any, run_file: Path, style: str, usual: str, begins: str
) -> None:
    ended = lossdiff("report", run_file, "--format", style)

    assert ended.status == Status.OK
    assert ended.out.endswith(f"{usual}\n")
    assert Path(usual).read_text(encoding="utf-8").startswith(begins)
    assert "answers.softmax_raises" in Path(usual).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "markdwn"], "did you mean markdown?"),
        (["--format", "junit", "--open"], "--open shows a page, and --format is junit"),
        (["--format", "markdown", "TWICE"], "--format markdown takes one run file, was given 2"),
        (["-o", "RUN"], "is read by this command: name another file"),
    ],
)
def test_what_a_report_cannot_do_is_refused_in_a_line(
    lossdiff: Any, run_file: Path, arguments: list[str], said: str
) -> None:
    named = {"TWICE": str(run_file), "RUN": str(run_file)}

    ended = lossdiff("report", run_file, *(named.get(it, it) for it in arguments))

    assert ended.status == Status.USAGE
    assert said in ended.error


@pytest.mark.parametrize("is_shown", [True, False])
def test_the_page_is_shown_in_the_browser(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch, is_shown: bool
) -> None:
    pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    seen: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(seen.append(address)) or is_shown)

    ended = lossdiff("report", run_file, "--open")

    assert seen == [Path("report.html").resolve().as_uri()]
    assert ended.status == Status.OK
    assert ("no browser was found" in ended.err) == (not is_shown)
