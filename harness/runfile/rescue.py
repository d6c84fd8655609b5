"""Keep the rows of a run whose file was removed, replaced or spoiled while it was written.

SQLite still has the file open, and reads from it what is no longer found under its name.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from ...errors import LostError
from .place import HeldFile
from .schema import ROWS, SCHEMA

_MOST = 1000  # names that are tried


def rescue(
    connection: sqlite3.Connection, held: HeldFile, place: Path, *, own: bool
) -> tuple[Path, str]:
    """Copy a run that is open to a new file.

    Args:
        connection: the open run.
        held: its file.
        place: where the run was to be; the new file stands beside it if it can.
        own: whether the file itself is as it was, only not at its place.

    Returns:
        The new file, and what it has of the rows.

    Raises:
        OSError, sqlite3.Error: it can be written nowhere.
        LostError: the file has the rows of another database.
    """
    if not own and held.holds_other_rows():
        raise LostError("another database was written into it")
    new = _new_file(place)
    if own:
        with suppress(sqlite3.Error):  # it is just being read
            connection.execute("VACUUM INTO ?", (os.fspath(new),))
            return new, "its rows are"
        new.write_bytes(b"")
    whole, count = _copy_readable(connection, new)
    return new, "its rows are" if whole else f"only {count} of its rows could be read, which are"


def leave(connection: sqlite3.Connection, held: HeldFile, *, own: bool) -> None:
    """Close a run whose file is no longer at its place, and remove its log.

    Args:
        connection: the open run.
        held: its file.
        own: whether the file itself is as it was, only not at its place.
    """
    with suppress(sqlite3.Error, OSError):
        if own:  # it may have been moved, and is then whole
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:  # closing must not write rows into what somebody else has written
            for side in held.own_sides():
                if side.name.endswith("-wal"):
                    os.truncate(side, 0)
    with suppress(sqlite3.Error):
        connection.close()
    # Whatever stands at the place now, our log does not belong to it.
    for side in held.own_sides():
        with suppress(OSError):
            side.unlink()


def nowhere() -> sqlite3.Connection:
    """Return a run in memory, for the rows that come when none can be kept any more."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.executescript(SCHEMA)
    return connection


def _new_file(place: Path) -> Path:
    """Create an empty file for the rows: beside the run, here, or where temporary files go."""
    error: OSError | None = None
    folders = (place.parent, Path.cwd(), Path(tempfile.gettempdir()))
    for folder, stem in ((folder, f"{place.stem}-rescued") for folder in folders):
        for number in range(1, _MOST):
            new = folder / f"{stem}{'' if number == 1 else f'-{number}'}.sqlite"
            try:
                new.open("x").close()
            except FileExistsError:
                continue
            except OSError as problem:
                error = problem
                break
            return new
    raise error or FileExistsError(f"{place}: there are too many rescued runs")


def _copy_readable(connection: sqlite3.Connection, new: Path) -> tuple[bool, int]:
    """Copy the rows that can still be read; return whether these are all, and their number."""
    whole, count = True, 0
    with closing(sqlite3.connect(new)) as other, other:
        other.executescript(SCHEMA)
        for table in ("meta", "given", *(row.table for row in ROWS)):
            try:
                for record in connection.execute(f"SELECT * FROM {table}"):
                    marks = ", ".join("?" * len(record))
                    other.execute(f"INSERT INTO {table} VALUES ({marks})", tuple(record))
                    count += 1
            except sqlite3.Error:
                whole = False
    return whole, count
