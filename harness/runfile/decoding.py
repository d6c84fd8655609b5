"""Turn a record of a run file into a row, or say in one line which cell does not fit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import partial
from itertools import chain
from operator import itemgetter
from types import GenericAlias
from typing import Annotated, Any, TypeVar, get_type_hints

from msgspec import Meta, ValidationError, convert, defstruct

from ...cases.checked import checked, decoded, shown
from ...errors import SchemaError
from .rows import WorkedRow, WorkerRow
from .vocabulary import CHECKS, LONGEST, Check, is_case, is_mode

R = TypeVar("R")
_BOOLS = {0: False, 1: True}  # SQLite has no truth values
_NAMES = ("case", "implementation", "example", "relation", "framework", "number", "bits")
# The columns of words, which are checked together; all others of a view are a case or free.
_WORDS = ("operation", "framework", "kind", "mode", "device", "dtype", "quantity", "verdict")
_REMEMBERED = 4096  # combinations of words
_BATCH = 100  # records; more are hardly quicker
_NAMED_BY = 2  # of them are enough to find a row


class RowDecoder:
    """The decoder of the rows of one kind."""

    def __init__(self, row: type[Any], bools: Sequence[str], texts: Sequence[str]) -> None:
        """Prepare what is the same for all rows of the kind.

        Args:
            row: the class of the rows.
            bools: the columns that hold truth values.
            texts: the columns that hold JSON.
        """
        self._row, self._bools, self._texts = row, bools, texts
        self._columns = [field.name for field in fields(row)]
        self._blobs = [field.name for field in fields(row) if field.type == "bytes"]
        self._checks: list[tuple[str, str, Check]] = [
            (name, *CHECKS[name]) for name in self._columns if name in CHECKS
        ]
        self._free = [
            field.name for field in fields(row) if field.type == "str" and field.name not in CHECKS
        ]
        self._batches = _BatchDecoder(self, row) if getattr(row, "by_the_million", False) else None

    def decode(self, record: Sequence[Any]) -> Any:
        """Return the row that a record holds.

        Args:
            record: the cells, in the order of the columns.

        Raises:
            SchemaError: a cell does not fit; the message names the table, the column and the row.
        """
        try:
            return self._decoded(self._cells(record))
        except SchemaError as error:
            where = f"{self._row.table}.{error.where} of {_name(self._cells(record))}"
            raise SchemaError(where, error.reason) from error

    def decode_all(self, cursor: sqlite3.Cursor) -> Iterator[Any]:
        """Return the rows of an executed statement, few of which are in memory; see `decode`."""
        if self._batches is None:
            return map(self.decode, cursor)
        batches = iter(partial(cursor.fetchmany, _BATCH), [])
        return chain.from_iterable(map(self._batches.decode, batches))

    def check_all(self, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
        """Return the records of an executed statement that hold rows; see `decode`."""
        batches = iter(partial(cursor.fetchmany, _BATCH), [])
        return chain.from_iterable(map(self._checked, batches))

    def _checked(self, records: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        decode_all = self._batches.decode if self._batches else partial(map, self.decode)
        for _ in decode_all(records):
            pass
        return records

    def _cells(self, record: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self._columns, record, strict=False))  # counts follow the cells

    def _decoded(self, values: dict[str, Any]) -> Any:
        row = checked(self._plain(values), self._row)
        for name, what, is_right in self._checks:
            if not is_right(values[name]):
                raise SchemaError(name, f"is {shown(values[name])}, which is not {what}")
        for name in self._free:
            if len(values[name]) > LONGEST:
                raise SchemaError(name, f"has {len(values[name])} characters, more than {LONGEST}")
        if "mode" in values and not is_mode(values.get("framework", ""), values["mode"]):
            raise SchemaError("mode", f"is {shown(values['mode'])}, which is not a mode")
        if isinstance(row, WorkerRow):
            _check_versions(row)
        return row

    def _plain(self, values: dict[str, Any]) -> dict[str, Any]:
        """Replace what SQLite has no type for by plain data."""
        for name in self._bools:
            values[name] = _BOOLS.get(values[name], values[name])
        for name in self._texts:
            values[name] = self._json(name, values[name])
        for name in self._blobs:
            if isinstance(values[name], str):  # which msgspec would take for base64
                raise SchemaError(name, "is text, bytes is due")
        return values

    def _json(self, name: str, text: Any) -> Any:
        if not isinstance(text, str):
            raise SchemaError(name, f"is {shown(text)}, JSON is due")
        try:
            # The answers to worked examples may be NaN.
            return decoded(text, object, from_python=self._row is WorkedRow)
        except SchemaError as error:
            raise SchemaError(f"{name}{error.where}", error.reason) from error


class _BatchDecoder:
    """The decoder of rows that come by the million, a batch in one step.

    Few combinations of words occur in such rows, and few cases in a batch. So each combination and
    each case is looked at once, and msgspec looks at the types and lengths of all cells. What it
    returns has the attributes of the row.
    """

    def __init__(self, single: RowDecoder, row: type[Any]) -> None:
        hints = get_type_hints(row, include_extras=True)
        names = [field.name for field in fields(row)]
        text = Annotated[str, Meta(max_length=LONGEST)]
        types = [(name, text if hints[name] is str else hints[name]) for name in names]
        kind = defstruct(row.__name__, types, array_like=True, frozen=True, gc=False)
        self._rows = GenericAlias(list, (kind,))
        self._case = itemgetter(names.index("case"))
        self._words = itemgetter(*[names.index(name) for name in names if name in _WORDS])
        self._single, self._right = single, set[Any]()

    def decode(self, records: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """Return the rows that records hold; see `RowDecoder.decode`."""
        try:
            words = set(map(self._words, records)) - self._right
            if words:
                self._look_at({self._words(record): record for record in records}, words)
            if all(map(is_case, set(map(self._case, records)))):
                found: list[Any] = convert(records, self._rows)
                return found
        except (SchemaError, ValidationError, TypeError):
            pass
        # The first record that is wrong is named.
        return [self._single.decode(record) for record in records]

    def _look_at(self, examples: dict[Any, Sequence[Any]], words: set[Any]) -> None:
        for combination in words:
            self._single.decode(examples[combination])
            if len(self._right) < _REMEMBERED:
                self._right.add(combination)


def _check_versions(row: WorkerRow) -> None:
    try:
        checked(row.environment.get("versions", {}), dict[str, str])
    except SchemaError as error:
        raise SchemaError(f"environment.versions{error.where}", error.reason) from error


def _name(values: dict[str, Any]) -> str:
    """Return the cells by which a reader finds a row."""
    given = [values[name] for name in _NAMES if name in values and values[name] not in ("", None)]
    texts = [str(value)[:200] if isinstance(value, str | int) else shown(value) for value in given]
    return ", ".join(texts[:_NAMED_BY]) or "a row without a name"
