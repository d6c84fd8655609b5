"""The command line in an empty folder, and a run to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.suites import Suite

from lossdiff._cli import check
from lossdiff._cli import list as list_
from lossdiff._cli import main as cli
from lossdiff._cli.status import Status

from .command import HOSTILE, TINY, Ended, as_process


@pytest.fixture
def lossdiff(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Run the command line here, in an empty folder, with suites of two cases."""
    monkeypatch.chdir(tmp_path)
    for command in (check, list_):
        monkeypatch.setattr(command, "suite", lambda name, **_: Suite(name, TINY))

    def run(*arguments: str | Path) -> Ended:
        capsys.readouterr()
        status = cli.run(list(map(str, arguments)))
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with answers of all kinds."""
    path = tmp_path_factory.mktemp("run") / "run.sqlite"
    arguments = ["check", "--suite", "worked", "--backend", "numpy", "-o", path]
    arguments += ["--impl", f"numpy={HOSTILE / 'answers.py'}", "--operation", "softmax"]
    done = as_process(*arguments)
    assert done.returncode == Status.FINDINGS, done.stderr
    return path
