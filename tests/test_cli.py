"""The command line: what it accepts, what it refuses in one line, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.ledger import ledger
from lossdiff.cases.model import Case
from lossdiff.cases.onnx_suite import collected
from lossdiff.cases.operations import OPERATIONS
from lossdiff.cases.suites import SUITES, Suite, suite
from lossdiff.harness.engine import Engine
from lossdiff.harness.identity import ASKED
from lossdiff.harness.recorder import Recorder
from lossdiff.harness.rows import DomainRow, VerdictRow, WorkerRow
from lossdiff.harness.runfile import RunFile
from lossdiff.harness.verdicts import STANDINGS

from lossdiff import cli

HOSTILE = Path(__file__).parent / "hostile"
TINY = (
    Case.parse("logsumexp/float32/4x10/normal/-/0"),
    Case.parse("softmax/float32/4x10/normal/-/0"),
)
NUMPY = ("--backend", "numpy", "--operation", "logsumexp")
# `show --format jsonl` prints at least these.
KEYS = {
    "case", "operation", "options", "target_kind", "family", "shape", "implementation",
    "framework", "mode", "device", "dtype", "quantity", "verdict", "known", "ulp", "ratio",
    "abs_error", "exact", "got", "note",
}  # fmt: skip
GOOD = """
import numpy as np

def logsumexp(logits, *, axis=-1):
    a = logits.max(axis, keepdims=True)
    return a.squeeze(axis) + np.log(np.exp(logits - a).sum(axis))
"""
WRONG = "def logsumexp(logits):\n    return logits.max(-1)\n"


class Ended:
    """How a command ended: its status, and what it printed."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def error(self) -> str:
        """The one line that says what is wrong; progress may stand before it."""
        assert "Traceback" not in self.err
        errors = [line for line in self.err.splitlines() if line.startswith("lossdiff: ")]
        assert len(errors) == 1
        assert self.err.endswith(errors[0] + "\n")
        return errors[0]


