"""What stands at an output of a command: it is replaced only if that command has written it.

Each cell of the table is an output of a command on something that stands there. What is not to be
replaced is there afterwards, bit for bit, and is named in one line before any work is begun.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lossdiff.harness.engine import Engine
from lossdiff.harness.runfile.file import RunFile

from lossdiff._cli import merge, repro
from lossdiff._cli.status import Status
from lossdiff.outputs import Kind

from ..test_outputs import TEXTS, a_database, no_room_for, tree
from .command import NUMPY, Ended, never

RUN = "run.sqlite"
COMMANDS: dict[str, tuple[str, ...]] = {
    "check": ("check", *NUMPY, "-o"),
    "bench": ("bench", "--backend", "numpy", "--operation", "softmax", "-o"),
    "merge": ("merge", RUN, "-o"),
    "report": ("report", RUN, "-o"),
    "markdown": ("compare", RUN, RUN, "--markdown"),
    "junit": ("compare", RUN, RUN, "--junit"),
    "check's markdown": ("check", *NUMPY, "--markdown"),
    "check's junit": ("check", *NUMPY, "--junit"),
    "repro": ("repro", RUN, "softmax/float64/6x3/worked:note-6x3-softmax/-/0", "-o"),
}
WRITE_RUNS = ("check", "bench", "merge")
FOREIGN: dict[str, Callable[[Path], object]] = {
    "a run": lambda path: shutil.copy(RUN, path),
    "a database": a_database,
    "a text": lambda path: path.write_text("precious"),
    "a folder": Path.mkdir,
    "a link to a text": lambda path: (Path("notes").write_text("precious", encoding="utf-8"),
                                      path.symlink_to("notes")),
    "a link to a run": lambda path: path.symlink_to(RUN),
    "a hard link of a run": lambda path: os.link(RUN, path),
    "a link to a folder": lambda path: (Path("deep").mkdir(), path.symlink_to("deep")),
    "a link to itself": lambda path: path.symlink_to(path.name),
    **{f"an older {kind.name}": lambda path, text=text: path.write_text(text)
       for kind, text in TEXTS.items()},
}  # fmt: skip
OWN = {
    "report": "an older PAGE",
    "markdown": "an older MARKDOWN",
    "junit": "an older JUNIT",
    "check's markdown": "an older MARKDOWN",
    "check's junit": "an older JUNIT",
    "repro": "an older SCRIPT",
}
A_RUN = ("a run", "a link to a run", "a hard link of a run")


@pytest.fixture
def begins_no_work(lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command beside a run, where no work must be begun."""
    shutil.copy(run_file, RUN)
    monkeypatch.setattr(Engine, "execute", never)
    monkeypatch.setattr(repro, "chosen", never)
    monkeypatch.setattr("lossdiff.harness.comparing.read_snapshot", never)
    monkeypatch.setattr(merge, "merge", never)
    return lossdiff


def refused(ended: Ended) -> str:
    """Return the one line of a command that has refused an output."""
    assert (ended.status, ended.out) == (Status.USAGE, "")
    assert ended.error.isprintable()
    assert ended.err == ended.error + "\n"
    return ended.error


CELLS = [
    (command, standing)
    for command in COMMANDS
    for standing in FOREIGN
    if standing != OWN.get(command)
    and not (command in WRITE_RUNS and standing in A_RUN)  # that is what they replace
]


@pytest.mark.parametrize(("command", "standing"), CELLS)
def test_what_a_command_has_not_written_stays_bit_for_bit(
    begins_no_work: Any, command: str, standing: str
) -> None:
    if command == "report":
        pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    FOREIGN[standing](Path("there"))
    before = tree(Path())

    assert "there" in refused(begins_no_work(*COMMANDS[command], "there"))

    assert tree(Path()) == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "needs the name of a file, was given ''"),
        (".", ". is a directory: name a file in it"),
        ("..", ".. is a directory"),
        ("new/", "new/ is a directory"),
        ("new/..", "new/.. is a directory"),
        ("run.sqlite/there", "Not a directory"),
        ("run.sqlite/deep/there", "Not a directory"),
        ("/proc/there", "cannot write /proc/there: No such file"),
        ("n" * 256, "File name too long"),
        (f"{'deep/' * 2000}there", "File name too long"),
    ],
)
def test_a_name_that_cannot_be_written_is_refused_before_the_work(
    begins_no_work: Any, command: str, name: str, expected: str
) -> None:
    if command == "report":
        pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    before = tree(Path())

    assert expected in refused(begins_no_work(*COMMANDS[command], name))

    assert tree(Path()) == before


