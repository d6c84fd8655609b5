"""The run file: everything asked and answered by one command, in one SQLite file.

Whoever shows or compares runs reads them through `RunFile`; `SCHEMA` is the format.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from ..cases.dtypes import FORMATS
from ..cases.model import Case, Inputs

APPLICATION_ID = 0x6C6F7373  # "loss": marks the file as ours
FORMAT = 3


class RunFileError(ValueError):
    """A file that is not a run of ours, or cannot be read or written."""


@dataclass(frozen=True)
class VerdictRow:
    """One judged quantity.

    Attributes:
        case: id of the case.
        operation, target_kind, family, shape, dtype: of the case, for selection.
        options: the options that differ from their default.
        implementation, framework, kind, mode, device: who answered, and how.
        quantity: `value`, `gradient_logits` or `gradient_target`.
        verdict: a word of `harness.verdicts`, or `convention:NAME`.
        known: whether the ledger names this finding.
        ledger: the id of the entry that names it.
        ulp: largest error in ulp of the result's dtype; None where it has no meaning.
        ratio: largest error over the sound bound.
        abs_error: largest absolute error.
        where: index of the worst element.
        exact: what was right there, 17 digits.
        got: what came back there.
        note: the explanation, or the error that was raised.
        fingerprint: digest of the bits of the whole answer.
        seconds: time of the call that gave it, first call included.
    """

    case: str
    operation: str
    target_kind: str | None
    family: str
    shape: str
    dtype: str
    options: dict[str, Any]
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    quantity: str
    verdict: str
    known: bool = False
    ledger: str = ""
    ulp: float | None = None
    ratio: float | None = None
    abs_error: float | None = None
    where: str = ""
    exact: str = ""
    got: str = ""
    note: str = ""
    fingerprint: str = ""
    seconds: float | None = None

    table: ClassVar[str] = "verdicts"


@dataclass(frozen=True)
class WorkedRow:
    """Whether an implementation gives the digits that a tutorial prints."""

    example: str
    source: str
    operation: str
    implementation: str
    framework: str
    kind: str
    mode: str
    dtype: str
    printed: list[Any] | float
    got: list[Any] | float | str
    agrees: bool
    note: str = ""

    table: ClassVar[str] = "worked"


@dataclass(frozen=True)
class RelationRow:
    """Whether two routes to the same quantity agree within the sum of their bounds."""

    relation: str
    left: str
    right: str
    framework: str
    mode: str
    dtype: str
    cases: int
    largest_difference: float
    largest_ratio: float
    agrees: bool
    note: str = ""

    table: ClassVar[str] = "relations"


@dataclass(frozen=True)
class DomainRow:
    """From which magnitude on an implementation is no longer right; see `harness.domain`.

    Attributes:
        sweep: what grows, a name of `cases.sweeps.SWEEPS`.
        leaves_bound_at: the smallest magnitude at which an answer is beyond the sound bound.
        left_by: its verdict.
        breaks_at: the smallest magnitude at which an answer is a finding; None if there is none.
        broken_by, quantity, case: the verdict, whose it is, and of which case.
        asked_to: the largest magnitude that was asked.
    """

    implementation: str
    framework: str
    kind: str
    operation: str
    mode: str
    device: str
    dtype: str
    sweep: str
    leaves_bound_at: float | None
    left_by: str
    breaks_at: float | None
    broken_by: str
    quantity: str
    case: str
    asked_to: float

    table: ClassVar[str] = "domains"


@dataclass(frozen=True)
class TimingRow:
    """One benchmark over all passes; times in seconds, the raw ones in its `PassRow`s.

    Attributes:
        case: id of the case that is timed; its verdicts are in the same run.
        direction: `forward` or `forward+backward`.
        threads: `one` or `all`; how many that were is in the `ProcessRow`s.
        cache: `hot`, the same inputs again and again, or `cold`, inputs from memory.
        median: median over the passes of each pass's median.
        low, high: the smallest and the largest of the passes' medians.
        iqr: interquartile range of the rounds, median over the passes.
        minimum: of all rounds.
        rounds: how many were timed, all passes together.
        passes: how many there were.
        first_call: compilation and first call, median over the passes.
        computes: what comes out, the same for all who are compared.
        moved: bytes that must be moved at least: inputs read once, results written once.
        bandwidth: bytes per second that a copy moved on the same device with as many threads,
            reading and writing counted; median over the passes.
        device_time: seconds on the device by its own events; None where there are none.
        memory: peak bytes beyond the inputs; None where it was not measured.
        memory_of: by what: `process`, `allocator` or `xla`.
        verdict: the worst verdict of the timed quantities on these inputs.
        agrees: whether that verdict is no finding.
    """

    case: str
    operation: str
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    dtype: str
    shape: str
    direction: str
    threads: str
    cache: str
    median: float
    low: float
    high: float
    iqr: float
    minimum: float
    rounds: int
    passes: int
    first_call: float
    computes: str
    moved: int
    bandwidth: float | None
    device_time: float | None
    memory: int | None
    memory_of: str
    verdict: str
    agrees: bool

    table: ClassVar[str] = "timings"

    @property
    def of_copy(self) -> float | None:
        """Bytes over time, as a share of what a copy moves."""
        return self.moved / self.median / self.bandwidth if self.bandwidth else None


@dataclass(frozen=True)
class PassRow:
    """One benchmark in one pass.

    Attributes:
        process: `number` of its `ProcessRow`.
        times: seconds of each round, of one call; in the order in which they were timed.
        iterations: how many calls a round had, in each turn.
        first_call: compilation and first call.
        device_time, memory, memory_of: as in `TimingRow`.
        fingerprints: quantity and digest of the bits that came out while it was timed; of the whole
            array, too, where a part of it is judged (`value:whole`).
        verdict: the worst verdict on what came out.
    """

    process: int
    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    cache: str
    times: list[float]
    iterations: list[int]
    first_call: float
    device_time: float | None
    memory: int | None
    memory_of: str
    fingerprints: dict[str, str]
    verdict: str

    table: ClassVar[str] = "passes"


@dataclass(frozen=True)
class ProcessRow:
    """One process that timed one framework in one pass.

    Attributes:
        number: in the order in which they ran.
        pass_number: from 1.
        threads: `one` or `all`.
        thread_count: how many that were.
        bandwidth: bytes per second that a copy moved on the device, reading and writing counted.
        copies: seconds of each copy.
        compute: seconds of a fixed NumPy kernel: how fast the machine was just then.
        load: load average of the last minute, before the process began.
        started: ISO 8601.
        environment: versions, device and flags of the framework.
        source: the file of pytest-benchmark, beside the run file.
    """

    number: int
    pass_number: int
    framework: str
    device: str
    threads: str
    thread_count: int
    bandwidth: float | None
    copies: list[float]
    compute: list[float]
    load: float | None
    started: str
    environment: dict[str, Any]
    source: str

    table: ClassVar[str] = "processes"


@dataclass(frozen=True)
class MemoryRow:
    """Peak memory of one benchmark on the CPU, in a fresh process.

    Attributes:
        memory: bytes by which the process grew at most during the first call.
    """

    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    memory: int

    table: ClassVar[str] = "memory"


@dataclass(frozen=True)
class WorkerRow:
    """The environment of one worker, or why there was none."""

    framework: str
    device: str
    environment: dict[str, Any]
    absent: str = ""

    table: ClassVar[str] = "workers"


Row = (
    VerdictRow
    | WorkedRow
    | RelationRow
    | DomainRow
    | TimingRow
    | PassRow
    | ProcessRow
    | MemoryRow
    | WorkerRow
)
R = TypeVar(
    "R",
    VerdictRow,
    WorkedRow,
    RelationRow,
    DomainRow,
    TimingRow,
    PassRow,
    ProcessRow,
    MemoryRow,
    WorkerRow,
)
ROWS: tuple[type[Row], ...] = (
    VerdictRow, WorkedRow, RelationRow, DomainRow, TimingRow, PassRow, ProcessRow, MemoryRow,
    WorkerRow,
)  # fmt: skip
_COLUMNS: dict[type[Row], list[str]] = {row: [field.name for field in fields(row)] for row in ROWS}
_JSON = (
    "options", "environment", "printed", "got", "times", "iterations", "copies",
    "compute", "fingerprints",
)  # fmt: skip
_BOOL = ("known", "agrees")


def _columns(row: type[Row]) -> list[str]:
    return _COLUMNS[row]


def _create(row: type[Row]) -> str:
    columns = ", ".join(f'"{name}"' for name in _columns(row))
    return f"CREATE TABLE {row.table} ({columns});"


SCHEMA = "\n".join(
    [
        f"PRAGMA application_id = {APPLICATION_ID};",
        f"PRAGMA user_version = {FORMAT};",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);",
        'CREATE TABLE given ("case" TEXT PRIMARY KEY, npz BLOB NOT NULL);',
        *map(_create, ROWS),
    ]
)


def _encode(row: Row) -> list[Any]:
    return [
        json.dumps(_storable(value)) if _is_json(type(row), name) else _storable(value)
        for name, value in vars(row).items()
    ]


def _is_json(row: type[Row], name: str) -> bool:
    return name in _JSON and not (row is VerdictRow and name == "got")


def _storable(value: Any) -> Any:
    """Lone surrogates, which an error message may hold, are no UTF-8."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _decode(row: type[R], record: sqlite3.Row) -> R:
    values = {name: record[name] for name in _columns(row)}
    for name, value in values.items():
        if name in _BOOL:
            values[name] = bool(value)
        elif _is_json(row, name):
            values[name] = json.loads(value)
    return row(**values)


