"""The sample page of the documentation: a real one, small, complete, and linked."""

from __future__ import annotations

from html import unescape

import pytest

from .pages import ROOT

SAMPLE = ROOT / "docs" / "sample" / "report.html"
_MOST = 10_000_000  # bytes, as in scripts/make_sample.py
_SECTIONS = ("summary", "matrix", "findings", "accuracy", "conventions", "porting", "trust")


def test_it_is_a_whole_page_that_fetches_nothing() -> None:
    page = unescape(SAMPLE.read_text(encoding="utf-8"))
    assert page.rstrip().endswith("</html>")
    assert "default-src 'none'" in page
    assert [name for name in _SECTIONS if f'<section id="{name}"' not in page] == []
    assert "Not asked in this run" not in page  # every edge case was


def test_it_is_small_enough_for_the_repository() -> None:
    assert SAMPLE.stat().st_size < _MOST


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_first_pages_lead_to_it(page: str) -> None:
    link = "](docs/sample/report.html)" if page == "README.md" else "](sample/report.html)"
    assert link in (ROOT / page).read_text(encoding="utf-8")
