"""`lossdiff repro` as a command."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import DomainRow, VerdictRow

from lossdiff._cli.status import Status

from .command import GOOD, NUMPY, TINY, WRONG, write


def softmax_case(run_file: Path) -> str:
    """Return the case of two rows or more that the hostile functions answered."""
    with RunFile.open(run_file) as run:
        return next(row.case for row in run.rows(VerdictRow) if row.operation == "softmax")


def test_the_worst_finding_of_a_case_is_shown_by_a_script(lossdiff: Any, run_file: Path) -> None:
    case = softmax_case(run_file)

    ended = lossdiff("repro", run_file, case)

    assert ended.status == Status.OK, ended.err
    assert "numpy.textbook" not in ended.out
    assert ended.out.startswith("# answers.softmax_")
    assert f"in the case {case}, shrunk" in ended.out
    first, others, shrunk, last = ended.err.splitlines()
    assert first.endswith(": inaccurate")
    assert others.startswith("others of this case: ")
    assert shrunk.startswith("shrunk from ")
    assert last == "the script was run, and shows it"
    done = subprocess.run(
        [sys.executable, "-I", "-c", ended.out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "reproduced: inaccurate, the same bits"


@pytest.mark.parametrize("said", [None, "", "{}"], ids=["as it is written", "empty", "earlier"])
def test_a_run_without_a_users_file_is_shown(lossdiff: Any, said: str | None) -> None:
    lossdiff("check", "--backend", "numpy", "--operation", "softmax", "-o", "run.sqlite")
    if said is not None:
        with RunFile.reopen(Path("run.sqlite")) as run:
            run.set_meta(implementations=said)

    ended = lossdiff("repro", "run.sqlite", TINY[1].id, "--no-shrink")

    assert ended.status == Status.OK, ended.err
    assert ended.out.startswith("# numpy.textbook.softmax_")
    assert ended.err.endswith("the script was run, and shows it\n")


def test_another_answer_can_be_named_and_written(lossdiff: Any, run_file: Path) -> None:
    named = ["--impl", "answers.softmax_raises", "--quantity", "value", "--mode", "eager"]

    ended = lossdiff("repro", run_file, softmax_case(run_file), *named, "--no-shrink", "-o", "a.py")

    assert (ended.status, ended.out) == (Status.OK, f"{Path('a.py').resolve()}\n")
    text = Path("a.py").read_text(encoding="utf-8")
    assert "# answers.softmax_raises, value: raised" in text
    assert "shrunk" not in text + ended.err


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--impl", "answers.softmax_rises", "did you mean answers.softmax_raises"),
        ("--mode", "jit", "unknown mode 'jit'; allowed: eager"),
        ("--quantity", "values", "unknown quantity 'values'; did you mean value? allowed: value"),
    ],
)
def test_what_a_case_was_not_asked_is_not_shown(
    lossdiff: Any, run_file: Path, option: str, value: str, expected: str
) -> None:
    ended = lossdiff("repro", run_file, softmax_case(run_file), option, value)

    assert ended.status == Status.USAGE
    assert expected in ended.error


def test_an_unknown_case_names_the_nearest(lossdiff: Any, run_file: Path) -> None:
    case = softmax_case(run_file)

    ended = lossdiff("repro", run_file, case.replace("worked", "wroked"))

    assert ended.status == Status.USAGE
    assert f"did you mean {case}" in ended.error
    assert ended.error.endswith("`lossdiff show run.sqlite --all` prints all of the run")


def test_where_nothing_is_wrong_nothing_is_shown(lossdiff: Any) -> None:
    lossdiff("check", *NUMPY, "-o", "run.sqlite")

    ended = lossdiff("repro", "run.sqlite", TINY[0].id)
    named = lossdiff("repro", "run.sqlite", TINY[0].id, "--impl", "scipy.special.logsumexp")

    assert (ended.status, named.status) == (Status.NOTHING, Status.NOTHING)
    assert ended.error == f"lossdiff: {TINY[0].id} has no finding in this run"


def test_what_was_mended_is_not_shown(lossdiff: Any) -> None:
    impl = f"numpy={write('mine.py', WRONG)}"
    lossdiff("check", *NUMPY, "--impl", impl, "-o", "run.sqlite")
    write("mine.py", GOOD)

    ended = lossdiff("repro", "run.sqlite", TINY[0].id)

    assert ended.status == Status.NOTHING
    assert "asked again, mine.logsumexp gives value `" in ended.error
    assert "where the run has `inaccurate`; here: numpy " in ended.error


def test_a_users_file_that_is_gone_is_named(lossdiff: Any) -> None:
    impl = f"numpy={write('mine.py', WRONG)}"
    lossdiff("check", *NUMPY, "--impl", impl, "-o", "run.sqlite")
    Path("mine.py").unlink()

    ended = lossdiff("repro", "run.sqlite", TINY[0].id)

    assert ended.status == Status.USAGE
    assert "mine.py cannot be imported: FileNotFoundError" in ended.error


def test_a_verdict_on_several_calls_is_not_shown(lossdiff: Any, run_file: Path) -> None:
    case = "softmax/float32/4x10/grid/-/0"
    with RunFile.open(run_file) as run:
        row = next(run.rows(VerdictRow))
    with RunFile.create(Path("run.sqlite")) as run:
        run.add([replace(row, case=case, verdict="relation:shift")])

    ended = lossdiff("repro", "run.sqlite", case)

    assert ended.status == Status.NOTHING
    assert ended.error.endswith(
        "relation:shift is said of several calls, which no script shows yet"
    )


def test_a_framework_that_is_missing_is_named(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(FRAMEWORKS["numpy"], imports=("no_numpy",), extra="torch")
    monkeypatch.setattr(
        "lossdiff.harness.repro.session.FRAMEWORKS", {**FRAMEWORKS, "numpy": absent}
    )

    ended = lossdiff("repro", run_file, softmax_case(run_file))

    assert ended.status == Status.NOTHING
    assert ended.error == "lossdiff: no_numpy not installed; pip install 'lossdiff[torch]'"


def test_a_script_that_cannot_be_written_ends_with_2(lossdiff: Any, run_file: Path) -> None:
    Path("folder").mkdir()

    ended = lossdiff("repro", run_file, softmax_case(run_file), "-o", "folder")

    assert ended.status == Status.USAGE
    assert "folder" in ended.error


def test_the_end_of_a_domain_is_shown(lossdiff: Any, run_file: Path) -> None:
    case = "softmax/float32/4x10/offset@90/-/0"
    row = DomainRow(
        "numpy.textbook.softmax_unshifted", "numpy", "textbook", "softmax", "eager", "cpu",
        "float32", "offset", 88.7, "formula", 90.0, "nonfinite", "value", case, 1e4,
    )  # fmt: skip
    with RunFile.create(Path("run.sqlite")) as run:
        run.add([row])

    ended = lossdiff("repro", "run.sqlite", case)

    assert ended.status == Status.OK, ended.err
    assert "np.array([90.0], dtype=np.float32)" in ended.out
