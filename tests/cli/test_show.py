"""`lossdiff show`: what a run holds, for people and for programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow

from lossdiff._cli.status import Status

from .command import TINY, rows_of

# `show --format jsonl` prints at least these.
KEYS = {
    "case", "operation", "options", "target_kind", "family", "shape", "implementation",
    "framework", "mode", "device", "dtype", "quantity", "verdict", "known", "ulp", "ratio",
    "abs_error", "exact", "got", "note",
}  # fmt: skip


def test_each_line_is_one_judged_quantity_with_all_that_is_promised(
    lossdiff: Any, run_file: Path
) -> None:
    ended = lossdiff("show", run_file, "--format", "jsonl")

    rows = rows_of(ended.out)
    with RunFile.open(run_file) as run:
        assert len(rows) == len(list(run.rows(VerdictRow))) > 0
    assert [row["case"] for row in rows if not row.keys() >= KEYS] == []
    assert {type(row["known"]) for row in rows} == {bool}
    assert {type(row["options"]) for row in rows} == {dict}
    assert (ended.status, ended.err) == (Status.OK, "")


def test_an_error_without_a_limit_is_json_too(lossdiff: Any, tmp_path: Path) -> None:
    row = VerdictRow(
        TINY[0].id, "logsumexp", None, "normal", "4x10", "float32", {}, "mine", "numpy", "user",
        "eager", "cpu", "value", "inaccurate", ulp=float("inf"), ratio=2.0,
    )  # fmt: skip
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([row])

    (shown,) = rows_of(lossdiff("show", "run.sqlite", "--format", "jsonl").out)

    assert (shown["ulp"], shown["ratio"], shown["abs_error"]) == ("Infinity", 2.0, None)


def test_verdicts_can_be_chosen(lossdiff: Any, run_file: Path) -> None:
    everything, raised, both, none = (
        rows_of(lossdiff("show", run_file, "--format", "jsonl", *chosen).out)
        for chosen in (
            [], ["--verdict", "raised"], ["--verdict", "raised", "--verdict", "mismatched"],
            ["--verdict", "timed out"],
        )
    )  # fmt: skip

    assert {row["verdict"] for row in raised} == {"raised"}
    assert {row["verdict"] for row in both} == {"raised", "mismatched"}
    assert len(everything) > len(both) > len(raised) > len(none) == 0


def test_a_table_is_for_people(lossdiff: Any, run_file: Path) -> None:
    ended = lossdiff("show", run_file, "--verdict", "raised")

    assert (ended.status, ended.err) == (Status.OK, "")
    assert "answers.softmax_raises" in ended.out


@pytest.mark.parametrize("content", [b"notes", b"", b"SQLite format 3\0" + bytes(5000)])
@pytest.mark.parametrize("command", ["show", "report"])
def test_a_foreign_file_is_refused_and_left_alone(
    lossdiff: Any, command: str, content: bytes
) -> None:
    Path("x.sqlite").write_bytes(content)

    ended = lossdiff(command, "x.sqlite")

    assert ended.status == Status.USAGE
    assert "x.sqlite is not a lossdiff run file" in ended.error
    assert Path("x.sqlite").read_bytes() == content
    assert list(Path().iterdir()) == [Path("x.sqlite")]


def test_a_damaged_run_is_refused(lossdiff: Any, run_file: Path) -> None:
    content = run_file.read_bytes()
    half = len(content) // 3
    Path("x.sqlite").write_bytes(content[:half] + b"\xff" * (len(content) - half))

    ended = lossdiff("show", "x.sqlite", "--format", "jsonl")

    assert ended.status == Status.USAGE
    assert "x.sqlite is damaged" in ended.error


def test_a_reader_that_has_seen_enough_is_no_error(run_file: Path) -> None:
    command = f"'{sys.executable}' -m lossdiff show '{run_file}' --format jsonl | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )

    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")
