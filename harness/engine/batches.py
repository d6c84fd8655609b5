"""From suite to groups: which worker is asked what, and in which order.

A lane is work for equal workers: one framework, its plain modes or one mode that compiles, with
as many threads as it likes or with one. A user's files have lanes of their own: whatever they
change in a framework must not change what is said of it. The questions of a lane are dealt out in
shares by dtype and shape, so that what is compiled for one operator serves the next, and each share
is asked in groups of one signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product

from ...backends import FRAMEWORKS
from ...backends.base import Claim
from ...cases.model import Case
from ...cases.packed import in_parts
from ..relations import needs_single_thread_run
from ..workers import Asked
from .plan import Plan
from .recorder import Recorder

GROUP = 48  # questions that are sent together
_COMPILING = ("jit", "xla", "compile")  # each has a compiler, which gets a process of its own


@dataclass(frozen=True)
class WorkerPool:
    """Work that any of some equal workers can take.

    Attributes:
        framework: whose workers.
        modes: in which it is asked.
        threads: that each may use; 0 for as many as the framework likes.
        files: a user's files or modules, whose functions alone are asked; none for the framework's.
    """

    framework: str
    modes: tuple[str, ...]
    threads: int = 0
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As the progress shows it."""
        compiling = [mode for mode in self.modes if mode in _COMPILING]
        more = [*(["--impl"] if self.files else []), *(["one thread"] if self.threads else [])]
        return ", ".join([self.framework, *compiling, *more])

    @property
    def workers(self) -> int:
        """How many workers share the lane."""
        shared = not self.threads and not set(self.modes) & set(_COMPILING)
        return FRAMEWORKS[self.framework].workers if shared else 1


def pools_of(plan: Plan) -> list[WorkerPool]:
    """Return the lanes of a plan; those of a user's own files first, which may not import."""
    theirs = [(name, files) for name in plan.frameworks if (files := plan.extra.get(name))]
    ours = [(name, ()) for name in plan.frameworks]
    threads = (0, 1) if any(map(needs_single_thread_run, plan.suite.cases)) else (0,)
    return [
        WorkerPool(name, modes, number, files)
        for number, (name, files) in product(threads, [*theirs, *ours])
        for modes in _modes_together(plan, name)
    ]


def _modes_together(plan: Plan, framework: str) -> Iterator[tuple[str, ...]]:
    """Yield the modes that one process is asked in."""
    modes = plan.modes_of(framework)
    plain = tuple(mode for mode in modes if mode not in _COMPILING)
    if plain or not modes:
        yield plain
    for mode in modes:
        if mode in _COMPILING:
            yield (mode,)


@dataclass(frozen=True)
class Bucket:
    """Neighbours in a suite, of one dtype and shape.

    Attributes:
        places: where in the suite they are; their questions are made when they are asked.
        size: how many questions there are.
        left: how many of them have no verdicts yet.
    """

    places: range
    size: int
    left: int


class Questions:
    """The questions of one lane that are still to be asked.

    Attributes:
        total: how many questions the lane has.
        left: how many of them have no verdicts yet.
    """

    def __init__(
        self, plan: Plan, lane: WorkerPool, claims: Sequence[Claim], recorder: Recorder
    ) -> None:
        self._plan, self._lane, self._recorder = plan, lane, recorder
        self._claims: dict[str, list[Claim]] = {}
        for claim in sorted(claims, key=lambda claim: claim.name):
            if plan.asks(claim):
                self._claims.setdefault(claim.operation, []).append(claim)
        alike = groupby(
            enumerate(plan.suite.cases), key=lambda item: (item[1].dtype, item[1].shape)
        )
        buckets = [bucket for _, same in alike if (bucket := self._bucket(same))]
        self.total = sum(bucket.size for bucket in buckets)
        self.left = sum(bucket.left for bucket in buckets)
        self._dealt = _dealt(buckets, lane.workers)

    def shares(self) -> list[Iterator[list[Asked]]]:
        """Return the groups that each worker asks."""
        return [self._groups(share) for share in self._dealt]

    def _is_asked(self, mode: str, case: Case) -> bool:
        if case.operation not in self._claims or (
            self._lane.threads and not needs_single_thread_run(case)
        ):
            return False
        return mode == "eager" or self._plan.suite.is_compiled(case, mode)

    def _bucket(self, same: Iterable[tuple[int, Case]]) -> Bucket | None:
        """Count the questions on some cases; None if the lane asks nothing of them."""
        places: list[int] = []  # the first and the last
        size = left = 0
        for place, case in same:
            modes = [mode for mode in self._lane.modes if self._is_asked(mode, case)]
            if modes:
                places[1:] = [place]
            for mode, claim in product(modes, self._claims.get(case.operation, ())):
                if not claim.unsupported(case):
                    size += 1
                    left += not self._has(claim, mode, case)
        return Bucket(range(places[0], places[-1] + 1), size, left) if places else None

    def _has(self, claim: Claim, mode: str, case: Case) -> bool:
        return self._recorder.has(claim, mode, case, self._lane.threads)

    def _groups(self, buckets: list[Bucket]) -> Iterator[list[Asked]]:
        for bucket, mode in product(buckets, self._lane.modes):
            cases = map(self._plan.suite.cases.__getitem__, bucket.places)
            wanted = (case for case in cases if self._is_asked(mode, case))
            for _, same in groupby(wanted, key=lambda case: case.signature):
                asked = sorted(self._open(mode, same), key=lambda item: item[0])
                yield from in_parts(asked, GROUP)

    def _open(self, mode: str, same: Iterable[Case]) -> Iterator[Asked]:
        """Yield the questions that are claimed and not yet asked; say which are not claimed."""
        for case in same:
            for claim in self._claims[case.operation]:
                if self._has(claim, mode, case):
                    continue
                reason = claim.unsupported(case)
                if not reason:
                    yield claim.name, mode, case
                elif mode == "eager" and not self._lane.threads:
                    self._recorder.unsupported(claim, case, reason)


def _dealt(buckets: Sequence[Bucket], workers: int) -> list[list[Bucket]]:
    """Deal buckets out to workers evenly, the longest last.

    What is compiled for the longest is then still there for the searches that follow.
    """
    shares: list[list[Bucket]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for bucket in sorted(buckets, key=lambda bucket: bucket.left, reverse=True):
        place = loads.index(min(loads))
        loads[place] += bucket.left
        shares[place].insert(0, bucket)
    return shares
