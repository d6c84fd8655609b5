"""Keep what was judged in this process, for the page that `pytest --lossdiff-report` writes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ..backends import FRAMEWORKS
from ..errors import FrameworkAbsentError
from ..harness.runfile import RunFile, VerdictRow, WorkerRow

_ROWS: dict[tuple[str, str, str, str], VerdictRow] = {}
_WORKERS: dict[str, WorkerRow] = {}


def record(rows: Iterable[VerdictRow], worker: WorkerRow) -> None:
    """Keep the rows of one function; those of an earlier check of it are replaced."""
    _WORKERS[worker.framework] = worker
    for row in rows:
        _ROWS[row.implementation, row.mode, row.case, row.quantity] = row


def recorded() -> dict[str, list[dict[str, Any]]]:
    """Return what was kept, as plain data that another process reads with `take`."""
    return {
        "rows": [asdict(row) for row in _ROWS.values()],
        "workers": [asdict(row) for row in _WORKERS.values()],
    }


def take(found: dict[str, list[dict[str, Any]]]) -> None:
    """Keep what another process has recorded."""
    for item in found["workers"]:
        record((), WorkerRow(**item))
    for item in found["rows"]:
        row = VerdictRow(**item)
        _ROWS[row.implementation, row.mode, row.case, row.quantity] = row


def environment_line() -> str:
    """Return the versions of what may be asked here, and what the right answers come from."""
    tops = {name for item in FRAMEWORKS.values() for name in item.imports} & sys.modules.keys()
    versions = ", ".join(f"{name} {_version(name)}" for name in sorted(tops))
    oracle = "the oracle computes in pairs of float64, to 2^-90"
    return f"lossdiff {_version('lossdiff')}: {versions}; {oracle}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of no package"


def has_rows() -> bool:
    """Return whether anything was judged."""
    return bool(_ROWS)


def write_page(page: Path) -> None:
    """Write what was kept as an HTML page.

    Args:
        page: the file.

    Raises:
        FrameworkAbsentError: what writes pages is not installed.
        OutputError: the file cannot be written, or would replace one that is none of ours.
    """
    try:
        from ..reports.html import write_report
    except ImportError as error:
        reason = f"{error.name} is not installed; pip install 'lossdiff[report]'"
        raise FrameworkAbsentError(reason) from error
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pytest.sqlite"
        with RunFile.create(path) as run:
            version = metadata.version("lossdiff")
            run.set_meta(
                version=version, command="pytest", suite="quick", seed="0", started=now,
                finished=now,
            )  # fmt: skip
            run.add([*_WORKERS.values(), *_ROWS.values()])
        write_report([path], page)
