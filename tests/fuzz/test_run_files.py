"""Run files at random: every command that reads one ends with a status, and in one line.

One thing of a run is changed at a time: a cell, a column, an entry of `meta`, a table, a mark of
the format, some bytes. Nothing that the file holds is imported or executed.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case, Inputs
from lossdiff.harness.engine import ASKED, Engine, Plan
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.resume_rows import (
    AnswerRow,
    BlobRow,
    CompletedRow,
    IncidentRow,
    PendingRow,
    ValidityPointRow,
)
from lossdiff.harness.runfile.rows import DomainRow, RelationRow, VerdictRow, WorkedRow, WorkerRow
from lossdiff.harness.runfile.schema import packed
from lossdiff.harness.runfile.timing_rows import MemoryRow, PassRow, ProcessRow, TimingRow

from lossdiff._cli import check, execution, repro
from lossdiff._cli import main as cli

from .mutations import CANARY, COUNT, change_run

_PART = 50
RESUME = ("check", "--suite", "domain", "--operation", "softmax", "--resume", "-o", "run.sqlite")
CASE = "softmax/float32/4x10/normal/-/0"
GIVEN = "softmax/float32/2x3/file:abc/-/0"
WHO = ("scipy.special.softmax", "numpy", "native", "eager", "cpu")
NAME, FRAMEWORK, KIND, MODE, DEVICE = WHO


def verdict(case: str, name: str = NAME, word: str = "exact", kind: str = KIND) -> VerdictRow:
    shape = Case.parse(case).shape
    return VerdictRow(
        case, "softmax", None, Case.parse(case).family, "x".join(map(str, shape)), "float32", {},
        name, FRAMEWORK, kind, MODE, DEVICE, "value", word, ulp=0.5, ratio=0.25, abs_error=1e-9,
        where="(0, 1)", exact="0.5", got="0.5", note="a note", fingerprint=f"{case}{name}",
        seconds=0.1,
    )  # fmt: skip


def rows() -> Iterator[Any]:
    """Yield rows of every kind."""
    yield verdict(CASE)
    yield verdict(GIVEN)
    yield verdict(CASE, "numpy.textbook.softmax_unshifted", "formula", "textbook")
    yield verdict(CASE, "mine.softmax", "inaccurate", "user")
    yield replace(verdict(CASE, "mine.softmax", "crashed", "user"), quantity="gradient_logits")
    yield WorkedRow("note", "a tutorial", "softmax", *WHO[:4], "float32", [0.5], [0.5], True, "n")
    yield RelationRow("shift", NAME, NAME, FRAMEWORK, MODE, "float32", 3, 0.1, 0.2, True, "")
    yield RelationRow("sigmoid_softmax", NAME, NAME, FRAMEWORK, MODE, "float32", 3, 0.1, 0.2, True)
    yield DomainRow(
        NAME, FRAMEWORK, KIND, "softmax", MODE, DEVICE, "float32", "offset", 80.0, "formula", 90.0,
        "nonfinite", "value", "softmax/float32/4x10/offset@90/-/0", 1e4,
    )  # fmt: skip
    yield WorkerRow("numpy", "cpu", {"versions": {"numpy": "2.0"}, "cpu": "a cpu", "cores": 2})
    yield WorkerRow("torch", "cpu", {}, "not installed")
    for number in range(1, 10):
        clock = 0.1 + number / 1000
        yield ProcessRow(number, number, FRAMEWORK, DEVICE, "one", 1, 1e9, [0.1], [clock], 0.5,
                         "2026-01-01", {"versions": {"numpy": "2.0"}}, "a.json")  # fmt: skip
        yield PassRow(number, CASE, NAME, FRAMEWORK, MODE, DEVICE, "forward", "one", "hot",
                      [1e-6, 1.1e-6, 1.2e-6], [10, 10, 10], None, None, None, "",
                      {"value": "ab"}, "exact")  # fmt: skip
    yield TimingRow(
        CASE, "softmax", *WHO, "float32", "4x10", "forward", "one", "hot", 1e-6, 9e-7, 2e-6, 1e-7,
        9e-7, 27, 9, 0.1, "softmax of 4x10", 320, 1e9, None, 1000, "process", "exact", True,
    )  # fmt: skip
    yield MemoryRow(CASE, NAME, FRAMEWORK, MODE, DEVICE, "forward", "one", 1000)
    yield CompletedRow(FRAMEWORK, NAME, MODE, CASE, DEVICE)
    yield ValidityPointRow(
        FRAMEWORK, NAME, MODE, DEVICE, "float32", "offset", 90.0, "nonfinite", "value",
        "softmax/float32/4x10/offset@90/-/0",
    )  # fmt: skip
    for case in ("sigmoid/float32/4x10/normal/-/0", CASE):
        yield AnswerRow(*WHO, case, packed(np.full((4, 10), 0.5)), packed(np.full((4, 10), 1e-9)))
    yield PendingRow(FRAMEWORK, NAME, MODE, CASE, "value", "ab")
    yield BlobRow("ab", packed(np.zeros((4, 10))))
    yield IncidentRow(FRAMEWORK, DEVICE, NAME, MODE, CASE, "it died", "asked again, alone")


META = {
    "version": "0.1.0", "suite": "quick", "seed": "0", "count": "1000", "operations": "softmax",
    "cases": GIVEN, "questions": "ab", "shard": "1/1", "frameworks": "numpy", "modes": "",
    "device": "cpu", "implementations": json.dumps({"numpy": [f"{CANARY}.py"]}), "functions": "ab",
    "command": "lossdiff check", "started": "2026-01-01", "finished": "2026-01-02",
    "spent": json.dumps({"wall": 1.0, "imports": {"numpy": 0.5}}), "benchmarks": "quick",
    "label": "base", "commit": "", "passes": "9", "timed": "2026-01-02", "digests": "{}",
    "parts": "", "joined": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with rows of every kind."""
    path = tmp_path_factory.mktemp("fuzz") / "base.sqlite"
    with RunFile.create(path) as run:
        run.set_meta(**META)
        run.add(list(rows()))
        given = Inputs(np.zeros((2, 3), np.float32))
        run.add_given([replace(Case.parse(GIVEN), given=given)])
    return path


