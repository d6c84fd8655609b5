"""Decide which benchmark is to blame when a timing process has died, and what is timed after it.

The call that a process had reached when it died is timed again alone. If that ends a process too,
the call is left out, and further calls of the same implementation in the same mode are left out at
their first death. If it does not, another call has done the harm, by a thread or a timer that it
had left behind: from then on each implementation has processes of its own. The same is done where
an answer that was right has become wrong in a process that others have shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ...errors import BenchError
from ..runfile import IncidentRow, PassRow, RunFile, VerdictRow
from ..verdicts import is_finding
from .benchmarks import Benchmark
from .child import ChildEnd
from .plan import TimedProcess
from .progress import STARTING

Batch = tuple[Benchmark, ...]


class TimedCall(NamedTuple):
    """What is blamed: hot and cold inputs, and both numbers of threads, are the same call."""

    implementation: str
    mode: str
    direction: str
    case: str


def call_of(item: Benchmark | PassRow) -> TimedCall:
    """Return the call that a benchmark times."""
    return TimedCall(item.implementation, item.mode, item.direction, item.case)


class Blame:
    """Which calls are left out, and which frameworks are timed one implementation at a time.

    Attributes:
        count: how many calls could not be timed, or their memory not be measured.
    """

    def __init__(self, run: RunFile, say: Callable[[str], None]) -> None:
        """Begin without a suspicion.

        Args:
            run: receives a row for each call that is left out.
            say: called with one line about it.
        """
        self.count = 0
        self._run, self._say = run, say
        self._left_out: set[TimedCall] = set()
        self._suspects: set[TimedCall] = set()
        self._deadly: set[tuple[str, str]] = set()
        self._apart: set[str] = set()

    def batches(self, benchmarks: Iterable[Benchmark]) -> list[Batch]:
        """Return the benchmarks that are still timed, as batches with a process for each.

        Args:
            benchmarks: benchmarks of one framework.
        """
        parts: dict[str, list[Benchmark]] = {}
        for item in benchmarks:
            if call_of(item) not in self._left_out:
                alone = item.framework in self._apart
                parts.setdefault(item.implementation if alone else "", []).append(item)
        return list(map(tuple, parts.values()))

    def settle(self, process: TimedProcess, end: ChildEnd) -> list[Batch]:
        """Leave out what has failed, and return the batches that are timed next instead.

        Args:
            process: what was timed.
            end: how its process ended.

        Raises:
            BenchError: it has failed before its first benchmark.
        """
        batch = process.benchmarks
        if STARTING in end.failures or (end.benchmark == STARTING and not end.finished):
            reason = end.failures.get(STARTING, end.reason)
            raise BenchError(f"timing {process.framework} failed: {reason}")
        if end.finished:
            for place, reason in sorted(end.failures.items()):
                if 0 <= place < len(batch):
                    self.leave_out(batch[place], reason)
            if self._suspects.issuperset(map(call_of, batch)):
                self._apart.add(process.framework)
            return []
        suspects = self._suspected(batch, end.benchmark)
        others = tuple(item for item in batch if call_of(item) not in suspects)
        if not others or (end.benchmark >= 0 and self._is_deadly(suspects)):
            item = next(item for item in batch if call_of(item) in suspects)
            self._deadly.add((item.implementation, item.mode))
            self.leave_out(item, end.reason)
            return [others] if others else []
        self._suspects |= suspects
        return [tuple(item for item in batch if call_of(item) in suspects), others]

    def is_spoiled(self, process: TimedProcess, rows: Iterable[PassRow]) -> bool:
        """Return whether an answer has become wrong in a process that others have shared.

        Args:
            process: what was timed.
            rows: the results of its process.
        """
        is_shared = len({item.implementation for item in process.benchmarks}) > 1
        return is_shared and any(map(self._has_become_wrong, rows))

    def _has_become_wrong(self, row: PassRow) -> bool:
        where = 'implementation = ? AND mode = ? AND "case" = ?'
        judged = self._run.rows(VerdictRow, where, (row.implementation, row.mode, row.case))
        return is_finding(row.verdict) and not any(is_finding(it.verdict) for it in judged)

    def apart(self, process: TimedProcess) -> list[Batch]:
        """Return the benchmarks of a process that was spoiled, one implementation at a time."""
        self._apart.add(process.framework)
        return self.batches(process.benchmarks)

    def cleared(self, process: TimedProcess, rows: Sequence[PassRow]) -> list[PassRow]:
        """Return the results of what has not been left out; leave out what has no result.

        Args:
            process: what was timed.
            rows: the results of its process.
        """
        for item in process.benchmarks:
            if call_of(item) not in set(map(call_of, rows)):
                self.leave_out(item, "no result")  # nothing is known of it: a test was skipped
        return [row for row in rows if call_of(row) not in self._left_out]

    def _is_deadly(self, calls: set[TimedCall]) -> bool:
        return any((call.implementation, call.mode) in self._deadly for call in calls)

    @staticmethod
    def _suspected(batch: Batch, place: int) -> set[TimedCall]:
        """Return the call that was reached, or half of all where it is unknown."""
        calls = list(dict.fromkeys(map(call_of, batch)))
        if 0 <= place < len(batch):
            return {call_of(batch[place])}
        return set(calls[: (len(calls) + 1) // 2])

    def leave_out(self, item: Benchmark, reason: str, lacking: str = "timed") -> None:
        """Report a call that cannot be timed, and leave it out from now on.

        Args:
            item: a benchmark of the call.
            reason: why, in words.
            lacking: `timed`, or what else is not done with it.
        """
        call = call_of(item)
        if call in self._left_out:
            return
        self._left_out.add(call)
        self.count += 1
        where = 'implementation = ? AND mode = ? AND direction = ? AND "case" = ?'
        further = (
            " any further" if lacking == "timed" and self._run.count(PassRow, where, call) else ""
        )
        what = f"is not {lacking}{further}"
        self._say(
            f"{call.implementation} {call.mode} {call.direction} {what}: {reason} ({call.case})"
        )
        self._run.add(
            [
                IncidentRow(
                    item.framework, item.device, item.implementation, item.mode, item.case,
                    reason, f"{item.direction} {what}",
                )
            ]
        )  # fmt: skip
