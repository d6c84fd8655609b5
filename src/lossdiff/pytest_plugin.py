"""The plug-in for pytest; nothing is imported until a test uses lossdiff.

It adds `--lossdiff-full`, which asks the suite `full`, and `--lossdiff-report=page.html`, which
writes what was judged as a page. Both work under pytest-xdist.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

FULL = "LOSSDIFF_FULL"  # read by `lossdiff.parametrize`
_USED = f"{__package__}._api.recording"  # imported by whatever judges
_SENT = "lossdiff"


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
    sent: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if sent is not None:
        if used is not None and config.getoption("--lossdiff-report"):
            sent[_SENT] = used.recorded()
        return
    page = config.getoption("--lossdiff-report")
    if page and used is not None and used.has_rows():
        used.write_page(Path(page))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    page, used = config.getoption("--lossdiff-report"), sys.modules.get(_USED)
    if page and used is not None and used.has_rows():
        terminalreporter.write_line(f"lossdiff: {page}")
    elif page:
        terminalreporter.write_line("lossdiff: nothing was judged, and no page was written")


def pytest_testnodedown(node: Any) -> None:
    """Take what a worker of pytest-xdist has judged."""
    sent = getattr(node, "workeroutput", {}).get(_SENT)
    if sent:
        from ._api.recording import take

        take(sent)
