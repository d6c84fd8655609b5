"""`lossdiff repro` as a command."""

from __future__ import annotations

import json
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

from .command import GOOD, HOSTILE, NUMPY, TINY, WRONG, write

ANSWERS = ("--impl", f"numpy={HOSTILE / 'answers.py'}")  # the file of the hostile functions


def softmax_case(run_file: Path) -> str:
    """Return the case of two rows or more that the hostile functions answered."""
    with RunFile.open(run_file) as run:
        return next(row.case for row in run.rows(VerdictRow) if row.operation == "softmax")


def test_the_worst_finding_of_a_case_is_shown_by_a_script(lossdiff: Any, run_file: Path) -> None:
    case = softmax_case(run_file)

    ended = lossdiff("repro", run_file, case, *ANSWERS)

    assert ended.status == Status.OK, ended.err
    assert "numpy.textbook" not in ended.out
    assert ended.out.startswith("# answers.softmax_")
    assert f"in the case {case}, shrunk" in ended.out
    first, others, imported, shrunk, last = ended.err.splitlines()
    assert first.endswith(": inaccurate")
    assert others.startswith("others of this case: ")
    assert imported == f"imported: {HOSTILE / 'answers.py'}"
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
    name = "answers.softmax_of_the_first_row"
    named = ["--impl", name, "--quantity", "value", "--mode", "eager"]

    ended = lossdiff(
        "repro", run_file, softmax_case(run_file), *named, *ANSWERS, "--no-shrink", "-o", "a.py"
    )

    assert (ended.status, ended.out) == (Status.OK, f"{Path('a.py').resolve()}\n")
    text = Path("a.py").read_text(encoding="utf-8")
    assert f"# {name}, value: mismatched" in text
    assert "shrunk" not in text + ended.err


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--impl", "answers.softmax_is_wrnog", "did you mean answers.softmax_is_wrong"),
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

    ended = lossdiff("repro", "run.sqlite", TINY[0].id, "--impl", impl)

    assert ended.status == Status.NOTHING
    assert f"{Path('mine.py').resolve()} differs from the file that the run asked\n" in ended.err
    assert "asked again, mine.logsumexp gives value `" in ended.error
    assert "where the run has `inaccurate`; here: numpy " in ended.error


def test_a_users_file_that_is_gone_is_named(lossdiff: Any) -> None:
    impl = f"numpy={write('mine.py', WRONG)}"
    lossdiff("check", *NUMPY, "--impl", impl, "-o", "run.sqlite")
    Path("mine.py").unlink()

    ended = lossdiff("repro", "run.sqlite", TINY[0].id, "--impl", impl)

    assert ended.status == Status.USAGE
    assert ended.error == "lossdiff: there is no file mine.py"


def test_a_users_file_that_is_not_named_is_not_imported(lossdiff: Any) -> None:
    impl = f"numpy={write('mine.py', WRONG)}"
    lossdiff("check", *NUMPY, "--impl", impl, "-o", "run.sqlite")
    write("mine.py", "from pathlib import Path\nPath('imported').touch()\n" + WRONG)
    place = Path("mine.py").resolve()

    ended = lossdiff("repro", "run.sqlite", TINY[0].id)

    assert ended.status == Status.USAGE
    assert ended.err == (
        f"lossdiff: mine.logsumexp is a function of {place}, as the run says, and only what is "
        f"named here is imported: add --impl numpy={place}\n"
    )
    assert not Path("imported").exists()


def test_a_users_file_is_named_by_the_function_too(lossdiff: Any) -> None:
    lossdiff("check", *NUMPY, "--impl", f"numpy={write('mine.py', WRONG)}", "-o", "run.sqlite")

    named = ["--impl", "mine.logsumexp=mine.py"]
    ended = lossdiff("repro", "run.sqlite", TINY[0].id, *named, "--no-shrink")

    assert ended.status == Status.OK, ended.err
    assert ended.out.startswith("# mine.logsumexp, value: inaccurate")
    assert f"imported: {Path('mine.py').resolve()}\n" in ended.err


