"""The adapters of `examples/wild`, their pins and their page; `tox run -e wild` runs them."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from lossdiff.backends import FRAMEWORKS

from .pages import ROOT

ADAPTERS = sorted((ROOT / "examples/wild").glob("*.py"))
SCRIPT = runpy.run_path(str(ROOT / "scripts/wild.py"), run_name="wild")
WILD: tuple[Any, ...] = SCRIPT["WILD"]
PAGE = (ROOT / "docs/wild.md").read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    """Return the releases that the environment installs."""
    files = ("requirements.txt", "without-dependencies.txt")
    text = "\n".join((ROOT / "examples/wild" / name).read_text("utf-8") for name in files)
    return dict(re.findall(r"^([\w-]+)[=<]=([\w.]+)$", text, re.MULTILINE))


def test_twelve_packages_and_more_are_checked_in_the_releases_that_are_installed() -> None:
    assert len(WILD) >= 12
    assert {item.package: item.version for item in WILD}.items() <= pins().items()


def test_each_adapter_is_of_a_package_and_of_a_framework() -> None:
    assert sorted(item.adapter for item in WILD) == [path.name for path in ADAPTERS]
    assert {item.framework for item in WILD} <= set(FRAMEWORKS)


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_an_adapter_has_at_most_eight_lines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said, *_ = ast.parse(text).body
    lines = text.splitlines()[said.end_lineno :]

    assert ast.get_docstring(ast.parse(text))
    assert 0 < sum(bool(line.strip()) for line in lines) <= 8
    assert "implements(" in text


@pytest.mark.parametrize("item", WILD, ids=lambda item: item.package)
def test_the_page_names_the_release_of_each_package(item: Any) -> None:
    assert f"{item.package} {item.version}" in PAGE


def test_the_place_of_the_table_is_there_once() -> None:
    for mark in (SCRIPT["BEGIN"], SCRIPT["END"]):
        assert PAGE.count(mark) == 1


def test_torchvision_finds_its_operators_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = len(sys.meta_path)

    runpy.run_path(str(ROOT / "scripts/wild_cpu/sitecustomize.py"))

    assert len(sys.meta_path) == before + 1
    assert sys.meta_path[0].find_spec("json", None) is None
