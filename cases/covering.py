"""Covering arrays: the fewest rows in which every few levels of different factors meet.

They are made by `scripts/make_covering.py` with the library covertable, and stored in
`data/covering.json`, so that a suite is the same everywhere and at hand at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Row = dict[str, Any]
STRENGTH = {"quick": 2, "full": 3}


@dataclass(frozen=True)
class Constraint:
    """What levels may meet.

    Attributes:
        factors: the names of those that it is about.
        holds: whether their levels, in that order, may meet.
    """

    factors: tuple[str, ...]
    holds: Callable[..., bool]

    def allows(self, row: Row) -> bool:
        """Whether a row has none of the factors, or levels that may meet."""
        levels = [row[factor] for factor in self.factors if factor in row]
        return len(levels) < len(self.factors) or self.holds(*levels)


def digest_of(factors: Mapping[str, Sequence[Any]]) -> str:
    """Return what identifies factors and their levels."""
    return hashlib.sha256(json.dumps(factors).encode()).hexdigest()[:16]


def stored_rows(suite: str, operation: str, factors: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Return the rows of an operation's covering array.

    Raises:
        ValueError: the array was made for other factors.
    """
    stored = _stored()[suite][operation]
    if stored["factors"] != digest_of(factors):
        raise ValueError(f"{operation} has other factors in {suite}; run scripts/make_covering.py")
    names = list(factors)
    return [
        {name: factors[name][int(at)] for name, at in zip(names, row.split(), strict=True)}
        for row in stored["rows"]
    ]


@cache
def _stored() -> dict[str, Any]:
    text = resources.files("lossdiff.cases.data").joinpath("covering.json").read_text()
    return dict(json.loads(text))
