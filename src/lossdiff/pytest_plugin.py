"""The plug-in for pytest; nothing is imported until a test uses lossdiff.

It adds `--lossdiff-full`, which asks the suite `full`, and `--lossdiff-report=page.html`, which
writes what was judged as a page. A run in which all questions of a test were put fails if a finding
that the project expects was not found. All of this works under pytest-xdist.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

FULL = "LOSSDIFF_FULL"  # read by `lossdiff.parametrize`
_USED = f"{__package__}._api.recording"  # imported by whatever judges
_ITEMS = f"{__package__}._api.items"
_SENT, _NOTED = "lossdiff", "lossdiff_items"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lossdiff", "losses against an exact oracle")
    group.addoption(
        "--lossdiff-full", action="store_true", help="ask the suite `full` instead of `quick`"
    )
    group.addoption(
        "--lossdiff-report",
        metavar="PAGE.html",
        default=None,
        help="write what lossdiff has judged as an HTML page",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--lossdiff-full"):
        os.environ[FULL] = "1"


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.getoption("--lossdiff-full"):
        os.environ.pop(FULL, None)


def pytest_report_collectionfinish() -> list[str]:
    """Name the oracle and the versions, if a test module has used lossdiff."""
    if _USED not in sys.modules:
        return []
    from ._api.recording import environment_line

    return [environment_line()]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send what a worker of pytest-xdist has judged; elsewhere write the page."""
    config, used = session.config, sys.modules.get(_USED)
    items = sys.modules.get(_ITEMS)
    sent: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if sent is not None:
        if items is not None:
            sent[_NOTED] = items.noted()
        if used is not None and config.getoption("--lossdiff-report"):
            sent[_SENT] = used.recorded()
        return
    if items is not None and items.stale() and not session.exitstatus:
        session.exitstatus = 1
    page = config.getoption("--lossdiff-report")
    if page and used is not None and used.has_rows():
        used.write_page(Path(page))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    page, used = config.getoption("--lossdiff-report"), sys.modules.get(_USED)
    items = sys.modules.get(_ITEMS)
    for name in items.stale() if items is not None else ():
        terminalreporter.write_line(f"lossdiff: expected, and not found: {name}")
    if page and used is not None and used.has_rows():
        terminalreporter.write_line(f"lossdiff: {page}")
    elif page:
        terminalreporter.write_line("lossdiff: nothing was judged, and no page was written")


@pytest.hookimpl(optionalhook=True)  # there is no such hook without pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker of pytest-xdist has judged."""
    noted = getattr(node, "workeroutput", {}).get(_NOTED)
    if noted:
        from ._api import items

        items.take(noted)
    sent = getattr(node, "workeroutput", {}).get(_SENT)
    if sent:
        from ._api.recording import take

        take(sent)
