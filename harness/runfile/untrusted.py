"""Read a file of SQLite that anybody may have written, and say in one line why it cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ...cases.checked import shown as shown_value
from ...errors import RunFileError, SchemaError
from ...outputs import shown
from .schema import SCHEMA

_LONGEST = 2**28  # bytes of one cell; the arrays of a case are the largest


def protect(connection: sqlite3.Connection) -> None:
    """Bound what a file can make SQLite do."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    connection.execute("PRAGMA trusted_schema = OFF")


def _tables(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the statement that made each table, view, index and trigger, by name."""
    return dict(
        connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    )


def _expected() -> dict[str, str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        return _tables(connection)


_EXPECTED = _expected()


def check_tables(connection: sqlite3.Connection) -> None:
    """Check that the tables are ours: a view could compute anything, without end.

    Raises:
        SchemaError: a table is made in another way, or a trigger would change what is written.
    """
    for name, statement in _tables(connection).items():
        if name in _EXPECTED and statement != _EXPECTED[name]:
            raise SchemaError(f"its table {name} has other columns")
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for (name,) in connection.execute(triggers):
        raise SchemaError(f"it has a trigger {shown_value(name)}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file raises, while it is read, into an error that names the file.

    Raises:
        RunFileError: the file cannot be read, or does not fit its schema.
    """
    name = shown(path)
    try:
        yield
    except SchemaError as error:
        raise RunFileError(f"{name} is damaged: {error}") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise RunFileError(f"{name} {why_unread(error)}") from error
    except MemoryError as error:
        raise RunFileError(f"{name} needs more memory than there is") from error


def why_unread(error: sqlite3.Error | UnicodeDecodeError, path: Path | None = None) -> str:
    """Return why SQLite cannot read a file, to follow its name.

    Args:
        error: what SQLite raised, or Python's module for a damaged name of a table.
        path: the file, if it has just been opened.
    """
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "is locked by another program"
    if name.startswith("SQLITE_NOTADB"):
        return "is not a lossdiff run file"
    # A log belongs to the file, and SQLite reads it with the help of a third file.
    is_refused = name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
    if is_refused and path is not None and _has_log(path):
        return (
            "was left with a log by a run that was killed, and its folder cannot be written: "
            f"copy it, and {shown(path.name)}-wal if there is one, into another folder"
        )
    if is_refused or name.startswith("SQLITE_IOERR"):
        return f"cannot be read: {' '.join(str(error).split())}"
    return f"is damaged: {' '.join(str(error).split())[:200]}"


def _has_log(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as stream:
        # The bytes 18 and 19 are 2 in a file that was not closed after it had been written.
        return stream.read(20)[18:] == b"\x02\x02"
    return False
