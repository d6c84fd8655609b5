"""Many cases in little room: what a suite holds does not grow with its numbers to speak of."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from typing import TypeVar, overload

from .model import Case, Inputs

_BLOCK = 256  # cases that are packed together; neighbours have much of their ids in common
T = TypeVar("T")


class Cases(Sequence[Case]):
    """Cases that are held as the text of their ids, packed, and parsed when they are asked for.

    Those that came with their arrays keep them.
    """

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        """Take cases, which may come one by one; they need an id that can be parsed."""
        self._given: dict[str, Inputs] = {}
        self._blocks: list[bytes] = []
        self._length = 0
        for block in in_parts(cases, _BLOCK):
            self._given |= {case.id: case.given for case in block if case.given is not None}
            self._blocks.append(zlib.compress("\n".join(case.id for case in block).encode()))
            self._length += len(block)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Case]:
        return map(self._case, chain.from_iterable(map(_ids, self._blocks)))

    @overload
    def __getitem__(self, place: int) -> Case: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Case, ...]: ...

    def __getitem__(self, place: int | slice) -> Case | tuple[Case, ...]:
        """Return one case, or some."""
        places = range(self._length)[place]
        if isinstance(places, range):
            return tuple(map(self.__getitem__, places))
        return self._case(_ids(self._blocks[places // _BLOCK])[places % _BLOCK])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Sequence)
            and len(self) == len(other)
            and all(mine == its for mine, its in zip(self, other, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]  # like a list

    def _case(self, case_id: str) -> Case:
        case = Case.parse(case_id)
        given = self._given.get(case_id)
        return case if given is None else replace(case, given=given)


def in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of so many items, the last one of what is left."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part


@lru_cache(maxsize=16)  # lanes are at several places at a time
def _ids(block: bytes) -> tuple[str, ...]:
    return tuple(zlib.decompress(block).decode().split("\n"))
