"""`lossdiff check`: how it ends, and what it leaves; `merge` joins the parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.harness.engine.flow import Flow
from lossdiff.harness.engine.identity import ASKED
from lossdiff.harness.engine.scheduler import Engine
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow, WorkerRow
from lossdiff.harness.verdicts import VERDICTS

from lossdiff._cli.status import Status

from .command import GOOD, HOSTILE, NUMPY, TINY, WRONG, never, write


def test_a_check_without_findings_ends_with_0_and_leaves_a_run(lossdiff: Any) -> None:
    ended = lossdiff("check", *NUMPY, "-o", "deep/run.sqlite")

    assert ended.status == Status.OK
    assert "run file: deep/run.sqlite" in ended.out
    with RunFile.open(Path("deep/run.sqlite")) as run:
        assert {row.case for row in run.rows(VerdictRow)} == {TINY[0].id}
        written = {"command", "started", "finished", "spent", "digests", "claimed", "defined"}
        assert run.meta.keys() == {*written, *ASKED}


def test_where_nothing_is_said_the_run_lies_in_this_folder(lossdiff: Any) -> None:
    assert lossdiff("check", *NUMPY).status == Status.OK
    assert list(Path().iterdir()) == [Path("lossdiff.sqlite")]


def test_a_users_own_function_that_is_right_ends_with_0(lossdiff: Any) -> None:
    impl = write("mine.py", GOOD)

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={impl}")

    assert ended.status == Status.OK
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        mine = [row for row in run.rows(VerdictRow) if row.kind == "user"]
    assert {row.implementation for row in mine} == {"mine.logsumexp"}
    assert VERDICTS[mine[0].verdict].category == "agrees"


def test_a_users_own_function_that_is_wrong_ends_with_1(lossdiff: Any) -> None:
    impl = write("mine.py", WRONG)

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={impl}")

    assert (ended.status, "Traceback" in ended.err) == (Status.FINDINGS, False)


def test_hostile_functions_end_with_1_and_print_nothing(lossdiff: Any) -> None:
    ended = lossdiff("check", *NUMPY[:2], "--operation", "softmax", "--impl",
                     f"numpy={HOSTILE / 'deadly.py'}")  # fmt: skip

    assert ended.status == Status.FINDINGS
    assert "Traceback" not in ended.err
    said = (ended.out + ended.err).replace("\\\n", "")  # a command that goes on in the next line
    assert "hostile" not in said.replace(str(HOSTILE), "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def softmax(:", "mine.py cannot be imported: SyntaxError: invalid syntax (mine.py, line"),
        ("import sys; sys.exit(0)", "mine.py cannot be imported: SystemExit: 0"),
        ("x = 1", "mine.py holds no function named after an operation; say what one is:"),
    ],
)
def test_a_users_file_that_cannot_be_used_ends_with_2(
    lossdiff: Any, text: str, expected: str
) -> None:
    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={write('mine.py', text)}")

    assert ended.status == Status.USAGE
    assert expected in ended.error


def test_a_file_with_nearly_this_name_is_named(lossdiff: Any) -> None:
    write("fused_loss.py", "x = 1")

    ended = lossdiff("check", *NUMPY, "--impl", "numpy=fused_los.py")

    assert ended.error == "lossdiff: there is no file fused_los.py; did you mean fused_loss.py?"


@pytest.mark.parametrize("place", [".", "..", "torch=."])
def test_a_folder_is_no_place_of_a_function(lossdiff: Any, place: str) -> None:
    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={place}")

    assert ended.status == Status.USAGE
    assert "internal error" not in ended.error


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--mode", "jit"], "numpy: has no such mode; it has eager"),
        (["--device", "gpu"], "numpy: NumPy has no GPU"),
    ],
)
def test_what_nobody_can_be_asked_ends_with_3(
    lossdiff: Any, arguments: list[str], expected: str
) -> None:
    ended = lossdiff("check", *NUMPY, *arguments)

    assert ended.status == Status.NOTHING
    assert ended.error == f"lossdiff: nothing could be asked; {expected}"


def test_only_a_framework_that_is_not_installed_ends_with_3(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FRAMEWORKS, "jax", replace(FRAMEWORKS["jax"], imports=("no_such",)))

    ended = lossdiff("check", "--backend", "jax")

    assert ended.status == Status.NOTHING
    assert "jax: no_such not installed; pip install 'lossdiff[jax]'" in ended.error


def test_a_framework_that_is_not_installed_does_not_hinder_the_others(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FRAMEWORKS, "jax", replace(FRAMEWORKS["jax"], imports=("no_such",)))

    ended = lossdiff("check", *NUMPY, "--backend", "jax")

    assert ended.status == Status.OK
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        assert {row.framework: bool(row.absent) for row in run.rows(WorkerRow)} == {
            "jax": True, "numpy": False
        }  # fmt: skip


def test_a_place_that_cannot_be_written_is_found_before_the_work(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "execute", never)
    file = write("file", "")

    ended = lossdiff("check", *NUMPY, "-o", f"{file}/run.sqlite")

    assert ended.status == Status.USAGE
    assert "cannot write file/run.sqlite" in ended.error


def test_a_folder_is_no_place_for_a_run(lossdiff: Any) -> None:
    Path("folder").mkdir()

    ended = lossdiff("check", *NUMPY, "-o", "folder")

    assert (ended.status, "'folder' is a directory" in ended.error) == (Status.USAGE, True)


def test_a_file_that_is_no_run_is_never_overwritten(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "execute", never)
    notes = Path(write("notes.sqlite", "precious"))

    ended = lossdiff("check", *NUMPY, "-o", notes)

    assert ended.status == Status.USAGE
    assert "notes.sqlite is not a lossdiff run file" in ended.error
    assert notes.read_text(encoding="utf-8") == "precious"


def test_an_interrupted_check_keeps_what_it_has(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(flow: Flow) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Flow, "finish", interrupted)

    ended = lossdiff("check", *NUMPY)

    assert ended.status == 130
    assert "interrupted" in ended.error
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        assert run.meta["finished"] == ""
        assert run.count(VerdictRow) > 0
