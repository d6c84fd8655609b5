"""Join findings that differ from the right numbers by factors that depend on the question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..harness.runfile import VerdictRow

# What `harness/judging/scales.py` says of a constant ratio, after a mistake on top of which it is.
_FACTOR = re.compile(
    r"(?P<mistake>.*, )?(?P<factor>[^,]+) times too (?P<side>large|small)"
    r"(?P<size> \(.+ = [^)]+\))?(?P<sign>, with the wrong sign)?"
)
_SHOWN = 3


def by_one_factor(
    named: Mapping[str, list[VerdictRow]], others: Iterable[VerdictRow] = ()
) -> dict[str, list[VerdictRow]]:
    """Return findings by the mistake that they look like, with factors that differ as one mistake.

    A mistake that multiplies by a number of rows, or that leaves out an incoming gradient, gives
    another factor for each number of rows. Factors that all come with an option of their own stay
    what they are: each is a mistake about its option.

    Args:
        named: findings by the mistake that they look like.
        others: findings that look like mistakes that too few look like; those with a factor join
            what is named.
    """
    given = {name: list(rows) for name, rows in named.items()}
    for row in others:
        if told := _told(row, given):
            given.setdefault(told, []).append(row)
    for name in list(given):
        if (plain := _as_number(name)) in given and plain != name:
            given[plain] = [*given[plain], *given.pop(name)]
    alike: dict[tuple[object, ...], list[str]] = {}
    for name, rows in given.items():
        if kind := _kind(name):
            alike.setdefault((kind, _common(rows)), []).append(name)
    joined = {name: names for names in alike.values() if len(names) > 1 for name in names}
    made: dict[str, list[VerdictRow]] = {}
    for name, rows in given.items():
        names = joined.get(name)
        made.setdefault(_name(names, given) if names else name, []).extend(rows)
    return made


def is_factor(name: str) -> bool:
    """Return whether a name is a constant factor, alone or on top of a mistake.

    >>> is_factor("weight is not applied, 10 times too large"), is_factor("the sign is wrong")
    (True, False)
    """
    return _FACTOR.fullmatch(name) is not None


def _told(row: VerdictRow, named: Mapping[str, list[VerdictRow]]) -> str:
    """Return the factor of a finding, if other findings have one like it; empty for none."""
    kind = _kind(row.looks_like)
    if not kind:
        return ""
    same = (rows for name, rows in named.items() if _kind(name) == kind)
    return row.looks_like if any(_common(rows) <= set(row.options) for rows in same) else ""


def _kind(name: str) -> tuple[str, ...]:
    """Return the mistake below a factor, its side and its sign; nothing for other mistakes."""
    found = _FACTOR.fullmatch(name)
    return found.group("mistake", "side", "sign") if found else ()


def _as_number(name: str) -> str:
    """Return the name of a factor with the number that a size has in its questions.

    >>> _as_number("N times too large (N = 2)")
    '2 times too large'
    """
    found = _FACTOR.fullmatch(name)
    if not found or not found["size"]:
        return name
    number = found["size"].rpartition("= ")[2].removesuffix(")")
    return f"{found['mistake'] or ''}{number} times too {found['side']}{found['sign'] or ''}"


def _common(rows: Iterable[VerdictRow]) -> frozenset[str]:
    """Return the options that all of some findings have."""
    return frozenset.intersection(*(frozenset(row.options) for row in rows))


def _name(names: Sequence[str], named: Mapping[str, list[VerdictRow]]) -> str:
    """Return the one name of factors that differ, the most frequent ones in it first."""
    found = list(_found(sorted(names, key=lambda name: -len(named[name]))))
    mistake, side, sign = ((it or "") for it in found[0].group("mistake", "side", "sign"))
    factors = list(dict.fromkeys(it["factor"] for it in found))
    if len(factors) == 1:
        return f"{mistake}{factors[0]} times too {side}{sign}"
    shown = ", ".join(factors[:_SHOWN]) + (", …" if len(factors) > _SHOWN else "")
    return f"{mistake}too {side} by a factor that depends on the question: {shown}{sign}"


def _found(names: Iterable[str]) -> Iterator[re.Match[str]]:
    return (found for name in names if (found := _FACTOR.fullmatch(name)))
