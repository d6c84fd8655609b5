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
