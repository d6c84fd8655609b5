"""Turn a record of a run file into a row, or say in one line which cell does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

from ...cases.checked import checked, decoded, shown
from ...errors import SchemaError
from .rows import WorkedRow, WorkerRow
from .vocabulary import CHECKS, LONGEST, Check, is_mode

R = TypeVar("R")
_BOOLS = {0: False, 1: True}  # SQLite has no truth values
_NAMES = ("case", "implementation", "example", "relation", "framework", "number", "bits")
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
