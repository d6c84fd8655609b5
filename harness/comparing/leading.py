"""Keep the first of many items, so that a report of them stays short."""

from __future__ import annotations

from bisect import insort
from collections.abc import Hashable
from operator import itemgetter
from typing import Generic, TypeVar

LIMIT = 100  # items of a group; nobody reads more, and the others are counted
T = TypeVar("T")
_PLACE = itemgetter(0)


class Leading(Generic[T]):
    """The first items of each group by their places, in whatever order they are added."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, list[tuple[tuple[int, int], T]]] = {}

    def add(self, group: Hashable, place: tuple[int, int], item: T) -> None:
        """Add an item, which is kept unless its group has enough items before it."""
        kept = self._groups.setdefault(group, [])
        if len(kept) < LIMIT or place < kept[-1][0]:
            insort(kept, (place, item), key=_PLACE)
            del kept[LIMIT:]

    def items(self) -> tuple[T, ...]:
        """Return the kept items of all groups, sorted by their places."""
        kept = [it for items in self._groups.values() for it in items]
        return tuple(item for _, item in sorted(kept, key=_PLACE))
