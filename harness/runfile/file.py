"""Read and write the run file: all questions and answers of one command, in one SQLite file.

Everything that shows or compares runs reads them through `RunFile`; `harness.runfile.schema`
defines the format. A writer holds the lock of the file (`harness.runfile.lock`). While a run is
written, SQLite keeps a write-ahead log next to the file: a process that is killed loses nothing
that it had committed, and readers need not wait. A closed run is a single file.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ...cases.dtypes import FORMATS
from ...cases.model import Case, Inputs
from ...errors import RunFileError
from .rows import VerdictRow
from .schema import (
    APPLICATION_ID,
    FORMAT,
    SCHEMA,
    R,
    Row,
    columns_of,
    decode,
    encode,
    key_of,
    quoted,
)


def draft_of(path: Path) -> Path:
    """Return the path at which a run is kept until its workers have started.

    >>> draft_of(Path("out") / "run.sqlite").name
    'run.sqlite.new'
    """
    return path.with_name(f"{path.name}.new")


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _journal(connection: sqlite3.Connection) -> None:
    """Make commits go to a write-ahead log, which is quick and survives the death of a process."""
    # With NORMAL a commit does not wait for the disk: only a power failure can lose it.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _opened(path: Path, mode: str = "ro") -> tuple[sqlite3.Connection, int]:
    """Open a run file of any format; return the connection and the format."""
    if not path.is_file():
        raise RunFileError(f"there is no run file {path}")
    if path.stat().st_size == 0:
        raise RunFileError(f"{path} is not a lossdiff run file")
    # The mode in the URI keeps SQLite from creating a file, and a reader from changing one.
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True)
    try:
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        connection.close()
        what = "damaged" if "malformed" in str(error) else "not a lossdiff run file"
        raise RunFileError(f"{path} is {what}: {error}") from error
    if mark != APPLICATION_ID:
        connection.close()
        raise RunFileError(f"{path} is not a lossdiff run file")
    return connection, version


def _other_format(connection: sqlite3.Connection, path: Path, but: str) -> RunFileError:
    """Close a run of another format, and return the error that names the version that reads it."""
    record = None
    with closing(connection), suppress(sqlite3.Error):  # another format may have no such table
        record = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    reader = f"; lossdiff {record[0]}, which wrote it, reads it" if record else ""
    return RunFileError(f"{path} {but} {FORMAT}{reader}")


class RunFile:
    """A run file, open for reading or for writing; use it in a `with` statement."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self.path = path

    @classmethod
    def create(cls, path: Path) -> Self:
        """Create a new run file, in place of an older run file at the same path.

        Args:
            path: where the run file is to be; its folder is created.

        Returns:
            The run file, open for writing.

        Raises:
            RunFileError: the path holds a file of another kind, or cannot be written.
        """
        made = cls.draft(path)
        made.publish()
        return made

    @classmethod
    def draft(cls, path: Path) -> Self:
        """Create a new run file next to its final path; `publish` moves it there.

        An older run at that path therefore stays until the new one is known to be worth keeping.

        Args:
            path: the final path; its folder is created.

        Returns:
            The run file, open for writing.

        Raises:
            RunFileError: the path holds a file of another kind, or cannot be written.
        """
        draft = draft_of(path)
        for taken in (path, draft):
            if taken.exists():
                connection, _ = _opened(taken)  # raises unless it is a run file, of whatever format
                connection.close()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove(draft)
            connection = sqlite3.connect(draft)
            _journal(connection)
            connection.executescript(f"BEGIN;\n{SCHEMA}\nCOMMIT;")
        except (OSError, sqlite3.Error) as error:
            raise RunFileError(f"cannot write {path}: {error}") from error
        return cls(connection, path)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Open a run file, or the draft of one, to write more into it.

        Args:
            path: the final path of the run.

        Returns:
            The run file, open for writing.

        Raises:
            RunFileError: the file is missing, damaged, or not a run of this format.
        """
        place = draft_of(path) if draft_of(path).exists() else path
        # The file is checked read-only first, so that a damaged file stays as it is.
        connection, version = _opened(place)
        try:
            state = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            state = error
        if version != FORMAT:
            raise _other_format(connection, place, f"has format {version}; this version writes")
        connection.close()
        if state != "ok":
            raise RunFileError(f"{place} is damaged: {' '.join(str(state).split())}")
        connection, _ = _opened(place, "rw")
        _journal(connection)
        return cls(connection, path)

    def publish(self) -> None:
        """Move a draft to its final path, where it replaces an older run.

        Raises:
            RunFileError: the path cannot be written.
        """
        draft = draft_of(self.path)
        if not draft.exists():
            return
        # SQLite finds a log by the name of its file, so the file is closed before it is renamed.
        self.close()
        try:
            _remove(self.path)
            draft.replace(self.path)
            self._connection = sqlite3.connect(self.path)
            self._connection.row_factory = sqlite3.Row
            _journal(self._connection)
        except (OSError, sqlite3.Error) as error:
            raise RunFileError(f"cannot write {self.path}: {error}") from error

    def discard(self) -> None:
        """Close the file, and remove it if it is a draft."""
        self.close()
        _remove(draft_of(self.path))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run file to read it.

        Args:
            path: the run file.

        Returns:
            The run file, open for reading.

        Raises:
            RunFileError: the file is missing, damaged, or not a run of this format.
        """
        connection, version = _opened(path)
        if version != FORMAT:
            raise _other_format(connection, path, f"has format {version}; this version reads")
        return cls(connection, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, json.JSONDecodeError, IndexError, TypeError) as error:
            raise RunFileError(f"{self.path} is damaged: {error}") from error

    def close(self) -> None:
        """Close the file; all rows that were added are on disk already."""
        # Leaving the log mode removes the log. A reader cannot do that, nor a writer on a full
        # disk; the log then stays, and nothing is lost.
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows of any kinds, and commit them together.

        Args:
            rows: the rows; each replaces a row of the same kind and key.

        Raises:
            RunFileError: the rows cannot be written; then none of them is.
        """
        # One statement for each kind of row is much quicker than one for each row.
        by_kind: dict[type[Row], list[Row]] = {}
        for row in rows:
            by_kind.setdefault(type(row), []).append(row)
        with self._writing():
            for kind, some in by_kind.items():
                marks = ", ".join("?" * len(columns_of(kind)))
                self._connection.executemany(
                    f"INSERT OR REPLACE INTO {kind.table} VALUES ({marks})", map(encode, some)
                )

    def drop(self, row: type[Row], where: str = "1", arguments: Sequence[Any] = ()) -> None:
        """Remove the rows of one kind that satisfy a condition; `rows` explains the arguments."""
        with self._writing():
            self._connection.execute(f"DELETE FROM {row.table} WHERE {where}", arguments)

    def pack(self) -> None:
        """Shrink the file if dropped rows have left more than a quarter of it empty."""
        with self._reading():
            free, pages = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("freelist_count", "page_count")
            )
        if free > pages // 4:
            with suppress(sqlite3.Error):  # a full disk has no room for the copy, and needs none
                self._connection.execute("VACUUM")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._connection:
                yield
        except sqlite3.Error as error:
            raise RunFileError(f"cannot write {self.path}: {error}") from error

    def add_given(self, cases: Iterable[Case]) -> None:
        """Store the arrays of those cases that have explicit arrays."""
        with self._writing():
            for case in cases:
                if case.given is not None:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO given VALUES (?, ?)", (case.id, _pack(case.given))
                    )

    def given(self) -> Iterator[Case]:
        """Yield the cases that have explicit arrays."""
        with self._reading():
            names = [name for (name,) in self._connection.execute('SELECT "case" FROM given')]
        return map(self.case, names)

    def rows(self, row: type[R], where: str = "1", arguments: Sequence[Any] = ()) -> Iterator[R]:
        """Yield the rows of one kind, ordered by their keys, or as written where they have none.

        Args:
            row: the class of the rows.
            where: an SQL condition on its columns. It is part of the statement, and must never
                come from outside this program.
            arguments: the values of the condition's question marks.

        Raises:
            RunFileError: the file is damaged.
        """
        order = ", ".join(map(quoted, key_of(row))) or "rowid"
        query = f"SELECT * FROM {row.table} WHERE {where} ORDER BY {order}"
        with self._reading():
            for record in self._connection.execute(query, arguments):
                yield decode(row, record)

    def holds(self, row: Row) -> bool:
        """Return whether the file has a row with the same key; the kind of row must have one."""
        where = " AND ".join(f"{quoted(name)} = ?" for name in key_of(type(row)))
        key = [getattr(row, name) for name in key_of(type(row))]
        query = f"SELECT EXISTS (SELECT 1 FROM {row.table} WHERE {where})"
        with self._reading():
            return bool(self._connection.execute(query, key).fetchone()[0])

    def count(self, row: type[Row], where: str = "1", arguments: Sequence[Any] = ()) -> int:
        """Return how many rows of one kind satisfy a condition; `rows` explains the arguments."""
        query = f"SELECT count(*) FROM {row.table} WHERE {where}"
        with self._reading():
            return int(self._connection.execute(query, arguments).fetchone()[0])

    def asked_cases(self) -> int:
        """Return how many cases have verdicts."""
        query = f'SELECT count(DISTINCT "case") FROM {VerdictRow.table}'
        with self._reading():
            return int(self._connection.execute(query).fetchone()[0])

    @property
    def meta(self) -> dict[str, str]:
        """The version, command, suite, seed, and times of start and end (ISO 8601) of the run."""
        with self._reading():
            return dict(map(tuple, self._connection.execute("SELECT key, value FROM meta")))

    def set_meta(self, **values: str) -> None:
        """Set entries of `meta`; others keep their values."""
        with self._writing():
            self._connection.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items()
            )

    def case(self, case_id: str) -> Case:
        """Return a case of this run from its id, with its arrays if it has explicit ones."""
        case = Case.parse(case_id)
        query = 'SELECT npz FROM given WHERE "case" = ?'
        with self._reading():
            record = self._connection.execute(query, (case_id,)).fetchone()
        return case if record is None else replace(case, given=_unpack(record["npz"], case))


def _pack(inputs: Inputs) -> bytes:
    stream = io.BytesIO()
    arrays = {name: value for name, value in vars(inputs).items() if value is not None}
    # `.npz` has no bfloat16, and float64 holds every value of every format exactly.
    wide = {
        name: value if value.dtype.kind in "iu" else value.astype(np.float64)
        for name, value in arrays.items()
    }
    np.savez_compressed(stream, **wide)
    return stream.getvalue()


def _unpack(npz: bytes, case: Case) -> Inputs:
    with np.load(io.BytesIO(npz), allow_pickle=False) as data:
        return Inputs(
            **{
                name: value if value.dtype.kind in "iu" else FORMATS[case.dtype].round(value)
                for name, value in data.items()
            }
        )
