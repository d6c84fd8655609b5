"""A pytest plugin for the timing process: it tells `bench` what fails, and when all is written.

It runs between the benchmarks, never beside the clock. See `progress`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from .plan import ProcessPlan
from .progress import FINISHING, TimingProgress, note_failure, silence

_WRITING = 120.0  # seconds in which pytest-benchmark must have written its JSON
_PASSED = (0, 1)  # statuses of pytest: all tests have run, and some of them may have failed


def pytest_runtest_setup() -> None:
    """Send all output nowhere: from here on a user's code may run."""
    silence()


def pytest_runtest_makereport() -> None:
    """Open the standard streams again before pytest writes: a function may have closed them."""
    silence()


def pytest_exception_interact(call: Any) -> None:
    """Note why a benchmark, or what precedes it, has failed."""
    _note(call.excinfo.value)


def pytest_keyboard_interrupt(excinfo: Any) -> None:
    """Note what ends the whole session: KeyboardInterrupt, or an exit of pytest."""
    _note(excinfo.value)


def pytest_internalerror(excinfo: Any) -> None:
    """Note an error in pytest or in a plugin."""
    _note(excinfo.value)


def _note(error: BaseException) -> None:
    note_failure(_folder(), _progress().benchmark, error)


@cache  # a function may clear the environment, or close the file
def _folder() -> Path:
    return ProcessPlan.folder()


@cache
def _plan() -> ProcessPlan:
    return ProcessPlan.from_environment()


@cache
def _progress() -> TimingProgress:
    return TimingProgress(_folder())


def pytest_runtestloop() -> None:
    """Record which process this is, and go where `bench` was called, before a user's code runs.

    pytest itself has begun in the folder of the process, and returns there.
    """
    _progress().start()
    _plan().enter()


def pytest_benchmark_generate_commit_info() -> None:
    """Go where `bench` was called, before pytest-benchmark looks for the commit there."""
    _plan().enter()


def pytest_runtest_teardown(nextitem: Any) -> None:
    """Tell `bench` when the last benchmark is over and the result is being written."""
    if nextitem is None:
        _progress().reach(FINISHING, _WRITING)


def pytest_sessionfinish(exitstatus: int) -> None:
    """End the process: pytest-benchmark has written its JSON before this is called."""
    if exitstatus in _PASSED:
        _progress().finish()
