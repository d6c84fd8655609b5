"""Check data from outside against a type: JSON texts, TOML tables, records of a run file.

Whatever was written by another program, by a user, or by an earlier run passes through here before
it is used. What does not fit gives one short reason, and the caller adds the name of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

import msgspec

from ..errors import SchemaError

T = TypeVar("T")
_LONGEST = 2**24  # characters of a JSON text; the times of one benchmark take about 1% of that
_SHOWN = 40  # characters of a value in a message
_LONGEST_NAME = 200  # characters; no name is so long, and to compare longer ones takes a while
_MOST = 1000  # members of a set of names or numbers that a caller gives

# The words for the types of JSON and SQLite.
_TYPES = {
    "str": "text",
    "bytes": "bytes",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "null": "empty",
    "array": "a list",
    "object": "an object",
}
_MESSAGE = re.compile(
    r"Expected `(?P<due>[^`]+)`(?P<limit>.*?)(, got `(?P<got>\w+)`)?( - at `\$\.?(?P<where>.*)`)?",
    re.DOTALL,
)
_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`.*")


def checked(value: Any, kind: type[T]) -> T:
    """Return a value as an instance of a type, or say what does not fit.

    Args:
        value: plain data: numbers, texts, bytes, lists and dictionaries.
        kind: the type, such as `dict[str, list[int]]` or a dataclass.

    Raises:
        SchemaError: the value, or a part of it, is of another type or out of range.

    >>> checked({"a": [1, "x"]}, dict[str, list[int]])
    Traceback (most recent call last):
    lossdiff.errors.SchemaError: [...][1] is text, a whole number is due
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        _refuse(str(error))
    except RecursionError:
        raise SchemaError("", "is nested too deeply") from None


def decoded(text: str | bytes, kind: type[T], *, from_python: bool = False) -> T:
    """Return the data of a JSON text as an instance of a type, or say what does not fit.

    Args:
        text: the JSON text; bytes are UTF-8.
        kind: the type, such as `dict[str, list[int]]` or a dataclass.
        from_python: whether `NaN` and `Infinity`, which Python writes, may occur.

    Raises:
        SchemaError: the text is too long, is not JSON, or does not fit the type.

    >>> decoded('{"numpy": ["mine.py"]}', dict[str, list[str]])
    {'numpy': ['mine.py']}
    """
    if len(text) > _LONGEST:
        raise SchemaError("", f"has {len(text)} characters, more than {_LONGEST}")
    try:
        if from_python:
            return checked(json.loads(text), kind)
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        _refuse(str(error))
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or nested too deeply
        raise SchemaError("", f"is not JSON: {_brief(str(error))}") from None


def members(name: str, given: object, example: str, kind: type = str) -> tuple[Any, ...]:
    """Return the members of a set, a list or a tuple that a caller gives.

    A text is taken for no letters, and an array for no collection: neither is compared.

    Args:
        name: the name of the argument.
        given: what the caller gives.
        example: how it may be given, such as `{'index'}`.
        kind: the type of each member, `str` or `Integral`.

    Raises:
        SchemaError: it is anything else, or a member of it is.

    >>> members("targets", "index", "{'index'}")
    Traceback (most recent call last):
    lossdiff.errors.SchemaError: targets is 'index'; it must be a set, such as {'index'}
    """
    if isinstance(given, str | bytes) or not isinstance(given, AbstractSet | Sequence | Mapping):
        such = f"{{{shown(given)}}}" if isinstance(given, str) else example
        raise SchemaError(name, f"is {shown(given)}; it must be a set, such as {such}")
    if len(given) > _MOST:
        raise SchemaError(name, f"has {len(given):,} members; it must be a set, such as {example}")
    for it in given:
        if isinstance(it, bool) or not isinstance(it, kind):
            due = "a text" if kind is str else "a whole number"
            raise SchemaError(name, f"has {shown(it)}; each must be {due}, as in {example}")
    return tuple(given)


def near(given: object, allowed: Iterable[str]) -> str:
    """Return the question whether the most similar of some names was meant; empty if none is.

    >>> near("indx", ["index", "soft"])
    '; did you mean index?'
    """
    if not isinstance(given, str) or len(given) > _LONGEST_NAME:
        return ""
    found = get_close_matches(given, allowed, 1)
    return f"; did you mean {found[0]}?" if found else ""


def shown(value: Any) -> str:
    r"""Return a value as it is quoted in a message: on one line, shortened, and printable.

    >>> shown("eag\x1ber")
    "'eag\\x1ber'"
    """
    if isinstance(value, str | bytes):
        return _brief(ascii(value[: _SHOWN + 1]))
    try:
        return _brief(" ".join(ascii(value).split()))
    except Exception:  # noqa: BLE001 -- a class of somebody else's, or a number of too many digits
        return f"a value of type {type(value).__name__}"


def _brief(text: str) -> str:
    return text if len(text) <= _SHOWN + 10 else f"{text[:_SHOWN]}…"


def _refuse(message: str) -> NoReturn:
    """Raise the error that says in words what msgspec says in types."""
    if found := _MISSING.fullmatch(message):
        raise SchemaError(found["name"], "is missing") from None
    found = _MESSAGE.fullmatch(message)
    if found is None:
        raise SchemaError("", f"does not fit: {message}") from None
    kinds = [kind for kind in found["due"].split(" | ") if kind != "null"]
    due = " or ".join(_TYPES.get(kind, kind) for kind in kinds) + found["limit"]
    got = f"is {_TYPES.get(found['got'], found['got'])}" if found["got"] else "is out of range"
    raise SchemaError(found["where"] or "", f"{got}, {due} is due") from None
