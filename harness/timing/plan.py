"""The plan of one timing process: what `bench` writes and `pytest_suite` reads.

The two are different processes, so the plan travels as a file of JSON, and an environment variable
holds the path of that file.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from ...cases.checked import checked, decoded
from ..own import Learnt
from ..runfile import enter_operations
from ..workers import Setup
from .benchmarks import Benchmark, Threads

PLAN_VARIABLE = "LOSSDIFF_BENCHMARKS"
PEAK = "peak"  # the file beside the plan into which a process writes its peak memory


@dataclass(frozen=True)
class TimedProcess:
    """One process that times one framework in one pass.

    Attributes:
        number: from 1, over all passes, in the order in which the processes run.
        pass_number: from 1.
        framework: the framework that is timed.
        threads: with one thread or with all.
        core: the CPU that a single thread is pinned to. It rotates between processes, so that one
            busy core cannot bias a whole run.
        benchmarks: what is timed.
    """

    number: int
    pass_number: int
    framework: str
    threads: Threads
    core: int
    benchmarks: tuple[Benchmark, ...]


@dataclass(frozen=True)
class ProcessPlan:
    """All that a timing process has to know.

    Attributes:
        process: framework, threads, core and benchmarks.
        device: `cpu` or `gpu`.
        extra: files or modules of a user's own implementations.
        learnt: what is known of the functions in them; None if they are to be asked for it.
        operations: the operations that users have defined, as `written_operations` gives them.
        known: fingerprints of the answers that the run has judged.
        scratch: folder for answers with other bits, which are judged afterwards.
        seed: of the random order of the benchmarks.
        analyses: whether the memory of compiled programs is analysed.
        compiled: folder that compilers keep their programs in; empty if each program is to be
            compiled afresh, so that the time of compiling can be measured.
        max_time: seconds of measured rounds for each benchmark, beyond its least number of rounds.
        timeout: seconds in which a call has to return.
        path: folders in which `bench` itself finds modules.
        current: the folder in which `bench` was called.
    """

    process: TimedProcess
    device: str
    extra: tuple[str, ...]
    known: frozenset[str]
    scratch: Path
    seed: int
    analyses: bool
    compiled: str
    max_time: float
    timeout: float = 120.0
    path: tuple[str, ...] = ()
    current: str = ""
    learnt: tuple[Learnt, ...] | None = None
    operations: str = ""

    @property
    def setup(self) -> Setup:
        """The settings of the framework that is timed."""
        return Setup(self.process.framework, self.device, self.extra, self.learnt)

    def to_json(self) -> str:
        """Return the plan as JSON."""
        learnt = msgspec.to_builtins(self.learnt)
        plain = {"known": sorted(self.known), "scratch": str(self.scratch), "learnt": learnt}
        return json.dumps({**asdict(replace(self, learnt=None)), **plain})

    @classmethod
    def from_json(cls, text: str) -> ProcessPlan:
        """Return the plan that `to_json` wrote.

        Raises:
            SchemaError: it is another text.
        """
        fields = decoded(text, dict[str, Any])
        return checked({**fields, "scratch": Path(str(fields.get("scratch", "")))}, cls)

    @classmethod
    def from_environment(cls) -> ProcessPlan:
        """Return the plan of the process that this is, which knows its operations from now on."""
        found = cls.from_json(Path(os.environ[PLAN_VARIABLE]).read_text(encoding="utf-8"))
        enter_operations(found.operations)
        return found

    @staticmethod
    def folder() -> Path:
        """Return the private folder of the process that this is."""
        return Path(os.environ[PLAN_VARIABLE]).parent

    def enter(self) -> None:
        """Go where `bench` was called, and find the modules that it finds after all others.

        The process starts in a folder of its own: in the current one a `statistics.py` would take
        the place of Python's. A user's function may look there for its files and modules.
        """
        with suppress(OSError):  # a function may have deleted the folder
            os.chdir(self.current or os.curdir)
        sys.path.extend(place for place in self.path if place not in sys.path)
