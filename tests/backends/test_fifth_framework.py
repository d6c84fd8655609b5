"""A framework that somebody else brings: asked, timed, reported and shown as any other.

`tests/fifth/abacus` is all there is of it; an entry point says where it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from lossdiff.backends import FRAMEWORKS, Framework, Mode
from lossdiff.harness.runfile import RunFile, TimingRow, VerdictRow, WorkerRow

from lossdiff import backends
from lossdiff._cli.status import Status

FIFTH = Path(__file__).parents[1] / "fifth"
SMALL = ("--backend", "abacus", "--operation", "softmax")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the framework's package is as good as installed."""
    folder = tmp_path_factory.mktemp("installed")
    about = folder / "abacus-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[lossdiff.backends]\nabacus = abacus:FRAMEWORK\n")
    return folder


@pytest.fixture(scope="module")
def lossdiff(folder: Path) -> Run:
    """Run the command line where the framework's package is installed."""
    found = os.pathsep.join([str(folder), str(FIFTH), os.environ.get("PYTHONPATH", "")])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lossdiff", *arguments], cwd=folder, capture_output=True,
            text=True, check=False, env={**os.environ, "PYTHONPATH": found.rstrip(os.pathsep)},
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def checked(lossdiff: Run, folder: Path) -> Path:
    """A run file of it."""
    done = lossdiff("check", *SMALL, "--mode", "eager", "--mode", "beads", "-o", "run.sqlite")
    assert done.returncode == Status.FINDINGS, done.stderr
    return folder / "run.sqlite"


def test_it_is_checked_in_its_modes_and_in_its_environment(checked: Path) -> None:
    with RunFile.open(checked) as run:
        verdicts = {(row.implementation, row.mode) for row in run.rows(VerdictRow)}
        found = {(row.quantity, row.verdict) for row in run.rows(VerdictRow)}
        (worker,) = run.rows(WorkerRow)

    assert verdicts == {("abacus.softmax", "eager"), ("abacus.softmax", "beads")}
    assert {("value", "within bound"), ("gradient_logits", "nonfinite")} <= found
    assert worker.environment["versions"] == {"abacus": "1.0"}
    assert worker.environment["ABACUS_LOG"] == "none"


def test_a_finding_of_it_is_shown_by_a_script(lossdiff: Run, checked: Path) -> None:
    with RunFile.open(checked) as run:
        case = next(row.case for row in run.rows(VerdictRow) if row.verdict == "nonfinite")

    done = lossdiff("repro", "run.sqlite", case)

    assert done.returncode == Status.OK, done.stderr
    assert done.stderr.splitlines()[-1] == "the script was run, and shows it"
    assert "dtype=np.float" in done.stdout
    assert "# by abacus" in done.stdout


def test_it_is_timed_and_reported(lossdiff: Run, folder: Path) -> None:
    done = lossdiff("bench", *SMALL, "--mode", "beads", "--passes", "1", "-o", "times.sqlite")
    assert done.returncode == Status.OK, done.stderr
    with RunFile.open(folder / "times.sqlite") as run:
        timed = {(row.implementation, row.mode) for row in run.rows(TimingRow)}
        (worker,) = run.rows(WorkerRow)
    assert timed == {("abacus.softmax", "beads")}
    assert worker.environment["ABACUS_MEMORY"] == "off"

    done = lossdiff("report", "times.sqlite", "-o", "report.html")

    assert done.returncode == Status.OK, done.stderr
    assert "abacus.softmax" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("no_such_module:FRAMEWORK", "No module named 'no_such_module'"),
        ("json:dumps", "is a function, not a Framework"),
        ("lossdiff.backends.torch:FRAMEWORK", "a second backend is named torch"),
    ],
)
def test_a_backend_that_cannot_be_used_is_left_out(
    monkeypatch: pytest.MonkeyPatch, place: str, reason: str
) -> None:
    entry = metadata.EntryPoint("theirs", place, backends.ENTRY_POINTS)
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [entry])

    with pytest.warns(RuntimeWarning, match=f"^the backend {place} is left out: {reason}$"):
        assert list(backends._installed(set(FRAMEWORKS))) == []


@pytest.mark.parametrize("modes", [(), (Mode("jit"), Mode("eager"))])
def test_a_framework_runs_calls_as_they_come_first_of_all(modes: tuple[Mode, ...]) -> None:
    with pytest.raises(ValueError, match=r"^the first mode of abacus must be eager$"):
        Framework("abacus", "abacus", ("abacus",), modes=modes)
