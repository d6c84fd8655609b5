"""The script that shows whether two runs say the same."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from lossdiff.harness.runfile import RelationRow, RunFile, VerdictRow

from .cli.command import as_process
from .scripts import script

same_verdicts = script("same_verdicts.py")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with verdicts, worked examples and relations of two routes."""
    path = tmp_path_factory.mktemp("run") / "old.sqlite"
    done = as_process("check", "--suite", "worked", "--backend", "numpy", "-o", path)
    assert done.returncode == 0, done.stderr
    with RunFile.open(path) as run:
        assert run.count(VerdictRow)
    return path


def compared(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> int:
    """Return the exit status of the script."""
    monkeypatch.setattr(sys, "argv", ["same_verdicts.py", *map(str, paths)])
    return same_verdicts.main()


def changed(old: Path, tmp_path: Path, statement: str) -> Path:
    """Return a copy of a run in which something is changed."""
    new = tmp_path / "new.sqlite"
    shutil.copy(old, new)
    with RunFile.reopen(new) as run:
        run._connection.execute(statement)
        run._connection.commit()
    return new


def test_a_run_says_the_same_as_itself(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(monkeypatch, old, old) == 0
    assert "only in" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("UPDATE verdicts SET verdict = 'inaccurate' WHERE rowid = 1", 1),
        ("UPDATE verdicts SET ulp = ulp + 1 WHERE rowid = 1", 1),
        ("DELETE FROM verdicts WHERE rowid = 1", 1),
        ("UPDATE worked SET agrees = 1 - agrees WHERE rowid = 1", 1),
        ("UPDATE verdicts SET note = 'in other words'", 0),
        ("UPDATE verdicts SET seconds = 7.0", 0),
    ],
)
def test_what_is_compared_makes_a_difference_and_nothing_else(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, status: int
) -> None:
    assert compared(monkeypatch, old, changed(old, tmp_path, statement)) == status


def test_an_equivalence_is_the_same_by_its_name_and_by_its_equation(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = RelationRow("sigmoid_softmax", "a", "b", "numpy", "eager", "float32", 1, 0.0, 0.0, True)
    paths = []
    for name in ("sigmoid_softmax", "sigmoid(z) = softmax([0, z])"):
        path = tmp_path / f"{len(paths)}.sqlite"
        shutil.copy(old, path)
        with RunFile.reopen(path) as run:
            run.add([replace(row, relation=name)])
        paths.append(path)

    assert compared(monkeypatch, *paths) == 0


def test_what_is_no_run_is_refused_with_one_line(
    old: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert compared(monkeypatch, old, tmp_path / "none.sqlite") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
