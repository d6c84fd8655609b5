"""Open the SQLite file of a run, and say in one line why it cannot be opened."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from ...errors import OutputError, RunFileError
from ...outputs import Kind, check_output, shown, target_of
from .lock import InodeLock
from .place import refuse_foreign_sides, refuse_special_sides
from .schema import APPLICATION_ID, FORMAT, SCHEMA, add_missing
from .untrusted import protect, why_unread


def connected(place: Path) -> sqlite3.Connection:
    """Open a file to write rows into it.

    Commits go to a write-ahead log, which is quick and survives the death of a process.
    """
    connection = sqlite3.connect(place)
    connection.row_factory = sqlite3.Row
    # With NORMAL a commit does not wait for the disk: only a power failure can lose it.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    # SQLite opens the log with the first reading, and not any more once the file was moved.
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    add_missing(connection, temporary=False)
    return connection


def created(place: Path) -> sqlite3.Connection:
    """Make the tables of a run in an empty file, and open it to write rows into it."""
    # Not in a log yet: a process that is killed here leaves an empty file, or a run.
    with closing(sqlite3.connect(place)) as connection:
        connection.executescript(f"BEGIN;\n{SCHEMA}\nCOMMIT;")
    return connected(place)


def check_place(path: Path) -> None:
    """Refuse a place where a new run would replace something else, or is being written.

    Raises:
        RunFileError: the run must not or cannot be written there.
    """
    try:
        check_output(path, Kind.RUN)
    except OutputError as error:
        raise RunFileError(str(error)) from error
    place = target_of(path)
    refuse_foreign_sides(place)
    if place.exists():
        # Whoever writes it may know it by another name.
        InodeLock(place, path).release()


def check_whole(place: Path) -> None:
    """Refuse a run that is damaged or of another format, before anything is written into it.

    Raises:
        RunFileError: the file is missing, damaged, or not a run of this format.
    """
    connection, version = opened(place)
    try:
        state = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        state = error
    if version != FORMAT:
        raise other_format(connection, place, f"has format {version}; this version writes")
    connection.close()
    if state != "ok":
        raise RunFileError(f"{shown(place)} is damaged: {' '.join(str(state).split())}")


def opened(path: Path) -> tuple[sqlite3.Connection, int]:
    """Open a run file of any format to read it; return the connection and the format."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise RunFileError(f"{shown(path)} cannot be read: {error.strerror}") from error
        raise RunFileError(f"there is no run file {shown(path)}") from None
    if not path.is_file() or not size:
        raise RunFileError(f"{shown(path)} is not a lossdiff run file")
    refuse_special_sides(target_of(path))
    # The mode in the URI keeps a reader from changing the file.
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        protect(connection)
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        connection.close()
        raise RunFileError(f"{shown(path)} {why_unread(error, path)}") from error
    if mark != APPLICATION_ID:
        connection.close()
        raise RunFileError(f"{shown(path)} is not a lossdiff run file")
    if version == FORMAT:
        # A file that is damaged says so when it is read.
        with suppress(sqlite3.Error, UnicodeDecodeError):
            add_missing(connection, temporary=True)
    return connection, version


def other_format(connection: sqlite3.Connection, path: Path, but: str) -> RunFileError:
    """Close a run of another format, and return the error that names the version that reads it."""
    record = None
    with closing(connection), suppress(sqlite3.Error):  # another format may have no such table
        record = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    version = record[0] if record and isinstance(record[0], str) else ""
    reader = f"; lossdiff {version[:20]}, which wrote it, reads it" if version else ""
    return RunFileError(f"{shown(path)} {but} {FORMAT}{reader}")
