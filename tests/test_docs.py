"""The docs: the cases that they show are asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite

ROOT = Path(__file__).parents[1]
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
         if page.name != "onnx.md"]  # whose cases ONNX brings  # fmt: skip
# Names in angle brackets or capitals stand for others, such as `backends/<framework>/adapter.py`.
A_PATH = re.compile(r"`((?:harness|backends|cases|reports|src|tests|scripts)/[a-z0-9_./-]*)`")
AN_ID = re.compile(r"[`'\"]([a-z_]+/[^`'\" ]+/\d+)[`'\"]")


def test_pages_show_cases() -> None:
    assert sum(len(AN_ID.findall(page.read_text(encoding="utf-8"))) for page in PAGES) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_case_that_a_page_shows_is_asked_by_quick(page: Path) -> None:
    shown = AN_ID.findall(page.read_text(encoding="utf-8"))
    asked = {case.id for case in suite("quick").cases}

    assert [Case.parse(text).id for text in shown if text not in asked] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = A_PATH.findall(page.read_text(encoding="utf-8"))

    assert [path for path in named if not (ROOT / path).exists()] == []