@pytest.fixture
def folder(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module that leaves a mark where it is imported; no process is started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{CANARY}.py").write_text("import pathlib\npathlib.Path('imported').touch()\n")
    monkeypatch.setattr(repro, "reproduce", _shown)
    monkeypatch.setattr(check, "identity", lambda *_, **__: {key: META[key] for key in ASKED})
    monkeypatch.setattr(execution, "Engine", _engine)
    yield tmp_path
    assert CANARY not in sys.modules


def _engine(plan: Plan, *arguments: Any) -> Engine:
    """Return an engine that reads what a run holds, and asks nobody."""
    return Engine(replace(plan, frameworks=()), *arguments)


def _shown(run: RunFile, row: VerdictRow, places: tuple[str, ...], *_: Any, **__: Any) -> Any:
    """Stand for the work of `repro`, which may import what it is given."""
    assert places == ()
    assert run.case(row.case).id == row.case
    return "# shown\n", ""


def commands(draw: random.Random) -> tuple[str, ...]:
    """Return a command that reads `run.sqlite`."""
    found: tuple[tuple[str, ...], ...] = (
        *(("show", "run.sqlite"), ("show", "run.sqlite", "--format", "jsonl")) * 2,
        *(RESUME,) * 2,
        ("compare", "base.sqlite", "run.sqlite"),
        ("compare", "run.sqlite", "base.sqlite", "--junit", "a.xml", "--markdown", "a.md"),
        ("compare", "base.sqlite", "run.sqlite", "base.sqlite"),
        ("merge", "run.sqlite", "-o", "whole.sqlite"),
        ("merge", "base.sqlite", "run.sqlite", "-o", "whole.sqlite"),
        ("repro", "run.sqlite", CASE),
        ("repro", "run.sqlite", CASE, "--impl", "numpy.textbook.softmax_unshifted"),
        ("repro", "run.sqlite", "softmax/float32/4x10/offset@90/-/0"),
    )
    # A page takes a second.
    if draw.random() < 0.02:
        return ("report", "run.sqlite", "-o", "page.html")
    return draw.choice(found)


@pytest.mark.parametrize("part", range(0, COUNT, _PART))
def test_every_command_ends_with_a_status_and_in_one_line(
    base: Path, folder: Path, part: int, capsys: pytest.CaptureFixture[str]
) -> None:
    mark, statuses = folder / "executed", set()
    shutil.copy(base, "base.sqlite")
    for number in range(part, min(part + _PART, COUNT)):
        draw = random.Random(number)  # noqa: S311 -- reproducible
        for place in folder.glob("*.sqlite*"):
            if place.name != "base.sqlite":
                place.unlink()
        shutil.copy(base, "run.sqlite")
        changed = change_run(Path("run.sqlite"), draw, mark)
        command = commands(draw)
        about = f"{number}: {' '.join(command)}; {changed}"

        status = cli.run(command)

        out, err = capsys.readouterr()
        statuses.add(status)
        assert status in (0, 1, 2, 3), about
        assert "Traceback" not in out + err, about
        assert "internal error" not in err, about
        assert not set("\x1b\x00\x07\u202e\x7f") & set(out + err), about
        if status == 2:
            # A run that goes on has said before that it does.
            *before, last = err.splitlines()
            assert last.startswith("lossdiff: "), about
            assert before == [] or command is RESUME, about
        assert not mark.exists(), about
        assert not Path("imported").exists(), about
        assert Path("base.sqlite").read_bytes() == base.read_bytes(), about
    assert {0, 2} <= statuses
