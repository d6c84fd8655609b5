"""Keep in a run which operations its users have defined, so that it is read without their files.

Their formulas are not kept: to judge an answer again, the file that defines them is imported.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from ...cases.checked import decoded
from ...cases.operations import BUILT_IN, DEFAULTS, OPERATIONS, Operation
from ...errors import SchemaError

DEFINED = "defined"  # the entry of `meta`


def written_operations() -> str:
    """Return the operations that are defined in this process, as JSON; empty for none."""
    found = {name: asdict(it) for name, it in OPERATIONS.items() if it.is_defined}
    return json.dumps(found) if found else ""


def defined_together(metas: Iterable[Mapping[str, str]]) -> str:
    """Return the entry of a run that is joined from others."""
    found = {name: it for meta in metas for name, it in _read(meta.get(DEFINED, "")).items()}
    return json.dumps({name: asdict(it) for name, it in found.items()}) if found else ""


def check_operations(text: str) -> None:
    """Check the entry of `meta`.

    Raises:
        SchemaError: it holds something else than operations of users.
    """
    _read(text)


def enter_operations(text: str) -> None:
    """Enter operations among those that there are, where the process has not defined them.

    Raises:
        SchemaError: the text is not what `written_operations` returns.
    """
    for name, operation in _read(text).items():
        OPERATIONS.setdefault(name, operation)


def know_operations(connection: sqlite3.Connection) -> None:
    """Enter the operations of a run among those that there are; a definition here goes before."""
    query = "SELECT value FROM meta WHERE key = ?"
    try:
        record = connection.execute(query, (DEFINED,)).fetchone()
    except sqlite3.OperationalError:
        return  # there is no such table: reading says so
    text = record[0] if record is not None else ""
    if not isinstance(text, str):
        raise SchemaError(f"meta.{DEFINED}", "is no text")
    try:
        enter_operations(text)
    except SchemaError as error:
        raise SchemaError(f"meta.{DEFINED}{error.where}", error.reason) from error


def _is_possible(operation: Operation) -> bool:
    """Return whether each option is one of the contract, or a parameter that has a default."""
    own = dict(operation.parameters)
    has_defaults = all(own.values()) and len(own) == len(operation.parameters)
    is_new = all(name.isidentifier() and name not in DEFAULTS for name in own)
    return has_defaults and is_new and set(operation.options) <= {*DEFAULTS, *own}


def _read(text: str) -> dict[str, Operation]:
    found = decoded(text, dict[str, Operation]) if text else {}
    for name, operation in found.items():
        is_ours = name.isidentifier() and name not in BUILT_IN and operation.is_defined
        if not is_ours or operation.name != name or not _is_possible(operation):
            raise SchemaError("", "names an operation that no user can have defined")
    return found
