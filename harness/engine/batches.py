"""Turn a suite into batches: decide which worker evaluates what, and in which order.

A worker pool is work for equal workers: one framework, its plain modes or one mode that compiles,
with its default number of threads or with one. A user's files have pools of their own: whatever
they change in a framework must not change the verdicts on it. The questions of a pool are
distributed in partitions by dtype and shape, so that a compiled operator serves the next cases too,
and each partition is sent in batches: of one signature where each takes seconds to compile, and of
several elsewhere, since a process is looked over after each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from math import prod

from ...backends import AS_WRITTEN, EAGER, FRAMEWORKS, Mode
from ...backends.claim import Claim
from ...cases.model import Case
from ...cases.packed import in_parts
from ..relations import needs_single_thread_run
from ..workers import Question
from .own_questions import own_questions
from .plan import Plan

BATCH_SIZE = 48  # questions that are sent together
_FEW = 16  # questions up to which those of several signatures are
IsDone = Callable[[Claim, str, Case, int], bool]  # claim, mode, case, threads


@dataclass(frozen=True)
class Unclaimed:
    """A case that an implementation does not claim.

    Attributes:
        claim: the claim of the implementation.
        case: the case.
        reason: why it is not claimed, in words.
    """

    claim: Claim
    case: Case
    reason: str


Batch = list[Question]
Partition = Iterator[Batch | Unclaimed]


@dataclass(frozen=True)
class WorkerPool:
    """Work for a number of equal workers.

    Attributes:
        framework: the framework that they import.
        modes: the modes that they run it in.
        threads: threads that each of them may use; 0 for the framework's default.
        files: a user's files or modules, whose functions alone are evaluated; empty for those of
            the framework.
    """

    framework: str
    modes: tuple[str, ...]
    threads: int = 0
    files: tuple[str, ...] = ()

    @property
    def described(self) -> tuple[Mode, ...]:
        """What is known of its modes."""
        return tuple(map(FRAMEWORKS[self.framework].mode, self.modes))

    @property
    def name(self) -> str:
        """The name of the pool in the progress."""
        alone = [mode.name for mode in self.described if mode.is_alone]
        more = [*(["--impl"] if self.files else []), *(["one thread"] if self.threads else [])]
        return ", ".join([self.framework, *alone, *more])

    @property
    def mode(self) -> str:
        """The mode that its processes are for, if that is alone in them; otherwise `eager`."""
        return next((mode.name for mode in self.described if mode.is_alone), EAGER)

    @property
    def workers(self) -> int:
        """The number of workers that share the pool."""
        shared = not self.threads and not any(mode.is_alone for mode in self.described)
        return FRAMEWORKS[self.framework].workers if shared else 1


def pools_of(plan: Plan) -> list[WorkerPool]:
    """Return the pools of a plan, those of a user's files first: their import may fail."""
    theirs = [(name, files) for name in plan.frameworks if (files := plan.extra.get(name))]
    ours = [] if plan.only_own else [(name, ()) for name in plan.frameworks]
    threads = (0, 1) if any(map(needs_single_thread_run, plan.suite.cases)) else (0,)
    return [
        WorkerPool(name, modes, number, files)
        for number, (name, files) in product(threads, [*theirs, *ours])
        for modes in _modes_together(plan, name)
    ]


def _modes_together(plan: Plan, framework: str) -> Iterator[tuple[str, ...]]:
    """Yield the modes that one process runs: all plain ones together, each other one alone."""
    modes = list(map(FRAMEWORKS[framework].mode, plan.modes_of(framework)))
    plain = tuple(mode.name for mode in modes if not mode.is_alone)
    if plain or not modes:
        yield plain
    for mode in modes:
        if mode.is_alone:
            yield (mode.name,)


@dataclass(frozen=True)
class Bucket:
    """Consecutive cases of a suite with one dtype and shape.

    Attributes:
        places: their positions in the suite; the questions are only made when they are sent.
        size: number of their questions.
        left: number of those without verdicts.
    """

    places: range
    size: int
    left: int


