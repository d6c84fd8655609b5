"""Decide what is timed in which process, and in which order the processes run.

Random order turns slow drifts of the machine into noise that all benchmarks share, and fresh
processes vary what differs between them: addresses, and the state of the allocator. Two
environments are timed in turn, pass by pass: what the machine does meanwhile falls on both.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..own import Learnt
from ..runfile import RunFile
from ..workers import Limits, share_of_memory
from . import machine
from .benchmarks import Threads, benchmarks_of
from .plan import TimedProcess


@dataclass(frozen=True)
class Timing:
    """How a run is timed.

    Attributes:
        passes: number of repetitions of everything, each in fresh processes.
        threads: with one thread, with all, or both in turn.
        device: `cpu` or `gpu`.
        extra: files or modules of a user's own implementations, by framework.
        seed: seed of the random order.
        memory: whether the peak memory of each benchmark is measured, in a process of its own; on
            the CPU only.
        timeout: seconds in which a call has to return.
        most_memory: bytes that a timing process may take; 0 for its share of the machine.
        learnt: what is known of the user's own implementations, by framework.
        python: the interpreter of another environment, in which all is timed; empty for this one.
    """

    passes: int = 9
    threads: tuple[Threads, ...] = ("one",)
    device: str = "cpu"
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seed: int = 0
    memory: bool = False
    timeout: float = 120.0
    most_memory: int = 0
    learnt: dict[str, tuple[Learnt, ...]] = field(default_factory=dict)
    python: str = ""

    @property
    def limits(self) -> Limits:
        """The limits of a timing process."""
        return Limits(self.timeout, self.most_memory or share_of_memory(1))


def schedule(run: RunFile, frameworks: Sequence[str], timing: Timing) -> list[TimedProcess]:
    """Return the processes of all passes, each pass in another random order.

    Args:
        run: the run file, with its verdicts.
        frameworks: the frameworks to be timed.
        timing: how they are timed.
    """
    dice, size = random.Random(timing.seed), machine.cache_bytes()  # noqa: S311 -- no secret
    size = size if timing.device == "cpu" else 0
    found = {
        (name, threads): tuple(benchmarks_of(run, name, threads, size))
        for name in frameworks
        for threads in timing.threads
    }
    usable = machine.usable()
    processes: list[TimedProcess] = []
    for number in range(1, timing.passes + 1):
        turns = [key for key, items in found.items() if items]
        dice.shuffle(turns)
        for name, threads in turns:
            turn, items = len(processes), found[name, threads]
            core = usable[turn % len(usable)]
            processes.append(TimedProcess(turn + 1, number, name, threads, core, items))
    return processes


def in_turn(
    sides: Sequence[Sequence[TimedProcess]], seed: int
) -> Iterator[tuple[int, TimedProcess]]:
    """Yield the processes of all sides with the number of their side, from 0 on, pass by pass.

    The processes of one framework in one pass follow each other on one core, in random order.

    Args:
        sides: the processes of each side, as `schedule` returns them.
        seed: seed of the random order.
    """
    dice = random.Random(seed)  # noqa: S311 -- no secret
    turns: dict[tuple[int, str, Threads], list[tuple[int, TimedProcess]]] = {}
    for number, processes in enumerate(sides):
        for it in processes:
            turn = it.pass_number, it.framework, it.threads
            turns.setdefault(turn, []).append((number, it))
    for turn in sorted(turns, key=lambda turn: turn[0]):  # within a pass as they come
        members = turns[turn]
        core = members[0][1].core
        dice.shuffle(members)
        yield from ((number, replace(it, core=core)) for number, it in members)
