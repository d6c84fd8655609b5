"""Every sub-command that takes a run takes every kind of run, and says what is wrong in a line.

The kinds are those that the commands leave behind. Each cell of the table is a command on a kind:
how it ends, and a fact of what it prints. What none may print is a traceback, on either stream.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.runfile.schema import FORMAT
from lossdiff.harness.timing import benchmarks

from lossdiff._cli import main as cli
from lossdiff._cli.status import Status
from lossdiff.errors import RunFileError

from .command import Ended, rows_of

SOFTMAX = ("--backend", "numpy", "--operation", "softmax")
CHECK = ("check", *SOFTMAX, "--suite", "worked")
BENCH = ("bench", *SOFTMAX, "--passes", "1")
CASE = "softmax/float64/6x3/worked:note-6x3-softmax/-/0"
TIMED_CASE = "softmax/float32/64x10/normal/-/0"
KINDS = ("plain", "users", "benched", "merged", "resumed", "interrupted", "older")
_NATIVE = 20  # answers of NumPy and SciPy: all that an interrupted run holds
_PATIENCE = 120.0  # seconds, before a test gives up; none is expected to wait for long

# A function that holds up the run which it stands in, so that it can be killed with answers in it.
MINE = """
import time
from pathlib import Path

import numpy as np


def softmax_unnormalised(logits):
    is_plain = logits.shape in ((4, 10), (10,), (2, 3, 5))  # asked before the run begins
    while Path(__file__).with_name("held").exists() and not is_plain:
        time.sleep(0.05)
    return np.exp(logits - logits.max(-1, keepdims=True))
"""


@pytest.fixture(scope="module")
def small_benchmarks() -> Any:
    """Time the small size alone; a large one takes seconds of judging, and shows nothing more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(benchmarks._SIZES, "softmax", ((64, 10),))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_benchmarks: None) -> Path:
    """Runs of every kind, each in the file of its name."""
    folder = tmp_path_factory.mktemp("kinds")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("mine.py").write_text(MINE, encoding="utf-8")
        for name, command in (
            ("plain", CHECK),
            ("users", command_of("users")),
            ("benched", BENCH),
            ("1", (*CHECK, "--shard", "1/2")),
            ("2", (*CHECK, "--shard", "2/2")),
            ("merged", ("merge", "1.sqlite", "2.sqlite")),
        ):
            assert cli.run([*command, "-o", f"{name}.sqlite"]) in (Status.OK, Status.FINDINGS)
        _interrupt(Path("interrupted.sqlite"))
        _copy(Path("interrupted.sqlite"), Path("resumed.sqlite"))
        assert (
            cli.run([*command_of("resumed"), "-o", "resumed.sqlite", "--resume"]) == Status.FINDINGS
        )
        shutil.copy("plain.sqlite", "older.sqlite")
        with sqlite3.connect("older.sqlite") as connection:
            connection.execute(f"PRAGMA user_version = {FORMAT - 1}")
        connection.close()
    return folder


def command_of(kind: str) -> tuple[str, ...]:
    """Return the command that a run of this kind goes on with."""
    has_users = kind in ("users", "resumed", "interrupted")
    return (*CHECK, *(("--impl", "numpy=mine.py", "--all") if has_users else ()))


def _interrupt(path: Path) -> None:
    """Leave a run whose process was killed while a function was being asked."""
    Path("held").touch()
    command = [sys.executable, "-m", "lossdiff", *command_of("interrupted"), "-o", path]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + _PATIENCE
    while _answers(path) < _NATIVE:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.kill()
    process.wait()
    Path("held").unlink()


def _answers(path: Path) -> int:
    try:
        with RunFile.open(path) as run:
            return run.count(VerdictRow)
    except RunFileError:  # there is none yet
        return 0


def _copy(source: Path, to: Path) -> None:
    """Copy a run with its log, which a process that was killed leaves."""
    for file in source.parent.glob(f"{source.name}*"):
        shutil.copy(file, to.with_name(file.name.replace(source.name, to.name, 1)))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """A kind of run."""
    return request.param