def _opened(path: Path) -> tuple[sqlite3.Connection, int]:
    """Open a run file of any format to read it; returns the format, too."""
    if not path.is_file():
        raise RunFileError(f"there is no run file {path}")
    connection = sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True)
    try:
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        connection.close()
        raise RunFileError(f"{path} is not a lossdiff run file: {error}") from error
    if mark != APPLICATION_ID:
        connection.close()
        raise RunFileError(f"{path} is not a lossdiff run file")
    return connection, version


class RunFile:
    """A run file, open for reading or for writing; use it in a `with` statement."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self.path = path

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new run file; one of ours at the same place is replaced.

        Raises:
            RunFileError: there is another file, or the place cannot be written.
        """
        if path.exists():
            connection, _ = _opened(path)  # of ours, of whatever format
            connection.close()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            connection = sqlite3.connect(path)
            connection.executescript(SCHEMA)
            connection.commit()
        except (OSError, sqlite3.Error) as error:
            raise RunFileError(f"cannot write {path}: {error}") from error
        return cls(connection, path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run file to read it.

        Raises:
            RunFileError: the file is missing, damaged, or not a run of this format.
        """
        connection, version = _opened(path)
        if version != FORMAT:
            connection.close()
            raise RunFileError(f"{path} has format {version}; this version reads {FORMAT}")
        return cls(connection, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, json.JSONDecodeError, IndexError, TypeError) as error:
            raise RunFileError(f"{self.path} is damaged: {error}") from error

    def close(self) -> None:
        """Close the file; what was added is on disk already."""
        self._connection.close()

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows of one kind, and commit them."""
        if not rows:
            return
        names = _columns(type(rows[0]))
        marks = ", ".join("?" * len(names))
        with self._connection:
            self._connection.executemany(
                f"INSERT INTO {rows[0].table} VALUES ({marks})", map(_encode, rows)
            )

    def add_given(self, cases: Iterable[Case]) -> None:
        """Keep the arrays of cases that came with them."""
        with self._connection:
            for case in cases:
                if case.given is not None:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO given VALUES (?, ?)", (case.id, _pack(case.given))
                    )

    def rows(self, row: type[R], where: str = "1", arguments: Sequence[Any] = ()) -> Iterator[R]:
        """Yield the rows of one kind, in the order in which they were written.

        Args:
            row: the kind.
            where: an SQL condition on its columns, written by this program.
            arguments: for the condition's question marks.

        Raises:
            RunFileError: the file is damaged.
        """
        query = f"SELECT * FROM {row.table} WHERE {where} ORDER BY rowid"
        with self._reading():
            for record in self._connection.execute(query, arguments):
                yield _decode(row, record)

    @property
    def meta(self) -> dict[str, str]:
        """What the run is: version, command, suite, seed, times of start and end (ISO 8601)."""
        with self._reading():
            return dict(map(tuple, self._connection.execute("SELECT key, value FROM meta")))

    def set_meta(self, **values: str) -> None:
        """Set entries of `meta`."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items()
            )

    def case(self, case_id: str) -> Case:
        """Return a case of this run, with its arrays if it came with them."""
        case = Case.parse(case_id)
        query = 'SELECT npz FROM given WHERE "case" = ?'
        with self._reading():
            record = self._connection.execute(query, (case_id,)).fetchone()
        return case if record is None else replace(case, given=_unpack(record["npz"], case))


def _pack(inputs: Inputs) -> bytes:
    stream = io.BytesIO()
    arrays = {name: value for name, value in vars(inputs).items() if value is not None}
    # .npz knows no bfloat16; every format goes into float64 without loss.
    wide = {
        name: value if value.dtype.kind in "iu" else value.astype(np.float64)
        for name, value in arrays.items()
    }
    np.savez_compressed(stream, **wide)
    return stream.getvalue()


def _unpack(npz: bytes, case: Case) -> Inputs:
    with np.load(io.BytesIO(npz), allow_pickle=False) as data:
        return Inputs(
            **{
                name: value if value.dtype.kind in "iu" else FORMATS[case.dtype].round(value)
                for name, value in data.items()
            }
        )
