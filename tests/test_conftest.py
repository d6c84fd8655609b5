"""What tests measured is printed at the end of a run, whoever ran them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from .conftest import LONGEST, TESTS, pytest_collection_modifyitems, pytest_terminal_summary


class Terminal:
    """Stands for pytest's terminal; keeps what is written."""

    def __init__(self, *reports: Any) -> None:
        self.stats: dict[str, list[Any]] = {}
        self.lines: list[str] = []
        for report in reports:
            self.stats.setdefault(getattr(report, "outcome", "warnings"), []).append(report)

    def section(self, title: str) -> None:
        self.lines.append(f"[{title}]")

    def write_line(self, line: str) -> None:
        self.lines.append(line)


def reported(name: str, *summaries: str, when: Any = "call", outcome: Any = "passed") -> Any:
    """Return a report as it comes back from another process."""
    properties: list[tuple[str, object]] = [("summary", text) for text in summaries]
    report = pytest.TestReport(
        name, ("test.py", 0, name), {}, outcome, None, when,
        user_properties=[("other", "x"), *properties],
    )  # fmt: skip
    return pytest.TestReport._from_json(report._to_json())


def printed(*reports: Any) -> list[str]:
    """Return what is printed after a run."""
    terminal: Any = Terminal(*reports)
    pytest_terminal_summary(terminal)
    return list(terminal.lines)


def test_summaries_are_printed_in_the_order_of_the_tests() -> None:
    assert printed(reported("b", "two"), reported("a", "one", "and more")) == [
        "[measured]", "one", "and more", "two"
    ]  # fmt: skip


def test_what_a_failing_test_measured_is_printed_too() -> None:
    assert printed(reported("a", "bad", outcome="failed")) == ["[measured]", "bad"]


def test_each_summary_is_printed_once_though_every_phase_reports_it() -> None:
    phases = [reported("a", "one", when=when) for when in ("setup", "call", "teardown")]

    assert printed(*phases) == ["[measured]", "one"]


def test_a_run_that_measured_nothing_prints_nothing() -> None:
    assert printed(reported("a"), "a warning") == []


def test_the_longest_files_are_there_and_come_first_and_no_test_is_lost() -> None:
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []

    paths = [TESTS / "a.py", TESTS / LONGEST[1], TESTS.parent / "b.py", TESTS / LONGEST[0]]
    items: list[Any] = [SimpleNamespace(path=path, n=n) for path in paths for n in (1, 2)]
    pytest_collection_modifyitems(items)

    order = [paths[3], paths[1], paths[0], paths[2]]
    assert [(item.path, item.n) for item in items] == [(it, n) for it in order for n in (1, 2)]