@pytest.fixture
def command(
    folder: Path,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Run a sub-command; `run.sqlite` is a copy of the run, and results go beside it."""
    _copy(folder / f"{kind}.sqlite", tmp_path / "run.sqlite")
    monkeypatch.chdir(folder)  # where the user's file stands, whose path is part of the run

    def run(*arguments: str | Path) -> Ended:
        capsys.readouterr()
        places = [tmp_path / each if each in _PLACES else each for each in arguments]
        ended = Ended(cli.run(list(map(str, places))), *capsys.readouterr())
        assert "Traceback" not in ended.out + ended.err
        return ended

    return run


_PLACES = ("run.sqlite", "whole.sqlite", "page.html")


@dataclass(frozen=True)
class Due:
    """How a command has to end, and what has to stand in its output or in its line of error."""

    status: int
    said: str


def check(ended: Ended, due: Due) -> None:
    """Compare how a command ended with what is due."""
    assert ended.status == due.status, ended.err
    # Where there is a result, it is on standard output; where there is none, a line says why.
    where = ended.out if due.status in (Status.OK, Status.FINDINGS) else ended.error
    assert due.said in where


OLDER = Due(Status.USAGE, f"run.sqlite has format {FORMAT - 1}; this version ")
READER = "; lossdiff 0.1.0, which wrote it, reads it"


def test_show_prints_the_findings_and_counts_the_rest(command: Any, kind: str) -> None:
    ended = command("show", "run.sqlite")

    # The run that is timed has no findings.
    said = {"benched": "1 agree"}.get(kind, "numpy.textbook.softmax_over_axis_0")
    check(ended, OLDER if kind == "older" else Due(Status.OK, said))


def test_show_prints_an_entry_for_each_verdict(command: Any, kind: str) -> None:
    ended = command("show", "run.sqlite", "--all")

    name = {"benched": "scipy.special.softmax"}.get(kind, "numpy.textbook.softmax_over_axis_0")
    check(ended, OLDER if kind == "older" else Due(Status.OK, name))


def test_show_prints_a_line_for_each_verdict(command: Any, kind: str, tmp_path: Path) -> None:
    ended = command("show", "run.sqlite", "--format", "jsonl")

    if kind == "older":
        check(ended, OLDER)
        return
    assert ended.status == Status.OK
    rows = rows_of(ended.out)
    with RunFile.open(tmp_path / "run.sqlite") as run:
        assert [row["case"] for row in rows] == [row.case for row in run.rows(VerdictRow)]
    assert {row["operation"] for row in rows} == {"softmax"}
    has_users = kind in ("users", "resumed")
    assert ("mine.softmax_unnormalised" in {row["implementation"] for row in rows}) == has_users


def test_repro_writes_a_script(command: Any, kind: str) -> None:
    case = TIMED_CASE if kind == "benched" else CASE
    worst, named = "numpy.textbook.softmax_over_axis_0", ()
    if kind in ("users", "resumed"):
        worst, named = "mine.softmax_unnormalised", ("--impl", "numpy=mine.py")
    ended = command("repro", "run.sqlite", case, "--no-shrink", *named)

    due = {
        "older": OLDER,
        "benched": Due(Status.NOTHING, f"{TIMED_CASE} has no finding in this run"),
    }.get(kind, Due(Status.OK, f"# {worst}, value: inaccurate"))
    check(ended, due)
    assert (ended.err.splitlines()[-1] == "the script was run, and shows it") == (due.status == 0)


def test_report_writes_a_page(command: Any, kind: str, tmp_path: Path) -> None:
    ended = command("report", "run.sqlite", "-o", "page.html")

    page = tmp_path / "page.html"
    check(ended, OLDER if kind == "older" else Due(Status.OK, f"{page}\n"))
    if kind == "older":
        assert not page.exists()
    else:
        assert "scipy.special.softmax" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("style", "begins"), [("markdown", "## lossdiff: "), ("junit", "<?xml ")])
def test_report_writes_a_summary(
    command: Any, kind: str, tmp_path: Path, style: str, begins: str
) -> None:
    ended = command("report", "run.sqlite", "--format", style, "-o", "page.html")

    page = tmp_path / "page.html"
    check(ended, OLDER if kind == "older" else Due(Status.OK, f"{page}\n"))
    if kind != "older":
        assert page.read_text(encoding="utf-8").startswith(begins)


def test_the_page_and_show_tell_the_cause_by_its_smallest_input(
    command: Any, kind: str, tmp_path: Path
) -> None:
    shown = command("show", "run.sqlite").out
    command("report", "run.sqlite", "-o", "page.html")

    # What was cut off has its examples when it is gone on with; what is timed has no finding.
    has_example = kind in ("plain", "users", "merged", "resumed")
    assert ("on logits = " in shown) == has_example
    page = tmp_path / "page.html"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    assert ('<table class="gives">' in text) == has_example


def test_compare_finds_a_run_as_it_was(command: Any, kind: str) -> None:
    ended = command("compare", "run.sqlite", "run.sqlite")

    check(ended, {
        "older": OLDER,
        "interrupted": Due(Status.NOTHING, "run.sqlite (run 2) were cut off"),
    }.get(kind, Due(Status.OK, "answers, all as they were, bit for bit.")))  # fmt: skip


def test_merge_takes_a_run_alone(command: Any, kind: str) -> None:
    ended = command("merge", "run.sqlite", "-o", "whole.sqlite")

    with_users = Due(Status.FINDINGS, "5 cases, 25 verdicts: 5 new findings, 3 known.")
    check(ended, {
        "older": OLDER,
        "interrupted": Due(Status.USAGE, "is not complete: go on with it first, with --resume"),
        "users": with_users,
        "resumed": with_users,
        "benched": Due(Status.OK, "1 case, 1 verdict, 1 not claimed: no new findings"),
    }.get(kind, Due(Status.OK, "5 cases, 20 verdicts: no new findings, 3 known.")))  # fmt: skip


def test_check_goes_on(command: Any, kind: str, tmp_path: Path) -> None:
    ended = command(*command_of(kind), "-o", "run.sqlite", "--resume")

    with_users = Due(Status.FINDINGS, "5 cases, 25 verdicts: 5 new findings, 3 known.")
    check(ended, {
        "older": OLDER,
        "benched": Due(Status.USAGE, "run.sqlite was begun with --suite bench, not worked"),
        "users": with_users,
        "resumed": with_users,
        "interrupted": with_users,
    }.get(kind, Due(Status.OK, "5 cases, 20 verdicts: no new findings, 3 known.")))  # fmt: skip
    if due_next := ended.status in (Status.OK, Status.FINDINGS):
        assert any(it.startswith("next: lossdiff show ") for it in ended.out.splitlines()[-2:])
    assert due_next == (kind not in ("older", "benched"))
    complete = f"{tmp_path / 'run.sqlite'} is complete: there is nothing left to ask\n"
    assert (ended.err == complete) == (kind in ("plain", "users", "merged", "resumed"))


# A run that is replaced is not read, but for its format; one that was killed has a log beside it.
@pytest.mark.parametrize("kind", ["plain", "interrupted", "older"], indirect=True)
def test_bench_takes_the_place_of_a_run(command: Any, kind: str, tmp_path: Path) -> None:
    ended = command(*BENCH, "-o", "run.sqlite")

    check(ended, Due(Status.OK, "1 case, 1 verdict, 1 not claimed: no new findings"))
    assert ended.err.endswith(" benchmarks in 1 passes\n")
    with RunFile.open(tmp_path / "run.sqlite") as run:
        assert run.meta["suite"] == "bench"
        assert run.meta["timed"]


@pytest.mark.parametrize("kind", ["older"], indirect=True)
@pytest.mark.parametrize("arguments", [("show", "run.sqlite"),
                                       (*CHECK, "-o", "run.sqlite", "--resume")])  # fmt: skip
def test_of_an_older_run_it_is_said_which_version_reads_it(command: Any, arguments: Any) -> None:
    assert command(*arguments).error.endswith(READER)


# --- what reads no run ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("operations",), "binary_cross_entropy_with_logits"),
        (("implementations", *SOFTMAX), "scipy.special.softmax "),
        (("implementations", *SOFTMAX, "--impl", "numpy=mine.py"), "mine.softmax_unnormalised "),
        (("cases", "--suite", "worked", "--operation", "softmax"), f"{CASE}\n"),
        (("ledger",), "numpy.textbook."),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_list_prints_what_there_is(command: Any, arguments: tuple[str, ...], said: str) -> None:
    check(command("list", *arguments), Due(Status.OK, said))
