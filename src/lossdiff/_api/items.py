"""Know, over all items of a run of pytest, which expected findings were not found.

Each item puts one question, so that only all of a test's items together can say that an entry of
the project's file matches nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from ..backends.claim import Claim
from .expected import expected_of

Key = tuple[str, str, str]  # operation, framework, and what is declared
_PLANNED: dict[Key, tuple[str, frozenset[str]]] = {}  # the suite, and the ids of its questions
_ASKED: dict[tuple[Key, str], set[str]] = defaultdict(set)  # by the name of a function, too
_MATCHED: set[str] = set()


def plan(key: Key, suite: str, ids: Collection[str]) -> None:
    """Note the questions of a decorated test."""
    _PLANNED[key] = suite, frozenset(ids)


def note(key: Key, function: str, question: str) -> None:
    """Note that a question was put to a function, or is none of its."""
    _ASKED[key, function].add(question)


def match(entries: Collection[str]) -> None:
    """Note the ids of entries that matched a finding."""
    _MATCHED.update(entries)


def noted() -> dict[str, list[Any]]:
    """Return what was noted, as plain data that another process reads with `take`."""
    return {
        "planned": [[*key, suite, sorted(ids)] for key, (suite, ids) in _PLANNED.items()],
        "asked": [[*key, name, sorted(ids)] for (key, name), ids in _ASKED.items()],
        "matched": sorted(_MATCHED),
    }


def take(found: dict[str, list[Any]]) -> None:
    """Note what another process has noted."""
    for operation, framework, declared, suite, ids in found["planned"]:
        plan((operation, framework, declared), suite, ids)
    for operation, framework, declared, name, ids in found["asked"]:
        _ASKED[(operation, framework, declared), name].update(ids)
    match(found["matched"])


def stale() -> list[str]:
    """Return the expected findings on functions that were asked everything, if none was found."""
    names: dict[str, None] = {}
    for (key, name), ids in _ASKED.items():
        suite, planned = _PLANNED.get(key, ("", frozenset()))
        if suite and planned <= ids:
            operation, framework, _ = key
            claim = Claim(name, framework, operation, "user", frozenset(), frozenset())
            names |= dict.fromkeys(expected_of(None).stale(_MATCHED, claim, suite))
    return list(names)
