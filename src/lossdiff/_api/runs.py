"""Read a run file: its verdicts and its timings, as rows or as tables of pandas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ArgumentTypeError
from ..harness.runfile import RunFile, TimingRow, VerdictRow, WorkerRow
from ..harness.verdicts import is_finding
from .frameworks import named
from .shown import frame_of

R = TypeVar("R", VerdictRow, TimingRow, WorkerRow)


@dataclass(frozen=True)
class Run:
    """A run file, which is opened for each reading and never changed.

    Attributes:
        path: the file.
    """

    path: Path

    @property
    def meta(self) -> dict[str, str]:
        """What the run was: its command, suite, seed, version, and when it began and ended."""
        with self._open() as run:
            return dict(run.meta)

    @property
    def verdicts(self) -> tuple[VerdictRow, ...]:
        """One row for each judged quantity of each answer."""
        return self._rows(VerdictRow)

    @property
    def findings(self) -> tuple[VerdictRow, ...]:
        """The verdicts that are findings, known ones included."""
        return tuple(row for row in self.verdicts if is_finding(row.verdict))

    @property
    def timings(self) -> tuple[TimingRow, ...]:
        """One row for each benchmark."""
        return self._rows(TimingRow)

    @property
    def workers(self) -> tuple[WorkerRow, ...]:
        """One row for each worker: the framework, its versions and flags."""
        return self._rows(WorkerRow)

    def to_pandas(self, what: str = "verdicts") -> Any:
        """Return the rows of a table as a `pandas.DataFrame`.

        Args:
            what: `verdicts`, `findings`, `timings` or `workers`.

        Raises:
            ArgumentValueError: there is no such table.
            FrameworkAbsentError: pandas is not installed.
        """
        return frame_of(
            getattr(self, named("table", what, ("verdicts", "findings", "timings", "workers")))
        )

    def _rows(self, kind: type[R]) -> tuple[R, ...]:
        with self._open() as run:
            return tuple(run.rows(kind))

    @contextmanager
    def _open(self) -> Iterator[RunFile]:
        with RunFile.open(self.path) as run:
            yield run


def open_run(path: str | PathLike[str]) -> Run:
    """Open a run file of `lossdiff check` or `lossdiff bench` to read it.

    Args:
        path: the file.

    Raises:
        RunFileError: it is missing, damaged, or no run of this format.

    >>> open_run("nowhere.sqlite")
    Traceback (most recent call last):
    lossdiff.errors.RunFileError: there is no run file nowhere.sqlite
    """
    if not isinstance(path, str | PathLike):
        raise ArgumentTypeError(f"a {type(path).__name__} is no path of a run file")
    run = Run(Path(path))
    _ = run.meta
    return run
