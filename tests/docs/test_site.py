"""The documentation as a site: every page is in its navigation, and no link leads nowhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .pages import PAGES, ROOT

SITE: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
_LOADED = re.compile(r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?(?:https?:)?//|"
                     r"<link[^>]*\srel=[\"']?(?:stylesheet|preconnect|preload)[^>]*(?:https?:)?//|"
                     r"@import|url\(\s*[\"']?(?:https?:)?//")  # fmt: skip


def named(part: Any) -> Iterator[str]:
    """Yield the pages of a part of the navigation."""
    if isinstance(part, str):
        yield part
    for item in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from named(item)


def test_the_navigation_names_every_page_once() -> None:
    pages = [page.removeprefix("docs/") for page in PAGES]
    names = ["introduction.md" if page == "README.md" else page for page in pages]

    found = sorted(named(SITE["nav"]))
    assert found == sorted([*names, "CHANGELOG.md"])


def test_no_font_is_loaded_from_another_host() -> None:
    assert SITE["theme"]["font"] is False


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    pytest.importorskip("material", reason="pip install mkdocs-material")

    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    pages = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")]
    assert len(pages) > len(PAGES)
    assert [found for page in pages for found in _LOADED.findall(page)] == []
