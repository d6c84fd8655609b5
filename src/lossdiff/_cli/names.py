"""Parameter types for names, whose errors suggest similar names."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any

import click

_LISTED = 40  # allowed names in a message; a run knows hundreds of implementations
_DIGITS = 4  # of a number of parts
_LONGEST, _SHOWN = 200, 40  # characters of a value that is quoted whole, and of a longer one


class OwnType(click.ParamType[Any]):
    """A type whose messages are complete, so that click's prefix is left out."""


class Name(OwnType):
    """The type of a parameter that is one of a set of names."""

    def __init__(self, what: str, names: Collection[str]) -> None:
        self.name = what
        self._names = names  # of operations there may be more by the time of a call

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self._names:
            self.fail(unknown(self.name, value, self._names), param, ctx)
        return value


class Names(OwnType):
    """The type of a parameter that is some of a set of names, with commas; perhaps none of them."""

    def __init__(self, what: str, names: Collection[str]) -> None:
        self.name = what
        self._one = Name(what, names)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        parts = (part.strip() for part in str(value).split(","))
        return tuple(self._one.convert(part, param, ctx) for part in parts if part)


class Shard(OwnType):
    """The type of a parameter `I/N`, which selects part I of N."""

    name = "part"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        part, _, parts = str(value).partition("/")
        if len(parts) > _DIGITS and parts.isdecimal():  # such as of a wrong variable of a script
            self.fail(
                f"--shard {given(value)} has too many parts: at most {10**_DIGITS - 1}", param, ctx
            )
        fits = (part + parts).isascii() and part.isdecimal() and parts.isdecimal()
        fits = fits and len(part) <= _DIGITS
        if not fits or not 1 <= int(part) <= int(parts):
            self.fail(
                f"--shard {given(value)} is not I/N with I from 1 to N, such as 1/4", param, ctx
            )
        return int(part), int(parts)


def unknown(what: str, value: str, names: Iterable[str]) -> str:
    """Return a message with the unknown name, similar names, and all that are allowed.

    Args:
        what: the kind of name.
        value: the unknown name.
        names: the allowed names.

    >>> unknown("mode", "egar", ("eager", "jit"))
    "unknown mode 'egar'; did you mean eager? allowed: eager, jit"
    """
    allowed = tuple(names)
    near = get_close_matches(value, allowed, n=3, cutoff=0.5) if len(value) <= _LONGEST else []
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    more = f" and {len(allowed) - _LISTED} more" if len(allowed) > _LISTED else ""
    listed = ", ".join(allowed[:_LISTED]) or "none"
    return f"unknown {what} {given(value)}; {hint}allowed: {listed}{more}"


def given(value: object) -> str:
    """Return what was given as it is quoted in a message, shortened if it is very long.

    >>> given("egar")
    "'egar'"
    """
    text = str(value)
    return repr(text) if len(text) <= _LONGEST else f"{text[:_SHOWN]!r}… ({len(text):,} characters)"
