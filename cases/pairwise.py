"""Make covering arrays of strength 2 when they are needed.

The arrays of the suites are stored (`cases.covering`). That of a user's function depends on what
the function claims, so it is made at run time, in milliseconds: row by row, each from a pair of
levels that no row has yet and, for every further factor, the level that covers the most such pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from .covering import Constraint, Row

_Level = tuple[int, int]  # the position of a factor, and of one of its levels


def pairwise(
    factors: Mapping[str, Sequence[Any]], constraints: Sequence[Constraint] = ()
) -> list[Row]:
    """Return rows in which any two levels of two factors meet, if any row may hold both.

    Args:
        factors: the levels of each factor, at least one.
        constraints: which levels may not meet; those about absent factors do not count.

    Returns:
        One dictionary for each row, from the name of a factor to one of its levels; the same rows
        for the same arguments. One factor alone gets a row for each of its levels.

    Raises:
        ValueError: a constraint is about more than two factors.

    >>> pairwise({"dtype": ["float32", "float64"], "reduction": ["mean"]})
    [{'dtype': 'float32', 'reduction': 'mean'}, {'dtype': 'float64', 'reduction': 'mean'}]
    """
    if len(factors) == 1:
        return [{name: level} for name, levels in factors.items() for level in levels]
    search = _Search(factors, constraints)
    return [
        {name: factors[name][row[place]] for place, name in enumerate(factors)}
        for row in search.rows()
    ]


class _Search:
    """The search for the rows of one array."""

    def __init__(
        self, factors: Mapping[str, Sequence[Any]], constraints: Sequence[Constraint]
    ) -> None:
        self._levels: list[list[_Level]] = [
            [(place, at) for at in range(len(levels))]
            for place, levels in enumerate(factors.values())
        ]
        # Factors of many levels come first: their pairs decide how many rows there are.
        self._order = sorted(range(len(factors)), key=lambda place: -len(self._levels[place]))
        self._banned = _banned(factors, constraints)
        # For each level those with which it has not met yet.
        self._unmet: dict[_Level, set[_Level]] = {
            level: {
                other
                for others in self._levels
                for other in others
                if other[0] != level[0] and other not in self._banned[level]
            }
            for levels in self._levels
            for level in levels
        }
        self._uses = dict.fromkeys(self._unmet, 0)

    def rows(self) -> Iterator[dict[int, int]]:
        """Yield rows, from the position of each factor to that of a level, until all have met."""
        pairs = [
            (one, other)
            for first, second in combinations(self._order, 2)
            for one in self._levels[first]
            for other in self._levels[second]
        ]
        for one, other in pairs:
            if other not in self._unmet[one]:
                continue
            left = [place for place in self._order if place not in (one[0], other[0])]
            row = self._completed((one, other), left)
            if row is None:  # the constraints leave no row for this pair
                self._unmet[one].discard(other)
                continue
            for level in row:
                self._uses[level] += 1
                self._unmet[level].difference_update(row)
            yield dict(row)

    def _completed(self, row: tuple[_Level, ...], left: list[int]) -> tuple[_Level, ...] | None:
        """Return a row with a level of each factor that is left; None if there is none."""
        if not left:
            return row
        chosen = set(row)
        allowed = [at for at in self._levels[left[0]] if not self._banned[at] & chosen]
        # Where several cover as much, the one that was used least gives the more varied rows.
        allowed.sort(key=lambda at: (-len(self._unmet[at] & chosen), self._uses[at]))
        for level in allowed:
            found = self._completed((*row, level), left[1:])
            if found is not None:
                return found
        return None


def _banned(
    factors: Mapping[str, Sequence[Any]], constraints: Sequence[Constraint]
) -> dict[_Level, set[_Level]]:
    """Return for each level those of other factors that it may not meet."""
    places = {name: place for place, name in enumerate(factors)}
    banned: dict[_Level, set[_Level]] = {
        (places[name], at): set() for name, levels in factors.items() for at in range(len(levels))
    }
    for constraint in constraints:
        if not set(constraint.factors) <= set(factors):
            continue
        if len(constraint.factors) != 2:
            raise ValueError(f"a constraint about {len(constraint.factors)} factors, not 2")
        first, second = constraint.factors
        for one, level in enumerate(factors[first]):
            for other, another in enumerate(factors[second]):
                if not constraint.holds(level, another):
                    banned[places[first], one].add((places[second], other))
                    banned[places[second], other].add((places[first], one))
    return banned
