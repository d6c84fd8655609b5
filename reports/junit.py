"""Write a comparison as JUnit XML: one suite each for answers, coverage and times.

Servers for continuous integration read this format and list each failure by its name.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from ..harness.comparing import Comparison, TimeChange
from ..outputs import Kind, write_output
from .numbers import count

# XML 1.0 has no place for other characters, not even escaped.
_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(found: Comparison, out: Path) -> None:
    """Write a comparison to a JUnit XML file.

    Args:
        found: two runs as compared.
        out: path of the file.

    Raises:
        OutputError: the file cannot be written.
    """
    document = JUnitXml("lossdiff")
    for suite in (_answers(found), _coverage(found), _times(found)):
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    stream = io.BytesIO()
    document.write(stream, pretty=True)
    write_output(out, Kind.JUNIT, stream.getvalue().decode("utf-8"))


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
        cases.append(_case(f"{name} {mode}", "answers", [*lines, *more]))
    suite.add_testcases(cases)
    return suite


def _coverage(found: Comparison) -> TestSuite:
    suite = TestSuite("coverage")
    lost = [
        f"{it.count} {it.what} of {it.implementation} {it.mode} vanished, {it.example}"
        for it in found.coverage.vanished
    ]
    case = _case("nothing vanished", "coverage", lost)
    # What could not be compared is no failure, but the reader has to see it.
    if unsaid := found.coverage.incomparable or found.incomplete:
        case.result = [*case.result, Skipped(_clean(unsaid))]
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
    case = _case(f"{who.implementation} {who.mode} {who.threads} {what}", "times", lines)
    if change.verdict in ("unclear", "not comparable"):
        reason = change.reason or "the noise does not tell a change from none"
        case.result = [Skipped(_clean(f"{change.verdict}: {reason}"))]
    return case


def _case(name: str, group: str, lines: list[str]) -> TestCase:
    case = TestCase(_clean(name), f"lossdiff.{group}")
    # Servers show the message of a failure in lists, and its text where it is opened.
    if lines:
        failure = Failure(_clean(lines[0]))
        failure.text = _clean("\n".join(lines))
        case.result = [failure]
    return case


def _clean(text: str) -> str:
    return _CONTROL.sub("?", text)
