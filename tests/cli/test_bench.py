"""`lossdiff bench`; what is timed, and how, is tested with `harness.timing`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lossdiff.harness.engine.scheduler import Engine
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.timing import bench, benchmarks

from lossdiff._cli.status import Status

from .command import NUMPY, never, write


def test_a_place_that_cannot_be_written_is_found_before_the_work(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "execute", never)
    file = write("file", "")

    ended = lossdiff("bench", *NUMPY, "-o", f"{file}/run.sqlite")

    assert ended.status == Status.USAGE
    assert "cannot write file/run.sqlite" in ended.error


def test_without_pytest_benchmark_the_verdicts_are_kept(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks, "_SIZES", {"softmax": ((4, 10),)})
    monkeypatch.setattr(bench, "find_spec", lambda _: None)

    ended = lossdiff("bench", "--backend", "numpy", "--operation", "softmax", "-o", "run.sqlite")

    assert ended.status == Status.USAGE
    assert ended.error.endswith("pip install 'lossdiff[bench]'")
    with RunFile.open(Path("run.sqlite")) as run:
        assert run.count(VerdictRow) > 0
        assert run.meta["timed"] == ""
