"""A sample run and the page made from it, once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.reports.html import write_report

from . import sample


@pytest.fixture(scope="session")
def sample_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.make(tmp_path_factory.mktemp("sample") / "sample.sqlite")


@pytest.fixture
def run(sample_path: Path) -> Iterator[RunFile]:
    with RunFile.open(sample_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def report(sample_path: Path) -> Path:
    out = sample_path.with_name("report.html")
    write_report([sample_path], out)
    return out
