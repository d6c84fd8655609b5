"""`lossdiff show`: what a run holds, for people and for programs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
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


def chosen(lossdiff: Any, run_file: Path, *options: str) -> list[dict[str, Any]]:
    return rows_of(lossdiff("show", run_file, "--format", "jsonl", *options).out)


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("--impl", "implementation", "answers.softmax_raises"),
        ("--operation", "operation", "softmax"),
        ("--dtype", "dtype", "float64"),
        ("--family", "family", "worked:pytorch"),
    ],
)
def test_verdicts_are_selected_by_name(
    lossdiff: Any, run_file: Path, option: str, field: str, value: str
) -> None:
    everything = chosen(lossdiff, run_file)
    value = value if value in {row[field] for row in everything} else everything[0][field]

    found = chosen(lossdiff, run_file, option, value)

    assert found == [row for row in everything if row[field] == value] != []


def test_a_case_is_selected_by_its_id(lossdiff: Any, run_file: Path) -> None:
    everything = chosen(lossdiff, run_file)
    case = everything[0]["case"]

    found = chosen(lossdiff, run_file, "--case", case, "--impl", "answers.softmax_is_wrong")

    assert {(row["case"], row["implementation"]) for row in found} == {
        (case, "answers.softmax_is_wrong")
    }


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--impl", "answers.softmax_raise", "did you mean answers.softmax_raises"),
        ("--operation", "sofmax", "did you mean softmax?"),
        ("--dtype", "float46", "did you mean float64?"),
        ("--family", "wroked", "unknown family 'wroked'"),
        ("--case", "softmax/float64/3/worked/-/0", "unknown case 'softmax/float64/3/worked/-/0'"),
        ("--case", "\udcff", "unknown case '\\udcff'"),
        ("--impl", "x' OR '1'='1", "unknown implementation"),
    ],
)
def test_a_name_that_the_run_does_not_know_is_refused_with_the_nearest(
    lossdiff: Any, run_file: Path, option: str, value: str, said: str
) -> None:
    ended = lossdiff("show", run_file, option, value)

    assert (ended.status, ended.out) == (Status.USAGE, "")
    assert said in ended.error


def test_a_verdict_is_selected_by_the_name_behind_its_colon(lossdiff: Any, tmp_path: Path) -> None:
    row = VerdictRow(
        TINY[0].id, "logsumexp", None, "normal", "4x10", "float32", {}, "mine", "numpy", "user",
        "eager", "cpu", "value", "exact",
    )  # fmt: skip
    both = "convention:mean_over_rows+bad_index_wraps"
    stored = ["exact", both, "convention:bad_index_wraps", "relation:shift"]
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([replace(row, verdict=verdict) for verdict in stored])

    def found(name: str) -> list[str]:
        return [it["verdict"] for it in chosen(lossdiff, "run.sqlite", "--verdict", name)]

    assert found("convention:bad_index_wraps") == [both, "convention:bad_index_wraps"]
    assert found("convention:mean_over_rows") == [both]
    assert found("convention") == [both, "convention:bad_index_wraps"]
    assert found("raised") == []
    for name, said in (
        ("convention:mean_over_row", "did you mean convention:mean_over_rows"),
        ("relation:", "did you mean relation:shift"),
        ("convntion:mean_over_rows", "unknown verdict 'convntion'; did you mean convention? "),
    ):
        assert said in lossdiff("show", "run.sqlite", "--verdict", name).error


def test_by_default_findings_are_grouped_and_the_rest_is_counted(
    lossdiff: Any, run_file: Path
) -> None:
    rows = chosen(lossdiff, run_file)

    ended = lossdiff("show", run_file)

    *groups, _, counts, hint = ended.out.splitlines()
    assert (ended.status, ended.err) == (Status.OK, "")
    assert any(line.startswith("answers.softmax_raises (softmax) fails: ") for line in groups)
    assert any(line.startswith("  raises ") for line in groups)
    assert not any("unsupported" in line for line in groups)
    judged = [row for row in rows if row["verdict"] != "unsupported"]
    assert counts.startswith(f"{len(judged)} verdicts: ")
    assert "--all" in hint


def test_a_run_without_findings_is_counted_in_one_line(lossdiff: Any, tmp_path: Path) -> None:
    row = VerdictRow(
        TINY[0].id, "logsumexp", None, "normal", "4x10", "float32", {}, "mine", "numpy", "user",
        "eager", "cpu", "value", "exact",
    )  # fmt: skip
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([row, replace(row, verdict="unsupported")])

    shown = lossdiff("show", "run.sqlite").out.splitlines()

    assert shown[0] == "mine (logsumexp) passes: 1 question, no finding, 1 not claimed"
    assert shown[2] == "1 verdict: 1 agree; 1 question not claimed"


@pytest.mark.parametrize("options", [[], ["--all"], ["--verdict", "raised"]])
def test_what_is_for_people_fits_eighty_columns(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    ended = lossdiff("show", run_file, *options)

    assert (ended.status, ended.err) == (Status.OK, "")
    assert "answers.softmax_raises" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_all_lists_every_verdict(lossdiff: Any, run_file: Path) -> None:
    everything = chosen(lossdiff, run_file)

    heads = [line for line in lossdiff("show", run_file, "--all").out.splitlines()
             if not line.startswith(" ")]  # fmt: skip

    assert len(heads) == len(everything)


def test_questions_that_are_not_claimed_are_counted_and_listed_only_if_asked_for(
    lossdiff: Any, tmp_path: Path
) -> None:
    row = VerdictRow(
        TINY[0].id, "logsumexp", None, "normal", "4x10", "float32", {}, "mine", "numpy", "user",
        "eager", "cpu", "value", "exact",
    )  # fmt: skip
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([row, replace(row, implementation="other", verdict="unsupported")])

    listed, whole = (
        lossdiff("show", "run.sqlite", "--case", row.case, *options).out
        for options in ([], ["--all"])
    )

    assert "other" not in listed
    assert "1 question not claimed" in listed
    assert "– unsupported" in whole


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


@pytest.mark.parametrize("options", ["--format jsonl", "--all", ""])
def test_a_reader_that_has_seen_enough_is_no_error(run_file: Path, options: str) -> None:
    command = f"'{sys.executable}' -m lossdiff show '{run_file}' {options} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )

    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")