class Questions:
    """The questions of one pool that have no verdicts yet.

    Attributes:
        total: number of all questions of the pool.
        left: number of those without verdicts.
    """

    def __init__(
        self,
        plan: Plan,
        pool: WorkerPool,
        claims: Sequence[Claim],
        is_done: IsDone,
        failed: Collection[str] = (),
    ) -> None:
        """Count the questions.

        Args:
            plan: the plan of the run.
            pool: the pool.
            claims: the implementations of the pool.
            is_done: returns whether a question has its verdicts already.
            failed: the names of those that have not answered a plain question. They are asked one
                case, eagerly, so that the run has a verdict on them.
        """
        self._pool, self._is_done = pool, is_done
        wanted = [claim for claim in claims if plan.asks(claim)]
        self._suite, self._own = plan.suite, dict[str, frozenset[str]]()
        if pool.files and plan.only_own:
            self._suite, self._own = own_questions(plan, wanted)
        self._only = {
            claim.name: next((it.id for it in self._suite.cases if _is_claimed(claim, it)), "")
            for claim in claims
            if claim.name in failed
        }
        self._modes = {mode.name: mode for mode in pool.described}
        # Every run says once which cases are not claimed.
        all_modes = plan.modes_of(pool.framework)
        self._first = next((mode for mode in all_modes if mode in AS_WRITTEN), "")
        self._claims: dict[str, list[Claim]] = {}
        for claim in sorted(wanted, key=lambda claim: claim.name):
            self._claims.setdefault(claim.operation, []).append(claim)
        # Only counts are kept of each bucket: a suite has too many questions to hold them all, and
        # the counts suffice to distribute them.
        alike = groupby(
            enumerate(self._suite.cases), key=lambda item: (item[1].dtype, item[1].shape)
        )
        buckets = [bucket for _, same in alike if (bucket := self._bucket(same))]
        self.total = sum(bucket.size for bucket in buckets)
        self.left = sum(bucket.left for bucket in buckets)
        self._partitions = _distributed(buckets, pool.workers)

    def partitions(self) -> list[Partition]:
        """Return for each worker its batches, and the cases between them that are not claimed."""
        return [self._batches(buckets) for buckets in self._partitions]

    def _is_asked(self, mode: str, case: Case) -> bool:
        if case.operation not in self._claims or (
            self._pool.threads and not needs_single_thread_run(case)
        ):
            return False
        how = self._modes[mode]
        if case.dtype in how.lacks or (how.most and prod(case.shape) > how.most):
            return False
        return how.is_eager or self._suite.is_compiled(case, how.dtypes)

    def _asked(self, case: Case) -> Iterator[Claim]:
        """Yield the claims of a case's operation that have it among their questions."""
        for claim in self._claims.get(case.operation, ()):
            if not self._own or case.id in self._own[claim.name]:
                yield claim

    def _bucket(self, same: Iterable[tuple[int, Case]]) -> Bucket | None:
        """Count the questions of some cases; return None if the pool has none."""
        places: list[int] = []  # the first and the last
        size = left = 0
        for place, case in same:
            modes = [mode for mode in self._pool.modes if self._is_asked(mode, case)]
            if modes:
                places[1:] = [place]
            for mode, claim in product(modes, self._asked(case)):
                if self._is_for(claim, mode, case) and not claim.unsupported(case):
                    size += 1
                    left += not self._has(claim, mode, case)
        return Bucket(range(places[0], places[-1] + 1), size, left) if places else None

    def _is_for(self, claim: Claim, mode: str, case: Case) -> bool:
        """Return whether an implementation is asked a case, if it claims it."""
        only = self._only.get(claim.name)
        return only is None or (only == case.id and mode == self._first and not self._pool.threads)

    def _has(self, claim: Claim, mode: str, case: Case) -> bool:
        return self._is_done(claim, mode, case, self._pool.threads)

    def _batches(self, buckets: list[Bucket]) -> Partition:
        # The order is that in which compiling costs least: one dtype and shape after the other, one
        # mode after the other, and within them all questions of one signature together.
        for bucket, mode in product(buckets, self._pool.modes):
            cases = map(self._suite.cases.__getitem__, bucket.places)
            wanted = (case for case in cases if self._is_asked(mode, case))
            most = 0 if self._modes[mode].is_slow else _FEW
            together: Batch = []
            for _, same in groupby(wanted, key=lambda case: case.signature):
                cases_of_signature = list(same)
                yield from self._unclaimed(mode, cases_of_signature)
                unanswered = self._unanswered(mode, cases_of_signature)
                asked = sorted(unanswered, key=lambda question: question.implementation)
                if together and len(together) + len(asked) > most:
                    yield together
                    together = []
                if len(asked) > most:
                    yield from in_parts(asked, BATCH_SIZE)
                else:
                    together = [*together, *asked]
            if together:
                yield together

    def _unanswered(self, mode: str, cases: Iterable[Case]) -> Iterator[Question]:
        """Yield the questions that are claimed and have no verdicts."""
        for case in cases:
            for claim in self._asked(case):
                is_left = self._is_for(claim, mode, case) and not self._has(claim, mode, case)
                if is_left and not claim.unsupported(case):
                    yield Question(claim.name, mode, case)

    def _unclaimed(self, mode: str, cases: Iterable[Case]) -> Iterator[Unclaimed]:
        """Yield the cases that are not claimed; each once, for all modes and numbers of threads."""
        if mode != self._first or self._pool.threads:
            return
        for case in cases:
            for claim in self._asked(case):
                reason = "" if claim.name in self._only else claim.unsupported(case)
                if reason and not self._has(claim, mode, case):
                    yield Unclaimed(claim, case, reason)


def _is_claimed(claim: Claim, case: Case) -> bool:
    return claim.operation == case.operation and not claim.unsupported(case)


def _distributed(buckets: Sequence[Bucket], workers: int) -> list[list[Bucket]]:
    """Distribute buckets to workers evenly; each worker takes its longest one last.

    The searches for the domain of validity follow, and find compiled what the longest one needed.
    """
    partitions: list[list[Bucket]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for bucket in sorted(buckets, key=lambda bucket: bucket.left, reverse=True):
        place = loads.index(min(loads))
        loads[place] += bucket.left
        partitions[place].insert(0, bucket)
    return partitions