ODD = (":memory:", "file:new?mode=memory", "[bold]new", "a\nb\x1b[31m", "é 😀", "-new",
       "%s{0}", "x[/y].new", os.fsdecode(b"\xff\xfe.new"), "n" * 230)  # fmt: skip


@pytest.mark.parametrize(
    ("command", "name"),
    [*((command, name) for command in ("merge", "markdown") for name in ODD),
     *((command, name) for command in ("check", "report", "junit") for name in ODD[-3:-1])],
)  # fmt: skip
def test_an_odd_name_is_a_name_and_can_be_printed(
    lossdiff: Any, run_file: Path, command: str, name: str
) -> None:
    if command == "report":
        pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    shutil.copy(run_file, RUN)
    Path("x[").mkdir()
    options = COMMANDS[command]

    ended = lossdiff(*options[:-1], f"{options[-1]}={name}" if options[-1] != "-o" else f"-o{name}")

    assert ended.status in (Status.OK, Status.FINDINGS), ended.err
    assert Path(name).stat().st_size
    assert "\x1b" not in ended.out + ended.err
    (ended.out + ended.err).encode("utf-8")
    if command in WRITE_RUNS:
        with RunFile.open(Path(name)) as run:
            assert run.meta["finished"]
        shown = lossdiff("show", f"./{name}")
        assert shown.status == Status.OK


@pytest.mark.parametrize("through", ["its name", "a link", "a link that leads nowhere"])
@pytest.mark.parametrize(
    "command", ["merge", "report", "markdown", "junit", "check's markdown", "check's junit"]
)
def test_an_earlier_output_is_replaced_and_a_link_stays(
    lossdiff: Any, run_file: Path, command: str, through: str
) -> None:
    if command == "report":
        pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    shutil.copy(run_file, RUN)
    place, link = Path("deep/there").resolve(), Path("link")
    link.symlink_to(place)
    name = place if through == "its name" else link
    times = 1 if through.endswith("nowhere") else 2

    for _ in range(times):
        ended = lossdiff(*COMMANDS[command], name)
        assert ended.status in (Status.OK, Status.FINDINGS), ended.err

    assert link.is_symlink()
    assert place.stat().st_size
    assert [path.name for path in place.parent.iterdir()] == ["there"]


def test_two_outputs_must_not_be_one_file(begins_no_work: Any) -> None:
    Path("link").symlink_to("new")

    for other in ("new", "./new", "link"):
        ended = begins_no_work("compare", RUN, RUN, "--markdown", "new", "--junit", other)
        assert "are one file: name two" in refused(ended)
        ended = begins_no_work("check", *NUMPY, "--markdown", "new", "--junit", other)
        assert "are one file: name two" in refused(ended)

    assert not Path("new").exists()


@pytest.mark.parametrize("name", [RUN, f"./{RUN}", "link", "hard"])
@pytest.mark.parametrize("command", ["merge", "report", "markdown", "junit", "repro"])
def test_an_output_is_none_of_the_inputs(begins_no_work: Any, command: str, name: str) -> None:
    if command == "report":
        pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    Path("link").symlink_to(RUN)
    os.link(RUN, "hard")
    before = tree(Path())

    assert name.removeprefix("./") in refused(begins_no_work(*COMMANDS[command], name))

    assert tree(Path()) == before


@pytest.mark.parametrize("standing", ["nothing", "an older one"])
@pytest.mark.parametrize("command", ["report", "markdown", "junit"])
def test_on_a_full_disk_an_older_output_stays(
    lossdiff: Any, run_file: Path, command: str, standing: str
) -> None:
    if command == "report":
        pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    shutil.copy(run_file, RUN)
    if standing != "nothing":
        FOREIGN[OWN[command]](Path("there"))
    before = tree(Path())

    with no_room_for(100):
        ended = lossdiff(*COMMANDS[command], "there")

    assert "cannot write there: File too large" in refused(ended)
    assert tree(Path()) == before


