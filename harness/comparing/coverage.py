"""Find the answers and timings that only one of two runs has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..runfile import Answer, AnswerKey
from .snapshot import BenchmarkKey, RunSnapshot

What = Literal["answers", "timings"]
_ASKED = ("suite", "benchmarks", "seed", "count")  # what decides which cases there are
_UNCLAIMED = {"unsupported"}


@dataclass(frozen=True)
class CoverageChange:
    """The answers or timings of one implementation that only one of two runs has.

    Attributes:
        what: answers or timings.
        implementation, framework, mode: the implementation, and how it was run.
        count: their number.
        example: the case of the first one.
    """

    what: What
    implementation: str
    framework: str
    mode: str
    count: int
    example: str


@dataclass(frozen=True)
class Coverage:
    """The answers and timings that only one of two runs has.

    Attributes:
        vanished: those of the base.
        appeared: those of the new run.
        unreached: those that the other run lacks because it was cut off before them.
        incomparable: why coverage is not compared: the runs had different cases.
    """

    vanished: tuple[CoverageChange, ...]
    appeared: tuple[CoverageChange, ...]
    unreached: tuple[CoverageChange, ...] = ()
    incomparable: str = ""


class CoverageTally:
    """Counts what only one run has: answers are added one by one, timings are in the snapshots."""

    def __init__(self, base: RunSnapshot, new: RunSnapshot) -> None:
        self._base, self._new = base, new
        self._vanished, self._appeared = _Lost("answers"), _Lost("answers")

    def add(self, key: AnswerKey, before: Answer | None, after: Answer | None) -> None:
        """Count an answer if one run does not have it, for which None stands."""
        if before is None or after is None:
            lost, answer = (self._vanished, before) if before else (self._appeared, after)
            if answer and answer.words.keys() - _UNCLAIMED:
                lost.add(key, answer.place)

    def result(self) -> Coverage:
        """Return the coverage, after all answers were added."""
        base, new = self._base, self._new
        # Runs with other cases differ in coverage by intent, and a run that was cut off has not
        # lost what it did not reach. Neither may fail the gate.
        if differing := list(_asked_otherwise(base, new)):
            reason = f"they were asked different things: {', '.join(differing)}"
            return Coverage((), (), incomparable=reason)
        missing = (*self._vanished.changes(), *_timings(base, new))
        more = (*self._appeared.changes(), *_timings(new, base))
        # What a run that was cut off lacks is reported, but as unreached.
        unreached = (missing if new.is_cut_off else ()) + (more if base.is_cut_off else ())
        return Coverage(
            () if new.is_cut_off else missing, () if base.is_cut_off else more, unreached
        )


def _asked_otherwise(base: RunSnapshot, new: RunSnapshot) -> Iterator[str]:
    """Yield the settings that decide which cases there are, and that differ."""
    for name in _ASKED:
        before, after = base.meta.get(name), new.meta.get(name)
        if name == "seed" and base.meta.get("suite") == "bench":
            continue  # it only orders benchmarks
        if before is not None and after is not None and before != after:
            yield f"{name} {before} and {after}"


class _Lost:
    """What one run lacks: for each implementation the number, and the first by its place."""

    def __init__(self, what: What) -> None:
        self._what: What = what
        self._counts = Counter[tuple[str, str, str]]()
        self._first: dict[tuple[str, str, str], tuple[int, str]] = {}

    def add(self, key: AnswerKey | BenchmarkKey, place: int) -> None:
        who = key.implementation, key.framework, key.mode
        self._counts[who] += 1
        if who not in self._first or place < self._first[who][0]:
            self._first[who] = place, key.case

    def changes(self) -> tuple[CoverageChange, ...]:
        """Return a change for each implementation, in the order of the run."""
        ordered = sorted(self._first.items(), key=lambda item: item[1][0])
        return tuple(
            CoverageChange(self._what, *who, self._counts[who], case) for who, (_, case) in ordered
        )


def _timings(one: RunSnapshot, other: RunSnapshot) -> tuple[CoverageChange, ...]:
    """Return the timings that the other run lacks."""
    lost = _Lost("timings")
    for place, key in enumerate(one.times):
        if key not in other.times:
            lost.add(key, place)
    return lost.changes()
