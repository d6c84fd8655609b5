"""What a test needs beyond NumPy: frameworks, onnx, a cluster, Triton, Liger and a browser.

A test that needs more than is installed is skipped with its reason. `LOSSDIFF_REQUIRE` lists
what has to be there (`LOSSDIFF_REQUIRE=torch,jax,browser`): its tests fail instead, so that a
continuous integration with a hole in it is not green.

What a test records as `summary` (`record_property("summary", text)`) is printed at the end.
"""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.operations import OPERATIONS
from lossdiff.harness.formula import forget

from .reports.browser import CHROMIUM

TESTS = Path(__file__).parent
LONGEST = (  # a minute and more on two cores
    "docs/test_pages_run.py",
    "docs/test_porting.py",
    "cli/test_trouble.py",
    "harness/workers/test_supervisor.py",
    "harness/timing/test_hostile_timing.py",
    "test_to_report.py",
    "harness/repro/test_script.py",
    "harness/engine/test_hostile.py",
    "harness/bounds/test_bound.py",
    "harness/timing/test_bench.py",
    "cli/test_bench.py",
    "test_cluster.py",
    "harness/judging/test_planted.py",
    "test_killed.py",
    "cli/test_every_run.py",
    "test_pytest_plugin.py",
    "reports/test_html.py",
    "harness/engine/test_scheduler.py",
    "harness/engine/test_sharing.py",
)

_HANDLERS = {
    "SIGINT": signal.default_int_handler,
    "SIGTERM": signal.SIG_DFL,
    "SIGHUP": signal.SIG_DFL,
}
_BROWSER = "browser"
_ONNX = "onnx"
_CLUSTER = "cluster"
_TENSORFLOW = "tensorflow"
_PACKAGES = {
    _ONNX: "onnx",
    _CLUSTER: "distributed",
    "triton": "triton",
    "liger": "liger_kernel",
}  # of the extra of that name


def pytest_configure(config: pytest.Config) -> None:
    # Commands inherit an ignored signal, as of a job in the background or under `nohup`, and keep
    # on ignoring it: what they do at a signal could then not be tested.
    for name, handler in _HANDLERS.items():
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
            signal.signal(getattr(signal, name), handler)
    unknown = _required() - {*FRAMEWORKS, *_PACKAGES, _BROWSER}
    if unknown:
        allowed = ", ".join([*FRAMEWORKS, *_PACKAGES, _BROWSER])
        raise pytest.UsageError(f"LOSSDIFF_REQUIRE names {min(unknown)!r}; allowed: {allowed}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first: pytest-xdist gives a file to whoever is free.

    At the end only short ones are left, so that nobody waits for the last file of another.
    """
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(place_of(item.path), len(ranks)))  # which is stable


def place_of(path: Path) -> str:
    """Return where a test file is below the folder of the tests."""
    return path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else ""


@pytest.fixture(autouse=True)
def _definitions() -> Iterator[None]:
    """Forget the operations that a test defines, as pages of the documentation do, too."""
    before = set(OPERATIONS)
    yield
    for name in set(OPERATIONS) - before:
        forget(name)


def pytest_report_header() -> list[str]:
    packages = [name for framework in FRAMEWORKS.values() for name in framework.imports]
    return ["asked: " + ", ".join(map(_version, [*packages, *_PACKAGES.values()]))]


@pytest.hookimpl(tryfirst=True)  # before any fixture imports the framework
def pytest_runtest_setup(item: pytest.Item) -> None:
    needs = [marker.args[0] for marker in item.iter_markers("framework")]
    needs += [name for name in (*_PACKAGES, _BROWSER) for _ in item.iter_markers(name)]
    for name in needs:
        reason = why_missing(name)
        if reason and name in _required():
            pytest.fail(f"{reason}, and LOSSDIFF_REQUIRE demands it", pytrace=False)
        if reason:
            pytest.skip(reason)
        if name == _TENSORFLOW:
            _import_triton()


def _import_triton() -> None:
    """Import Triton before TensorFlow: in the other order it aborts the process.

    Both contain LLVM, which ends with "Option … registered more than once". PyTorch imports Triton
    whenever it compiles, and tests of both frameworks share a process.
    """
    if util.find_spec(_PACKAGES["triton"]) is not None:
        importlib.import_module(_PACKAGES["triton"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded, in the order of their names.

    Properties come with the reports, from the workers of pytest-xdist as well.
    """
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"  # other phases repeat the properties
    ]
    summaries = [
        text
        for report in sorted(reports, key=lambda report: str(report.nodeid))
        for name, text in report.user_properties
        if name == "summary"
    ]
    if summaries:
        terminalreporter.section("measured")
    for text in summaries:
        terminalreporter.write_line(str(text))


def why_missing(name: str) -> str:
    """Return why a framework, onnx or the browser is not there; empty if it is."""
    if name == _BROWSER:
        return "" if CHROMIUM.exists() else f"there is no {CHROMIUM}"
    if name in _PACKAGES:
        package = _PACKAGES[name]
        absent = util.find_spec(package) is None
        return f"{package} is not installed: pip install 'lossdiff[{name}]'" if absent else ""
    framework = FRAMEWORKS[name]
    if not framework.missing:
        return ""
    verb = "is" if len(framework.missing) == 1 else "are"
    packages = " and ".join(framework.missing)
    return f"{packages} {verb} not installed: pip install 'lossdiff[{framework.extra}]'"


def _required() -> set[str]:
    listed = os.environ.get("LOSSDIFF_REQUIRE", "").split(",")
    return {name.strip() for name in listed if name.strip()}


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"no {package}"
