"""Write a run as JUnit XML: a suite for each framework, and in it a case for each function.

Servers for continuous integration read this format and list each failure by its name.
"""

from __future__ import annotations

from pathlib import Path

from junitparser import TestSuite

from .causes import Function
from .junit_xml import case_of, remarked, skipped, write_suites
from .numbers import counted
from .outcome import Outcome, followed, wrong


def write_junit(outcome: Outcome, out: Path) -> None:
    """Write a run to a JUnit XML file.

    Args:
        outcome: what the run has found.
        out: path of the file.

    Raises:
        OutputError: the file cannot be written.
    """
    frameworks = dict.fromkeys(asked.framework for asked in outcome.asked)
    suites = [_framework(outcome, name) for name in sorted(frameworks)]
    write_suites([*suites, _run(outcome)], out)


def _framework(outcome: Outcome, name: str) -> TestSuite:
    """Return a case for each function, which fails with its new findings.

    The conventions that a function follows are what its case has printed.
    """
    suite = TestSuite(name)
    # A function that passes is listed as well: a server shows by its absence that it was not asked.
    lines: dict[Function, list[str]] = {
        Function(it.name, it.framework, it.operation): []
        for it in outcome.asked
        if it.framework == name
    }
    for line in wrong(outcome):
        if line.function in lines:
            times = counted(line.times, "time")
            lines[line.function] += [f"{line.what}, {times}: {line.example}", f"  {line.case}"]
    said: dict[Function, list[str]] = {function: [] for function in lines}
    for line in followed(outcome):
        if line.function in said:
            said[line.function] += [f"{line.what}, {counted(line.times, 'answer')}: {line.example}"]
    suite.add_testcases(
        [
            remarked(case_of(it.name, f"{name}.{it.operation}", found), said[it])
            for it, found in lines.items()
        ]
    )
    return suite


def _run(outcome: Outcome) -> TestSuite:
    """Return what is said about the run as a whole."""
    suite = TestSuite("run")
    nothing = [] if outcome.shares.judged else ["no question was answered"]
    suite.add_testcase(case_of("questions were answered", "run", nothing))
    suite.add_testcase(case_of("the run is as expected", "run", list(outcome.remarks)))
    for worker in outcome.absent:
        case = case_of(f"{worker.framework} on {worker.device} was asked", "run", [])
        case.result = [skipped(worker.absent)]
        suite.add_testcase(case)
    return suite