@pytest.fixture
def lossdiff(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Run the command line here, in an empty folder, with suites of two cases."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "suite", lambda name, **_: Suite(name, TINY))

    def run(*arguments: str | Path) -> Ended:
        capsys.readouterr()
        status = cli.run(list(map(str, arguments)))
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with answers of all kinds."""
    path = tmp_path_factory.mktemp("run") / "run.sqlite"
    arguments = ["check", "--suite", "worked", "--backend", "numpy", "-o", path]
    arguments += ["--impl", f"numpy={HOSTILE / 'answers.py'}", "--operation", "softmax"]
    done = as_process(*arguments)
    assert done.returncode == cli.FINDINGS, done.stderr
    return path


def as_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "lossdiff", *arguments], capture_output=True, text=True, check=False
    )


def write(name: str, text: str) -> str:
    """Write a file here and return its name."""
    Path(name).write_text(text)
    return name


# --- usage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["chek"], "unknown command 'chek'; did you mean check? allowed: bench, check"),
        (["check", "--sute", "quick"], "unknown option '--sute'; did you mean --suite"),
        (["check", "--suite", "quikc"], "unknown suite 'quikc'; did you mean quick? allowed: qu"),
        (["check", "--backend", "torsh"], "unknown framework 'torsh'; did you mean torch? allow"),
        (["check", "--operation", "softmx"], "unknown operation 'softmx'; did you mean softmax "),
        (["check", "--mode", "jot"], "unknown mode 'jot'; did you mean jit? allowed: eager, com"),
        (["check", "--device", "gpus"], "unknown device 'gpus'; did you mean gpu"),
        (["check", "--impl", "torsh=a.py"], "unknown framework 'torsh'; did you mean torch? all"),
        (["check", "--impl", "torch"], "'torch' is not FRAMEWORK=FILE, such as torch=mine.py"),
        (["check", "--impl", "torch="], "'torch=' is not FRAMEWORK=FILE"),
        (["check", "--impl", "numpy=none.py"], "there is no file none.py"),
        (["check", "--backend", "jax", "--impl", "torch=json"], "--impl names torch, which --ba"),
        (["check", "--cases", "none.npz"], "there is no case file none.npz"),
        (["check", "--seed", "-1"], "'--seed': -1 is not in the range x>=0"),
        (["check", "--count", "0"], "'--count': 0 is not in the range x>=1"),
        (["check", "--shard", "3/2"], "'3/2' is not I/N with I from 1 to N, such as 1/4"),
        (["check", "--shard", "half"], "'half' is not I/N with I from 1 to N, such as 1/4"),
        (["check", "--memory", "-1"], "'--memory': -1.0 is not in the range x>=0"),
        (["merge", "-o", "a"], "Missing argument 'RUN.sqlite...'"),
        (["merge", "a", "b"], "merge needs -o FILE, where the whole goes"),
        (["merge", "a", "a", "-o", "b"], "a is named twice"),
        (["merge", "a", "b", "-o", "a"], "-o a is one of the runs that are to be joined"),
        (["merge", "a", "b", "-o", "c"], "there is no run file a"),
        (["check", "--timeout", "0"], "'--timeout': 0.0 is not in the range x>0"),
        (["check", "--jobs", "many"], "'--jobs': 'many' is not a valid integer range"),
        (["check", "--backend"], "'--backend' requires an argument"),
        (["check", "more"], "unexpected extra argument (more)"),
        (["bench", "--dtype", "float31"], "unknown dtype 'float31'; did you mean float32"),
        (["show"], "Missing argument 'RUN.sqlite'"),
        (["show", "none.sqlite"], "there is no run file none.sqlite"),
        (["show", "a", "--verdict", "inacurate"], "unknown verdict 'inacurate'; did you mean in"),
        (["show", "a", "--format", "json"], "unknown format 'json'; did you mean jsonl"),
        (["report"], "Missing argument 'RUN.sqlite...'"),
        (["report", "none.sqlite"], "there is no run file none.sqlite"),
        (["repro", "none.sqlite"], "Missing argument 'CASE_ID'"),
        (["repro", "none.sqlite", "a"], "there is no run file none.sqlite"),
        (["repro", "a", "b", "--timeout", "0"], "'--timeout': 0.0 is not in the range x>0"),
        (["list", "operation"], "'operation'; did you mean operations"),
        (["list"], "Missing argument 'operations|implementations|cases|ledger'"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    lossdiff: Any, arguments: list[str], expected: str
) -> None:
    ended = lossdiff(*arguments)

    assert ended.status == cli.USAGE
    assert expected in ended.error
    assert ended.out == ""
    assert list(Path().iterdir()) == []


def test_without_a_command_the_help_is_shown(lossdiff: Any) -> None:
    ended = lossdiff()

    assert (ended.status, ended.err) == (cli.USAGE, "")
    assert "check" in ended.out


@pytest.mark.parametrize("command", ["check", "bench", "merge", "report", "show", "repro", "list"])
def test_every_command_has_help(lossdiff: Any, command: str) -> None:
    ended = lossdiff(command, "--help")

    assert (ended.status, ended.err) == (cli.OK, "")
    assert f"lossdiff {command}" in ended.out


def test_it_is_a_program_with_the_statuses_that_are_promised() -> None:
    version, usage = as_process("--version"), as_process("check", "--suite", "slow")

    assert (version.returncode, version.stderr) == (cli.OK, "")
    assert version.stdout.startswith("lossdiff, version ")
    assert (usage.returncode, usage.stdout) == (cli.USAGE, "")
    assert usage.stderr == (
        "lossdiff: unknown suite 'slow'; allowed: quick, full, worked, fuzz, domain, onnx\n"
    )  # fmt: skip


# --- check -----------------------------------------------------------------------------------


def test_a_check_without_findings_ends_with_0_and_leaves_a_run(lossdiff: Any) -> None:
    ended = lossdiff("check", *NUMPY, "-o", "deep/run.sqlite")

    assert ended.status == cli.OK
    assert "run file: deep/run.sqlite" in ended.out
    with RunFile.open(Path("deep/run.sqlite")) as run:
        assert {row.case for row in run.rows(VerdictRow)} == {TINY[0].id}
        assert run.meta.keys() == {"command", "started", "finished", "spent", *ASKED}


def test_where_nothing_is_said_the_run_lies_in_this_folder(lossdiff: Any) -> None:
    assert lossdiff("check", *NUMPY).status == cli.OK
    assert list(Path().iterdir()) == [Path("lossdiff.sqlite")]


def test_a_users_own_function_that_is_right_ends_with_0(lossdiff: Any) -> None:
    impl = write("mine.py", GOOD)

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={impl}")

    assert ended.status == cli.OK
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        mine = [row for row in run.rows(VerdictRow) if row.kind == "user"]
    assert {row.implementation for row in mine} == {"mine.logsumexp"}
    assert STANDINGS[mine[0].verdict] == "agrees"


def test_a_users_own_function_that_is_wrong_ends_with_1(lossdiff: Any) -> None:
    impl = write("mine.py", WRONG)

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={impl}")

    assert (ended.status, "Traceback" in ended.err) == (cli.FINDINGS, False)


def test_hostile_functions_end_with_1_and_print_nothing(lossdiff: Any) -> None:
    ended = lossdiff("check", *NUMPY[:2], "--operation", "softmax", "--impl",
                     f"numpy={HOSTILE / 'deadly.py'}")  # fmt: skip

    assert ended.status == cli.FINDINGS
    assert "Traceback" not in ended.err
    assert "hostile" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def softmax(:", "mine.py cannot be imported: SyntaxError: invalid syntax (mine.py, line"),
        ("import sys; sys.exit(0)", "mine.py cannot be imported: SystemExit: 0"),
        ("x = 1", "mine.py holds no function named after an operation"),
    ],
)
def test_a_users_file_that_cannot_be_used_ends_with_2(
    lossdiff: Any, text: str, expected: str
) -> None:
    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={write('mine.py', text)}")

    assert ended.status == cli.USAGE
    assert expected in ended.error


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

    assert ended.status == cli.NOTHING
    assert ended.error == f"lossdiff: nothing could be asked; {expected}"


def test_only_a_framework_that_is_not_installed_ends_with_3(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FRAMEWORKS, "jax", replace(FRAMEWORKS["jax"], imports=("no_such",)))

    ended = lossdiff("check", "--backend", "jax")

    assert ended.status == cli.NOTHING
    assert "jax: no_such not installed; pip install 'lossdiff[jax]'" in ended.error


def test_a_framework_that_is_not_installed_does_not_hinder_the_others(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FRAMEWORKS, "jax", replace(FRAMEWORKS["jax"], imports=("no_such",)))

    ended = lossdiff("check", *NUMPY, "--backend", "jax")

    assert ended.status == cli.OK
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        assert {row.framework: bool(row.absent) for row in run.rows(WorkerRow)} == {
            "jax": True, "numpy": False
        }  # fmt: skip


def _never(*_: Any) -> Any:
    pytest.fail("work was begun")


@pytest.mark.parametrize("command", ["check", "bench"])
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(Engine, "execute", _never)
    file = write("file", "")

    ended = lossdiff(command, *NUMPY, "-o", f"{file}/run.sqlite")

    assert ended.status == cli.USAGE
    assert "cannot write file/run.sqlite" in ended.error


def test_a_folder_is_no_place_for_a_run(lossdiff: Any) -> None:
    Path("folder").mkdir()

    ended = lossdiff("check", *NUMPY, "-o", "folder")

    assert (ended.status, "'folder' is a directory" in ended.error) == (cli.USAGE, True)


def test_a_file_that_is_no_run_is_never_overwritten(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "execute", _never)
    notes = Path(write("notes.sqlite", "precious"))

    ended = lossdiff("check", *NUMPY, "-o", notes)

    assert ended.status == cli.USAGE
    assert "notes.sqlite is not a lossdiff run file" in ended.error
    assert notes.read_text() == "precious"


def test_an_interrupted_check_keeps_what_it_has(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(recorder: Recorder) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "finish", interrupted)

    ended = lossdiff("check", *NUMPY)

    assert ended.status == 130
    assert "interrupted" in ended.error
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        assert run.meta["finished"] == ""
        assert run.count(VerdictRow) > 0


def test_the_parts_of_a_run_are_joined(lossdiff: Any) -> None:
    for part in ("1/2", "2/2"):
        lossdiff("check", "--backend", "numpy", "--suite", "worked", "--shard", part,
                 "-o", f"{part[0]}.sqlite")  # fmt: skip

    half = lossdiff("merge", "1.sqlite", "-o", "half.sqlite")
    whole = lossdiff("merge", "1.sqlite", "2.sqlite", "-o", "whole.sqlite")

    assert half.err == "numpy: shards that are missing still: 2\n"
    assert (whole.status, whole.err) == (cli.OK, "")
    with RunFile.open(Path("whole.sqlite")) as run:
        assert {row.case for row in run.rows(VerdictRow)} == {case.id for case in TINY}


# --- cases of one's own ----------------------------------------------------------------------


def test_cases_from_files_are_asked_and_kept(lossdiff: Any) -> None:
    logits = np.array([[0.5, -1.0, 2.0]], np.float32)
    np.savez("mine.npz", logits=logits, spec='{"operation": "logsumexp"}')

    ended = lossdiff("check", *NUMPY, "--cases", "mine.npz")

    assert ended.status == cli.OK
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        (case,) = {row.case for row in run.rows(VerdictRow)} - {TINY[0].id}
        np.testing.assert_array_equal(logits, run.case(case).inputs().values)


def test_a_case_file_that_cannot_be_used_ends_with_2_before_the_work(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "execute", _never)
    np.savez("mine.npz", logits=np.ones((1, 3)), spec='{"operation": "logsumxp"}')

    ended = lossdiff("check", *NUMPY, "--cases", "mine.npz")

    assert ended.status == cli.USAGE
    assert "mine.npz: operation is 'logsumxp'; allowed: softmax" in ended.error
    assert not Path("lossdiff.sqlite").exists()


# --- show ------------------------------------------------------------------------------------


def rows_of(text: str) -> list[dict[str, Any]]:
    """Read JSON lines; constants that JSON does not have are errors."""

    def refuse(constant: str) -> Any:
        pytest.fail(f"{constant} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


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
    assert (ended.status, ended.err) == (cli.OK, "")


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

    assert (ended.status, ended.err) == (cli.OK, "")
    assert "answers.softmax_raises" in ended.out


@pytest.mark.parametrize("content", [b"notes", b"", b"SQLite format 3\0" + bytes(5000)])
@pytest.mark.parametrize("command", ["show", "report"])
def test_a_foreign_file_is_refused_and_left_alone(
    lossdiff: Any, command: str, content: bytes
) -> None:
    Path("x.sqlite").write_bytes(content)

    ended = lossdiff(command, "x.sqlite")

    assert ended.status == cli.USAGE
    assert "x.sqlite is not a lossdiff run file" in ended.error
    assert Path("x.sqlite").read_bytes() == content
    assert list(Path().iterdir()) == [Path("x.sqlite")]


def test_a_damaged_run_is_refused(lossdiff: Any, run_file: Path) -> None:
    content = run_file.read_bytes()
    half = len(content) // 3
    Path("x.sqlite").write_bytes(content[:half] + b"\xff" * (len(content) - half))

    ended = lossdiff("show", "x.sqlite", "--format", "jsonl")

    assert ended.status == cli.USAGE
    assert "x.sqlite is damaged" in ended.error


def test_a_reader_that_has_seen_enough_is_no_error(run_file: Path) -> None:
    command = f"'{sys.executable}' -m lossdiff show '{run_file}' --format jsonl | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )

    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


# --- report ----------------------------------------------------------------------------------


def test_a_report_is_one_file(lossdiff: Any, run_file: Path) -> None:
    pytest.importorskip("plotly", reason="pip install 'lossdiff[report]'")

    ended = lossdiff("report", run_file, "-o", "deep/page.html")

    assert ended.status == cli.OK
    assert ended.out.endswith("deep/page.html\n")
    assert "</html>" in Path("deep/page.html").read_text()


def test_without_its_extra_a_report_says_what_to_install(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "lossdiff.reports.html", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)  # type: ignore[arg-type]

    ended = lossdiff("report", run_file)

    assert ended.status == cli.USAGE
    assert "jinja2 is not installed; pip install 'lossdiff[report]'" in ended.error


def test_a_report_that_cannot_be_written_ends_with_2(lossdiff: Any, run_file: Path) -> None:
    pytest.importorskip("plotly", reason="pip install 'lossdiff[report]'")
    file = write("file", "")

    ended = lossdiff("report", run_file, "-o", f"{file}/page.html")

    assert ended.status == cli.USAGE
    assert "cannot write file/page.html" in ended.error


# --- onnx ------------------------------------------------------------------------------------


def test_without_onnx_its_suite_ends_with_2(lossdiff: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "suite", suite)
    monkeypatch.setitem(sys.modules, "onnx", None)
    collected.cache_clear()

    ended = lossdiff("check", "--suite", "onnx", *NUMPY)

    assert ended.status == cli.USAGE
    assert ended.error == "lossdiff: onnx is not installed; pip install 'lossdiff[onnx]'"
    assert not Path("lossdiff.sqlite").exists()


@pytest.mark.onnx
def test_onnx_is_judged_beside_the_frameworks(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "suite", suite)

    ended = lossdiff("check", "--suite", "onnx", *NUMPY, "-o", "onnx.sqlite")

    assert ended.status == cli.OK
    rows = rows_of(lossdiff("show", "onnx.sqlite", "--format", "jsonl").out)
    named = {row["implementation"] for row in rows if row["framework"] == "onnx"}
    assert named == {"onnx.reference.ReduceLogSumExp", "onnx.backend.test.ReduceLogSumExp"}
    assert {"scipy.special.logsumexp"} < {row["implementation"] for row in rows}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], True),
        (["--backend", "numpy"], False),
        (["--operation", "softmax"], False),
        (["--mode", "eager"], False),
        (["--device", "gpu"], False),
    ],
)
def test_stale_entries_are_looked_for_in_complete_runs(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: bool
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(cli, "execute", lambda *_: None)
    monkeypatch.setattr(cli, "conclude", lambda *_, complete="": seen.append(complete))

    lossdiff("check", "--suite", "full", *arguments)

    assert seen == ["full" if expected else ""]


# --- repro -----------------------------------------------------------------------------------


def softmax_case(run_file: Path) -> str:
    """Return the case of two rows or more that the hostile functions answered."""
    with RunFile.open(run_file) as run:
        return next(row.case for row in run.rows(VerdictRow) if row.operation == "softmax")


def test_the_worst_finding_of_a_case_is_shown_by_a_script(lossdiff: Any, run_file: Path) -> None:
    case = softmax_case(run_file)

    ended = lossdiff("repro", run_file, case)

    assert ended.status == cli.OK, ended.err
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


def test_another_answer_can_be_named_and_written(lossdiff: Any, run_file: Path) -> None:
    named = ["--impl", "answers.softmax_raises", "--quantity", "value", "--mode", "eager"]

    ended = lossdiff("repro", run_file, softmax_case(run_file), *named, "--no-shrink", "-o", "a.py")

    assert (ended.status, ended.out) == (cli.OK, f"{Path('a.py').resolve()}\n")
    text = Path("a.py").read_text()
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

    assert ended.status == cli.USAGE
    assert expected in ended.error


def test_an_unknown_case_names_the_nearest(lossdiff: Any, run_file: Path) -> None:
    case = softmax_case(run_file)

    ended = lossdiff("repro", run_file, case.replace("worked", "wroked"))

    assert ended.status == cli.USAGE
    assert f"did you mean {case}" in ended.error
    assert ended.error.endswith("`lossdiff show run.sqlite` prints all of the run")


def test_where_nothing_is_wrong_nothing_is_shown(lossdiff: Any) -> None:
    lossdiff("check", *NUMPY, "-o", "run.sqlite")

    ended = lossdiff("repro", "run.sqlite", TINY[0].id)
    named = lossdiff("repro", "run.sqlite", TINY[0].id, "--impl", "scipy.special.logsumexp")

    assert (ended.status, named.status) == (cli.NOTHING, cli.NOTHING)
    assert ended.error == f"lossdiff: {TINY[0].id} has no finding in this run"


def test_what_was_mended_is_not_shown(lossdiff: Any) -> None:
    impl = f"numpy={write('mine.py', WRONG)}"
    lossdiff("check", *NUMPY, "--impl", impl, "-o", "run.sqlite")
    write("mine.py", GOOD)

    ended = lossdiff("repro", "run.sqlite", TINY[0].id)

    assert ended.status == cli.NOTHING
    assert "asked again, mine.logsumexp gives value `" in ended.error
    assert "where the run has `inaccurate`; here: numpy " in ended.error


def test_a_users_file_that_is_gone_is_named(lossdiff: Any) -> None:
    impl = f"numpy={write('mine.py', WRONG)}"
    lossdiff("check", *NUMPY, "--impl", impl, "-o", "run.sqlite")
    Path("mine.py").unlink()

    ended = lossdiff("repro", "run.sqlite", TINY[0].id)

    assert ended.status == cli.USAGE
    assert "mine.py cannot be imported: FileNotFoundError" in ended.error


def test_a_verdict_on_several_calls_is_not_shown(lossdiff: Any, run_file: Path) -> None:
    case = "softmax/float32/4x10/grid/-/0"
    with RunFile.open(run_file) as run:
        row = next(run.rows(VerdictRow))
    with RunFile.create(Path("run.sqlite")) as run:
        run.add([replace(row, case=case, verdict="relation:shift")])

    ended = lossdiff("repro", "run.sqlite", case)

    assert ended.status == cli.NOTHING
    assert ended.error.endswith(
        "relation:shift is said of several calls, which no script shows yet"
    )


def test_a_framework_that_is_missing_is_named(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(FRAMEWORKS["numpy"], imports=("no_numpy",), extra="torch")
    monkeypatch.setattr("lossdiff.harness.asker.FRAMEWORKS", {**FRAMEWORKS, "numpy": absent})

    ended = lossdiff("repro", run_file, softmax_case(run_file))

    assert ended.status == cli.NOTHING
    assert ended.error == "lossdiff: no_numpy not installed; pip install 'lossdiff[torch]'"


def test_a_script_that_cannot_be_written_ends_with_2(lossdiff: Any, run_file: Path) -> None:
    Path("folder").mkdir()

    ended = lossdiff("repro", run_file, softmax_case(run_file), "-o", "folder")

    assert ended.status == cli.USAGE
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

    assert ended.status == cli.OK, ended.err
    assert "np.array([90.0], dtype=np.float32)" in ended.out


# --- list ------------------------------------------------------------------------------------


def test_operations_are_listed(lossdiff: Any) -> None:
    ended = lossdiff("list", "operations")

    assert [name for name in OPERATIONS if name not in ended.out] == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.onnx] * (name == "onnx")) for name in SUITES]
)
def test_cases_are_listed_one_a_line(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(cli, "suite", suite)

    ended = lossdiff("list", "cases", "--suite", name, "--operation", "softmax")

    expected = [case.id for case in suite(name).cases if case.operation == "softmax"]
    assert ended.out.splitlines() == expected


def test_the_ledger_is_listed(lossdiff: Any) -> None:
    ended = lossdiff("list", "ledger")

    assert ended.status == cli.OK
    assert [entry.id for entry in ledger() if entry.id not in ended.out] == []


def test_implementations_are_listed_a_users_own_included(lossdiff: Any) -> None:
    impl = write("mine.py", GOOD)

    ended = lossdiff("list", "implementations", *NUMPY, "--impl", f"numpy={impl}")

    assert ended.status == cli.OK
    assert "scipy.special.logsumexp" in ended.out
    assert "mine.logsumexp" in ended.out
    assert "scipy.special.softmax" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        (["--device", "gpu"], GOOD, "numpy: NumPy has no GPU"),
        (["--mode", "jit"], GOOD, "numpy: has no such mode; it has eager"),
        ([], "import os; os._exit(3)", "numpy: does not start: ProcessExpired"),
    ],
)
def test_where_nobody_offers_anything_the_list_ends_with_3(
    lossdiff: Any, arguments: list[str], text: str, expected: str
) -> None:
    impl = f"numpy={write('mine.py', text)}"

    ended = lossdiff("list", "implementations", *NUMPY, "--impl", impl, *arguments)

    assert ended.status == cli.NOTHING
    assert expected in ended.err
    assert "Traceback" not in ended.err
