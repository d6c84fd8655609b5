"""A run holds on to its file: what somebody does to it is said, and its rows are kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.place import draft_of
from lossdiff.harness.runfile.rows import WorkerRow

from lossdiff.errors import RunFileError

FEW, MANY = 20, 200  # rows: all of them in the log, and half of them written back from it


def row(number: int) -> WorkerRow:
    return WorkerRow(f"f{number}", "cpu", {"text": "x" * 900})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "run.sqlite"


def begun(path: Path, count: int) -> RunFile:
    """Begin a run; of many rows, SQLite has written half back from the log."""
    run = RunFile.create(path)
    run.add(list(map(row, range(count // 2))))
    if count == MANY:
        run._connection.execute("PRAGMA wal_checkpoint")
    run.add(list(map(row, range(count // 2, count))))
    return run


def rows_in(path: Path) -> list[str]:
    with RunFile.open(path) as run:
        return [row.framework for row in run.rows(WorkerRow)]


def other_run(path: Path, count: int = 100) -> Path:
    other = path.with_name("other.sqlite")
    with RunFile.create(other) as run:
        run.add([WorkerRow("foreign", "cpu", {"text": "y" * 3000})] * count)
    return other


def _all(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}*"))


TAKEN: dict[str, Callable[[Path], object]] = {
    "removed": lambda path: path.unlink(),
    "removed with its log": lambda path: [each.unlink() for each in _all(path)],
    "moved": lambda path: path.rename(path.with_name("moved.sqlite")),
    "replaced by a text": lambda path: path.with_name("notes").rename(path),
    "replaced by a run": lambda path: other_run(path).rename(path),
    "replaced by a link": lambda path: (path.unlink(), path.symlink_to("notes")),
    "a folder by now": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("count", [0, FEW, MANY])
@pytest.mark.parametrize("how", TAKEN)
def test_a_file_that_is_taken_away_is_said_and_no_row_is_lost(
    path: Path, how: str, count: int
) -> None:
    run = begun(path, count)
    path.with_name("notes").write_text("precious")
    TAKEN[how](path)
    there = path.read_bytes() if path.is_file() else None

    with pytest.raises(RunFileError, match=r"(removed or moved|replaced by another).*") as error:
        run.add([row(count)])
    run.add([row(count + 1)])  # of what is judged already, while the run ends
    run.close()

    kept = path.with_name("run-rescued.sqlite")
    assert str(error.value).endswith(f"during the run; its rows are kept in {kept}")
    assert rows_in(kept) == [f"f{number}" for number in range(count + 2)]
    # What stands there now is somebody else's, and no log of ours may stand beside it.
    assert (path.read_bytes() if path.is_file() else None) == there
    assert [each.name for each in path.parent.glob("*-wal")] == []
    if how == "moved":
        moved = rows_in(path.with_name("moved.sqlite"))
        assert moved == [f"f{number}" for number in range(count + 1)]


@pytest.mark.parametrize("how", TAKEN)
def test_what_happens_after_the_last_row_is_said_at_the_end(path: Path, how: str) -> None:
    run = begun(path, FEW)
    path.with_name("notes").write_text("precious")
    run.verify()
    TAKEN[how](path)

    with pytest.raises(RunFileError, match="its rows are kept in"):
        run.verify()
    run.close()

    assert len(rows_in(path.with_name("run-rescued.sqlite"))) == FEW


def test_without_its_folder_the_rows_go_where_the_command_was_given(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = begun(path, FEW)
    shutil.rmtree(path.parent)

    with pytest.raises(RunFileError, match="run-rescued"):
        run.add([row(FEW)])
    run.close()

    assert len(rows_in(tmp_path / "run-rescued.sqlite")) == FEW + 1


def test_an_older_rescue_is_not_written_over(path: Path) -> None:
    for _ in range(2):
        run = begun(path, FEW)
        path.unlink()
        with pytest.raises(RunFileError):
            run.verify()
        run.close()

    assert len(list(path.parent.glob("run-rescued*.sqlite"))) == 2


SPOILT: dict[str, Callable[[Path], object]] = {
    "cut to nothing": lambda path: os.truncate(path, 0),
    "cut in the middle": lambda path: os.truncate(path, 5000),
    "a text": lambda path: path.write_text("precious"),
    "a long text": lambda path: path.write_text("precious\n" * 10**6),
    "another run": lambda path: shutil.copyfile(path.with_name("other.sqlite"), path),
    "a database": lambda path: shutil.copyfile(path.with_name("theirs.sqlite"), path),
}


@pytest.mark.parametrize("count", [0, FEW, MANY])
@pytest.mark.parametrize("how", SPOILT)
def test_what_is_written_over_a_file_is_said_and_stays(path: Path, how: str, count: int) -> None:
    """A part of the rows may be gone, but no others may be called this run's."""
    run = begun(path, count)
    other_run(path)
    with sqlite3.connect(path.with_name("theirs.sqlite")) as theirs:
        theirs.execute("CREATE TABLE theirs (a)")
    theirs.close()
    SPOILT[how](path)
    there = path.read_bytes()

    with pytest.raises(RunFileError, match=r"run.sqlite was (cut short|overwritten)") as error:
        run.add([row(count)])
    run.add([row(count + 1)])
    run.close()

    assert path.read_bytes() == there
    assert [each.name for each in path.parent.glob("*-wal")] == []
    kept = path.with_name("run-rescued.sqlite")
    assert (f"kept in {kept}" in str(error.value)) == kept.exists()
    assert ("its rows are lost" in str(error.value)) == (not kept.exists())
    if kept.exists():
        assert "foreign" not in rows_in(kept)
        expected = FEW if count == FEW else 0  # these were all in the log
        assert len(rows_in(kept)) >= expected


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("how", ["touched", "linked", "read", "written back", "allowed to all"])
def test_what_does_no_harm_does_not_end_a_run(path: Path, how: str, count: int) -> None:
    run = begun(path, count)
    if how == "touched":
        os.utime(path, (1, 1))
    elif how == "linked":
        os.link(path, path.with_name("again.sqlite"))
    elif how == "allowed to all":
        path.chmod(0o666)
    else:
        with sqlite3.connect(path) as other:
            other.execute("SELECT count(*) FROM workers").fetchone()
            if how == "written back":
                other.execute("PRAGMA wal_checkpoint")
        other.close()

    run.add([row(count)])
    run.verify()
    run.close()

    assert len(rows_in(path)) == count + 1


