"""Judge a function in a worker process, by the same way as `lossdiff check --impl`."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..backends.claim import Claim
from ..errors import ArgumentValueError, NoAnswerError
from ..harness.judging import as_judged, as_taken
from ..harness.runfile import RunFile, VerdictRow, WorkerRow
from .expected import Expected
from .recording import record
from .result import Result

_JUDGED = (0, 1)  # exit statuses of a run that was judged: without a finding, and with one
_MAIN = "__main__"


def checked_in_workers(
    function: Callable[..., Any],
    operation: str,
    framework: str,
    declared: Mapping[str, Any],
    *,
    suite: str,
    modes: Sequence[str],
    seed: int,
    strict: bool,
    expected: Expected,
) -> Result:
    """Return the verdicts of `lossdiff check --impl` on one function.

    Args:
        function: a function of a file or module, which the worker imports.
        operation: the operation that it computes.
        framework: the framework whose arrays it takes.
        declared: what is said of it.
        suite: `quick` or `full`.
        modes: the modes in which the framework runs it.
        seed: the seed of the suite.
        strict: whether a finding that the framework shares counts.
        expected: the findings that its project expects.

    Raises:
        ArgumentValueError: a worker cannot import it.
        NoAnswerError: it was not judged; the message is what `check` has printed.
    """
    place = f"{place_of_function(function)}={operation}{_said(declared)}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "isolated.sqlite"
        command = [
            sys.executable, "-m", "lossdiff", "check", "--impl", f"{framework}={place}",
            "--backend", framework, "--operation", operation, "--suite", suite,
            "--seed", str(seed), *(part for mode in modes for part in ("--mode", mode)),
            "--output", str(path), "--no-shrink",
            "--conventions", "",  # as findings they are compared with the framework's own
            *(("--expected", str(expected.path)) if expected.path else ()),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in _JUDGED or not path.exists():
            raise NoAnswerError((done.stderr or done.stdout).strip())
        with RunFile.open(path) as run:
            rows = [
                replace(row, verdict=as_taken(as_judged(row.verdict), expected.conventions))
                for row in run.rows(VerdictRow, "kind = 'user'")
            ]
            workers = list(run.rows(WorkerRow))
    for worker in workers:
        record(rows, worker)
    claim = _claim(rows, operation, framework)
    matched = {row.ledger for row in rows if row.ledger}
    return Result(
        tuple(rows), claim, strict=strict, stale=expected.stale(matched, claim, suite),
        conventions=expected.conventions,
    )  # fmt: skip


def place_of_function(function: Callable[..., Any]) -> str:
    """Return where a worker finds a function: `path/mine.py:loss`, or `package.losses:loss`.

    Raises:
        ArgumentValueError: it is no attribute of a file or a module, or of the running program.

    >>> place_of_function(subprocess.run)
    'subprocess:run'
    """
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module or "")
    file = getattr(found, "__file__", None)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function:
        module, name, file = _attribute_that_is(function)
    if module == _MAIN or not name:
        what = name or getattr(function, "__qualname__", type(function).__name__)
        raise ArgumentValueError(
            f"a worker cannot import {what}: put it in a file or module of its own, "
            "on its top level, or leave out isolate"
        )
    return f"{_source(module or '', file)}:{name}"


def _attribute_that_is(function: object) -> tuple[str, str, str | None]:
    """Return the module, the name and the file of an object that does not know its own name."""
    for module, loaded in list(sys.modules.items()):
        names = getattr(loaded, "__dict__", {}) if module != _MAIN else {}
        for name, value in list(names.items()):
            if value is function:
                return module, name, getattr(loaded, "__file__", None)
    return "", "", None


def _source(module: str, file: str | None) -> str:
    """Return the file of a module, or the name of one that is installed."""
    if file is None or not file.endswith(".py"):
        return module
    installed = {
        sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
    path = Path(file).resolve()
    is_installed = any(path.is_relative_to(Path(folder).resolve()) for folder in installed)
    return module if is_installed else str(path)


def _said(declared: Mapping[str, Any]) -> str:
    """Return what is said of a function as it stands in a place: `(reduction='none')`."""
    plain = {name: set(it) if isinstance(it, frozenset) else it for name, it in declared.items()}
    return f"({', '.join(f'{name}={value!r}' for name, value in plain.items())})" if plain else ""


def _claim(rows: Sequence[VerdictRow], operation: str, framework: str) -> Claim:
    """Return the claim as far as the rows show it."""
    name = rows[0].implementation if rows else ""
    asked = [row for row in rows if row.verdict != "unsupported"]
    targets = frozenset(row.target_kind for row in asked if row.target_kind)
    options = frozenset(name for row in asked for name in row.options)
    return Claim(name, framework, operation, "user", targets, options)
