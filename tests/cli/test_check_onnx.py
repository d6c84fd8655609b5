"""`lossdiff check --suite onnx`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.onnx_suite import collected
from lossdiff.cases.suites import suite
from lossdiff.harness.engine import Findings

from lossdiff._cli import check
from lossdiff._cli.status import Status

from .command import NUMPY, rows_of


def test_without_onnx_its_suite_ends_with_2(lossdiff: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "suite", suite)
    monkeypatch.setitem(sys.modules, "onnx", None)
    collected.cache_clear()

    ended = lossdiff("check", "--suite", "onnx", *NUMPY)

    assert ended.status == Status.USAGE
    assert ended.error == "lossdiff: onnx is not installed; pip install 'lossdiff[onnx]'"
    assert not Path("lossdiff.sqlite").exists()


@pytest.mark.onnx
def test_onnx_is_judged_beside_the_frameworks(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "suite", suite)

    ended = lossdiff("check", "--suite", "onnx", *NUMPY, "-o", "onnx.sqlite")

    assert ended.status == Status.OK
    rows = rows_of(lossdiff("show", "onnx.sqlite", "--format", "jsonl").out)
    named = {row["implementation"] for row in rows if row["framework"] == "onnx"}
    assert named == {"onnx.reference.ReduceLogSumExp", "onnx.backend.test.ReduceLogSumExp"}
    assert {"scipy.special.logsumexp"} < {row["implementation"] for row in rows}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], True),
        (["--backend", "numpy"], False),
        (["--operation", "softmax"], False),
        (["--mode", "eager"], False),
        (["--device", "gpu"], False),
    ],
)
def test_stale_entries_are_looked_for_in_complete_runs(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: bool
) -> None:
    seen: list[str] = []

    def conclude(*_: object, complete: str = "", **__: object) -> Status:
        seen.append(complete)
        return Status.OK

    monkeypatch.setattr(check, "execute", lambda *_: Findings("cpu"))
    monkeypatch.setattr(check, "conclude", conclude)

    lossdiff("check", "--suite", "full", *arguments)

    assert seen == ["full" if expected else ""]