@pytest.mark.parametrize("command", ["check", "merge"])
def test_on_a_full_disk_an_older_run_stays(lossdiff: Any, run_file: Path, command: str) -> None:
    for name in (RUN, "there"):
        shutil.copy(run_file, name)
    before = tree(Path())

    with no_room_for(10_000):
        ended = lossdiff(*COMMANDS[command], "there")

    assert "cannot write there" in refused(ended)
    assert tree(Path()) == before


@pytest.mark.parametrize("command", ["report", "markdown", "junit"])
def test_devices_are_written_as_they_are(lossdiff: Any, run_file: Path, command: str) -> None:
    if command == "report":
        pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")

    options = [run_file if option == RUN else option for option in COMMANDS[command]]

    assert lossdiff(*options, os.devnull).status == Status.OK
    assert "cannot write /dev/full: No space left" in refused(lossdiff(*options, "/dev/full"))


@pytest.mark.parametrize("command", WRITE_RUNS)
@pytest.mark.parametrize("name", [os.devnull, "/dev/stdout", "pipe"])
def test_a_run_needs_a_file(begins_no_work: Any, command: str, name: str) -> None:
    os.mkfifo("pipe")

    assert f"{name} is a device or pipe" in refused(begins_no_work(*COMMANDS[command], name))


@pytest.mark.parametrize("command", WRITE_RUNS)
def test_a_run_is_not_written_to_standard_output(begins_no_work: Any, command: str) -> None:
    assert "- is standard output: a run" in refused(begins_no_work(*COMMANDS[command], "-"))


@pytest.mark.parametrize("command", ["report", "markdown", "junit"])
def test_a_minus_sign_is_standard_output(
    run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Neither a file of that name is made, nor one that is there written."""
    if command == "report":
        pytest.importorskip("plotly", reason="pip install 'lossdiff[report]'")
    monkeypatch.chdir(tmp_path)
    options = [str(run_file) if option == RUN else option for option in COMMANDS[command]]
    before = tree(Path())

    ended = subprocess.run(
        [sys.executable, "-m", "lossdiff", *options, "-"], capture_output=True, check=True
    )

    assert tree(Path()) == before
    kind = {"report": Kind.PAGE, "markdown": Kind.MARKDOWN, "junit": Kind.JUNIT}[command]
    assert kind.begins(ended.stdout)


def test_a_file_called_minus_can_be_named(lossdiff: Any, run_file: Path) -> None:
    assert lossdiff("compare", run_file, run_file, "--markdown", "./-").status == Status.OK
    assert Kind.MARKDOWN.begins(Path("-").read_bytes())


# --- what happens to a run while it is asked -------------------------------------------------


def _notes(path: Path) -> None:
    Path("other").write_text("precious", encoding="utf-8")
    Path("other").rename(path)


@pytest.mark.parametrize("command", ["check", "merge"])
@pytest.mark.parametrize("change", [Path.unlink, _notes], ids=["removed", "replaced"])
def test_a_run_that_was_taken_away_is_no_success(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch, command: str, change: Any
) -> None:
    shutil.copy(run_file, RUN)
    set_meta = RunFile.set_meta

    def taken_away(run: RunFile, **values: str) -> None:
        set_meta(run, **values)
        if values.get("finished"):
            run.publish()
            change(Path("new.sqlite"))

    monkeypatch.setattr(RunFile, "set_meta", taken_away)

    ended = lossdiff(*COMMANDS[command], "new.sqlite")

    assert (ended.status, ended.out) == (Status.USAGE, "")
    assert "new.sqlite was re" in ended.error
    assert "its rows are kept in" in ended.error
    with RunFile.open(Path("new-rescued.sqlite")) as run:
        assert run.asked_cases()
    if change is _notes:
        assert Path("new.sqlite").read_text(encoding="utf-8") == "precious"


def test_a_strangers_log_beside_a_new_run_stays(begins_no_work: Any) -> None:
    with sqlite3.connect("new.sqlite-wal") as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = tree(Path())

    for command in WRITE_RUNS:
        line = refused(begins_no_work(*COMMANDS[command], "new.sqlite"))
        assert "new.sqlite-wal is of a file that is gone, and would be lost" in line

    assert tree(Path()) == before
