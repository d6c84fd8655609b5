"""Convert rows to SQLite and back: one table for each kind of row, one column for each field."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ...cases.npz import read_array
from .decoding import RowDecoder
from .resume_rows import PROGRESS_ROWS, ProgressRow
from .rows import (
    DomainRow,
    ExampleAnswerRow,
    ExampleRow,
    RelationRow,
    VerdictRow,
    WorkedRow,
    WorkerRow,
)
from .timing_rows import MemoryRow, PassRow, ProcessRow, TimingRow
from .views import VIEWS, View

APPLICATION_ID = 0x6C6F7373  # "loss": marks the file as ours
FORMAT = 4

Row = (
    VerdictRow
    | WorkedRow
    | RelationRow
    | DomainRow
    | TimingRow
    | PassRow
    | ProcessRow
    | MemoryRow
    | WorkerRow
    | ExampleRow
    | ExampleAnswerRow
    | ProgressRow
)
R = TypeVar("R", bound=Row | View)
ROWS: tuple[type[Row], ...] = (
    VerdictRow,
    WorkedRow,
    RelationRow,
    DomainRow,
    TimingRow,
    PassRow,
    ProcessRow,
    MemoryRow,
    WorkerRow,
    ExampleRow,
    ExampleAnswerRow,
    *PROGRESS_ROWS,
)
# Tables that came later than the format: a file without them is read as if they were empty.
_LATER: tuple[type[Row], ...] = (ExampleRow, ExampleAnswerRow)
_READ: tuple[type[Row | View], ...] = (*ROWS, *VIEWS)
_COLUMNS: dict[type[Any], list[str]] = {row: [field.name for field in fields(row)] for row in _READ}


def _columns_where(holds: Callable[[Any], bool]) -> dict[type[Any], tuple[str, ...]]:
    """Return, for each kind of row, the columns whose annotation satisfies a condition."""
    hints = {row: get_type_hints(row) for row in _READ}
    return {row: tuple(it for it in _COLUMNS[row] if holds(hints[row][it])) for row in _READ}


def _is_json(annotation: Any) -> bool:
    """Return whether a field may hold a list or a dict, which SQLite has no type for."""
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return any(get_origin(part) in (list, dict) for part in parts)


JSON_COLUMNS = _columns_where(_is_json)
BOOL_COLUMNS = _columns_where(lambda annotation: annotation is bool)
# `encode` runs for every row of a run, so the places are looked up once.
_JSON_PLACES = {
    row: [_COLUMNS[row].index(name) for name in names] for row, names in JSON_COLUMNS.items()
}


def columns_of(row: type[Any]) -> list[str]:
    """Return the names of the columns, in the order of the table."""
    return _COLUMNS.get(row) or [field.name for field in fields(row)]


def _create(row: type[Row]) -> str:
    columns = ", ".join(map(quoted, columns_of(row)))
    key = ", ".join(map(quoted, key_of(row)))
    # A table that is ordered by its key needs no second index for it.
    unique = f", PRIMARY KEY ({key})) WITHOUT ROWID" if key else ")"
    return f"CREATE TABLE {row.table} ({columns}{unique};"


def key_of(row: type[Any]) -> tuple[str, ...]:
    """Return the columns that identify a row; of two rows with one key the later one stays."""
    return getattr(row, "key", ())


def order_of(row: type[Any]) -> tuple[str, ...]:
    """Return the columns by which rows are sorted when they are read."""
    return getattr(row, "order", ()) or key_of(row) or ("rowid",)


def quoted(name: str) -> str:
    """Return a column's name in quotes, since some names are keywords of SQL.

    >>> quoted("case")
    '"case"'
    """
    return f'"{name}"'


def named(row: type[Any], names: Iterable[str]) -> str:
    """Return columns for a statement.

    Without the table's name SQLite takes a quoted name that is no column for a text.
    """
    return ", ".join(f"{row.table}.{quoted(name)}" for name in names)


SCHEMA = "\n".join(
    [
        f"PRAGMA application_id = {APPLICATION_ID};",
        f"PRAGMA user_version = {FORMAT};",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);",
        'CREATE TABLE given ("case" TEXT PRIMARY KEY, npz BLOB NOT NULL);',
        *map(_create, ROWS),
    ]
)


_CELLS = {row: attrgetter(*columns_of(row)) for row in ROWS}


def add_missing(connection: sqlite3.Connection, *, temporary: bool) -> None:
    """Make the tables that came later than the format, where a file has none of that name.

    Args:
        connection: an open run file.
        temporary: whether they are made beside the file, which is only read, and not in it.
    """
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    for row in _LATER:
        if row.table not in there:
            statement = _create(row)
            if temporary:
                statement = statement.replace("CREATE TABLE", "CREATE TEMP TABLE", 1)
            connection.execute(statement)


def encode(row: Row) -> list[Any]:
    """Return the values of a row's columns.

    Args:
        row: a row of any kind.

    Returns:
        Values that SQLite can bind, in the order of `columns_of`.
    """
    values = [
        value if not isinstance(value, str) or value.isascii() else storable(value)
        for value in _CELLS[type(row)](row)  # which a row may hold in another order
    ]
    for place in _JSON_PLACES[type(row)]:
        values[place] = json.dumps(values[place])
    return values


def storable(text: str) -> str:
    """Return a text without lone surrogates: an error message may have some, UTF-8 cannot."""
    return text.encode(errors="backslashreplace").decode()


def bound(arguments: Iterable[Any]) -> list[Any]:
    r"""Return values for question marks of SQL: a name that a user gives need not be UTF-8.

    >>> bound(["a\udcff", 1])
    ['a\\udcff', 1]
    """
    return [storable(value) if isinstance(value, str) else value for value in arguments]


_DECODERS: dict[type[Any], RowDecoder] = {}


def decode(row: type[R], record: Sequence[Any]) -> R:
    """Return the row that `encode` made a record of.

    Args:
        row: the class of the row.
        record: the cells of one record of its table, in the order of `columns_of`.

    Raises:
        SchemaError: a cell is damaged; the message names it.
    """
    found: R = _decoder_of(row).decode(record)
    return found


def decoded_from(row: type[R], cursor: sqlite3.Cursor) -> Iterator[R]:
    """Return the rows that an executed statement gives, as they are asked for; see `decode`."""
    cursor.row_factory = None  # tuples are quicker
    return _decoder_of(row).decode_all(cursor)


def checked_from(row: type[Any], cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    """Return the records that an executed statement gives, once they are known to hold rows."""
    cursor.row_factory = None
    return _decoder_of(row).check_all(cursor)


def _decoder_of(row: type[Any]) -> RowDecoder:
    # Made when it is first used: most processes read few kinds of rows, and a worker none.
    found = _DECODERS.get(row)
    if found is None:
        bools, texts = BOOL_COLUMNS.get(row, ()), JSON_COLUMNS.get(row, ())
        found = _DECODERS[row] = RowDecoder(row, bools, texts)
    return found


def packed(array: NDArray[np.generic]) -> bytes:
    """Return an array as the bytes of a `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def array_of(npy: bytes) -> NDArray[np.float64]:
    """Return the array that `packed` converted to bytes.

    >>> array_of(packed(np.array([0.5, -1.0])))
    array([ 0.5, -1. ])
    """
    return read_array(npy)
