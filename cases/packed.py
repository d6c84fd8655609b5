"""Store many cases compactly: as compressed ids, from which each case is parsed when needed.

A suite of `fuzz` may have millions of cases; as objects they would need many times the memory of
their ids.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from typing import TypeVar, overload

from .model import Case, Inputs

_BLOCK = 256  # cases that are compressed together; neighbouring ids have long parts in common
T = TypeVar("T")


class Cases(Sequence[Case]):
    """A sequence of cases that is stored as compressed ids; a case is parsed when it is read.

    Explicit arrays of cases are stored as they are.

    >>> Cases(Case("exp", "normal", (size,), "float32") for size in (1, 2, 3))[1].shape
    (2,)
    """

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        """Store cases, which may come from a generator; `Case.parse` must accept their ids."""
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
        """Return one case, or a tuple of cases for a slice."""
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
        # The id has everything but explicit arrays, which are put back.
        case = Case.parse(case_id)
        given = self._given.get(case_id)
        return case if given is None else replace(case, given=given)


def in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items in order; the last one has the rest.

    >>> list(in_parts("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    left = iter(items)
    while part := list(islice(left, size)):
        yield part


# Each pool of workers reads at a place of its own, so that several blocks are in use at a time.
@lru_cache(maxsize=16)
def _ids(block: bytes) -> tuple[str, ...]:
    return tuple(zlib.decompress(block).decode().split("\n"))
