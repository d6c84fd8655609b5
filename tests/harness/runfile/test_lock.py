"""One writer for each run file, by whatever name it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lossdiff.harness.runfile import lock as lock_module
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.lock import writing
from lossdiff.harness.runfile.rows import WorkerRow

from lossdiff.errors import RunFileError

WRITER = """
import sys
from pathlib import Path
from lossdiff.harness.runfile import RunFile, WorkerRow, writing
path = Path(sys.argv[1])
with writing(path), getattr(RunFile, sys.argv[2])(path) as run:
    print("writes", flush=True)
    for line in sys.stdin:
        run.add([WorkerRow(line.strip(), "cpu", {})])
        print("written", flush=True)
"""


@contextmanager
def another_writer(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Write a run in another process until the end of the `with` statement."""
    command = [sys.executable, "-c", WRITER, path, how]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writes\n"
        yield process
        process.communicate()
    assert process.returncode == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.sqlite"
    RunFile.create(path).close()
    return path


def named(path: Path, name: str) -> Path:
    """Give a run another name."""
    other = path.parent / "elsewhere" / "other.sqlite"
    other.parent.mkdir()
    if name == "a symbolic link":
        other.symlink_to(path)
    elif name == "a link to a link":
        other.with_name("between").symlink_to(path)
        other.symlink_to("between")
    elif name == "a folder's link":
        other.with_name("folder").symlink_to(path.parent)
        return other.with_name("folder") / path.name
    elif name == "a hard link":
        os.link(path, other)
    else:
        return Path(os.path.relpath(path))
    return other


NAMES = (
    "a symbolic link", "a link to a link", "a folder's link", "a hard link", "a relative path",
)  # fmt: skip
HOW = ("create", "draft", "reopen")


@pytest.mark.parametrize(
    ("name", "begins"),
    # A new run is another file than the older one, which keeps its other hard links.
    [(name, how) for name in NAMES for how in HOW if (name, how) not in (
        ("a hard link", "create"), ("a hard link", "draft"))],
)  # fmt: skip
def test_a_run_has_one_writer_by_whatever_name(path: Path, name: str, begins: str) -> None:
    other = named(path, name)

    with another_writer(path, begins) as process:
        for follows in HOW:
            with pytest.raises(RunFileError, match="is being written by another process: wait for"):
                written(other, follows)
        process.communicate("one\ntwo\n")

    if begins != "draft":
        with RunFile.open(path) as run:
            assert [row.framework for row in run.rows(WorkerRow)] == ["one", "two"]
    written(other, "reopen")  # the locks are given back


def written(path: Path, how: str) -> None:
    """Write a run as a command does."""
    with writing(path):
        getattr(RunFile, how)(path).close()


@pytest.mark.parametrize("begins", ["create", "draft"])
def test_a_new_run_is_locked_by_its_new_names_too(path: Path, begins: str) -> None:
    with another_writer(path, begins):
        place = path.with_name("run.sqlite.new") if begins == "draft" else path
        other = path.with_name("other.sqlite")
        os.link(place, other)

        for follows in HOW:
            with pytest.raises(RunFileError, match="is being written"):
                written(other, follows)


def test_the_file_stays_locked_while_others_read_it_here(path: Path) -> None:
    """Closing a descriptor of a file drops the locks of a process, which are those of SQLite."""
    other = path.with_name("other.sqlite")
    os.link(path, other)

    with RunFile.reopen(path) as run:
        run.add([WorkerRow("a", "cpu", {})])
        RunFile.open(path).close()
        assert "is being written by another process" in ended(other)
        run.add([WorkerRow("b", "cpu", {})])
        run.verify()

    with RunFile.open(path) as run:
        assert run.count(WorkerRow) == 2


def ended(path: Path) -> str:
    """Try to write a run in another process; return what it says."""
    command = [sys.executable, "-c", WRITER, path, "reopen"]
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    return done.stderr


def test_a_lock_ends_with_its_process(path: Path) -> None:
    with another_writer(path, "reopen") as process:
        process.kill()
        process.wait()
        process.returncode = 0
        with writing(path), RunFile.reopen(path):
            pass


@pytest.mark.parametrize("kind", ["a text", "a link", "a folder"])
def test_what_stands_where_the_lock_goes_is_left_alone(path: Path, kind: str) -> None:
    lock = path.with_name(".run.sqlite.lock")
    notes = path.with_name("notes")
    notes.write_text("precious")
    if kind == "a text":
        lock.write_text("precious")
    elif kind == "a link":
        lock.symlink_to(notes)
    else:
        lock.mkdir()

    with (
        pytest.raises(RunFileError, match="stands where the lock goes: move it away"),
        writing(path),
    ):
        pytest.fail("it was locked")

    assert os.path.lexists(lock)
    assert notes.read_text() == "precious"


def test_where_no_file_can_be_locked_one_with_two_names_is_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "_HAS_FILE_LOCKS", False)
    RunFile.reopen(path).close()
    os.link(path, path.with_name("other.sqlite"))

    with pytest.raises(RunFileError, match="is being written by another process"):
        RunFile.reopen(path)