@pytest.mark.parametrize("place", ["no_such_module", "mine.py"])
def test_what_a_run_names_is_not_imported_for_a_frameworks_own_finding(
    lossdiff: Any, place: str
) -> None:
    lossdiff("check", "--backend", "numpy", "--operation", "softmax", "-o", "run.sqlite")
    write("mine.py", "from pathlib import Path\nPath('imported').touch()\n")
    with RunFile.reopen(Path("run.sqlite")) as run:
        run.set_meta(implementations=json.dumps({"numpy": [place]}))

    ended = lossdiff("repro", "run.sqlite", TINY[1].id, "--no-shrink")

    assert ended.status == Status.OK, ended.err
    assert "imported" not in ended.err
    assert not Path("imported").exists()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a.softmax", "b.softmax"], "--impl names a.softmax and b.softmax: one is shown"),
        (["numpy="], "--impl numpy= names no file: NAME=FILE, such as numpy=mine.py"),
        (["numpy=none.py"], "there is no file none.py"),
    ],
)
def test_an_option_that_names_nothing_is_refused(
    lossdiff: Any, run_file: Path, values: list[str], expected: str
) -> None:
    named = [item for value in values for item in ("--impl", value)]

    ended = lossdiff("repro", run_file, softmax_case(run_file), *named)

    assert (ended.status, ended.err) == (Status.USAGE, f"lossdiff: {expected}\n")


# --- memory -----------------------------------------------------------------------------------


def test_a_case_that_would_not_fit_is_refused_before_it_is_drawn(
    lossdiff: Any, run_file: Path
) -> None:
    case = "softmax/float32/400000x400000/normal/-/0"
    with RunFile.open(run_file) as run:
        row = next(run.rows(VerdictRow))
    row = replace(row, case=case, kind="textbook", verdict="inaccurate")
    with RunFile.create(Path("run.sqlite")) as run:
        run.add([row])

    ended = lossdiff("repro", "run.sqlite", case, "--memory", "2")

    assert ended.status == Status.NOTHING
    assert ended.err == (
        f"lossdiff: {case} would take about 7.15e+03 GiB, more than the 2 GiB that are allowed; "
        "--memory GIB sets another limit\n"
    )


def test_a_process_that_takes_too_much_memory_is_ended(lossdiff: Any, run_file: Path) -> None:
    limited = (*ANSWERS, "--memory", "0.01")

    ended = lossdiff("repro", run_file, softmax_case(run_file), *limited)

    assert ended.status == Status.NOTHING
    assert ended.error.startswith("lossdiff: numpy does not start: ")
    assert ended.error.endswith("the process took more than 0.01 GiB of memory")


@pytest.mark.parametrize("memory", ["nan", "inf", "-1"])
def test_a_limit_that_is_no_number_of_gib_is_refused(
    lossdiff: Any, run_file: Path, memory: str
) -> None:
    ended = lossdiff("repro", run_file, softmax_case(run_file), "--memory", memory)

    assert ended.status == Status.USAGE
    assert "--memory" in ended.error


def test_a_verdict_on_several_calls_is_not_shown(lossdiff: Any, run_file: Path) -> None:
    case = "softmax/float32/4x10/grid/-/0"
    with RunFile.open(run_file) as run:
        row = next(run.rows(VerdictRow))
    with RunFile.create(Path("run.sqlite")) as run:
        run.add([replace(row, case=case, verdict="relation:shift")])

    ended = lossdiff("repro", "run.sqlite", case)

    assert ended.status == Status.NOTHING
    assert ended.error.endswith(
        "relation:shift is not said of one answer, and no script shows it yet"
    )


def test_a_framework_that_is_missing_is_named(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(FRAMEWORKS["numpy"], imports=("no_numpy",), extra="torch")
    monkeypatch.setattr(
        "lossdiff.harness.repro.session.FRAMEWORKS", {**FRAMEWORKS, "numpy": absent}
    )

    ended = lossdiff("repro", run_file, softmax_case(run_file), *ANSWERS)

    assert ended.status == Status.NOTHING
    assert ended.error == "lossdiff: no_numpy not installed; pip install 'lossdiff[torch]'"


def test_a_script_that_cannot_be_written_ends_with_2(lossdiff: Any, run_file: Path) -> None:
    Path("folder").mkdir()

    ended = lossdiff("repro", run_file, softmax_case(run_file), *ANSWERS, "-o", "folder")

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
