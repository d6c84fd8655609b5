"""`lossdiff.open_run`: a run file as rows."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from lossdiff.harness.runfile import RunFile, VerdictRow

import lossdiff
from lossdiff.errors import ArgumentTypeError, ArgumentValueError, RunFileError

ROW = VerdictRow(
    case="softmax/float32/4x10/normal/-/0", operation="softmax", target_kind=None, family="normal",
    shape="4x10", dtype="float32", options={}, implementation="mine.softmax", framework="numpy",
    kind="user", mode="eager", device="cpu", quantity="value", verdict="inaccurate",
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run.sqlite"
    with RunFile.create(path) as made:
        made.set_meta(command="lossdiff check", suite="quick")
        made.add([ROW])
    return path


def test_verdicts_and_findings_are_rows(run: Path) -> None:
    found = lossdiff.open_run(run)

    assert found.meta["suite"] == "quick"
    assert found.verdicts == found.findings == (ROW,)
    assert found.timings == ()


def test_a_path_may_be_a_text(run: Path) -> None:
    assert lossdiff.open_run(str(run)).verdicts == (ROW,)


def test_rows_become_a_table_of_pandas(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))

    assert lossdiff.open_run(run).to_pandas()[0]["verdict"] == "inaccurate"
    assert lossdiff.open_run(run).to_pandas("timings") == []
    with pytest.raises(ArgumentValueError, match="did you mean verdicts"):
        lossdiff.open_run(run).to_pandas("verdict")


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="there is no run file"):
        lossdiff.open_run(tmp_path / "nowhere.sqlite")
    with pytest.raises(ArgumentTypeError, match="a int is no path of a run file"):
        lossdiff.open_run(3)  # type: ignore[arg-type]
