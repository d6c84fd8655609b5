"""Write a comparison as JUnit XML: one suite each for answers, coverage and times.

Servers for continuous integration read this format and list each failure by its name.
"""

from __future__ import annotations

from pathlib import Path

from junitparser import TestCase, TestSuite

from ..harness.comparing import Comparison, TimeChange
from .junit_xml import case_of, skipped, write_suites
from .numbers import count


def write_junit(found: Comparison, out: Path) -> None:
    """Write a comparison to a JUnit XML file.

    Args:
        found: two runs as compared.
        out: path of the file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_suites([_answers(found), _coverage(found), _times(found)], out)


def _answers(found: Comparison) -> TestSuite:
    """Return a test case for each implementation and mode, which fails with its regressions."""
    suite, accuracy = TestSuite("answers"), found.accuracy
    # A case that passes is listed as well: a server shows by its absence that it was not run.
    regressed: dict[tuple[str, str], list[str]] = {who: [] for who in accuracy.implementations}
    for change in accuracy.regressions:
        it = change.answer
        line = f"{change.kind}: {it.quantity} of {it.case}: {change.before} → {change.after}"
        regressed.setdefault((it.implementation, it.mode), []).append(line)
    cases = []
    for (name, mode), lines in sorted(regressed.items()):
        left = accuracy.regressions_of(name, mode) - len(lines)
        more = [f"and {count(left)} more"] if left else []
        cases.append(case_of(f"{name} {mode}", "answers", [*lines, *more]))
    suite.add_testcases(cases)
    return suite


def _coverage(found: Comparison) -> TestSuite:
    suite = TestSuite("coverage")
    # Of runs that share nothing nothing has vanished: that they do is said once.
    lost = [
        f"{it.count} {it.what} of {it.implementation} {it.mode} vanished, {it.example}"
        for it in (() if found.is_empty else found.coverage.vanished)
    ]
    case = case_of("nothing vanished", "coverage", lost)
    # What could not be compared is no failure, but the reader has to see it.
    alone = "no answer and no benchmark is in both runs" if found.is_empty else ""
    if unsaid := found.coverage.incomparable or found.incomplete or alone:
        case.result = [*case.result, skipped(unsaid)]
    suite.add_testcase(case)
    return suite


def _times(found: Comparison) -> TestSuite:
    suite = TestSuite("times")
    # Added together, because the suite counts all of its cases each time that something is added.
    suite.add_testcases(
        [_time(change) for change in (*found.times.implementations, *found.times.benchmarks)]
    )
    return suite


def _time(change: TimeChange) -> TestCase:
    who, key = change.who, change.key
    what = f"{key.case} {key.direction} {key.cache}" if key else f"all {who.direction}"
    # A change that noise may have caused is skipped and not passed: equality was not shown.
    lines = []
    if change.verdict == "slower" and change.change is not None:
        lines = [f"slower by {change.change:.1%}, from {change.low:.1%} to {change.high:.1%}"]
    case = case_of(f"{who.implementation} {who.mode} {who.threads} {what}", "times", lines)
    if change.verdict in ("unclear", "not comparable"):
        reason = change.reason or "the noise does not tell a change from none"
        case.result = [skipped(f"{change.verdict}: {reason}")]
    return case
