"""Write suites of test cases as JUnit XML, whatever characters their texts hold."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from ..outputs import Kind, write_output

# XML 1.0 has no place for other characters, not even escaped.
_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_suites(suites: Iterable[TestSuite], out: Path) -> None:
    """Write suites to a JUnit XML file.

    Args:
        suites: the suites, in their order.
        out: path of the file.

    Raises:
        OutputError: the file cannot be written.
    """
    document = JUnitXml("lossdiff")
    for suite in suites:
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    stream = io.BytesIO()
    document.write(stream, pretty=True)
    write_output(out, Kind.JUNIT, stream.getvalue().decode("utf-8"))


def case_of(name: str, group: str, lines: Sequence[str]) -> TestCase:
    """Return a test case, which fails if there are lines.

    Args:
        name: the name of the case.
        group: what it belongs to.
        lines: what is wrong.
    """
    case = TestCase(_clean(name), _clean(f"lossdiff.{group}"))
    # Servers show the message of a failure in lists, and its text where it is opened.
    if lines:
        failure = Failure(_clean(lines[0]))
        failure.text = _clean("\n".join(lines))
        case.result = [failure]
    return case


def remarked(case: TestCase, lines: Sequence[str]) -> TestCase:
    """Return a test case with what it has printed, which servers show of one that passes, too.

    Args:
        case: the test case.
        lines: what is to be known of it.
    """
    if lines:
        case.system_out = _clean("\n".join(lines))
    return case


def skipped(reason: str) -> Skipped:
    """Return the result of a test case that says nothing, for a reason."""
    return Skipped(_clean(reason))


def _clean(text: str) -> str:
    return _CONTROL.sub("?", text)
