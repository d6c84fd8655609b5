"""Check the entries of `meta`: what a run asked, how, when and with which result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ...cases.checked import decoded, shown
from ...errors import RunFileError, SchemaError
from .defined import DEFINED, check_operations

_LONGEST = 10_000  # characters of an entry, but for those of whole lists
_SHARD = re.compile(r"[0-9]{1,7}(\+[0-9]{1,7})*/[0-9]{1,7}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,1000}", re.ASCII)
_DEVICES = re.compile(r"(cpu|gpu)( (cpu|gpu))?")


class Meta(dict[str, str]):
    """The entries of a run file; to read one that is missing is an error of the file."""

    def __init__(self, entries: dict[str, str], path: Any) -> None:
        super().__init__(entries)
        self._path = path

    def __missing__(self, key: str) -> str:
        raise RunFileError(f"{self._path} is damaged: meta has no {key}")


def _json(kind: Any) -> Callable[[str], None]:
    def check(text: str) -> None:
        if text:  # empty where there is nothing to say
            decoded(text, kind)

    return check


def _pattern(pattern: re.Pattern[str], what: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if not pattern.fullmatch(text):
            raise SchemaError("", f"is {shown(text)}, {what} is due")

    return check


_CHECKS: dict[str, Callable[[str], None]] = {
    "implementations": _json(dict[str, list[str]]),
    DEFINED: check_operations,
    "digests": _json(dict[str, str]),
    "parts": _json(dict[str, list[int]]),
    "spent": _json(dict[str, float | dict[str, float]]),
    "seed": _pattern(_NUMBER, "a whole number"),
    "count": _pattern(_NUMBER, "a whole number"),
    "passes": _pattern(_NUMBER, "a whole number"),
    "shard": _pattern(_SHARD, "I/N"),
    "device": _pattern(_DEVICES, "cpu or gpu"),
}
_LISTS = ("cases", "command", "joined", *_CHECKS)  # as long as what the user wrote


def checked_meta(entries: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Return the entries of `meta`, each of which fits its schema.

    Args:
        entries: pairs of a key and a value, as they were read.

    Raises:
        SchemaError: an entry does not fit; the message names it.
    """
    found: dict[str, str] = {}
    for key, value in entries:
        if not isinstance(key, str) or not isinstance(value, str):
            raise SchemaError(f"meta.{shown(key)}", f"is {shown(value)}, text is due")
        if len(value) > _LONGEST and key not in _LISTS:
            raise SchemaError(f"meta.{key[:100]}", f"has {len(value)} characters")
        try:
            _CHECKS.get(key, _free)(value)
        except SchemaError as error:
            raise SchemaError(f"meta.{key}{error.where}", error.reason) from error
        found[key] = value
    return found


def _free(text: str) -> None:
    """Accept any text."""