def test_what_sqlite_writes_back_by_itself_is_no_change(path: Path) -> None:
    run, sizes = RunFile.create(path), set[int]()
    for first in range(0, 6000, 500):
        run.add(list(map(row, range(first, first + 500))))
        sizes.add(path.stat().st_size)
    run.verify()
    run.close()

    assert len(sizes) > 1
    assert len(rows_in(path)) == 6000


# --- what stands beside a run ----------------------------------------------------------------


BESIDE = ("run.sqlite-wal", "run.sqlite-shm", "run.sqlite-journal", "run.sqlite.new",
          "run.sqlite.new-wal", "run.sqlite.new-journal")  # fmt: skip


@pytest.mark.parametrize("has_run", [True, False])
@pytest.mark.parametrize("kind", ["a text", "a link", "a folder"])
@pytest.mark.parametrize("name", BESIDE)
def test_what_is_not_ours_beside_a_run_is_not_deleted(
    tmp_path: Path, name: str, kind: str, has_run: bool
) -> None:
    path, stranger = tmp_path / "run.sqlite", tmp_path / name
    if has_run:
        RunFile.create(path).close()
    (tmp_path / "notes").write_text("precious")
    if kind == "a text":
        stranger.write_text("precious")
    elif kind == "a link":
        stranger.symlink_to("notes")
    else:
        stranger.mkdir()

    with pytest.raises(RunFileError) as error:
        RunFile.create(path)

    assert f"{stranger} " in str(error.value)
    assert str(error.value).endswith(": move it away")
    assert path.exists() == has_run
    assert stranger.is_dir() if kind == "a folder" else stranger.read_text() == "precious"
    assert stranger.is_symlink() == (kind == "a link")


@pytest.mark.parametrize("kind", ["a pipe", "a link", "a folder"])
@pytest.mark.parametrize("name", BESIDE[:3])
def test_what_can_be_no_log_is_not_opened_with_a_run(path: Path, name: str, kind: str) -> None:
    """SQLite would wait for a pipe without end, and no signal but SIGKILL would end that."""
    RunFile.create(path).close()
    stranger = path.with_name(name)
    if kind == "a pipe":
        os.mkfifo(stranger)
    elif kind == "a link":
        path.with_name("notes").write_text("precious")
        stranger.symlink_to("notes")
    else:
        stranger.mkdir()
    before = sorted(path.parent.iterdir())

    for read in (RunFile.open, RunFile.reopen):
        with pytest.raises(RunFileError, match=f"{name} is no log that SQLite has written"):
            read(path)

    assert sorted(path.parent.iterdir()) == before


def test_a_run_that_goes_on_leaves_the_draft_of_another_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    RunFile.create(path).close()
    draft_of(path).write_text("precious")

    run = RunFile.reopen(path)
    run.discard()

    assert draft_of(path).read_text() == "precious"


@pytest.mark.parametrize("left", ["", "-wal", "-shm", "-journal"])
def test_what_a_process_that_died_has_left_is_ours_to_replace(tmp_path: Path, left: str) -> None:
    path, source = tmp_path / "run.sqlite", tmp_path / "source.sqlite"
    run = begun(source, FEW)
    for each in _all(source):
        shutil.copy(each, path.with_name(each.name.replace("source", "run")))
        shutil.copy(each, path.with_name(each.name.replace("source.sqlite", "run.sqlite.new")))
    run.close()
    path.with_name(f"run.sqlite.new{left}").write_bytes(b"")

    with RunFile.create(path) as run:
        run.add([row(0)])

    assert rows_in(path) == ["f0"]
    assert {each.name for each in tmp_path.iterdir()} == {"run.sqlite", "source.sqlite"}


def test_a_draft_is_not_moved_over_what_came_meanwhile(path: Path) -> None:
    run = RunFile.draft(path)
    path.write_text("precious", encoding="utf-8")

    with pytest.raises(RunFileError, match="is not a lossdiff run file"):
        run.publish()
    run.discard()

    assert path.read_text(encoding="utf-8") == "precious"
    assert list(path.parent.iterdir()) == [path]


def test_a_draft_that_is_removed_is_said(path: Path) -> None:
    run = RunFile.draft(path)
    draft_of(path).unlink()

    with pytest.raises(RunFileError, match=r"run.sqlite.new was removed or moved"):
        run.publish()
    run.discard()

    assert not path.exists()


@pytest.mark.parametrize("standing", ["nothing", "an older run"])
def test_a_run_through_a_link_is_written_where_it_leads(tmp_path: Path, standing: str) -> None:
    place, link = tmp_path / "there" / "run.sqlite", tmp_path / "link.sqlite"
    link.symlink_to(place)
    if standing == "an older run":
        RunFile.create(place).close()

    with RunFile.create(link) as run:
        run.add([row(0)])
        run.verify()

    assert link.is_symlink()
    assert rows_in(link) == rows_in(place) == ["f0"]
    assert [each.name for each in place.parent.iterdir()] == ["run.sqlite"]
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["link.sqlite"]
