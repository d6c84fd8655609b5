"""From suite to groups: which worker is asked what, and in which order.

A lane is work for equal workers: one framework, its plain modes or one mode that compiles, with
as many threads as it likes or with one. Its questions are dealt out in shares by dtype and
shape, so that what is compiled for one operator serves the next, and each share is asked in
groups of one signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..backends import FRAMEWORKS
from ..backends.base import Claim
from ..cases.model import Case
from .plan import Plan
from .recorder import Recorder
from .repeats import is_threaded

Asked = tuple[str, str, Case]  # implementation, mode, case
Bucket = list[tuple[str, Case]]  # mode and case, of one dtype and shape
GROUP = 48  # questions that are sent together
_COMPILING = ("jit", "xla", "compile")  # each has a compiler, which gets a process of its own


@dataclass(frozen=True)
class Lane:
    """Work that any of some equal workers can take.

    Attributes:
        framework: whose workers.
        modes: in which it is asked.
        threads: that each may use; 0 for as many as the framework likes.
    """

    framework: str
    modes: tuple[str, ...]
    threads: int = 0

    @property
    def name(self) -> str:
        """As the progress shows it."""
        compiling = [mode for mode in self.modes if mode in _COMPILING]
        return ", ".join([self.framework, *compiling, *(["one thread"] if self.threads else [])])

    @property
    def workers(self) -> int:
        """How many workers share the lane."""
        shared = not self.threads and not set(self.modes) & set(_COMPILING)
        return FRAMEWORKS[self.framework].lanes if shared else 1


def lanes_of(plan: Plan) -> list[Lane]:
    """Return the lanes of a plan; those of a user's own files first, which may not import."""
    names = sorted(plan.frameworks, key=lambda name: name not in plan.extra)
    lanes = [lane for name in names for lane in _lanes(plan, name, 0)]
    if any(map(is_threaded, plan.suite.cases)):
        lanes += [lane for name in names for lane in _lanes(plan, name, 1)]
    return lanes


def _lanes(plan: Plan, framework: str, threads: int) -> Iterator[Lane]:
    modes = plan.modes_of(framework)
    plain = tuple(mode for mode in modes if mode not in _COMPILING)
    if plain or not modes:
        yield Lane(framework, plain, threads)
    for mode in modes:
        if mode in _COMPILING:
            yield Lane(framework, (mode,), threads)


class Questions:
    """The questions of one lane that are still to be asked.

    Attributes:
        total: how many questions the lane has.
        left: how many of them have no verdicts yet.
    """

    def __init__(self, plan: Plan, lane: Lane, claims: Sequence[Claim], recorder: Recorder) -> None:
        self._plan, self._lane, self._recorder = plan, lane, recorder
        self._claims: dict[str, list[Claim]] = {}
        for claim in sorted(claims, key=lambda claim: claim.name):
            if plan.asks(claim):
                self._claims.setdefault(claim.operation, []).append(claim)
        buckets: dict[tuple[str, tuple[int, ...]], Bucket] = {}
        for mode in lane.modes:
            for case in plan.suite.cases:
                if self._is_asked(mode, case):
                    buckets.setdefault((case.dtype, case.shape), []).append((mode, case))
        sizes = [(self._size(bucket), bucket) for bucket in buckets.values()]
        self.total = sum(size for (size, _), _ in sizes)
        self.left = sum(left for (_, left), _ in sizes)
        self._dealt = _dealt([(left, bucket) for (_, left), bucket in sizes], lane.workers)

    def shares(self) -> list[Iterator[list[Asked]]]:
        """Return the groups that each worker asks."""
        return [self._groups(share) for share in self._dealt]

    def _is_asked(self, mode: str, case: Case) -> bool:
        if mode != "eager" and not self._plan.suite.is_compiled(case, mode):
            return False
        return case.operation in self._claims and (not self._lane.threads or is_threaded(case))

    def _size(self, bucket: Bucket) -> tuple[int, int]:
        """How many questions there are, and how many of them are left."""
        size = left = 0
        for mode, case in bucket:
            for claim in self._claims[case.operation]:
                if not claim.unsupported(case):
                    size += 1
                    left += not self._has(claim, mode, case)
        return size, left

    def _has(self, claim: Claim, mode: str, case: Case) -> bool:
        return self._recorder.has(claim, mode, case, self._lane.threads)

    def _groups(self, buckets: list[Bucket]) -> Iterator[list[Asked]]:
        for bucket in buckets:
            for _, same in groupby(bucket, key=lambda item: (item[0], item[1].signature)):
                asked = sorted(self._open(same), key=lambda item: item[0])
                for begin in range(0, len(asked), GROUP):
                    yield asked[begin : begin + GROUP]

    def _open(self, same: Iterable[tuple[str, Case]]) -> Iterator[Asked]:
        """Yield the questions that are claimed and not yet asked; say which are not claimed."""
        for mode, case in same:
            for claim in self._claims[case.operation]:
                if self._has(claim, mode, case):
                    continue
                reason = claim.unsupported(case)
                if not reason:
                    yield claim.name, mode, case
                elif mode == "eager" and not self._lane.threads:
                    self._recorder.unsupported(claim, case, reason)


def _dealt(buckets: list[tuple[int, Bucket]], workers: int) -> list[list[Bucket]]:
    """Deal buckets out to workers evenly, the longest last.

    What is compiled for the longest is then still there for the searches that follow.
    """
    dealt: list[list[Bucket]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for size, bucket in sorted(buckets, key=lambda item: item[0], reverse=True):
        place = loads.index(min(loads))
        loads[place] += size
        dealt[place].insert(0, bucket)
    return dealt
