"""Read covering arrays: few rows in which every combination of t levels occurs.

A covering array of strength t holds each combination of levels of any t factors in at least one
row (Kuhn, Kacker and Lei, "Introduction to Combinatorial Testing", 2013). The arrays are made by
`scripts/make_covering.py` with the library covertable and stored in `data/covering.json`, so that
a suite is the same on every machine and needs no search when it is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from .checked import decoded

Row = dict[str, Any]
STRENGTH = {"quick": 2, "full": 3}


@dataclass(frozen=True)
class Constraint:
    """A restriction on which levels of some factors may occur in one row.

    Attributes:
        factors: the names of the restricted factors.
        holds: returns whether levels of these factors, in that order, may occur together.
    """

    factors: tuple[str, ...]
    holds: Callable[..., bool]

    def allows(self, row: Row) -> bool:
        """Return whether a row lacks one of the factors, or has levels that may meet."""
        levels = [row[factor] for factor in self.factors if factor in row]
        return len(levels) < len(self.factors) or self.holds(*levels)


@dataclass(frozen=True)
class StoredArray:
    """A covering array as it is stored.

    Attributes:
        factors: the digest of the factors that it was made for.
        rows: the positions of the levels, separated by spaces.
    """

    factors: str
    rows: list[str]


def digest_of(factors: Mapping[str, Sequence[Any]]) -> str:
    """Return a hash of the names and levels of factors, by which a stale array is noticed."""
    return hashlib.sha256(json.dumps(factors).encode()).hexdigest()[:16]


def stored_rows(suite: str, operation: str, factors: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Return the rows of an operation's covering array.

    Args:
        suite: `quick` or `full`.
        operation: name of an operation.
        factors: the levels of each factor, as they were when the array was made.

    Returns:
        One dictionary for each row, from the name of a factor to one of its levels.

    Raises:
        ValueError: the array was made for other factors.
    """
    stored = _stored()[suite][operation]
    if stored.factors != digest_of(factors):
        raise ValueError(f"{operation} has other factors in {suite}; run scripts/make_covering.py")
    # Levels are stored by position, which keeps the file small; the hash above ensures that the
    # positions still mean the same levels.
    names = list(factors)
    return [
        {name: factors[name][int(at)] for name, at in zip(names, row.split(), strict=True)}
        for row in stored.rows
    ]


@cache
def _stored() -> dict[str, dict[str, StoredArray]]:
    text = resources.files("lossdiff.cases.data").joinpath("covering.json").read_bytes()
    return decoded(text, dict[str, dict[str, StoredArray]])
