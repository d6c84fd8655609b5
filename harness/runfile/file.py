"""Read and write the run file: all questions and answers of one command, in one SQLite file.

Everything that shows or compares runs reads them through `RunFile`; `harness.runfile.schema`
defines the format. A writer holds the lock of the file (`harness.runfile.lock`). While a run is
written, SQLite keeps a write-ahead log next to the file: a process that is killed loses nothing
that it had committed, and readers need not wait. A closed run is a single file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ...cases.checked import shown as shown_value
from ...cases.model import Case
from ...errors import LostError, RunFileError, SchemaError
from ...outputs import shown, target_of
from .connection import check_place, check_whole, connected, created, opened, other_format
from .defined import know_operations
from .given import pack, unpack
from .lock import InodeLock
from .meta import Meta, checked_meta
from .place import (
    MOVED,
    HeldFile,
    draft_of,
    move_draft,
    refuse_foreign_draft,
    refuse_foreign_sides,
    remove,
    standing,
)
from .rescue import leave, nowhere, rescue
from .rows import VerdictRow
from .schema import (
    FORMAT,
    R,
    Row,
    bound,
    checked_from,
    columns_of,
    decode,
    decoded_from,
    encode,
    key_of,
    named,
    order_of,
    quoted,
    storable,
)
from .untrusted import check_tables, explained
from .vocabulary import is_case


class RunFile:
    """A run file, open for reading or for writing; use it in a `with` statement."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, held: HeldFile | None = None
    ) -> None:
        """Take an open connection; only a writer has a file that it holds."""
        self._connection, self._held = connection, held
        # A link may lead elsewhere by the end of the run.
        self.path, self._target = path, target_of(path)
        self._is_checked = False  # whether its tables were found to be ours

    @property
    def _is_draft(self) -> bool:
        return self._held is not None and self._held.place != self._target

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
    def in_memory(cls) -> Self:
        """Return a run that is in no file, and ends when it is closed."""
        return cls(nowhere(), Path(":memory:"))

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
        check_place(path)
        refuse_foreign_draft(draft)
        try:
            remove(draft)
            draft.open("x").close()
            lock = InodeLock(draft, path)
            with ExitStack() as undo:
                undo.callback(remove, draft)
                undo.callback(lock.release)
                connection = created(draft)
                undo.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise RunFileError(f"cannot write {shown(path)}: {error}") from error
        return cls(connection, path, HeldFile(draft, lock, connection))

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
        place = standing(path) or path
        check_whole(place)
        refuse_foreign_sides(target_of(place))
        lock = InodeLock(place, path)
        try:
            connection = connected(place)
        except sqlite3.Error as error:
            raise RunFileError(f"cannot write {shown(path)}: {error}") from error
        return cls(connection, path, HeldFile(target_of(place), lock, connection))

    def publish(self) -> None:
        """Move a draft to its final path, where it replaces an older run.

        Raises:
            RunFileError: the path cannot be written, or somebody else has written there.
        """
        if self._held is None or not self._is_draft:
            return
        self.verify()
        check_place(self._target)
        draft, place = self._held.place, self._target
        try:
            # SQLite finds a log by the name of its file, so that is closed before it is renamed.
            self._close_connection()
            try:
                move_draft(draft, place)
            finally:
                now = draft if draft.exists() else place
                self._connection = connected(now)
                self._held = HeldFile(now, self._held.lock, self._connection)
        except (OSError, sqlite3.Error) as error:
            raise RunFileError(f"cannot write {shown(self.path)}: {error}") from error

    def discard(self) -> None:
        """Close the file, and remove it if it is a draft."""
        draft = self._held.place if self._held is not None and self._is_draft else None
        is_ours = self._held is not None and not self._held.change()
        self.close()
        if draft is not None and is_ours:
            remove(draft)

    def verify(self) -> None:
        """Make sure that the run is still where it is written.

        Raises:
            RunFileError: its file was removed, replaced or changed; it says where the rows are.
        """
        if self._held is not None and (change := self._held.change()):
            raise self._moved_out(self._held, change)

    def _moved_out(self, held: HeldFile, change: str) -> RunFileError:
        """Go on in a new file, since the old one is no longer ours; return what to say."""
        name, own = shown(held.place if self._is_draft else self.path), change in MOVED
        try:
            new, kept = rescue(self._connection, held, self._target, own=own)
            connection, fate = connected(new), f"; {kept} kept in {shown(new)}"
        except (OSError, sqlite3.Error, LostError) as error:
            connection, fate = nowhere(), f", and its rows are lost: {error}"
        leave(self._connection, held, own=own)
        held.lock.release()
        self._connection, self._held = connection, None
        return RunFileError(f"{name} {change} during the run{fate}")

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
        connection, version = opened(path)
        if version != FORMAT:
            raise other_format(connection, path, f"has format {version}; this version reads")
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
        with explained(self.path):
            if not self._is_checked:
                check_tables(self._connection)
                know_operations(self._connection)
                self._is_checked = True
            yield

    def close(self) -> None:
        """Close the file; all rows that were added are on disk already."""
        if self._held is not None and (change := self._held.change()):
            self._moved_out(self._held, change)
        self._close_connection()
        if self._held is not None:
            self._held.lock.release()
            self._held = None

    def _close_connection(self) -> None:
        # Leaving the log mode removes the log. A reader cannot do that, nor a writer on a full
        # disk; the log then stays, and nothing is lost.
        with suppress(sqlite3.Error, UnicodeDecodeError):
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

    def share(self, findings: Iterable[tuple[VerdictRow, str]]) -> None:
        """Say of findings which of the framework's own functions shows them alike."""
        with self._writing():
            self._connection.executemany(
                'UPDATE verdicts SET shared = ? WHERE "case" = ? AND implementation = ? AND '
                "mode = ? AND quantity = ? AND verdict = ?",
                (
                    (name, row.case, row.implementation, row.mode, row.quantity, row.verdict)
                    for row, name in findings
                ),
            )

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
            self._remember()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        # What happened to the file is seen before SQLite changes it, and said once the rows are
        # with the others.
        change = self._held.change() if self._held else ""
        try:
            with self._connection:
                yield
        except sqlite3.Error as error:
            change = change or (self._held.change() if self._held else "")
            if not change:
                raise RunFileError(f"cannot write {shown(self.path)}: {error}") from error
        if self._held is not None and change:
            raise self._moved_out(self._held, change)
        self._remember()

    def _remember(self) -> None:
        if self._held is not None:
            self._held.remember()

    def add_given(self, cases: Iterable[Case]) -> None:
        """Store the arrays of those cases that have explicit arrays."""
        with self._writing():
            for case in cases:
                if case.given is not None:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO given VALUES (?, ?)", (case.id, pack(case.given))
                    )

    def given(self) -> Iterator[Case]:
        """Yield the cases that have explicit arrays."""
        with self._reading():
            names = [name for (name,) in self._connection.execute('SELECT "case" FROM given')]
        return map(self.case, names)

    def rows(self, row: type[R], where: str = "1", arguments: Sequence[Any] = ()) -> Iterator[R]:
        """Yield the rows of one kind, ordered by their keys, or as written where they have none.

        Args:
            row: the class of the rows, or a view of them.
            where: an SQL condition on its columns. It is part of the statement, and must never
                come from outside this program.
            arguments: the values of the condition's question marks.

        Raises:
            RunFileError: the file is damaged.
        """
        with self._reading():
            yield from decoded_from(row, self._selected(row, where, arguments))

    def records(
        self, row: type[Any], where: str = "1", arguments: Sequence[Any] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Yield what `rows` would, each as its cells, in the order of its fields: it is quicker."""
        with self._reading():
            yield from checked_from(row, self._selected(row, where, arguments))

    def _selected(self, row: type[Any], where: str, arguments: Sequence[Any]) -> sqlite3.Cursor:
        columns, order = named(row, columns_of(row)), named(row, order_of(row))
        query = f"SELECT {columns} FROM {row.table} WHERE {where} ORDER BY {order}"
        return self._connection.execute(query, bound(arguments))

    def counts(
        self, view: type[R], where: str = "1", arguments: Sequence[Any] = (), limit: int = -1
    ) -> Iterator[tuple[R, int]]:
        """Yield the different rows of a view, at most `limit`, with their numbers; see `rows`."""
        columns = named(view, columns_of(view))
        query = f"SELECT {columns}, count(*) FROM {view.table} WHERE {where} GROUP BY {columns}"
        with self._reading():
            for record in self._connection.execute(f"{query} LIMIT ?", bound((*arguments, limit))):
                yield decode(view, record), record["count(*)"]

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
            return int(self._connection.execute(query, bound(arguments)).fetchone()[0])

    def asked_cases(self, where: str = "1", arguments: Sequence[Any] = ()) -> int:
        """Return how many cases have verdicts that satisfy a condition; see `rows`."""
        query = f'SELECT count(DISTINCT "case") FROM {VerdictRow.table} WHERE {where}'
        with self._reading():
            return int(self._connection.execute(query, bound(arguments)).fetchone()[0])

    @property
    def meta(self) -> dict[str, str]:
        """The version, command, suite, seed, and times of start and end (ISO 8601) of the run."""
        with self._reading():
            found = checked_meta(self._connection.execute("SELECT key, value FROM meta"))
        return Meta(found, shown(self.path))

    def set_meta(self, **values: str) -> None:
        """Set entries of `meta`; others keep their values."""
        entries = [(key, storable(value)) for key, value in values.items()]
        with self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", entries)

    def case(self, case_id: str) -> Case:
        """Return a case of this run from its id, with its arrays if it has explicit ones.

        Raises:
            RunFileError: there is no such case, or its arrays are damaged.
        """
        query = 'SELECT npz FROM given WHERE "case" = ?'
        with self._reading():
            if not isinstance(case_id, str) or not case_id or not is_case(case_id):
                reason = f"a case is {shown_value(case_id)}, which is not the id of a case"
                raise SchemaError("", reason)
            case = Case.parse(case_id)
            record = self._connection.execute(query, (case_id,)).fetchone()
            try:
                return case if record is None else replace(case, given=unpack(record[0], case))
            except SchemaError as error:
                raise SchemaError(f"given.npz of {case_id}{error.where}", error.reason) from error
