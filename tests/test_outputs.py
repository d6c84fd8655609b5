"""The writing of outputs: what is replaced, what is refused, and what is left when it fails."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.schema import APPLICATION_ID

from lossdiff.errors import OutputError
from lossdiff.outputs import (
    Kind,
    check_apart,
    check_output,
    is_same,
    shown,
    target_of,
    write_output,
)

TEXTS = {
    Kind.PAGE: "<!doctype html>\n<html><head><title>lossdiff: 1 new finding</title></head>\n",
    Kind.MARKDOWN: "## lossdiff: no regressions in 2 answers and 0 benchmarks\n",
    Kind.JUNIT: '<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="lossdiff" tests="0"/>\n',
    Kind.SCRIPT: "# softmax, value: inaccurate\n#\n# found by  lossdiff 0.1.0, in the case a\n",
    Kind.BENCHMARK: '{\n    "machine_info": {}\n}\n',
}
KINDS = pytest.mark.parametrize("kind", TEXTS, ids=lambda kind: kind.name.lower())


def a_run(path: Path) -> None:
    RunFile.create(path).close()


def a_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()


STANDING: dict[str, Callable[[Path], object]] = {
    "a run": a_run,
    "another database": a_database,
    "a text": lambda path: path.write_text("precious notes\n"),
    "a page of another program": lambda path: path.write_text("<!doctype html><title>mine</title>"),
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "a head that was cut": lambda path: path.write_bytes(b"SQLite for"),
    "a folder": Path.mkdir,
}


def tree(folder: Path) -> dict[str, object]:
    """Return everything in a folder: links as links, files by their bytes and permissions."""
    return {
        str(path.relative_to(folder)): (
            path.readlink()
            if path.is_symlink()
            else None
            if path.is_dir()
            else (path.read_bytes(), path.stat().st_mode)
        )
        for path in sorted(folder.rglob("*"))
    }


def refusal(path: Path, kind: Kind) -> str:
    """Return why an output is refused, before the work and at its end, in one and the same line."""
    lines = []
    for use in (check_output, lambda *where: write_output(*where, "new")):
        with pytest.raises(OutputError) as error:
            use(path, kind)
        lines.append(str(error.value))
    assert lines[0] == lines[1]
    assert lines[0].isprintable()
    return lines[0]


@KINDS
@pytest.mark.parametrize("through", ["its name", "a link", "a link to a link"])
@pytest.mark.parametrize("standing", STANDING)
def test_what_we_have_not_written_stays_bit_for_bit(
    tmp_path: Path, kind: Kind, standing: str, through: str
) -> None:
    place = path = tmp_path / "there"
    STANDING[standing](place)
    for _ in range(through.count("link")):
        path.with_name(f"{path.name}-link").symlink_to(path)
        path = path.with_name(f"{path.name}-link")
    before = tree(tmp_path)

    assert str(path) in refusal(path, kind)

    assert tree(tmp_path) == before


@KINDS
def test_of_the_other_kinds_nothing_is_replaced(tmp_path: Path, kind: Kind) -> None:
    for other in TEXTS.keys() - {kind}:
        path = tmp_path / other.name
        path.write_text(TEXTS[other])

        assert f"{path} is {other.noun}, which {kind.noun} never replaces" in refusal(path, kind)
        assert path.read_text() == TEXTS[other]


@KINDS
@pytest.mark.parametrize("standing", ["nothing", "an empty file", "an older output", "a folder"])
def test_an_earlier_output_is_replaced_also_through_a_link(
    tmp_path: Path, kind: Kind, standing: str
) -> None:
    place, link = tmp_path / "deep" / "page", tmp_path / "link"
    link.symlink_to(place)
    if standing != "nothing":
        place.parent.mkdir()
    if standing in ("an empty file", "an older output"):
        place.write_text(TEXTS[kind] + "older" if standing == "an older output" else "")

    write_output(link, kind, TEXTS[kind])
    write_output(place, kind, TEXTS[kind] * 2)

    assert link.is_symlink()
    assert link.read_text() == TEXTS[kind] * 2
    assert [path.name for path in place.parent.iterdir()] == ["page"]


def test_a_new_file_has_the_permissions_that_any_new_file_has(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_output(tmp_path / "new", Kind.PAGE, "text")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_an_older_output_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text(TEXTS[Kind.PAGE])
    path.chmod(0o604)

    write_output(path, Kind.PAGE, "new")

    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o604)


# --- writing fails ---------------------------------------------------------------------------


@contextmanager
def no_room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 5000, 99_999])
@pytest.mark.parametrize("standing", ["nothing", "an empty file", "an older output"])
def test_on_a_full_disk_the_old_file_stays(tmp_path: Path, standing: str, room: int) -> None:
    path = tmp_path / "page"
    if standing != "nothing":
        path.write_text(TEXTS[Kind.PAGE] if standing == "an older output" else "")
    before = tree(tmp_path)

    with (
        no_room_for(room),
        pytest.raises(OutputError, match=r"cannot write .*page: File too large"),
    ):
        write_output(path, Kind.PAGE, "x" * 100_000)

    assert tree(tmp_path) == before


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_ends_the_writing_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    path = tmp_path / "page"
    path.write_text(TEXTS[Kind.PAGE])

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, call, fail)
    monkeypatch.setattr(Path, call, fail, raising=False)

    with pytest.raises((OutputError, KeyboardInterrupt)):
        write_output(path, Kind.PAGE, "new")

    assert tree(tmp_path).keys() == {"page"}
    assert path.read_text() == TEXTS[Kind.PAGE]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/page", "Not a directory"),
        ("file/deep/page", "Not a directory"),
        ("/proc/page", "No such file or directory"),
        ("loop", "Too many levels of symbolic links"),
        ("n" * 256, "File name too long"),
        ("a\0b", "embedded null byte"),
    ],
)
@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.RUN])
def test_where_nothing_can_be_written_it_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str, kind: Kind
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("", encoding="utf-8")
    Path("loop").symlink_to("loop")

    with pytest.raises(OutputError, match=reason):
        check_output(Path(name), kind)

    assert tree(tmp_path).keys() == {"file", "loop"}


# --- devices and pipes -----------------------------------------------------------------------


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()

    check_output(pipe, Kind.PAGE)
    write_output(pipe, Kind.PAGE, "whole")
    reader.join()

    assert got == ["whole"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_devices_are_written_as_they_are() -> None:
    write_output(Path(os.devnull), Kind.PAGE, "text")
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left"):
        write_output(Path("/dev/full"), Kind.PAGE, "text")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_where_it_has_got_to(tmp_path: Path, name: str) -> None:
    """Redirected to a file it looks like one, which must be neither replaced nor written over."""
    code = (
        "import sys; from pathlib import Path; from lossdiff.outputs import Kind, write_output\n"
        f"print('before'); write_output(Path('{name}'), Kind.PAGE, 'page'); print('; after')"
    )
    file = tmp_path / "log"
    with file.open("w") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True, cwd=tmp_path)

    assert file.read_text() == "before\npage; after\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_reader_that_ends_early_is_no_failure(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: pipe.open("rb").close())
    reader.start()

    write_output(pipe, Kind.PAGE, "page" * 100_000)
    reader.join()

    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", [os.devnull, "/dev/stdout", "pipe"])
def test_a_run_needs_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")

    with pytest.raises(OutputError, match="is a device or pipe: a run needs a file"):
        check_output(Path(name), Kind.RUN)


@pytest.mark.parametrize("exists", ["nothing", "a folder", "a run"])
def test_a_minus_sign_is_standard_output_whatever_has_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if exists == "a folder":
        (tmp_path / "-").mkdir()
    elif exists == "a run":
        a_run(tmp_path / "-")

    with pytest.raises(OutputError, match=r"^- is standard output: a run needs a file"):
        check_output(Path("-"), Kind.RUN)
    for outputs in ([Path("-"), tmp_path / "-"], [tmp_path / "-", Path("-")]):
        check_apart(outputs)


@pytest.mark.parametrize(
    "name", ["r-wal", "r-shm", "r-journal", "r.new", ".r.lock", "b.new-wal", ".b.lock", "link"]
)
@pytest.mark.parametrize("exists", [False, True], ids=["nothing", "an empty file"])
@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.RUN], ids=["page", "run"])
def test_what_is_kept_beside_a_run_is_no_place_for_an_output(
    tmp_path: Path, kind: Kind, name: str, *, exists: bool
) -> None:
    """The log of a run that is being written may be empty, and its lock is."""
    a_run(tmp_path / "r")
    shutil.copy(tmp_path / "r", tmp_path / "b.new")  # it has no name of its own yet
    (tmp_path / "link").symlink_to("r-wal")
    if exists:
        (tmp_path / name).touch()

    with pytest.raises(OutputError, match=r"belongs to .*: name another file"):
        check_output(tmp_path / name, kind)


@pytest.mark.parametrize("name", ["notes-wal", "a.new", ".a.lock", "-wal", ".new"])
def test_such_a_name_is_free_beside_anything_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes").write_text("notes")
    (tmp_path / "a").mkdir()

    write_output(tmp_path / name, Kind.PAGE, TEXTS[Kind.PAGE])

    assert (tmp_path / name).read_text() == TEXTS[Kind.PAGE]


# --- names -----------------------------------------------------------------------------------


def test_two_outputs_must_not_be_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, link, hard, new = map(Path, ("one", "link", "hard", "new"))
    one.write_text("")
    link.symlink_to(one)
    os.link(one, hard)

    for other in (one, Path("./one"), tmp_path / "one", link, hard):
        with pytest.raises(OutputError, match="are one file: name two"):
            check_apart([one, other])
        with pytest.raises(OutputError, match="is read by this command"):
            check_apart([other], [one])
    with pytest.raises(OutputError, match="are one file"):  # also where there is none yet
        check_apart([new, tmp_path / "new"])
    check_apart([one, new, Path(os.devnull), Path(os.devnull)], [Path("none"), Path("n" * 999)])


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.binary(min_size=1, max_size=40))
def test_any_name_works_or_is_refused_and_can_be_printed(tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name.lstrip(b"/"))))  # noqa: PTH118
    assert shown(path).isprintable()
    shown(path).encode("utf-8")
    if tmp_path not in target_of(Path(str(path).replace("\0", ""))).parents:
        return  # `..` leads out of the folder

    said = ""
    try:
        write_output(path, Kind.MARKDOWN, TEXTS[Kind.MARKDOWN])
    except OutputError as error:
        said = str(error)

    if said:
        assert said.isprintable()
        assert b"\0" in name or path.is_dir() or any(above.is_file() for above in path.parents)
    else:
        assert path.read_text(encoding="utf-8") == TEXTS[Kind.MARKDOWN]
        assert is_same(path, path)


def test_a_run_is_known_by_the_mark_of_its_format() -> None:
    assert APPLICATION_ID.to_bytes(4, "big") == b"loss"
